"""A run over imagery on a web server: the same heatmap, no secret on disk, and a changed file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from support.range_server import serve
from support.small_job import config_of, placed, plan_job, speckled, write_raster

from geowatch.errors import ImageryError, PlanMismatchError
from geowatch.stages.predict import predict

AFFINE = Affine(10, 0, 500_015, 0, -10, 4_200_005)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_raster(tmp_path / "www" / "scene_20200601.tif", speckled(200, 260), AFFINE)
    return tmp_path


def all_text(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_signed_imagery_gives_the_heatmap_of_the_local_file_and_leaves_no_secret(folder, tiny_package):
    local = folder / "www" / "scene_20200601.tif"
    plan_job(folder / "here", None, local, 128)
    predict(config_of(folder / "here", local, tiny_package))
    with serve(folder / "www") as server:
        server.query = "sig=TOPSECRET"
        address = f"{server.url}/scene_20200601.tif?{server.query}"
        plan_job(folder / "there", None, address, 128)
        predict(config_of(folder / "there", address, tiny_package))
    assert np.array_equal(placed(folder / "here")[1], placed(folder / "there")[1])
    assert b"TOPSECRET" not in all_text(folder / "there")
    assert b"scene_20200601.tif" in all_text(folder / "there")


def test_a_run_does_not_go_on_with_a_file_that_changed_on_its_server(folder, tiny_package):
    with serve(folder / "www") as server:
        address = f"{server.url}/scene_20200601.tif"
        plan_job(folder / "run", None, address, 128)
        given = config_of(folder / "run", address, tiny_package)
        predict(given)
        with rasterio.open(folder / "www" / "scene_20200601.tif", "r+") as file:
            file.write(file.read() + 1)
        with pytest.raises(ImageryError, match="changed since it was planned"):
            predict(config_of(folder / "run", address, tiny_package, imagery=type(given.imagery)()))
        with pytest.raises(PlanMismatchError, match="bound to other imagery"):
            predict(given)
