"""Processes killed at any moment: what a resume makes is what an undisturbed run makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.small_job import placed

from geowatch.stages.status import status
from geowatch.stages.verify import VerifyConfig, verify

MOMENTS = ("read", "network", "write", "publish", "marker")
CALLS = [(1, False), (2, True), (3, False), (5, True), (8, False), (10, True)]
RANDOM = int(os.environ.get("GW_RANDOM_KILLS", "20"))


@pytest.fixture(scope="module")
def attempts(job, scene, tiny_package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    planned = job(folder / "planned", planned_only=True)
    asked = {
        "planned": str(planned),
        "folder": str(folder),
        "scene": str(scene),
        "package": str(tiny_package),
        "moments": [[moment, call, after] for moment in MOMENTS for call, after in CALLS],
        "random": RANDOM,
        "seed": 20261121,
    }
    (folder / "job.json").write_text(json.dumps(asked))
    script = Path(__file__).with_name("killing.py")
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(folder / "job.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder / "calm", [json.loads(line) for line in ran.stdout.splitlines()]


def test_fifty_processes_were_killed_and_each_moment_five_times(attempts):
    _, tried = attempts
    killed = [a for a in tried if a["killed"] == -9]
    assert len(killed) >= 48 if RANDOM == 20 else len(killed) > RANDOM
    for moment in MOMENTS:
        assert sum(1 for a in killed if a["moment"] and a["moment"][0] == moment) >= 5, moment


def test_some_kills_left_work_done_and_some_left_none(attempts):
    done = {a["done"] for a in attempts[1]}
    assert min(done) == 0
    assert max(done) > 3


def test_every_resume_finishes_with_the_values_of_an_undisturbed_run(attempts):
    calm, tried = attempts
    box, expected = placed(calm)
    for attempt in tried:
        assert attempt["resumed"] == 0, attempt
        folder = Path(attempt["run"])
        assert status(str(folder)).finished, attempt
        where, values = placed(folder)
        assert where == box
        assert np.array_equal(values, expected), attempt
        assert verify(VerifyConfig(str(folder))).damaged == (), attempt
