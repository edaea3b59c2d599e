"""What stages that work tile by tile have in common: shares, division among workers, progress and failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from geowatch.errors import ConfigError, GwError, InputError, InterruptedRunError
from geowatch.executors import LoopExecutor
from geowatch.executors.dask import DaskExecutor
from geowatch.grid.sweeps import Sweeps, shard_of

if TYPE_CHECKING:
    from geowatch.executors import Executor, Outcome
    from geowatch.grid.tiles import Tile
    from geowatch.stages.working.events import Events

__all__ = ["Progress", "divided", "executor_of", "failures", "longest", "raise_failures", "share_of"]

#: Parts of the work for each worker, at most, and how much longer than its fair share the last one may be at it.
_PARTS, _UNEVEN = 4, 1.15


class TileJob(Protocol):
    """Work on some tiles."""

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles."""


J = TypeVar("J", bound=TileJob)


def share_of(sweeps: Sweeps, shard: tuple[int, int] | None) -> Sweeps:
    """Return the i-th of n shares of the sweeps, counted from 1. Raises ConfigError where there is none."""
    index, shares = shard or (1, 1)
    if not 1 <= index <= shares:
        raise ConfigError(f"there is no share {index} of {shares}", hint=f"shares are 1/{shares} to {shares}/{shares}")
    return cast("Sweeps", shard_of(sweeps, index - 1, shares))


def divided(jobs: Iterable[J], workers: int, part_of: Callable[[J, tuple[Tile, ...]], J]) -> list[J]:
    """Halve the largest jobs until the workers would end at about the same time; cutting changes no value."""
    jobs = list(jobs)
    fair = sum(len(job.tiles) for job in jobs) / workers
    while jobs and len(jobs) < _PARTS * workers and longest([len(j.tiles) for j in jobs], workers) > _UNEVEN * fair:
        largest = max(range(len(jobs)), key=lambda k: len(jobs[k].tiles))
        tiles = jobs[largest].tiles
        if len(tiles) < 2:
            break
        half = len(tiles) // 2
        jobs[largest : largest + 1] = [part_of(jobs[largest], t) for t in (tiles[:half], tiles[half:])]
    return jobs


def longest(sizes: Sequence[int], workers: int) -> int:
    """Return what the busiest worker has to do where each takes the largest of what is left.

    >>> longest([4, 4, 4], 2), longest([4, 4, 2, 2], 2)
    (8, 6)
    """
    loads = [0] * workers
    for size in sorted(sizes, reverse=True):
        loads[loads.index(min(loads))] += size
    return max(loads)


def executor_of(workers: int, scheduler: str | None) -> Executor:
    """Return who does the work: this process, or Dask."""
    return LoopExecutor() if scheduler is None and workers == 1 else DaskExecutor(workers, scheduler)


class Progress:
    """Adds up what jobs report and hands it on."""

    def __init__(self, events: Events, stage: str, tiles: tuple[int, int], shown: Mapping[str, str]) -> None:
        """Count for ``stage``.

        Args:
            events: Who is told.
            stage: Name of the stage.
            tiles: Tiles in all, and those that were done before.
            shown: Which figures are told, under which names.
        """
        self._events = events
        self._stage = stage
        self._total, self._before = tiles
        self._shown = shown
        self.sums: Counter[str] = Counter()

    def report(self, **figures: float) -> None:
        """Take what was done since the last report, by name; ``tiles`` moves the bar."""
        self.sums.update(figures)
        shown = {name: float(self.sums[figure]) for name, figure in self._shown.items()}
        self._events.progress(self._stage, self._before + self.sums["tiles"], self._total, **shown)

    def stopping(self) -> bool:
        """Whether the caller wants to stop."""
        return self._events.stopping()


def failures(outcomes: Iterable[Outcome[J, object]]) -> list[tuple[J, GwError]]:
    """Run to the end; return the jobs that failed."""
    return [(outcome.job, outcome.error) for outcome in outcomes if outcome.error is not None]


def raise_failures(failed: Sequence[tuple[J, GwError]], events: Events, jobs: int) -> None:
    """Raise what went wrong, after all that could be done is done."""
    if events.stopping() or any(isinstance(error, InterruptedRunError) for _, error in failed):
        raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
    if not failed:
        return
    tiles: list[Tile] = [tile for job, _ in failed for tile in job.tiles]
    first = failed[0][1]
    if len(failed) == jobs and isinstance(first, InputError):
        raise first
    raise type(first)(
        f"{len(tiles)} tiles failed in {len(failed)} of {jobs} sweeps, such as {tiles[0].name}: {first.fact}",
        hint=first.hint,
    )
