"""The main job on real scenes with a trained network, through the command line."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from support.small_job import placed

from geowatch.stages.status import status
from gw_cli.main import cli

#: Labels of the scene's authors: shadow 0, land 1, water 2, snow 3, cloud 4. The network's: rest 0, cloud 1, shadow 2.
TO_NETWORK = np.array([2, 0, 0, 0, 1])


def gw(*args: object) -> str:
    """Run a command line in this process."""
    ran = CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


@pytest.fixture(scope="module")
def cloud_package(shared_data, tmp_path_factory):
    folder = shared_data("cloud_model")
    about = json.loads((folder / "model_6b_l1c.json").read_text())["data"]["dataset_statistics"]
    mean, std = (",".join(map(repr, values)) for values in about["img"])
    package = tmp_path_factory.mktemp("cloud") / "package"
    gw(
        "model", "import", folder / "model_6b_l1c.onnx", "--bands", ",".join(about["band_names"]), "--mean", mean,
        "--std", std, "--classes", "background,cloud,shadow", "--window", "256", "-o", package,
    )  # fmt: skip
    return package


def kappa(truth, found):
    """Return Cohen's kappa and overall accuracy."""
    table = np.zeros((3, 3))
    np.add.at(table, (truth.ravel(), found.ravel()), 1)
    share = table / table.sum()
    agree, chance = np.trace(share), share.sum(0) @ share.sum(1)
    return (agree - chance) / (1 - chance), agree


@pytest.mark.slow
def test_clouds_are_found_as_well_as_by_the_networks_authors_wherever_the_lattice_falls(
    shared_data, cloud_package, tmp_path
):
    with np.load(shared_data("cloud_scene") / "sentinel2.npz") as scene:
        image, labels = scene["img"], scene["msk"].squeeze()
    truth = TO_NETWORK[labels]
    figures = []
    for row in range(4):
        for column in range(4):
            # 192 px is the stride: the scene takes 16 places in its period.
            left, top = 499_200 + 10 * (48 * column), 4_800_000 - 10 * (48 * row)
            folder = tmp_path / f"{row}{column}"
            folder.mkdir()
            with rasterio.open(
                folder / "scene.tif", "w", driver="GTiff", height=512, width=512, count=6, dtype="float32",
                crs="EPSG:32633", transform=Affine(10, 0, left, 0, -10, top),
            ) as target:  # fmt: skip
                target.write(np.moveaxis(image, 2, 0))
            gw(
                "run", "--images", folder / "scene.tif", "--bands", "blue,green,red,nir,swir16,swir22",
                "--model", cloud_package, "--run", folder / "run",
            )  # fmt: skip
            with rasterio.open(folder / "run/map.tif") as made:
                figures.append(kappa(truth, made.read(1)))
    worst = min(figures)
    assert worst[0] >= 0.802, figures


@pytest.mark.slow
def test_the_full_sentinel_2_scene_is_the_same_map_in_any_tiling_killed_or_not(shared_data, cloud_package, tmp_path):
    scene = shared_data("sentinel2_l1c")
    reading = ("--images", scene, "--sensor", "sentinel-2-l1c")
    expected = None
    for tile_size, workers in [(2048, 1), (1024, 1), (512, 2), (256, 1)]:
        folder = tmp_path / str(tile_size)
        gw("tile", *reading, "--tile-size", tile_size, "--model", cloud_package, "--run", folder)
        predict = ("predict", *reading, "--model", cloud_package, "--workers", workers, "--run", folder)
        if tile_size == 256:
            kill_half_way(predict, folder)
        gw(*predict)
        gw("stitch", "--run", folder)
        box, values = placed(folder)
        digest = hashlib.sha256((folder / "map.tif").read_bytes()).hexdigest()
        if expected is None:
            expected = box, values, digest
        assert box == expected[0]
        assert np.array_equal(values, expected[1]), tile_size
        assert digest == expected[2], tile_size
        shutil.rmtree(folder)


def kill_half_way(arguments, folder):
    """Run a command line in a process and kill it once some tiles are done."""
    process = subprocess.Popen([sys.executable, "-m", "gw_cli", *map(str, arguments)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if sum(1 for _ in (folder / "markers").rglob("*.json")) >= 4:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    found = status(str(folder)).parts[0]
    assert 4 <= found.done < found.tiles
