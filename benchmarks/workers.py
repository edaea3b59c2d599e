"""Two workers of one thread on two cores against one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.gw import predict
from benchmarks.session import Session

__all__ = ["measure"]


def measure(session: Session) -> None:
    """Predict the main raster with one worker and with two, each with networks of one thread."""
    part = session.results.part("workers")
    if part.done:
        return
    job = session.job(session.scale.main_px)
    base = session.setup(replace(session.base(), name="one thread", threads=1), job)
    part.note(side_px=session.scale.main_px)
    cases = {f"{n} x 1 thread": partial(predict, replace(base, workers=n), job) for n in (1, 2)}
    session.interleave(part, cases, session.scale.short_rounds)
    part.finish()
