"""Processes that consolidate with an earlier run's sites, killed at their steps: that run is never touched."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.made_heatmap import Made, lattice_box, make_run, of_array

from geowatch.errors import InputError
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.record import RECORD, read_record
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.verify import VerifyConfig, verify
from geowatch.store import LocalStore

DAYS = ("2016-07-18", "2016-08-03", "2016-08-19", "2016-09-04", "2016-09-20")
OUTPUTS = ("parquet", "smart", "summary")
MOMENTS = [
    *(["publish", call, after] for call in (1, 4, 5, 6, 9) for after in (False, True)),
    ["remove", 1, True],
    ["stage", 3, False],
]


def tracked(folder: Path, *days: int) -> Path:
    """Make a run of some days: sites that go on, end, begin and ended before the second run."""
    stored = np.zeros((5, 1, 24, 24), np.uint8)
    for y, x, active in ((2, 3, (0, 1, 2, 3)), (10, 6, (0, 1)), (17, 15, (3,)), (5, 18, (0,))):
        for day in active:
            stored[day, :, y : y + 4, x : x + 4 + day] = 230
    empty = Made((24, 24), tuple(DAYS[day] for day in days), ("thing",), lambda time, box: stored, 16, None, "sigmoid")
    run = make_run(folder, replace(empty, scores=of_array(stored[list(days)], lattice_box(empty))))
    track(TrackConfig(run=str(run), workers=1, mode="linked", low=0.5, high=0.5))
    return run


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("going-on-kills")
    tracked(folder / "earlier", 0, 1)
    tracked(folder / "old", 2, 3)
    asked = {"region_id": "ZZ_R001", "outputs": OUTPUTS}
    consolidate(ConsolidateConfig(run=str(folder / "earlier"), **asked))
    before = everything(folder / "earlier")
    asked["previous"] = str(folder / "earlier")
    job = {
        "old": str(folder / "old"),
        "folder": str(folder),
        "asked": asked,
        "moments": MOMENTS,
        "random": 2,
        "seed": 7,
    }
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("killing_sites.py")), "job.json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder, before, [json.loads(line) for line in ran.stdout.splitlines()]


def everything(run: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of each file, by name."""
    files = (path for path in run.rglob("*") if path.is_file())
    return {str(path.relative_to(run)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def contents(run: Path) -> dict[str, bytes]:
    store = LocalStore(run)
    return {key: store.get(key) for key in (*store.list("sites/"), RECORD)}


def test_most_attempts_were_killed(attempts):
    tried = attempts[2]
    assert sum(each["killed"] == -9 for each in tried) > 0.8 * len(tried)


def test_the_earlier_run_is_never_touched(attempts):
    folder, before, _ = attempts
    assert everything(folder / "earlier") == before


def test_a_killed_run_says_so_and_run_again_makes_what_an_undisturbed_one_makes(attempts):
    folder, _, tried = attempts
    new = contents(folder / "new")
    account = json.loads(new["sites/gaps.json"])["earlier_run"]
    assert [account[name] for name in ("went_on", "ended", "new", "stayed")] == [2, 1, 1, 1]
    for each in tried:
        left = LocalStore(Path(each["left"]))
        sound = verify(VerifyConfig(each["left"])).damaged == ()
        assert sound == (read_record(left) is not None or left.size("sites/sites.arrow") is None), each["moment"]
        assert each["resumed"] == 0, each
        assert contents(Path(each["run"])) == new, each["moment"]
        assert verify(VerifyConfig(each["run"])).damaged == ()


def test_a_third_run_does_not_go_on_with_one_that_was_killed_before_it_was_whole(attempts):
    folder, _, tried = attempts
    run = tracked(folder / "third", 4)
    for each in tried:
        left = LocalStore(Path(each["left"]))
        config = ConsolidateConfig(run=str(run), previous=left.url, deliver=False, region_id="ZZ_R001")
        whole = left.size("sites/history.json") is not None
        if whole:
            consolidate(config)
        else:
            with pytest.raises(InputError, match=r"holds no sites|does not say"):
                consolidate(config)
