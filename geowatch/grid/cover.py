"""Which tiles a region needs: those whose core shares interior with the region's outline.

Blocks of tiles are quartered where the outline crosses them, a whole level at a time as arrays; a block that
lies within the outline is taken as it is, so that only tiles along the outline cost geometry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from geowatch.errors import PlanError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.tiles import Column

if TYPE_CHECKING:
    from shapely.geometry import MultiPolygon, Polygon

__all__ = ["MAX_TILES", "refuse_too_many", "tiles_of_bounds", "tiles_of_cover"]

#: A plan of more tiles than this is refused: it is a slip of the resolution or the tile size.
MAX_TILES = 20_000_000
#: A tile is needed where the region reaches deeper into its core than this.
_TOUCH_PX = 1e-6


def tiles_of_bounds(bounds: PixelBox, tile_px: int) -> tuple[Column, Column]:
    """Return the (iy, ix) of all tiles that share a pixel with ``bounds``, row by row."""
    box = bounds.snap(tile_px)
    rows = np.arange(box.y0 // tile_px, box.y1 // tile_px, dtype=np.int32)
    cols = np.arange(box.x0 // tile_px, box.x1 // tile_px, dtype=np.int32)
    return np.repeat(rows, len(cols)), np.tile(cols, len(rows))


def tiles_of_cover(
    cover: Polygon | MultiPolygon, lattice: Lattice, bounds: PixelBox, tile_px: int
) -> tuple[Column, Column]:
    """Return the (iy, ix) of the tiles whose core shares interior with ``cover``, in no order.

    Args:
        cover: Outline in units of the lattice's CRS.
        lattice: Where pixels are.
        bounds: Pixels that the plan spans; tiles beyond are left out.
        tile_px: Side of a tile.
    """
    shapely.prepare(cover)
    span = bounds.snap(tile_px)
    limits = PixelBox(*(edge // tile_px for edge in span.to_list()))
    size = 1 << (max(limits.height, limits.width) - 1).bit_length()
    blocks = np.array([(b.y0 // size, b.x0 // size) for b in limits.blocks(size)], dtype=np.int64).reshape(-1, 2)
    found: list[NDArray[np.int64]] = []
    while len(blocks):
        boxes = _boxes(blocks * size, lattice, tile_px, size)
        whole = shapely.contains_properly(cover, boxes)
        found.append(_unpacked(blocks[whole] * size, size))
        blocks = blocks[~whole][shapely.intersects(cover, boxes[~whole])]
        if size == 1:
            found.append(blocks)
            break
        size //= 2
        blocks = _within(_unpacked(blocks * 2, 2), limits, size)
    tiles = _within(np.concatenate(found), limits, 1).astype(np.int32)
    return np.ascontiguousarray(tiles[:, 0]), np.ascontiguousarray(tiles[:, 1])


def _boxes(first: NDArray[np.int64], lattice: Lattice, tile_px: int, size: int) -> NDArray[np.object_]:
    # A hair smaller than the block: what only touches it from outside is not in it, and tests stay cheap.
    top, left = (first * tile_px + _TOUCH_PX).T
    extent = size * tile_px - 2 * _TOUCH_PX
    x = lattice.phase_x + lattice.step_x * left, lattice.phase_x + lattice.step_x * (left + extent)
    y = lattice.phase_y + lattice.step_y * top, lattice.phase_y + lattice.step_y * (top + extent)
    boxes: NDArray[np.object_] = shapely.box(x[0], np.minimum(*y), x[1], np.maximum(*y))
    return boxes


def _unpacked(first: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    # Rows (y, x) of a block's corner become rows for each of its size x size members.
    steps = np.arange(size)
    y = np.broadcast_to(first[:, 0, None, None] + steps[:, None], (len(first), size, size))
    x = np.broadcast_to(first[:, 1, None, None] + steps, (len(first), size, size))
    return np.stack([y.ravel(), x.ravel()], axis=1)


def _within(blocks: NDArray[np.int64], limits: PixelBox, size: int) -> NDArray[np.int64]:
    y, x = (blocks * size).T
    inside = (y < limits.y1) & (y + size > limits.y0) & (x < limits.x1) & (x + size > limits.x0)
    return np.asarray(blocks[inside])


def refuse_too_many(tiles: float, tile_px: int) -> None:
    """Raise PlanError for more than `MAX_TILES`."""
    if tiles > MAX_TILES:
        raise PlanError(
            f"about {tiles:,.0f} tiles of {tile_px} px; a plan holds at most {MAX_TILES:,}",
            hint="give a larger --tile-size or a coarser --resolution, or split the region",
        )
