"""Kills real processes that track, at chosen moments, and lets others resume.

Run as a program by test_track.py: imports everything once, then forks a fresh process for each attempt.
``python killing_track.py RUN CALLS`` prints one JSON line an attempt.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from dying import Moment, ended, forked

from geowatch.sites.fragment import Fragment
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.tracking.scored import HeatmapPlanes
from geowatch.store import LocalStore

#: Where a process can be killed: the object and the function whose n-th call it does not survive.
MOMENTS = {"read": (HeatmapPlanes, "read"), "encode": (Fragment, "to_bytes"), "publish": (LocalStore, "put"),
           "rename": (Path, "replace")}  # fmt: skip
OPTIONS = {"low": 0.7, "high": 0.72, "mode": "linked"}


def attempt(folder: Path, moment: Moment | None) -> int:
    """Track in a forked process; return its exit status, negative for a signal."""
    config = TrackConfig(run=str(folder), workers=1, **OPTIONS)
    return ended(forked(lambda: track(config), MOMENTS, moment))


def main() -> None:
    run = Path(sys.argv[1])
    calm = shutil.copytree(run, run.parent / "calm")
    assert attempt(calm, None) == 0
    for number, (moment, call, after) in enumerate(json.loads(sys.argv[2])):
        folder = shutil.copytree(run, run.parent / f"run{number}")
        killed = attempt(folder, (moment, call, after))
        left = sum(1 for _ in (folder / "fragments").rglob("*.arrow"))
        resumed = attempt(folder, None)
        told = {"moment": moment, "killed": killed, "left": left, "resumed": resumed, "run": str(folder)}
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
