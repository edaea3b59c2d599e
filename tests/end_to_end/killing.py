"""Kills real processes that predict, at chosen and at random moments, and lets others resume.

Run as a program by test_kills.py: imports everything once, then forks a fresh process for each attempt.
``python killing.py JOB.json`` prints one JSON line an attempt.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from dying import Moment, ended, forked, killed_at_random

from geowatch.package.backends import onnxruntime as ort_backend
from geowatch.read import reader
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stitch import publish

#: Where a process can be killed: the object and the function whose n-th call it does not survive.
MOMENTS = {
    "read": (reader.FrameReader, "read"),
    "network": (ort_backend.OnnxRuntimeBackend, "run"),
    "write": (publish, "encode_shard"),
    "publish": (Path, "replace"),
    "marker": (publish, "write_marker"),
}


def attempt(job: dict[str, str], folder: Path, moment: Moment | None) -> int:
    """Predict in a forked process; return its pid."""
    imagery = ImageryConfig(images=(job["scene"],))
    config = PredictConfig(run=str(folder), model=job["package"], imagery=imagery, workers=1)
    return forked(lambda: predict(config), MOMENTS, moment)


def calm_run(job: dict, name: str) -> float:
    """Predict undisturbed in folder ``name``; return the seconds that it took."""
    folder = fresh(job, Path(job["folder"]) / name)
    started = time.monotonic()
    assert ended(attempt(job, folder, None)) == 0
    return time.monotonic() - started


def fresh(job: dict, folder: Path) -> Path:
    """Make the folder as it was planned."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(job["planned"], folder))


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    # The shortest of several: the first is slow, and a kill that comes too late kills nothing.
    lasts = min(calm_run(job, name) for name in ("calm", "calm2", "calm3"))
    rng = random.Random(job["seed"])
    for number, moment in enumerate(job["moments"] + [None] * job["random"]):
        folder = fresh(job, Path(job["folder"]) / f"run{number}")
        if moment is None:
            again = partial(fresh, job, folder)
            killed, lasts = killed_at_random(partial(attempt, job, folder, None), again, rng, lasts)
        else:
            killed = ended(attempt(job, folder, tuple(moment)))
        left = sum(1 for _ in (folder / "markers").rglob("*.json"))
        if number % 5 == 4:  # twins: two processes finish the same tiles at once
            twins = [attempt(job, folder, None), attempt(job, folder, None)]
            resumed = max(ended(twin) for twin in twins)
        else:
            resumed = ended(attempt(job, folder, None))
        sys.stdout.write(
            json.dumps({"moment": moment, "killed": killed, "done": left, "resumed": resumed, "run": str(folder)})
            + "\n"
        )


if __name__ == "__main__":
    main()
