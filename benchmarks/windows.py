"""What larger windows save: the same overlap in pixels costs less of them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from benchmarks.gw import Setup, predict
from benchmarks.session import Session
from benchmarks.spread import spread_of

__all__ = ["measure"]


def measure(session: Session) -> None:
    """Predict one raster with windows of several sizes; note the fastest."""
    part = session.results.part("windows")
    if part.done:
        return
    side = session.scale.main_px
    job = session.job(side)
    sizes = {f"{px} px": replace(session.base(), name=f"{px} px", window_px=px) for px in session.scale.window_sides_px}
    settled = {name: session.setup(setup, job) for name, setup in sizes.items()}
    part.note(side_px=side, counts={name: counted(setup, side) for name, setup in settled.items()})
    session.interleave(part, {n: partial(predict, s, job) for n, s in settled.items()}, session.scale.short_rounds)
    fastest = min(settled, key=lambda name: spread_of(part.cases[name], "steady_s").median)
    part.note(fastest_px=settled[fastest].window_px)
    part.finish()


def counted(setup: Setup, side_px: int) -> dict[str, float]:
    """Count the windows of a lattice over a square raster whose corner lies on it, and what they compute."""
    stride = setup.window_px - setup.overlap_px
    # A window that starts before the edge and reaches over it counts too.
    across = math.ceil(side_px / stride) + math.ceil(setup.window_px / stride) - 1
    return {"windows": across**2, "redundancy": across**2 * setup.window_px**2 / side_px**2}
