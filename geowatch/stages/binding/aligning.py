"""One job of align, from images to published blocks. A plain loop, Dask and every cluster call this same function."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from geowatch.errors import InterruptedRunError, MemoryBudgetError, PlanMismatchError
from geowatch.grid.estimate import DATE_CACHE_BYTES, GDAL_CACHE_BYTES
from geowatch.predict.pipeline import Behind
from geowatch.read.cubeformat import BLOCK_PX, Block, CubeLayout
from geowatch.read.cubemarkers import is_done
from geowatch.read.cubewrite import publish_block, read_block
from geowatch.read.reader import FrameReader
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.working.process import give_back_memory, steady_memory
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.executors.base import Watch
    from geowatch.read.reader import Patch
    from geowatch.stages.binding.imagery import Bound
    from geowatch.store import Store

__all__ = ["AlignJob", "cache_within", "run_align_job"]

#: Interpreter and libraries of a worker, before any work. Measured: 210 MB.
_PROCESS_BYTES = 220 << 20
#: Blocks as they are read: one that is being read, one that waits, one that is being published.
_BLOCKS_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class AlignJob:
    """Blocks of one frame, as a worker gets them."""

    run: str
    """Address of the run's store."""
    cube: str
    """Address of the cube folder."""
    grid: str
    """Grid of the frame."""
    frame: str
    """Id of the frame."""
    key: str
    """Its content key."""
    imagery: str
    """Digest of the imagery that the worker must find the run bound to."""
    blocks: tuple[Block, ...]
    """What to make."""
    cache_bytes: int
    """Memory for stored blocks that neighbours ask for again."""
    fsync: bool = False
    """Whether results must survive a loss of power."""
    queries: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(address, query) of remote imagery; it travels in memory and is written nowhere."""


def cache_within(layout: CubeLayout, memory_bytes: int | None) -> int:
    """Return how much a reader may keep of stored blocks, within the memory that a worker may take.

    Raises:
        MemoryBudgetError: the work does not fit, whatever is kept.
    """
    wanted = min(DATE_CACHE_BYTES, layout.plan.pass_bytes(4 * BLOCK_PX))
    if memory_bytes is None:
        return wanted
    least = needed_bytes(layout)
    if least > memory_bytes:
        raise MemoryBudgetError(
            f"a worker needs {least / 1e6:,.0f} MB for a block of {len(layout.planes)} bands, "
            f"and may take {memory_bytes / 1e6:,.0f} MB",
            hint=f"give --memory {-(-least // 10**6)}MB, or align fewer bands",
        )
    return min(wanted, memory_bytes - least)


def needed_bytes(layout: CubeLayout) -> int:
    """Return the peak memory of a worker that keeps nothing.

    Blocks in float32 with validity, as many as are worked on at once; the stored form and the bytes of the one that is
    being published; a block's source pixels and weights while a band is resampled (six arrays); GDAL and the process.
    """
    pixels = BLOCK_PX**2
    blocks = _BLOCKS_AT_ONCE * pixels * (4 * len(layout.planes) + 1)
    scratch = 6 * 4 * (BLOCK_PX + 512) ** 2 if layout.plan.resampled else 0
    return blocks + 2 * 4 * pixels + layout.block_bytes + scratch + GDAL_CACHE_BYTES + _PROCESS_BYTES


def run_align_job(job: AlignJob, watch: Watch) -> int:
    """Make a job's blocks, and return how many. What every executor runs.

    Raises:
        InterruptedRunError: when asked to stop; what is published stays.
    """
    try:
        return _run(job, watch)
    finally:
        give_back_memory()


@lru_cache(maxsize=1)
def _bound(run: str, imagery: str) -> Bound:
    steady_memory()
    found = read_bound(open_store(run))
    if found is None or found.digest != imagery:
        raise PlanMismatchError(
            f"the run in {run} is not bound to imagery {imagery[:12]}", hint="every worker must see the same run folder"
        )
    return found


def _run(job: AlignJob, watch: Watch) -> int:
    bound = _bound(job.run, job.imagery)
    plan = next(plan for plan in bound.frames[job.grid] if plan.frame_id == job.frame)
    layout = CubeLayout(plan, job.key)
    store = open_store(job.cube, fsync=job.fsync)
    remote = replace(bound.remote, queries=dict(job.queries))
    with (
        FrameReader(layout.stored_plan, cache_bytes=job.cache_bytes, remote=remote) as reader,
        Behind(_Publisher(store, layout, watch), depth=1, name="gw-write") as writer,
    ):
        seen = 0
        for block in job.blocks:
            if watch.stopping():
                raise InterruptedRunError("stopped on request", hint="run the same command again to resume")
            if is_done(store, layout, block):  # by another run in the meantime
                watch.report(blocks=1)
                continue
            writer.put((block, read_block(layout, reader, block)))
            watch.report(read_bytes=reader.bytes_read - seen)
            seen = reader.bytes_read
    return len(job.blocks)


@dataclass(frozen=True, slots=True)
class _Publisher:
    """Publishes blocks and tells so."""

    store: Store
    layout: CubeLayout
    watch: Watch

    def __call__(self, read: tuple[Block, Patch]) -> None:
        marker = publish_block(self.store, self.layout, *read)
        size = sum(stored.size_bytes for stored in marker.objects)
        self.watch.report(blocks=1, write_bytes=size, valid_px=marker.valid_px)
