"""The kernel: one block of stored pixels in, one block of lattice pixels out. Arrays only, no files.

Stored numbers come as float32 with NaN where there is none, so that no kernel ever weighs a number under a
mask in: weights are shared among the valid pixels, and a lattice pixel is valid where the stored pixel under
its centre is (for ``average``: where any stored pixel in it is).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling as Kernel
from rasterio.warp import reproject

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs

__all__ = ["any_overlap", "hidden", "kernel_reach", "nearest", "warp_block"]

_RADIUS = {"nearest": 1, "bilinear": 1, "cubic": 2, "average": 1, "lanczos": 3, "max": 1}
_KERNELS = {name: Kernel[name] for name in _RADIUS}
#: A pixel edge that is nearer than this to another counts as the same (pixels).
_EDGE = 1e-6
Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@lru_cache(maxsize=64)
def _crs(text: str) -> CRS:
    return CRS.from_user_input(text)


def kernel_reach(resampling: str, scale: tuple[float, float]) -> tuple[int, int]:
    """Return how far (rows, columns) a kernel reaches in source pixels, with two to spare."""
    radius = _RADIUS[resampling]
    return math.ceil(radius / scale[1]) + 2, math.ceil(radius / scale[0]) + 2


def warp_block(
    source: Float,
    place: tuple[Affine, str | None],
    lattice: Lattice,
    block: PixelBox,
    kernel: tuple[str, tuple[float, float]],
) -> Float:
    """Return a block of the lattice, float32 with NaN where invalid.

    Args:
        source: stored numbers (H, W), NaN where there is none.
        place: transform of ``source`` and its CRS.
        lattice: the lattice.
        block: which pixels.
        kernel: resampling and its fixed scale (x, y).
    """
    affine, crs = place
    resampling, scale = kernel
    straight = not (affine.b or affine.d) and same_crs(crs, lattice.crs)
    if resampling == "nearest" and straight:
        return nearest(source, affine, lattice.affine_of(block), block.shape)
    target = np.full(block.shape, np.nan, np.float32)
    if np.isnan(source).all():
        return target
    name = _crs(crs or "EPSG:3857")  # plain pixels: any system will do, both sides have the same
    reproject(
        source,
        target,
        src_transform=affine,
        src_crs=name,
        src_nodata=np.nan,
        dst_transform=lattice.affine_of(block),
        dst_crs=name if straight else _crs(lattice.crs or "EPSG:3857"),
        dst_nodata=np.nan,
        resampling=_KERNELS[resampling],
        init_dest_nodata=True,
        num_threads=1,
        # The transform is followed to a billionth of a pixel: an approximation would depend on the block's
        # span.
        tolerance=1e-9,
        # One kernel scale for all blocks; GDAL would choose another one for each.
        XSCALE=scale[0],
        YSCALE=scale[1],
        # Enough source around the block for any kernel, so that GDAL's own guess never cuts it.
        SOURCE_EXTRA=64,
    )
    return target


def nearest(source: Float, affine: Affine, target: Affine, shape: tuple[int, int]) -> Float:
    """Return the source pixel under each target pixel's centre (equal CRS, no rotation); NaN outside.

    A centre that lies on an edge between two source pixels takes the one with the larger index.
    """
    rows = _under((target.f - affine.f) / affine.e, target.e / affine.e, shape[0])
    cols = _under((target.c - affine.c) / affine.a, target.a / affine.a, shape[1])
    inside = ((rows >= 0) & (rows < source.shape[0]))[:, None] & ((cols >= 0) & (cols < source.shape[1]))
    picked = source[np.clip(rows, 0, source.shape[0] - 1)][:, np.clip(cols, 0, source.shape[1] - 1)]
    return np.where(inside, picked, np.float32(np.nan))


def _under(start: float, step: float, count: int) -> NDArray[np.intp]:
    places: NDArray[np.intp] = np.floor(start + (np.arange(count) + 0.5) * step + _EDGE).astype(np.intp)
    return places


def any_overlap(bad: Bool, affine: Affine, target: Affine, shape: tuple[int, int]) -> Bool:
    """Return for each target pixel whether a bad source pixel overlaps it (equal CRS, no rotation).

    What lies outside the source is bad: nothing is known of it.
    """
    y0, y1 = _edges((target.f - affine.f) / affine.e, target.e / affine.e, shape[0])
    x0, x1 = _edges((target.c - affine.c) / affine.a, target.a / affine.a, shape[1])
    sums = np.zeros((bad.shape[0] + 1, bad.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(bad, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    (r0, r1), (c0, c1) = (
        [np.clip(v, 0, n) for v in pair] for pair, n in (((y0, y1), bad.shape[0]), ((x0, x1), bad.shape[1]))
    )
    found = sums[np.ix_(r1, c1)] - sums[np.ix_(r0, c1)] - sums[np.ix_(r1, c0)] + sums[np.ix_(r0, c0)]
    outside = ((y0 < 0) | (y1 > bad.shape[0]))[:, None] | ((x0 < 0) | (x1 > bad.shape[1]))
    bad_there: Bool = (found > 0) | outside
    return bad_there


def _edges(start: float, step: float, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    ends = np.stack([start + np.arange(count) * step, start + (np.arange(count) + 1) * step])
    low, high = ends.min(axis=0), ends.max(axis=0)
    return np.floor(low + _EDGE).astype(np.intp), np.ceil(high - _EDGE).astype(np.intp)


def hidden(raw: NDArray[np.generic], values: Sequence[int], bits: int) -> Bool:
    """Return which pixels a mask band hides: those with one of ``values`` or any of ``bits`` set."""
    found = np.isin(raw, values) if values else np.zeros(raw.shape, bool)
    if bits:
        found |= (raw.astype(np.int64) & bits) != 0
    return found
