"""Peak memory over the size of the raster, with one worker and a network of two convolutions."""

from __future__ import annotations

from functools import partial

from benchmarks.gw import Job, Setup, predict
from benchmarks.session import WORK, Session, warmed

__all__ = ["measure"]


def measure(session: Session) -> None:
    """Predict rasters of growing size, each once: memory hardly varies from run to run."""
    part = session.results.part("memory")
    if part.done:
        return
    setup = Setup("memory", threads=1, backend="onnxruntime")
    for side in session.scale.memory_px:
        session.say(f" memory at {side} x {side} pixels")
        raster = warmed(session.material.raster(side))
        job = Job(raster, session.material.small_package(), WORK / "runs", cache=WORK / "cache")
        session.interleave(part, {str(side): partial(predict, setup, job)}, 1)
    part.finish()
