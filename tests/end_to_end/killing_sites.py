"""Kills real processes that consolidate, at each of their steps and at random moments, and lets others go on.

Run as a program by test_site_kills.py: imports everything once, then forks a fresh process for each attempt.
``python killing_sites.py JOB.json`` prints one JSON line an attempt.
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

from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.store import LocalStore

#: Where a process can be killed: the object and the function whose n-th call it does not survive.
MOMENTS = {"publish": (Path, "replace"), "remove": (LocalStore, "delete"), "stage": (LocalStore, "_with_parent")}


def attempt(folder: Path, asked: dict[str, object], moment: Moment | None) -> int:
    """Consolidate in a forked process; return its pid."""
    return forked(lambda: consolidate(ConsolidateConfig(run=str(folder), **asked)), MOMENTS, moment)


def fresh(old: str, folder: Path) -> Path:
    """Make the folder as it was."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(old, folder))


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    asked = {**job["asked"], "outputs": tuple(job["asked"]["outputs"])}
    folder, rng = Path(job["folder"]), random.Random(job["seed"])
    calm = fresh(job["old"], folder / "new")
    consolidate(ConsolidateConfig(run=str(calm), **asked))  # here, so that all is imported before the first fork
    started = time.monotonic()
    assert ended(attempt(calm, asked, None)) == 0
    lasts = time.monotonic() - started
    for number, moment in enumerate([*job["moments"], *[None] * job["random"]]):
        run = fresh(job["old"], folder / f"killed-{number}")
        if moment is None:
            again = partial(fresh, job["old"], run)
            status, lasts = killed_at_random(partial(attempt, run, asked, None), again, rng, lasts)
        else:
            status = ended(attempt(run, asked, tuple(moment)))
        left = Path(shutil.copytree(run, folder / f"left-{number}"))
        resumed = ended(attempt(run, asked, None))
        said = {"moment": moment, "killed": status, "left": str(left), "run": str(run), "resumed": resumed}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
