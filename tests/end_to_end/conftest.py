"""Fixtures of the small job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from affine import Affine
from pyproj import Transformer
from support.shell import gw
from support.small_job import config_of, plan_job, speckled, write_raster

from geowatch.stages.predict import predict


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a raster of 197 x 231 pixels whose corners lie half a pixel off multiples of its resolution."""
    affine = Affine(10, 0, 500_005, 0, -10, 4_000_015)
    return write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", speckled(197, 231), affine)


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a region with a hole that reaches beyond the scene on one side."""
    to_lonlat = Transformer.from_crs("EPSG:32618", "OGC:CRS84", always_xy=True)

    def ring(*points: tuple[float, float]) -> list[tuple[float, float]]:
        closed = (*points, points[0])
        return [to_lonlat.transform(500_005 + 10 * x, 4_000_015 - 10 * y) for x, y in closed]

    outer = ring((13, 8), (250, 3), (221, 190), (100, 160), (20, 185))
    hole = ring((90, 40), (130, 50), (110, 90))
    path = tmp_path_factory.mktemp("region") / "region.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [outer, hole]}))
    return path


@pytest.fixture(scope="session")
def job(scene: Path, region: Path, tiny_package: Path) -> Callable[..., Path]:
    """Return a function that plans and predicts the small job into a folder, with other options where given."""

    def run(folder: Path, *, tile_size: int = 64, planned_only: bool = False, **options: object) -> Path:
        plan_job(folder, region, scene, tile_size)
        if not planned_only:
            predict(config_of(folder, scene, tiny_package, **options))
        return folder

    return run


@pytest.fixture(scope="session")
def cloud_package(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package of the trained cloud network."""
    folder = shared_data("cloud_model")
    about = json.loads((folder / "model_6b_l1c.json").read_text())["data"]["dataset_statistics"]
    mean, std = (",".join(map(repr, values)) for values in about["img"])
    package = tmp_path_factory.mktemp("cloud") / "package"
    gw(
        "model", "import", folder / "model_6b_l1c.onnx", "--bands", ",".join(about["band_names"]), "--mean", mean,
        "--std", std, "--classes", "background,cloud,shadow", "--window", "256", "-o", package,
    )  # fmt: skip
    return package
