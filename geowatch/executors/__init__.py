"""Who does the work: a plain loop or Dask, behind one Protocol."""

from geowatch.executors.base import Executor, Outcome
from geowatch.executors.loop import LoopExecutor

__all__ = ["Executor", "LoopExecutor", "Outcome"]
