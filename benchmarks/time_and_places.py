"""Series, tracking, consolidation and cubes: each measured by a script of its own, whose figures a session keeps.

Every script runs alone too, and says in its head what it measures: ``bench_series.py``, ``bench_track.py``,
``bench_consolidate.py`` and ``bench_cube.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.process import call
from benchmarks.results import ROOT
from benchmarks.scale import QUICK
from benchmarks.session import Session

__all__ = ["SCRIPTS", "measurer"]

SCRIPTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "series": (("100", "200", "400"), ("60",)),
    "track": (("4096", "8192"), ("2048",)),
    "consolidate": (("625", "2500", "10000"), ("100",)),
    "cube": (("24",), ("4",)),
}
"""Arguments of each script for a full session, and for a quick one."""


def measurer(name: str) -> Callable[[Session], None]:
    """Return what measures a part with its script."""

    def measure(session: Session) -> None:
        part = session.results.part(name)
        if part.done:
            return
        words = SCRIPTS[name][session.scale.name == QUICK.name]
        ran = call([sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / f"bench_{name}.py"), *words])
        for line in ran.output.strip().splitlines()[:-1]:
            session.say(f"  {line}")
        part.note(rows=ran.last_line)
        part.finish()

    return measure
