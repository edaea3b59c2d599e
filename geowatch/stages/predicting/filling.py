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

    def __init__(self, layout: HeatmapLayout, tiles: Iterable[Tile], blocks: int = 1) -> None:
        """Open the rows of ``tiles``, with the planes of ``blocks`` time blocks."""
        self._grid: Grid = layout.grid
        self._layout = layout
        self._blocks = blocks
        self._rows: dict[int, list[Tile]] = defaultdict(list)
        for tile in sorted(tiles):
            self._rows[tile.iy].append(tile)
        self._open: dict[int, CoreRow] = {}

    def put(
        self, box: PixelBox, scores: tuple[NDArray[Any], ...], keep: NDArray[np.bool_], plane: int = 0,
        *, last: bool = True,
    ) -> Iterator[list[Core]]:  # fmt: skip
        """Take finished rows ``box`` of a plane; yield the cores that they complete. See `CoreRow.put`.

        Planes come one after the other; the ``last`` of a block completes cores. With one plane a row of cores is
        handed on before the next one opens.
        """
        size = self._grid.tile_px
        for iy in range(box.y0 // size, (box.y1 - 1) // size + 1):
            row = self._row(iy)
            if row is None:
                continue
            row.put(box, scores, keep, plane)
            if last and box.y1 >= row.box.y1:
                yield list(self._open.pop(iy).cores())

    def close(self) -> Iterator[list[Core]]:
        """Yield the cores of all open rows."""
        for iy in sorted(self._open):
            yield list(self._open.pop(iy).cores())

    def _row(self, iy: int) -> CoreRow | None:
        if iy in self._rows:
            # Taken out of the list: a row of cores opens once.
            tiles = tuple(self._rows.pop(iy))
            self._open[iy] = CoreRow(self._grid, tiles, self._layout.heads, self._layout.block, self._blocks)
        return self._open.get(iy)
