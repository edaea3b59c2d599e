"""How long a plan of millions of tiles takes: `bench_plan` in a process of its own."""

from __future__ import annotations

import sys

from benchmarks.process import call
from benchmarks.results import ROOT, Run
from benchmarks.session import Session

__all__ = ["measure"]


def measure(session: Session) -> None:
    """Plan a tenth of the tiles, then all."""
    part = session.results.part("plans")
    if part.done:
        return
    for tiles in (session.scale.plan_tiles // 10, session.scale.plan_tiles):
        session.interleave(part, {f"{tiles}": lambda tiles=tiles: _plan(tiles)}, 1 if tiles > 10**6 else 2)  # type: ignore[misc]
    part.finish()


def _plan(tiles: int) -> Run:
    ran = call([sys.executable, str(ROOT / "benchmarks" / "bench_plan.py"), str(tiles)])
    return {**ran.last_line, "whole_s": ran.wall_s, "peak_mb": ran.peak_mb}
