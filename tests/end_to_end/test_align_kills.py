"""Processes that align, killed at any moment: what two others make of what is left is what an undisturbed one makes."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import open_store

MOMENTS = [
    [moment, call, after]
    for moment in ("read", "write", "publish", "marker")
    for call, after in ((1, True), (2, False))
]
RANDOM = 3


@pytest.fixture(scope="module")
def attempts(scene, region, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    planned = folder / "planned"
    tile(TileConfig(region=str(region), run=str(planned), tile_size=64, imagery=ImageryConfig(images=(str(scene),))))
    asked = {"planned": str(planned), "folder": str(folder), "moments": MOMENTS, "random": RANDOM, "seed": 20261122}
    (folder / "job.json").write_text(json.dumps(asked))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("killing_align.py")), str(folder / "job.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder / "calm-cube", [json.loads(line) for line in ran.stdout.splitlines()]


def contents(cube: Path) -> dict[str, str]:
    store = open_store(cube)
    return {key: sha256(store.get(key)).hexdigest() for key in store.list() if not key.startswith("contents/")}


def test_processes_were_killed_at_every_kind_of_moment(attempts):
    _, tried = attempts
    at = [attempt for attempt in tried if attempt["moment"]]
    assert {attempt["moment"][0] for attempt in at if attempt["killed"] == -9} == {"read", "write", "publish", "marker"}
    assert sum(attempt["killed"] == -9 for attempt in at) >= 6
    assert {attempt["done"] for attempt in tried} >= {0, 1}


def test_two_runs_that_share_the_cube_finish_what_a_killed_one_left(attempts):
    calm, tried = attempts
    expected = contents(calm)
    assert len(expected) > 10
    for attempt in tried:
        assert attempt["resumed"] == 0, attempt
        assert contents(Path(attempt["cube"])) == expected, attempt
