"""Which pixels belong to the region: those whose centres lie inside its polygon.

The polygon is burnt in fixed blocks of the lattice, always whole ones, so that the answer for a pixel does not
depend on the tile that asks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Grid

__all__ = ["COVER_BLOCK_PX", "Cover"]

#: Side of the blocks; a constant of the format.
COVER_BLOCK_PX = 512


class Cover:
    """The region's pixels on one grid."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        # A sweep asks for a block some strides in a row.
        self._block = lru_cache(maxsize=64)(self._whole_block)
        if grid.cover is not None:
            shapely.prepare(grid.cover)

    def mask(self, box: PixelBox) -> NDArray[np.bool_]:
        """Return which pixels of ``box`` belong to the region, shape (height, width)."""
        out = np.zeros(box.shape, bool)
        for block in (box & self._grid.bounds).blocks(COVER_BLOCK_PX):
            part = block & box & self._grid.bounds
            out[part.within(box)] = self._block(block)[part.within(block)]
        return out

    def _whole_block(self, block: PixelBox) -> NDArray[np.bool_]:
        outline = self._grid.cover
        frame = shapely.box(*self._grid.lattice.bounds(block))
        if outline is None or outline.covers(frame):
            return np.ones(block.shape, bool)
        if not outline.intersects(frame):
            return np.zeros(block.shape, bool)
        return self._burn(outline, block)

    def _burn(self, outline: BaseGeometry, block: PixelBox) -> NDArray[np.bool_]:
        from rasterio.features import geometry_mask

        lattice = self._grid.lattice
        # Clipping keeps a country's outline from being walked for every block.
        near = shapely.clip_by_rect(outline, *lattice.bounds(block.pad(COVER_BLOCK_PX)))
        if near.is_empty:
            return np.zeros(block.shape, bool)
        inside: NDArray[np.bool_] = geometry_mask(
            [near], out_shape=block.shape, transform=lattice.affine_of(block), all_touched=False, invert=True
        )
        return inside
