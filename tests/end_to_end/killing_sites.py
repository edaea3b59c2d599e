"""Kills real processes that consolidate, at each of their steps and at random moments, and lets others go on.

Run as a program by test_site_kills.py: imports everything once, then forks a fresh process for each attempt.
``python killing_sites.py JOB.json`` prints one JSON line an attempt.
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

from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.store import LocalStore

#: Where a process can be killed: the object and the function whose n-th call it does not survive.
MOMENTS = {"publish": (Path, "replace"), "remove": (LocalStore, "delete"), "stage": (LocalStore, "_with_parent")}


def attempt(folder: Path, asked: dict[str, object], moment: tuple[str, int, bool] | None) -> int:
    """Consolidate in a forked process; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        if moment is not None:
            die_at(MOMENTS[moment[0]], *moment[1:])
        consolidate(ConsolidateConfig(run=str(folder), **asked))
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        import traceback

        traceback.print_exc()
        os._exit(3)


def ended(pid: int) -> int:
    """Wait; return the exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_after(folder: Path, asked: dict[str, object], seconds: float) -> int:
    """Kill a process after some seconds; return its exit status."""
    pid = attempt(folder, asked, None)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return ended(pid)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    asked = {**job["asked"], "outputs": tuple(job["asked"]["outputs"])}
    folder, rng = Path(job["folder"]), random.Random(job["seed"])
    calm = Path(shutil.copytree(job["old"], folder / "new"))
    consolidate(ConsolidateConfig(run=str(calm), **asked))  # here, so that all is imported before the first fork
    started = time.monotonic()
    assert ended(attempt(calm, asked, None)) == 0
    lasts = time.monotonic() - started
    for number, moment in enumerate([*job["moments"], *[None] * job["random"]]):
        run = Path(shutil.copytree(job["old"], folder / f"killed-{number}"))
        if moment is None:
            status = killed_after(run, asked, rng.uniform(0.1, 1.0) * lasts)
        else:
            status = ended(attempt(run, asked, tuple(moment)))
        left = Path(shutil.copytree(run, folder / f"left-{number}"))
        resumed = ended(attempt(run, asked, None))
        said = {"moment": moment, "killed": status, "left": str(left), "run": str(run), "resumed": resumed}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
