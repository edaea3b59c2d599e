"""Predict: every window of the plan through the network, stitched on disk as it goes.

Plan + imagery + package -> recipe -> sweeps -> shards and markers. What is finished is never done again; what a
killed run left half done is done again whole.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from geowatch.errors import ConfigError, GwError, InputError, InterruptedRunError
from geowatch.executors import LoopExecutor
from geowatch.executors.dask import DaskExecutor
from geowatch.grid.sweeps import cut_sweeps, shard_of
from geowatch.predict.scoring import Looks
from geowatch.stages.choosing import cores, threads_of
from geowatch.stages.context import Job, Session, open_session, run_job
from geowatch.stages.events import Events, Silent
from geowatch.stages.predict_config import PredictConfig
from geowatch.stages.provenance import record
from geowatch.stitch.heatmap import HEATMAP
from geowatch.store.markers import MarkerPlace, is_done, markers_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geowatch.executors import Executor, Outcome
    from geowatch.grid.sweeps import Sweeps
    from geowatch.grid.tiles import Tile
    from geowatch.stages.sweeping import Figures

__all__ = ["PredictConfig", "Predicted", "predict"]

#: What one core computes, roughly, and how long one must work before further processes pay for their start.
_GFLOP_PER_S, _WORTH_A_CLUSTER_S = 20.0, 40.0
#: Cores that one process keeps busy: networks side by side in one process share what is read, and nothing is computed
#: twice between them. Measured on two cores, 8192 x 8192 pixels: one process 15.9 s, two with a network each 20.1 s.
#: One thread reads for all of them, and keeps up with that many.
_LANES = 4
#: Parts of the work for each worker, at most, and how much longer than its fair share the last one may be at it.
_PARTS, _UNEVEN = 4, 1.15


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
    """Sums over the work of this call: tiles, windows, seen_px, skipped, valid_px, read_bytes, write_bytes, seconds."""

    @property
    def summary(self) -> str:
        """One line for people: windows, how often a pixel was seen, and speed; empty where nothing was computed."""
        valid_px, seconds = self.figures.get("valid_px", 0), self.figures.get("seconds", 0)
        if not valid_px or not seconds:
            return ""
        windows, redundancy = self.figures["windows"], self.figures["seen_px"] / valid_px
        return (
            f"{windows:,.0f} windows, each scored pixel seen {redundancy:.2f} times; "
            f"{valid_px / 1e6:,.1f} megapixels in {seconds:,.1f} s"
        )


def predict(config: PredictConfig, events: Events | None = None) -> Predicted:
    """Compute the heatmap of a planned region, or what is missing of it.

    Raises:
        InputError: for what cannot be done as asked; nothing was changed.
        InterruptedRunError: when asked to stop; the same call resumes.
        GwError: after all other sweeps are done, the first failure.
    """
    events = events or Silent()
    session = open_session(config, events)
    work = _work(config, session)
    result = Predicted(
        heatmap=f"{session.store.url}/{HEATMAP}", backend=session.recipe.backend.name, reason=session.reason,
        tiles=work.total, done_before=work.before,
    )  # fmt: skip
    if config.dry_run:
        return result
    session.publish()
    started = time.monotonic()
    progress = _Progress(events, work.total, work.before)
    workers = _workers(config, session, work)
    threads = threads_of(config, workers, session.recipe.backend.threads)
    jobs = [replace(job, threads=threads) for job in _divided(work.jobs, workers)]
    failures = _failures(_executor(config, workers).run(run_job, jobs, progress)) if jobs else []
    result.figures.update(progress.sums, seconds=time.monotonic() - started)
    if jobs:
        record(session.store.below, session.made("predict", HEATMAP, config, result.figures))
    _raise_failures(failures, events, len(jobs))
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """What is left of this call's share."""

    jobs: list[Job]
    total: int
    """Tiles of the share."""
    before: int
    """Tiles of it that are done."""


