"""Which pixels belong to the region: those whose centres lie inside its polygon.

The polygon is burnt in fixed blocks of the lattice, always whole ones, so that the answer for a pixel does not
depend on the tile that asks.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geowatch.grid.lattice import Lattice, PixelBox
    from geowatch.grid.plan import Grid

__all__ = ["COVER_BLOCK_PX", "Cover"]

#: Side of the blocks; a constant of the format.
COVER_BLOCK_PX = 512


class Cover:
    """The region's pixels on one grid."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        # A sweep asks for a block some strides in a row. Nothing in there refers to this object: in a cycle the
        # blocks of all sweeps would stay until Python looks for cycles.
        self._block = lru_cache(maxsize=64)(partial(_block, grid))
        if grid.cover is not None:
            shapely.prepare(grid.cover)

    def mask(self, box: PixelBox) -> NDArray[np.bool_]:
        """Return which pixels of ``box`` belong to the region, shape (height, width)."""
        out = np.zeros(box.shape, bool)
        for block in (box & self._grid.bounds).blocks(COVER_BLOCK_PX):
            part = block & box & self._grid.bounds
            out[part.within(box)] = self._block(block)[part.within(block)]
        return out


def _block(grid: Grid, block: PixelBox) -> NDArray[np.bool_]:
    """Return which pixels of a whole block belong to the region, to be read only."""
    outline = grid.cover
    frame = shapely.box(*grid.lattice.bounds(block))
    if outline is None or outline.covers(frame):
        return np.broadcast_to(np.True_, block.shape)
    if not outline.intersects(frame):
        return np.broadcast_to(np.False_, block.shape)
    return _burnt(grid.lattice, outline, block)


def _burnt(lattice: Lattice, outline: BaseGeometry, block: PixelBox) -> NDArray[np.bool_]:
    from rasterio.features import geometry_mask

    # Clipping keeps a country's outline from being walked for every block.
    near = shapely.clip_by_rect(outline, *lattice.bounds(block.pad(COVER_BLOCK_PX)))
    if near.is_empty:
        return np.broadcast_to(np.False_, block.shape)
    inside: NDArray[np.bool_] = geometry_mask(
        [near], out_shape=block.shape, transform=lattice.affine_of(block), all_touched=False, invert=True
    )
    return inside
