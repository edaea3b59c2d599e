"""Processes that consolidate, killed at any moment: old sites, new sites, or such as say that they are not finished."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.tracked import ArrayPlanes
from support.tracked_run import tracked_run

from geowatch.grid.lattice import PixelBox
from geowatch.stages.clean import CleanConfig, clean
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.record import RECORD, read_record
from geowatch.stages.status import status
from geowatch.stages.verify import VerifyConfig, verify
from geowatch.store import LocalStore

OUTPUTS = ("parquet", "smart", "summary")
MOMENTS = [
    *(["publish", call, after] for call in (1, 2, 4, 5, 7, 9, 12) for after in (False, True)),
    *(["remove", 1, after] for after in (False, True)),
    *(["stage", call, False] for call in (2, 6)),
]


def planes() -> ArrayPlanes:
    stored = np.zeros((2, 1, 24, 24), np.uint8)
    for y, x, side in ((2, 3, 5), (10, 6, 4), (17, 15, 6), (5, 18, 3)):
        stored[:, :, y : y + side, x : x + side] = 230
    return ArrayPlanes(stored, PixelBox(-3000, 40000, -2976, 40024))


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site-kills")
    tracked_run(folder / "old", planes(), (17000, 17016), 8)
    consolidate(ConsolidateConfig(run=str(folder / "old"), region_id="ZZ_R001", outputs=OUTPUTS))
    asked = {"region_id": "ZZ_R001", "outputs": OUTPUTS, "min_area": 1000.0}
    job = {
        "old": str(folder / "old"),
        "folder": str(folder),
        "asked": asked,
        "moments": MOMENTS,
        "random": 5,
        "seed": 5,
    }
    (folder / "job.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("killing_sites.py")
    command = [sys.executable, "-W", "ignore", str(script), str(folder / "job.json")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder, [json.loads(line) for line in ran.stdout.splitlines()]


def contents(run: Path) -> dict[str, bytes]:
    """What people and later commands read, by key."""
    store = LocalStore(run)
    return {key: store.get(key) for key in (*store.list("sites/"), RECORD) if store.size(key) is not None}


def test_most_attempts_were_killed(attempts):
    tried = attempts[1]
    assert sum(each["killed"] == -9 for each in tried) > 0.8 * len(tried)


def test_each_file_is_the_old_one_or_the_new_one(attempts):
    folder, tried = attempts
    old, new = contents(folder / "old"), contents(folder / "new")
    assert old["sites/sites.arrow"] != new["sites/sites.arrow"]
    seen = set()
    for each in tried:
        for key, content in contents(Path(each["left"])).items():
            assert content in (old.get(key), new.get(key)), (each["moment"], key)
        left = contents(Path(each["left"]))
        seen.add("none" if RECORD not in left else "old" if left[RECORD] == old[RECORD] else "new")
    assert seen >= {"none", "old"}


def test_where_a_record_stands_all_that_it_lists_belongs_together(attempts):
    for each in attempts[1]:
        store = LocalStore(Path(each["left"]))
        told = [damage.what for damage in verify(VerifyConfig(each["left"])).damaged]
        if read_record(store) is None:
            assert told == ["was not finished, or is of a gw that kept no record"], each["moment"]
            assert "not finished" in status(each["left"]).sites.outdated
        else:
            assert told == [], each["moment"]


def test_running_again_makes_what_an_undisturbed_run_makes(attempts):
    folder, tried = attempts
    new = contents(folder / "new")
    for each in tried:
        assert each["resumed"] == 0, each
        assert contents(Path(each["run"])) == new, each["moment"]
        clean(CleanConfig(each["run"]))
        assert not list(Path(each["run"]).rglob(".unfinished*"))
        assert verify(VerifyConfig(each["run"])).damaged == ()