def _work(config: PredictConfig, session: Session) -> _Work:
    index, shares = config.shard or (1, 1)
    marked = set(markers_in(session.store, session.recipe.digest))
    jobs: list[Job] = []
    total = left = 0
    columns = session.sweep_columns
    for block in session.blocks:
        # What shares depend on is the plan and their number alone, so that machines agree without talking.
        sweeps = cut_sweeps([session.tiles(block.grid.id)], session.plan.sweep_tiles, at_least=shares)
        share = _share(sweeps, index, shares)
        rest = share.without(partial(_is_finished, session, marked, block.number))
        total, left = total + share.tile_count, left + rest.tile_count
        if config.in_memory:
            tiles = tuple(tile for sweep in rest for tile in sweep.tiles)
            jobs += [session.job(block, tiles)] if tiles else []
        else:
            jobs += [session.job(block, tiles) for sweep in rest for tiles in _narrowed(sweep.tiles, columns)]
    return _Work(jobs, total, total - left)


def _narrowed(tiles: tuple[Tile, ...], columns: int) -> list[tuple[Tile, ...]]:
    """Cut a sweep into parts of at most ``columns`` tiles side by side, which is what memory depends on."""
    parts: dict[int, list[Tile]] = defaultdict(list)
    for tile in tiles:
        parts[tile.ix // columns].append(tile)
    return [tuple(parts[column]) for column in sorted(parts)]


def _share(sweeps: Sweeps, index: int, shares: int) -> Sweeps:
    if not 1 <= index <= shares:
        raise ConfigError(f"there is no share {index} of {shares}", hint=f"shares are 1/{shares} to {shares}/{shares}")
    return cast("Sweeps", shard_of(sweeps, index - 1, shares))


def _is_finished(session: Session, marked: set[MarkerPlace], block: int, tile: Tile) -> bool:
    place = MarkerPlace(session.recipe.digest, tile, block)
    return place in marked and is_done(session.store, place)


def _workers(config: PredictConfig, session: Session, work: _Work) -> int:
    """Return how many processes: as asked, else one for each few cores where the work outlasts starting them."""
    if config.workers is not None:
        return max(1, config.workers)
    if not session.recipe.backend.device.startswith("cpu"):
        return 1  # processes would share the accelerator, and each hold the network there
    left = work.total - work.before
    down, right = session.recipe.stride_px
    windows = left * session.recipe.time_block * session.plan.tile_px**2 / (down * right)
    runs = Looks.of(session.recipe).runs(1 + len(session.members))
    seconds = windows * runs * (session.package.manifest.gflop_per_window or 1.0) / _GFLOP_PER_S
    if config.in_memory or seconds < _WORTH_A_CLUSTER_S:
        return 1
    # A running scheduler's workers have one thread each: `threads_of`.
    threads = session.recipe.backend.threads or config.threads or (_LANES if config.scheduler is None else 1)
    return max(1, min(cores() // threads, left // 4))


def _divided(jobs: list[Job], workers: int) -> list[Job]:
    """Halve the largest jobs until the workers would end at about the same time; cutting changes no value.

    Not more often than that: windows on a cut are computed on both sides of it.
    """
    jobs = list(jobs)
    fair = sum(len(job.tiles) for job in jobs) / workers
    while jobs and len(jobs) < _PARTS * workers and _longest([len(j.tiles) for j in jobs], workers) > _UNEVEN * fair:
        largest = max(range(len(jobs)), key=lambda k: len(jobs[k].tiles))
        tiles = jobs[largest].tiles
        if len(tiles) < 2:
            break
        half = len(tiles) // 2
        jobs[largest : largest + 1] = [replace(jobs[largest], tiles=t) for t in (tiles[:half], tiles[half:])]
    return jobs


def _longest(sizes: Sequence[int], workers: int) -> int:
    """Return what the busiest worker has to do where each takes the largest of what is left.

    >>> _longest([4, 4, 4], 2), _longest([4, 4, 2, 2], 2)
    (8, 6)
    """
    loads = [0] * workers
    for size in sorted(sizes, reverse=True):
        loads[loads.index(min(loads))] += size
    return max(loads)


def _executor(config: PredictConfig, workers: int) -> Executor:
    if config.scheduler is None and workers == 1:
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
        self.sums.update(figures)
        done = self._before + self.sums["tiles"]
        self._events.progress("predict", done, self._total, bytes=self.sums["read_bytes"], windows=self.sums["windows"])

    def stopping(self) -> bool:
        return self._events.stopping()


def _failures(outcomes: Iterator[Outcome[Job, Figures]]) -> list[tuple[Job, GwError]]:
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
