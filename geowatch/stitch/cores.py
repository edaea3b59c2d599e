"""From finished rows to finished cores.

Rows leave the band in strides; tiles are stored in cores. A `CoreRow` gathers, already quantised, the rows of one
row of adjacent tiles and hands their cores out when the last row is in. A head that is coarser than the lattice has
its own, smaller cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.stitch.shard import inner_chunk_px

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid
    from geowatch.grid.tiles import Tile
    from geowatch.sites.detections import Detections
    from geowatch.stitch.heatmap import HeadLayout

__all__ = ["Core", "CoreRow", "coarser"]


@dataclass(frozen=True, slots=True)
class Core:
    """One tile's finished scores."""

    tile: Tile
    """Whose core it is."""
    heads: tuple[NDArray[np.generic], ...]
    """Stored values of each head, shape (planes of a block, K, side, side), the side the tile's over the reduction."""
    valid_px: int
    """Pixels that have scores."""
    objects: tuple[Detections, ...] = ()
    """Boxes of each head of boxes, in the order of files."""
    parts: tuple[PixelBox, ...] = ()
    """Where in the core the stored values of each head are, in its pixels from the core's first; all else is fill.
    Empty: they are those of the whole core."""
    block: int = 0
    """Which of the time blocks that are computed in one pass, counted from the first."""


class CoreRow:
    """The cores of adjacent tiles of one row of tiles, being filled from the top down."""

    def __init__(
        self, grid: Grid, tiles: tuple[Tile, ...], heads: tuple[HeadLayout, ...], block: int = 1, blocks: int = 1
    ) -> None:
        """Open the cores of ``blocks`` time blocks of ``block`` planes each.

        Of a core that the region fills in part only the chunks that it meets are held.
        """
        self.tiles = tiles
        boxes = [grid.core(tile) for tile in tiles]
        #: All pixels of the row, gaps between tiles included.
        self.box = PixelBox(boxes[0].y0, boxes[0].x0, boxes[-1].y1, boxes[-1].x1)
        self._grid = grid
        self._heads = heads
        self._block = block
        self._work = self.box & grid.bounds
        self._boxes = tuple(_held(self.box, self._work, h.reduction, grid.tile_px) for h in heads)
        self._stored = [
            h.quantiser.empty((block * blocks, len(h.classes), *box.shape))
            for h, box in zip(heads, self._boxes, strict=True)
        ]
        self._valid = np.zeros((block * blocks, *self._work.shape), bool)

    def put(self, box: PixelBox, scores: tuple[NDArray[Any], ...], keep: NDArray[np.bool_], plane: int = 0) -> None:
        """Take finished rows; what lies outside the row's box is dropped.

        Args:
            box: Where they are; a multiple of each head's reduction at all four sides.
            scores: Scores of each head, shape (K, height / reduction, width / reduction) of ``box``; or stored values.
            keep: Which pixels have scores, shape (height, width).
            plane: Which plane of the time blocks they belong to.
        """
        part = box & self._work
        if not part:
            return
        self._valid[(plane, *part.within(self._work))] = keep[part.within(box)]
        for stored, head, mine, values in zip(self._stored, self._heads, self._boxes, scores, strict=True):
            theirs = coarser(box, head.reduction)
            shared = theirs & mine
            here, there = (plane, slice(None), *shared.within(mine)), (slice(None), *shared.within(theirs))
            head.quantiser.encode_into(stored[here], values[there], _coarser_mask(keep, head.reduction)[there[1:]])

    def cores(self) -> Iterator[Core]:
        """Hand out the cores, block after block and from left to right."""
        for first in range(0, len(self._valid), self._block):
            planes = slice(first, first + self._block)
            for tile in self.tiles:
                yield self._core(tile, planes)

    def _core(self, tile: Tile, planes: slice) -> Core:
        core = self._grid.core(tile)
        wholes = [coarser(core, head.reduction) for head in self._heads]
        held = [whole & mine for whole, mine in zip(wholes, self._boxes, strict=True)]
        heads = tuple(
            stored[(planes, slice(None), *part.within(mine))] if part else stored[planes, :, :0, :0]
            for stored, part, mine in zip(self._stored, held, self._boxes, strict=True)
        )
        work = core & self._work
        valid_px = int(self._valid[(planes, *work.within(self._work))].sum()) if work else 0
        parts = tuple(_from(whole, part) for part, whole in zip(held, wholes, strict=True))
        return Core(tile, heads, valid_px, parts=parts, block=planes.start // self._block)


def _held(box: PixelBox, work: PixelBox, reduction: int, tile_px: int) -> PixelBox:
    """Return the chunks of a row of cores that the region meets, in pixels of a head."""
    chunk = inner_chunk_px(tile_px // reduction)
    box, work = coarser(box, reduction), coarser(work, reduction)
    if not work:
        return PixelBox(box.y0, box.x0, box.y0, box.x0)
    y0, x0 = ((a - b) // chunk * chunk + b for a, b in ((work.y0, box.y0), (work.x0, box.x0)))
    y1, x1 = (-(-(a - b) // chunk) * chunk + b for a, b in ((work.y1, box.y0), (work.x1, box.x0)))
    return PixelBox(y0, x0, y1, x1)


def _from(whole: PixelBox, part: PixelBox) -> PixelBox:
    return PixelBox(part.y0 - whole.y0, part.x0 - whole.x0, part.y1 - whole.y0, part.x1 - whole.x0)


def coarser(box: PixelBox, reduction: int) -> PixelBox:
    """Return a box on the lattice whose pixels are ``reduction`` times as large.

    >>> coarser(PixelBox(-8, 0, 8, 16), 4)
    PixelBox(y0=-2, x0=0, y1=2, x1=4)
    """
    return PixelBox(box.y0 // reduction, box.x0 // reduction, -(-box.y1 // reduction), -(-box.x1 // reduction))


def _coarser_mask(keep: NDArray[np.bool_], reduction: int) -> NDArray[np.bool_]:
    """Return where any of the pixels under a coarser one is kept."""
    if reduction == 1:
        return keep
    height, width = (side // reduction for side in keep.shape)
    squares = keep.reshape(height, reduction, width, reduction)
    return np.asarray(np.logical_or.reduce(squares, axis=(1, 3)))
