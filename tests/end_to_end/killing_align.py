"""Kills real processes that align, at chosen and at random moments, and lets others resume.

Run as a program by test_align_kills.py: imports everything once, then forks a fresh process for each attempt.
``python killing_align.py JOB.json`` prints one JSON line an attempt.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import zarr  # noqa: F401 - imported once here, not by each process
from dying import Moment, ended, forked

from geowatch.read import cubewrite, reader
from geowatch.stages.align import AlignConfig, align

#: Where a process can be killed: the object and the function whose n-th call it does not survive.
MOMENTS = {
    "read": (reader.FrameReader, "read"),
    "write": (cubewrite, "join_shard"),
    "publish": (Path, "replace"),
    "marker": (cubewrite, "write_marker"),
}


def attempt(run: Path, cube: Path, moment: Moment | None) -> int:
    """Align in a forked process; return its pid."""
    return forked(lambda: align(AlignConfig(run=str(run), cube=str(cube), workers=1)), MOMENTS, moment)


def killed(run: Path, cube: Path, moment: Moment | None, wait_s: float) -> int:
    """Begin to align, and kill it at a moment; at a random one where none is given."""
    pid = attempt(run, cube, moment)
    if moment is None:
        time.sleep(wait_s)
        os.kill(pid, signal.SIGKILL)
    return ended(pid)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    folder, planned = Path(job["folder"]), Path(job["planned"])
    rng = random.Random(job["seed"])
    started = time.monotonic()
    assert ended(attempt(Path(shutil.copytree(planned, folder / "calm")), folder / "calm-cube", None)) == 0
    lasts = time.monotonic() - started
    for number, moment in enumerate([*job["moments"], *[None] * job["random"]]):
        runs = [Path(shutil.copytree(planned, folder / f"run{number}-{twin}")) for twin in "ab"]
        cube = folder / f"cube{number}"
        status = killed(runs[0], cube, moment and tuple(moment), rng.uniform(0, lasts))
        left = sum(1 for _ in (cube / "markers").rglob("*.json")) if cube.exists() else 0
        # Two runs that share the cube finish it at once, one of them the run that was killed.
        twins = [attempt(run, cube, None) for run in runs]
        resumed = max(ended(twin) for twin in twins)
        line = {"moment": moment, "killed": status, "done": left, "resumed": resumed, "cube": str(cube)}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
