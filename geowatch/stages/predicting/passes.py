"""Passes: how many time blocks are computed at once.

Neighbours in time see mostly the same frames, and a pass reads and prepares each frame once. What is stored stays cut
into time blocks, so that passes change no byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geowatch.grid.estimate import Reach, Workload, memory_per_worker
from geowatch.stages.binding.parts import TimeBlock, joined
from geowatch.stages.predicting.timing import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geowatch.grid.plan import Plan
    from geowatch.grid.tiles import Tile

__all__ = ["PASS_BYTES", "cut_passes", "pass_bytes", "pass_need"]

#: Memory of a pass over several time blocks, where nobody limits it: measured on 500 x 500 pixels of one band, predict
#: took 660 MB for 400 dates, as for 100, and 5% more processor time than with 3 GiB, where it took 1.6 GB.
PASS_BYTES = 1 << 30


def pass_bytes(plan: Plan, frames: int, memory_bytes: int | None) -> int | None:
    """Return the most memory that a pass over several time blocks takes; None where there is one block, or no series.

    Args:
        plan: A plan, its imagery not bound yet.
        frames: Frames of the whole series.
        memory_bytes: Memory of a worker; None takes `PASS_BYTES`.
    """
    load = plan.load
    if load.held_bands is None or load.times <= load.planes:
        return None
    bands = load.held_bands // load.dates
    every = replace(load, planes=load.times, dates=frames, held_bands=frames * bands)
    memory = memory_per_worker(every, plan.tile_px, plan.sweep_tiles[1], plan.reach)
    limit = PASS_BYTES if memory_bytes is None else memory_bytes
    return None if memory is None else min(limit, memory.total_bytes)


def cut_passes(
    blocks: Sequence[TimeBlock], tiles: tuple[Tile, ...], load: Workload, memory_bytes: int | None
) -> Iterator[TimeBlock]:
    """Yield the passes that compute tiles side by side in time blocks of their grid, the first block first.

    Blocks that follow each other are put together while they share frames and fit the memory; where tiles are wide,
    one block takes all that there is.

    Args:
        blocks: The blocks.
        tiles: The tiles.
        load: Workload of one plane.
        memory_bytes: Memory of a worker; None takes `PASS_BYTES`.
    """
    limit = PASS_BYTES if memory_bytes is None else memory_bytes
    held = blocks[0]
    for block in blocks[1:]:
        both = joined([held, block])
        if (
            block.number == held.number + held.count
            and _shares(both, (held, block))
            and pass_need(both, tiles, load) <= limit
        ):
            held = both
        else:
            yield held
            held = block
    yield held


def _shares(both: TimeBlock, parts: tuple[TimeBlock, TimeBlock]) -> bool:
    return len(both.frames) < sum(len(part.frames) for part in parts)


def pass_need(block: TimeBlock, tiles: tuple[Tile, ...], load: Workload) -> int:
    """Return the bytes of a pass over tiles, of which only what lies within the region counts."""
    side, bounds = block.grid.tile_px, block.grid.bounds
    first, last = min(tile.ix for tile in tiles), max(tile.ix for tile in tiles)
    wide = max(1, min((last + 1) * side, bounds.x1) - max(first * side, bounds.x0))
    reach = Reach(bounds.height, wide)
    memory = memory_per_worker(loaded(load, [block]), side, last - first + 1, reach)
    return 0 if memory is None else memory.total_bytes
