"""Which blocks of a cube are to be made, and who makes them together. Pure.

Blocks are made for the tiles of a plan, with a margin around them for the windows of networks. They are grouped into
squares that share the stored blocks of their images, and these are what workers and shards are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import TileTable
from geowatch.read.cubeformat import BLOCK_PX, Block, CubeLayout

__all__ = ["BlockColumns", "Group", "blocks_under", "group_blocks", "share_of"]

BlockColumns = NDArray[np.int64]
"""Blocks as rows (iy, ix)."""
#: Blocks along a side of a group: stored blocks at its edges are decoded by two groups.
_GROUP_SIDES = (4, 2, 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks of one frame that lie side by side."""

    layout: CubeLayout
    """The frame."""
    blocks: tuple[Block, ...]
    """Row by row."""


def blocks_under(tiles: TileTable, tile_px: int, bounds: PixelBox, margin_px: int) -> BlockColumns:
    """Return the blocks that the tiles' pixels within ``bounds`` touch, and those within a margin, sorted.

    One tile of 2048 px from index 0, with a margin of one pixel::

        >>> one = TileTable("a", np.zeros(1, np.int32), np.zeros(1, np.int32))
        >>> blocks_under(one, 2048, PixelBox(0, 0, 2048, 1024), 1).tolist()[:3]
        [[-1, -1], [-1, 0], [-1, 1]]
    """
    rows = _spans(tiles.iy, tile_px, (bounds.y0, bounds.y1))
    columns = _spans(tiles.ix, tile_px, (bounds.x0, bounds.x1))
    inside = (rows[:, 0] < rows[:, 1]) & (columns[:, 0] < columns[:, 1])
    down, across = (_blocks(span[inside], margin_px) for span in (rows, columns))
    found = [
        np.stack([down[:, 0] + dy, across[:, 0] + dx], axis=1)[
            (down[:, 0] + dy <= down[:, 1]) & (across[:, 0] + dx <= across[:, 1])
        ]
        for dy in range(_longest(down))
        for dx in range(_longest(across))
    ]
    return np.unique(np.concatenate([np.zeros((0, 2), np.int64), *found]), axis=0)


def _spans(index: NDArray[np.int32], tile_px: int, bounds: tuple[int, int]) -> NDArray[np.int64]:
    """Return (first, stop) of each tile's pixels along one axis, within the bounds."""
    start = index.astype(np.int64) * tile_px
    return np.stack([np.maximum(start, bounds[0]), np.minimum(start + tile_px, bounds[1])], axis=1)


def _blocks(spans: NDArray[np.int64], margin_px: int) -> NDArray[np.int64]:
    """Return the first and the last block of each span along one axis."""
    return np.stack([(spans[:, 0] - margin_px) // BLOCK_PX, (spans[:, 1] + margin_px - 1) // BLOCK_PX], axis=1)


def _longest(blocks: NDArray[np.int64]) -> int:
    return int((blocks[:, 1] - blocks[:, 0]).max(initial=-1)) + 1


def group_blocks(wanted: Sequence[tuple[CubeLayout, BlockColumns]], at_least: int = 1) -> list[Group]:
    """Return the blocks of frames in groups, in a fixed order.

    Args:
        wanted: frames with the blocks that a region wants; those that a frame does not reach are left out.
        at_least: take smaller groups until there are as many, or each is one block. Shares of one plan must say the
            same number.
    """
    groups: list[Group] = []
    for side in _GROUP_SIDES:
        groups = [group for layout, blocks in wanted for group in _squares(layout, blocks, side)]
        if len(groups) >= at_least:
            break
    return groups


def _squares(layout: CubeLayout, blocks: BlockColumns, side: int) -> Iterable[Group]:
    box = layout.box
    low = np.array([box.y0, box.x0]) // BLOCK_PX
    high = np.array([box.y1, box.x1]) // BLOCK_PX
    inside = blocks[((blocks >= low) & (blocks < high)).all(axis=1)]
    squares: dict[tuple[int, int], list[Block]] = {}
    for iy, ix in inside.tolist():
        squares.setdefault((iy // side, ix // side), []).append(Block(iy, ix))
    return [Group(layout, tuple(squares[place])) for place in sorted(squares)]


def share_of(groups: Sequence[Group], index: int, shares: int) -> Sequence[Group]:
    """Return share ``index``, counted from 1, of ``shares``: groups that follow each other, about equal in blocks."""
    ends = np.cumsum([0, *(len(group.blocks) for group in groups)])
    share = ends[:-1] * shares // max(1, int(ends[-1]))
    first, stop = np.searchsorted(share, [index - 1, index]).tolist()
    return groups[first:stop]
