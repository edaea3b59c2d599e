"""Measure all, and write docs/benchmarks.

    python -m benchmarks                full set: some 40 minutes on a quiet machine of two cores
    python -m benchmarks --quick        small rasters, to see that everything runs; writes nothing to docs
    python -m benchmarks --only memory  one part
    python -m benchmarks --keep --only series --only track    those parts, beside what is published of the others
    python -m benchmarks --page         only the page, from results that are there

A session that was stopped goes on where it was, as long as the sources are the same; ``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    agreement,
    codecs_of_heatmaps,
    end_to_end,
    memory,
    page,
    plans,
    stages,
    start,
    time_and_places,
    windows,
    workers,
)
from benchmarks.machine import facts
from benchmarks.results import source_state
from benchmarks.scale import FULL, QUICK
from benchmarks.session import WORK, Session

PARTS: dict[str, Callable[[Session], None]] = {
    "windows": windows.measure,
    "end_to_end": end_to_end.measure,
    "agreement": agreement.measure,
    "workers": workers.measure,
    "start": start.measure,
    "stages": stages.measure,
    "codecs": codecs_of_heatmaps.measure,
    "plans": plans.measure,
    "memory": memory.measure,
    **{name: time_and_places.measurer(name) for name in time_and_places.SCRIPTS},
}
"""Parts in the order in which they run: later ones use what earlier ones found."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for. Returns the number of parts that failed, at most 1."""
    asked = _parse(words)
    if asked.check:
        return _check()
    scale = QUICK if asked.quick else FULL
    if asked.fresh:
        shutil.rmtree(WORK / scale.name, ignore_errors=True)
    session = Session.begin(scale, asked.state or source_state())
    failed = [] if asked.page else [name for name in asked.only or PARTS if not _ran(name, session)]
    part = session.results.part("machine")
    part.note(**facts(), minutes=round(session.spent_s / 60, 1))
    session.say(f"page: {page.publish(session, keep=asked.keep)}")
    if failed:
        session.say(f"failed: {', '.join(failed)}")
    return min(1, len(failed))


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure all, and write docs/benchmarks.")
    parser.add_argument("--quick", action="store_true", help="small rasters; docs stay as they are")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier session measured")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="only this part; may be repeated")
    parser.add_argument("--keep", action="store_true", help="leave what is published of parts not measured now")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--check", action="store_true", help="does the published page say what its results say?")
    parser.add_argument("--state", help="name of the sources, to go on with results of another state")
    return parser.parse_args(words)


def _check() -> int:
    """Compare the published page with what its results give."""
    document = json.loads((page.FOLDER / page.RESULTS).read_text())
    made = page.files(document)
    other = [name for name, text in made.items() if (page.FOLDER / name).read_text() != text]
    for name in other:
        print(f"{page.FOLDER / name} is not what its results give; python -m benchmarks --page writes it")
    return min(1, len(other))


def _ran(name: str, session: Session) -> bool:
    """Run a part; one that fails does not keep the others from running."""
    session.say(name)
    try:
        PARTS[name](session)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        session.say(f"  failed: {error}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
