"""A full Sentinel-2 scene through the command line, with a trained network."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.shell import gw
from support.small_job import placed

from geowatch.stages.status import status


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
