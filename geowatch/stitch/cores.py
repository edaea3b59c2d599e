"""From finished rows to finished cores.

Rows leave the band in strides; tiles are stored in cores. A `CoreRow` gathers, already quantised, the rows of one
row of adjacent tiles and hands their cores out when the last row is in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid
    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout

__all__ = ["Core", "CoreRow"]


@dataclass(frozen=True, slots=True)
class Core:
    """One tile's finished scores."""

    tile: Tile
    """Whose core it is."""
    heads: tuple[NDArray[np.generic], ...]
    """Stored values of each head, shape (1, K, tile_px, tile_px)."""
    valid_px: int
    """Pixels that have scores."""


class CoreRow:
    """The cores of adjacent tiles of one row of tiles, being filled from the top down."""

    def __init__(self, grid: Grid, tiles: tuple[Tile, ...], heads: tuple[HeadLayout, ...]) -> None:
        self.tiles = tiles
        boxes = [grid.core(tile) for tile in tiles]
        #: All pixels of the row, gaps between tiles included.
        self.box = PixelBox(boxes[0].y0, boxes[0].x0, boxes[-1].y1, boxes[-1].x1)
        self._grid = grid
        self._heads = heads
        self._stored = [h.quantiser.empty((len(h.classes), *self.box.shape)) for h in heads]
        self._valid = np.zeros(self.box.shape, bool)

    def put(self, box: PixelBox, scores: tuple[NDArray[np.float32], ...], keep: NDArray[np.bool_]) -> None:
        """Take finished rows.

        Args:
            box: Where they are, within the row's box.
            scores: Scores of each head, shape (K, height, width) of ``box``.
            keep: Which pixels have scores, shape (height, width).
        """
        place = box.within(self.box)
        self._valid[place] = keep
        for stored, head, values in zip(self._stored, self._heads, scores, strict=True):
            stored[(slice(None), *place)] = head.quantiser.encode(values, keep)

    def cores(self) -> Iterator[Core]:
        """Hand out the cores, from left to right."""
        for tile in self.tiles:
            rows, columns = self._grid.core(tile).within(self.box)
            heads = tuple(stored[np.newaxis, :, rows, columns] for stored in self._stored)
            yield Core(tile, heads, int(self._valid[rows, columns].sum()))
