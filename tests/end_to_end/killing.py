"""Kills real processes that predict, at chosen and at random moments, and lets others resume.

Run as a program by test_kills.py: imports everything once, then forks a fresh process for each attempt.
``python killing.py JOB.json`` prints one JSON line an attempt.
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

from dying import die_at

from geowatch.package.backends import onnxruntime as ort_backend
from geowatch.read import reader
from geowatch.stages.imagery import ImageryConfig
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


def attempt(job: dict[str, str], folder: Path, moment: tuple[str, int, bool] | None) -> int:
    """Predict in a forked process; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if moment is not None:
            die_at(MOMENTS[moment[0]], *moment[1:])
        imagery = ImageryConfig(images=(job["scene"],))
        predict(PredictConfig(run=str(folder), model=job["package"], imagery=imagery, workers=1))
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        import traceback

        traceback.print_exc()
        os._exit(3)


def ended(pid: int) -> int:
    """Wait; return the exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def calm_run(job: dict, name: str) -> float:
    """Predict undisturbed in folder ``name``; return the seconds that it took."""
    folder = Path(shutil.copytree(job["planned"], Path(job["folder"]) / name))
    started = time.monotonic()
    assert ended(attempt(job, folder, None)) == 0
    return time.monotonic() - started


def killed_at_random(job: dict, folder: Path, rng: random.Random, lasts: float) -> tuple[int, float]:
    """Kill a prediction at a random moment; return its exit status, and how long one lasts as far as is known.

    One that is done before its moment comes was faster than any before: the next is killed earlier.
    """
    for _ in range(10):
        started = time.monotonic()
        pid = attempt(job, folder, None)
        time.sleep(rng.uniform(0, lasts))
        os.kill(pid, signal.SIGKILL)
        status = ended(pid)
        if status != 0:
            break
        lasts = min(lasts, time.monotonic() - started) * 0.8
        shutil.rmtree(folder)
        shutil.copytree(job["planned"], folder)
    return status, lasts


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    # The shortest of several: the first is slow, and a kill that comes too late kills nothing.
    lasts = min(calm_run(job, name) for name in ("calm", "calm2", "calm3"))
    rng = random.Random(job["seed"])
    for number, moment in enumerate(job["moments"] + [None] * job["random"]):
        folder = Path(shutil.copytree(job["planned"], Path(job["folder"]) / f"run{number}"))
        if moment is None:
            killed, lasts = killed_at_random(job, folder, rng, lasts)
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
