"""Predict: every window of the plan through the network, stitched on disk as it goes.

Plan + imagery + package -> recipe -> sweeps -> shards and markers. What is finished is never done again; what a
killed run left half done is done again whole.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geowatch.errors import GwError, InputError, InterruptedRunError
from geowatch.executors import LoopExecutor
from geowatch.executors.dask import DaskExecutor
from geowatch.grid.tiles import cut_sweeps, shard_of
from geowatch.stages.context import Job, Session, open_session, run_job
from geowatch.stages.events import Events, Silent
from geowatch.stages.imagery import ImageryConfig
from geowatch.stages.provenance import record
from geowatch.stitch.heatmap import HEATMAP
from geowatch.store.markers import MarkerPlace, is_done, markers_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.executors import Executor, Outcome
    from geowatch.grid.tiles import Tile

__all__ = ["PredictConfig", "Predicted", "predict"]


@dataclass(frozen=True)
class PredictConfig:
    """What predict is asked for. None means: as the run's recipe says, else the package's default."""

    run: str = "gw-run"
    """Run folder with a plan."""
    model: str | None = None
    """Package folder; may be left out when the run has one."""
    imagery: ImageryConfig = ImageryConfig()
    """Imagery; may be left out when the run is bound to some."""
    jit: str | None = None
    """Backend: a name, or ``auto`` to measure and take the fastest."""
    window: int | None = None
    """Side of a window in pixels, for networks that take several."""
    overlap: float | None = None
    """Overlap of windows: pixels, or a share of the window below 1."""
    blend: str | None = None
    """Blend weights: hann, gaussian, linear, crop or mean."""
    stored: str | None = None
    """Type of the heatmap: uint8 (default), uint16, float16 or float32."""
    batch: int = 8
    """Most windows that run at once; it changes no value."""
    workers: int | None = None
    """Processes; 1 is a plain loop without Dask; None takes one a core when there is enough to do."""
    threads: int | None = None
    """Threads of one network; part of the recipe."""
    scheduler: str | None = None
    """Address of a running Dask scheduler."""
    shard: tuple[int, int] | None = None
    """(i, n): do the i-th of n shares of the sweeps, counted from 1."""
    memory_bytes: int | None = None
    """Memory that one worker may take."""
    in_memory: bool = False
    """Stitch the whole region in memory, for small regions; same values."""
    fsync: bool = False
    """Results survive a loss of power."""
    dry_run: bool = False
    """Say what would be done, do nothing."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What predict did."""

    heatmap: str
    """Where the heatmap is."""
    backend: str
    """What ran the network."""
    reason: str
    """Why that backend."""
    tiles: int
    """Tiles of this share, finished before or now."""
    done_before: int
    """Tiles of them that were finished before."""
    figures: dict[str, float] = field(default_factory=dict)
    """Sums over the work of this call: windows, skipped, valid_px, read_bytes, write_bytes, seconds."""


def predict(config: PredictConfig, events: Events | None = None) -> Predicted:
    """Compute the heatmap of a planned region, or what is missing of it.

    Raises:
        InputError: for what cannot be done as asked; nothing was changed.
        InterruptedRunError: when asked to stop; the same call resumes.
        GwError: after all other sweeps are done, the first failure.
    """
    events = events or Silent()
    session = open_session(config, events)
    jobs, total, before = _jobs(config, session)
    result = Predicted(
        heatmap=f"{session.store.url}/{HEATMAP}", backend=session.recipe.backend.name, reason=session.reason,
        tiles=total, done_before=before,
    )  # fmt: skip
    if config.dry_run:
        return result
    session.publish()
    started = time.monotonic()
    progress = _Progress(events, total, before)
    failures = _failures(_executor(config, len(jobs)).run(run_job, jobs, progress))
    result.figures.update(progress.sums, seconds=time.monotonic() - started)
    record(session.store, session.made("predict", HEATMAP, config, result.figures))
    _raise_failures(failures, events, len(jobs))
    return result


def _jobs(config: PredictConfig, session: Session) -> tuple[list[Job], int, int]:
    """Return the jobs of this share that are left, its number of tiles and how many of them are done."""
    jobs: list[Job] = []
    total = before = 0
    index, shares = config.shard or (1, 1)
    cores = _workers(config, None)
    marked = set(markers_in(session.store, session.recipe.digest))
    for part in session.parts:
        tables = {part.grid.id: session.tiles(part.grid.id)}
        whole = tuple(cut_sweeps(tables, session.sweep_tiles, at_least=shares))
        mine = {tile for sweep in shard_of(whole, index - 1, shares) for tile in sweep.tiles}
        places = {tile: MarkerPlace(session.recipe.digest, tile, part.time) for tile in mine}
        left = {t for t in mine if places[t] not in marked or not is_done(session.store, places[t])}
        total, before = total + len(mine), before + len(mine) - len(left)
        for sweep in cut_sweeps(tables, session.sweep_tiles, at_least=max(shares, cores * 2)):
            if tiles := tuple(tile for tile in sweep.tiles if tile in left):
                jobs.append(session.job(part, tiles))
    return jobs, total, before


def _workers(config: PredictConfig, jobs: int | None) -> int:
    if config.workers is not None:
        return max(1, config.workers)
    cores = len(os.sched_getaffinity(0))
    return cores if jobs is None else min(cores, max(1, jobs // 2))


def _executor(config: PredictConfig, jobs: int) -> Executor:
    workers = _workers(config, jobs)
    if config.scheduler is None and (workers == 1 or jobs <= 1 or config.in_memory):
        return LoopExecutor()
    return DaskExecutor(workers, config.scheduler)


class _Progress:
    """Adds up what jobs report and hands it on."""

    def __init__(self, events: Events, total: int, before: int) -> None:
        self._events = events
        self._total = total
        self._before = before
        self.sums: Counter[str] = Counter()

    def report(self, **figures: float) -> None:
        self.sums.update(figures)  # type: ignore[arg-type]  # Counter adds floats as well
        done = self._before + self.sums["tiles"]
        self._events.progress("predict", done, self._total, bytes=self.sums["read_bytes"], windows=self.sums["windows"])

    def stopping(self) -> bool:
        return self._events.stopping()


def _failures(outcomes: Iterator[Outcome[Job, None]]) -> list[tuple[Job, GwError]]:
    return [(outcome.job, outcome.error) for outcome in outcomes if outcome.error is not None]


def _raise_failures(failures: list[tuple[Job, GwError]], events: Events, jobs: int) -> None:
    """Raise what went wrong, after all that could be done is done."""
    if events.stopping() or any(isinstance(error, InterruptedRunError) for _, error in failures):
        raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
    if not failures:
        return
    tiles: list[Tile] = [tile for job, _ in failures for tile in job.tiles]
    first = failures[0][1]
    if len(failures) == jobs and isinstance(first, InputError):
        raise first
    raise type(first)(
        f"{len(tiles)} tiles failed in {len(failures)} of {jobs} sweeps, such as {tiles[0].name}: {first.fact}",
        hint=first.hint,
    )
