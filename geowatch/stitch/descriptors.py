"""Descriptors: what a network's layer says of a place, one vector of numbers each.

Stitched activations are read back in boxes, whatever tiles they lie in, and pooled over a place: their mean, and
their standard deviation where asked. Sums run in an order that only the place decides, in double precision, so that
a vector is the same however the region was cut.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

import numpy as np

from geowatch.grid.lattice import PixelBox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.stitch.mosaic import Mosaic

__all__ = ["Patches", "Pool", "pool_cells", "pool_place"]

Pool = Literal["mean", "mean+std"]
"""What becomes of a place's activations: D numbers, or twice as many."""

#: Tiles that are kept in memory.
_KEPT = 4


class Patches:
    """Boxes of one array of a heatmap at one time, on its own lattice (that of the grid, reduced)."""

    def __init__(self, mosaic: Mosaic, head: HeadLayout, time: int, tiles: Iterable[Tile]) -> None:
        self._mosaic, self._head, self._time = mosaic, head, time
        self._tiles = {(tile.iy, tile.ix): tile for tile in tiles}
        self._side = mosaic.layout.grid.tile_px // head.reduction
        self._cores: OrderedDict[tuple[int, int], NDArray[np.float32]] = OrderedDict()

    def read(self, box: PixelBox) -> NDArray[np.float32]:
        """Return the activations of ``box``, (D, height, width), NaN where there are none.

        Raises:
            DamagedError: where stored bytes are not those that were written.
        """
        out = np.full((len(self._head.classes), *box.shape), np.nan, np.float32)
        for block in box.blocks(self._side):
            part = block & box
            core = self._core(block.y0 // self._side, block.x0 // self._side)
            if core is not None:
                out[(slice(None), *part.within(box))] = core[(slice(None), *part.within(block))]
        return out

    def _core(self, iy: int, ix: int) -> NDArray[np.float32] | None:
        if (iy, ix) not in self._tiles:
            return None
        if (iy, ix) not in self._cores:
            stored = self._mosaic.core(self._tiles[iy, ix], self._time, self._head)
            self._cores[iy, ix] = self._head.quantiser.decode(stored)
        self._cores.move_to_end((iy, ix))
        while len(self._cores) > _KEPT:
            self._cores.popitem(last=False)
        return self._cores[iy, ix]


def pool_cells(patch: NDArray[np.float32], side: int, pool: Pool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pool each square of ``side`` of a patch (D, h, w), row by row; the side divides h and w.

    Returns:
        Vectors (N, D or 2 D), zero for squares without activations, and the share (N,) of each that has them.

    >>> pool_cells(np.array([[[1, 3, 5, 5], [1, 3, np.nan, np.nan]]], np.float32), 2, "mean+std")
    (array([[2., 1.],
           [5., 0.]], dtype=float32), array([1. , 0.5], dtype=float32))
    """
    depth, height, width = patch.shape
    cells = patch.reshape(depth, height // side, side, width // side, side).transpose(1, 3, 0, 2, 4)
    places = np.ascontiguousarray(cells).reshape(-1, depth, side * side)
    return _pooled(places, pool)


def pool_place(patches: Iterable[NDArray[np.float32]], pool: Pool) -> tuple[NDArray[np.float32], int]:
    """Pool activations (D, n) that come in parts; return the vector (D or 2 D,) and how many there were."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    for patch in patches:
        seen = patch[:, np.isfinite(patch[0])].astype(np.float64)
        count += seen.shape[1]
        total = total + seen.sum(axis=1)
        squares = squares + (seen**2).sum(axis=1)
    return _vector(total, squares, np.array(max(1, count)), pool).astype(np.float32), count


def _pooled(places: NDArray[np.float32], pool: Pool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pool places (N, D, n), each along its own contiguous numbers."""
    seen = np.isfinite(places[:, :1])
    count = seen.sum(axis=2)
    values = np.where(seen, places, 0).astype(np.float64)
    vectors = _vector(values.sum(axis=2), (values**2).sum(axis=2), np.maximum(count, 1), pool)
    return vectors.astype(np.float32), (count[:, 0] / places.shape[2]).astype(np.float32)


def _vector(
    total: NDArray[np.float64], squares: NDArray[np.float64], count: NDArray[np.int64], pool: Pool
) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = total / count
    if pool == "mean":
        return mean
    return np.concatenate([mean, np.sqrt(np.maximum(squares / count - mean**2, 0))], axis=-1)
