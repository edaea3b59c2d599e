"""Finished rows on their way into cores: cut where rows of tiles meet, handed on when a row of cores is full."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from geowatch.stitch.cores import Core, CoreRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Grid
    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeatmapLayout

__all__ = ["Filling"]


class Filling:
    """The row of cores that is being filled; rows of pixels come from the top down."""

    def __init__(self, layout: HeatmapLayout, tiles: Iterable[Tile]) -> None:
        self._grid: Grid = layout.grid
        self._heads = layout.heads
        self._rows: dict[int, list[Tile]] = defaultdict(list)
        for tile in sorted(tiles):
            self._rows[tile.iy].append(tile)
        self._open: CoreRow | None = None

    def put(self, box: PixelBox, scores: tuple[NDArray[Any], ...], keep: NDArray[np.bool_]) -> Iterator[list[Core]]:
        """Take finished rows ``box``; yield the cores that they complete. See `CoreRow.put`."""
        size = self._grid.tile_px
        for iy in range(box.y0 // size, (box.y1 - 1) // size + 1):
            row = self._row(iy)
            if row is None:
                continue
            row.put(box, scores, keep)
            if box.y1 >= row.box.y1:
                yield from self.close()

    def close(self) -> Iterator[list[Core]]:
        """Yield the open row's cores, if there is one."""
        if self._open is not None:
            row, self._open = self._open, None
            yield list(row.cores())

    def _row(self, iy: int) -> CoreRow | None:
        if self._open is None and iy in self._rows:
            # Taken out of the list: a row of cores opens once.
            self._open = CoreRow(self._grid, tuple(self._rows.pop(iy)), self._heads)
        if self._open is not None and self._open.tiles[0].iy == iy:
            return self._open
        return None
