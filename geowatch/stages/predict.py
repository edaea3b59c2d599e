"""Predict: every window of the plan through the network, stitched on disk as it goes.

Plan + imagery + package -> recipe -> sweeps -> shards and markers. What is finished is never done again; what a
killed run left half done is done again whole.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from geowatch.errors import MemoryBudgetError
from geowatch.grid.sweeps import cut_sweeps
from geowatch.predict.scoring import Looks
from geowatch.stages.predicting.choosing import threads_of
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.predicting.context import Job, Session, open_session, run_job
from geowatch.stages.working.amounts import in_pixels
from geowatch.stages.working.dividing import Progress, divided, executor_of, failures, raise_failures, share_of
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores
from geowatch.stages.working.provenance import record
from geowatch.stitch.heatmap import HEATMAP
from geowatch.store.markers import MarkerPlace, is_done, markers_in

if TYPE_CHECKING:
    from geowatch.grid.tiles import Tile
    from geowatch.stages.binding.parts import TimeBlock

__all__ = ["PredictConfig", "Predicted", "predict"]

#: What one core computes, roughly, and how long one must work before further processes pay for their start.
_GFLOP_PER_S, _WORTH_A_CLUSTER_S = 20.0, 40.0
#: Cores that one process keeps busy: networks side by side in one process share what is read, and nothing is computed
#: twice between them. Measured on two cores, 8192 x 8192 pixels: one process 15.9 s, two with a network each 20.1 s.
#: One thread reads for all of them, and keeps up with that many.
_LANES = 4


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
    memory_bytes: int = 0
    """Most memory that a worker is planned to take; 0 where nothing is left."""
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
            f"{in_pixels(valid_px)} in {seconds:,.1f} s"
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
        tiles=work.total, done_before=work.before, memory_bytes=work.memory_bytes,
    )  # fmt: skip
    if config.dry_run:
        return result
    session.publish()
    started = time.monotonic()
    progress = Progress(events, "predict", (work.total, work.before), {"bytes": "read_bytes", "windows": "windows"})
    workers = _workers(config, session, work)
    threads = threads_of(config, workers, session.recipe.backend.threads)
    # Windows on a cut are computed on both sides of it.
    parts = divided(work.jobs, workers, lambda job, tiles: replace(job, tiles=tiles))
    jobs = [replace(job, threads=threads) for job in parts]
    failed = failures(executor_of(workers, config.scheduler).run(run_job, jobs, progress)) if jobs else []
    result.figures.update(progress.sums, seconds=time.monotonic() - started)
    if jobs:
        record(session.store.below, session.made("predict", HEATMAP, config, result.figures))
    raise_failures(failed, events, len(jobs))
    if jobs and not result.figures.get("valid_px"):
        events.note(_nothing_seen(session, work.total - work.before))
    return result


def _nothing_seen(session: Session, tiles: int) -> str:
    """Say that all is cloud or nodata, which is no mistake of the user's but may be one of an option's."""
    days = sorted({day.isoformat() for part in session.parts for f in part.frames if (day := f.day) is not None})
    when = f" of {days[0]} to {days[-1]}" if len(days) > 1 else f" of {days[0]}" if days else ""
    return (
        f"no pixel{when} is valid in {tiles:,} {'tile' if tiles == 1 else 'tiles'}: clouds or nodata hide all of it,"
        " and the map is empty there; --nodata and --mask decide what is hidden"
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What is left of this call's share."""

    jobs: list[Job]
    total: int
    """Tiles of the share."""
    before: int
    """Tiles of it that are done."""
    memory_bytes: int
    """Memory of the job that takes the most."""


def _work(config: PredictConfig, session: Session) -> _Work:
    shares = (config.shard or (1, 1))[1]
    marked = set(markers_in(session.store, session.recipe.digest))
    wanted: dict[tuple[str, tuple[Tile, ...]], list[TimeBlock]] = defaultdict(list)
    total = left = 0
    columns = session.sweep_columns
    for block in session.blocks:
        # What shares depend on is the plan and their number alone, so that machines agree without talking.
        sweeps = cut_sweeps([session.tiles(block.grid.id)], session.plan.sweep_tiles, at_least=shares)
        share = share_of(sweeps, config.shard)
        rest = share.without(partial(_is_finished, session, marked, block.number))
        total, left = total + share.tile_count, left + rest.tile_count
        if config.in_memory:
            cuts = [tuple(tile for sweep in rest for tile in sweep.tiles)]
        else:
            cuts = [tiles for sweep in rest for tiles in _narrowed(sweep.tiles, columns)]
        for tiles in filter(None, cuts):
            wanted[block.grid.id, tiles].append(block)
    passes = [(each, cut) for (_, cut), blocks in wanted.items() for each in session.passes(blocks, cut)]
    need = max((session.need_bytes(*each) for each in passes), default=0)
    _refuse(config, need)
    return _Work([session.job(*each) for each in passes], total, total - left, need)


def _refuse(config: PredictConfig, need_bytes: int) -> None:
    """Refuse what is stitched in memory and does not fit; in bands, sweeps were cut to fit before."""
    if config.in_memory and config.memory_bytes is not None and need_bytes > config.memory_bytes:
        raise MemoryBudgetError(
            f"all scores in memory take {need_bytes / 1e6:,.0f} MB, and a worker may take "
            f"{config.memory_bytes / 1e6:,.0f} MB",
            hint="leave out --in-memory: in bands of rows the values are the same",
        )


def _narrowed(tiles: tuple[Tile, ...], columns: int) -> list[tuple[Tile, ...]]:
    """Cut a sweep into parts of at most ``columns`` tiles side by side, which is what memory depends on."""
    parts: dict[int, list[Tile]] = defaultdict(list)
    for tile in tiles:
        parts[tile.ix // columns].append(tile)
    return [tuple(parts[column]) for column in sorted(parts)]


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
