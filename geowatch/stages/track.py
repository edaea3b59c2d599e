"""Track: what is found in each tile of a heatmap, as fragments that consolidate joins.

Plan + heatmap + what to look for -> sweeps -> one fragment a tile. A fragment is published whole, and is its own
marker: what is finished is never done again. Every decision on a whole site falls later, in consolidate.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from geowatch.errors import InterruptedRunError
from geowatch.grid.sweeps import cut_sweeps
from geowatch.lineage import Source
from geowatch.sites.fragment import FRAGMENTS, fragment_key
from geowatch.stages.tracking.config import TrackConfig
from geowatch.stages.tracking.session import TrackSession, open_tracking, opened
from geowatch.stages.working.amounts import in_pixels
from geowatch.stages.working.dividing import Progress, divided, executor_of, failures, raise_failures, share_of
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores, give_back_memory, steady_memory
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store
from geowatch.track.finding import find

if TYPE_CHECKING:
    from geowatch.executors.base import Watch
    from geowatch.grid.tiles import Tile

__all__ = ["TrackConfig", "Tracked", "track"]

#: Pixels of a plane that one core tracks in a second, roughly, and how long one must work before further processes
#: pay for their start.
_PX_PER_S, _WORTH_A_CLUSTER_S = 20e6, 20.0
#: Parts that each of several shares has at least, where there are tiles enough: a share is whole parts.
_PARTS = 8


@dataclass(frozen=True, slots=True)
class TrackJob:
    """Tiles of one sweep, as a worker gets them."""

    run: str
    """Address of the run's store."""
    digest: str
    """Digest of the tracking that the worker must find there."""
    tiles: tuple[Tile, ...]
    """What to search."""
    fsync: bool
    """Whether results must survive a loss of power."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What track did."""

    run: str
    """Run folder."""
    digest: str
    """Digest of what was looked for; fragments lie under its first 12 digits."""
    mode: str
    """How planes became pieces."""
    salient: tuple[str, ...]
    """Classes that were looked for."""
    planes: int
    """Planes that were looked at, of all grids."""
    tiles: int
    """Tiles of this share, finished before or now."""
    done_before: int
    """Tiles of them that were finished before."""
    gaps: int
    """Tiles that lack planes of the heatmap."""
    figures: dict[str, float] = field(default_factory=dict)
    """Sums over the work of this call: tiles, pieces, plane_px (pixels times planes), bytes, seconds."""

    @property
    def summary(self) -> str:
        """One line for people: pieces and speed; empty where nothing was searched."""
        pixels, seconds = self.figures.get("plane_px", 0), self.figures.get("seconds", 0)
        if not pixels or not seconds:
            return ""
        pieces = f"{self.figures['pieces']:,.0f} {'piece' if self.figures['pieces'] == 1 else 'pieces'}"
        return f"{pieces}; {in_pixels(pixels)} of planes in {seconds:,.1f} s"

    @property
    def folder(self) -> str:
        """Where the fragments are."""
        return f"{self.run}/{FRAGMENTS}/{self.digest[:12]}"


def track(config: TrackConfig, events: Events | None = None) -> Tracked:
    """Search each tile of a planned region, or those that are left, and write its fragment.

    Raises:
        InputError: for what cannot be done as asked; nothing was changed.
        CoverageError: where tiles of the heatmap are missing without ``allow_gaps``.
        InterruptedRunError: when asked to stop; the same call resumes.
        GwError: after all other sweeps are done, the first failure.
    """
    events = events or Silent()
    session = open_tracking(config, events)
    jobs, total, before = _work(config, session)
    tracking = session.tracking
    planes = sum(len(grid.planes) for grid in tracking.grids)
    result = Tracked(
        session.store.url, tracking.digest, tracking.mode, tracking.salient, planes, total, before, len(tracking.gaps)
    )
    if config.dry_run:
        return result
    session.publish()
    _do(
        config,
        session,
        jobs,
        Progress(events, "track", (total, before), {"pieces": "pieces", "bytes": "bytes"}),
        events,
        result,
    )
    return result


def _do(
    config: TrackConfig,
    session: TrackSession,
    jobs: list[TrackJob],
    progress: Progress,
    events: Events,
    result: Tracked,
) -> None:
    """Do the work, and keep a record of it."""
    started = time.monotonic()
    workers = _workers(config, session, jobs)
    jobs = divided(jobs, workers, lambda job, tiles: replace(job, tiles=tiles))
    failed = failures(executor_of(workers, config.scheduler).run(run_job, jobs, progress)) if jobs else []
    result.figures.update(progress.sums, seconds=time.monotonic() - started)
    if jobs:
        tracking = session.tracking
        source = Source(tracking.head or str(config.objects), version=tracking.scores, role="scores")
        artifact = f"{FRAGMENTS}/{tracking.digest[:12]}"
        record(session.store, made("track", artifact, config, sources=[source], figures=result.figures))
    raise_failures(failed, events, len(jobs))


def _work(config: TrackConfig, session: TrackSession) -> tuple[list[TrackJob], int, int]:
    """Return what is left of this call's share, the tiles of the share, and how many of them are done."""
    digest = session.tracking.digest
    there = set(session.store.list(f"{FRAGMENTS}/{digest[:12]}/"))
    shares = (config.shard or (1, 1))[1]
    jobs: list[TrackJob] = []
    total = left = 0
    for table in session.tables.values():
        sweeps = cut_sweeps([table], session.plan.sweep_tiles, at_least=_PARTS * shares if shares > 1 else 1)
        share = share_of(sweeps, config.shard)
        rest = share.without(partial(_is_there, there, digest))
        total, left = total + share.tile_count, left + rest.tile_count
        jobs += [TrackJob(config.run, digest, sweep.tiles, config.fsync) for sweep in rest]
    return jobs, total, total - left


def _is_there(there: set[str], digest: str, tile: Tile) -> bool:
    return fragment_key(digest, tile) in there


def _workers(config: TrackConfig, session: TrackSession, jobs: list[TrackJob]) -> int:
    """Return how many processes: as asked, else one a core where the work outlasts starting them."""
    if config.workers is not None:
        return max(1, config.workers)
    tiles = sum(len(job.tiles) for job in jobs)
    planes = max((len(grid.planes) for grid in session.tracking.grids), default=0)
    seconds = tiles * session.plan.tile_px**2 * planes / _PX_PER_S
    return 1 if seconds < _WORTH_A_CLUSTER_S else max(1, min(cores(), tiles))


def run_job(job: TrackJob, watch: Watch) -> Counter[str]:
    """Search one job's tiles and publish their fragments. This is what every executor runs."""
    steady_memory()
    known, store = opened(job.run, job.digest), open_store(job.run, fsync=job.fsync)
    sums: Counter[str] = Counter()
    try:
        for tile in job.tiles:
            grid, search = known.plan.grid(tile.grid), known.searches[tile.grid]
            box = grid.work(tile)
            fragment = find(search, known.planes[tile.grid], tile, box, pause=partial(_pause, watch))
            content = fragment.to_bytes()
            store.put(fragment_key(job.digest, tile), content)
            done = {"tiles": 1, "pieces": fragment.piece_count, "plane_px": box.area_px * len(search.planes)}
            watch.report(**done, bytes=len(content))
            sums.update(done)
    finally:
        give_back_memory()
    return sums


def _pause(watch: Watch) -> None:
    if watch.stopping():
        raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
