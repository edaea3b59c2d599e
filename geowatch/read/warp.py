"""The kernel: one block of stored pixels in, one block of lattice pixels out. Arrays only, no files.

Stored numbers come as float32 with NaN where there is none, so that no kernel ever weighs a number under a
mask in: weights are shared among the valid pixels, and a lattice pixel is valid where the stored pixel under
its centre is (for ``average``: where any stored pixel in it is).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs
from geowatch.read.frameplan import RESAMPLINGS
from geowatch.read.kernels import EDGE_PX, RADIUS, Kernel, resample

__all__ = ["TOLERANCE_PX", "Placed", "any_overlap", "hidden", "warp_block"]

_KERNELS = {name: Resampling[name] for name in RADIUS}
#: Error allowed when a transform between two CRSs is followed along a row (source pixels).
TOLERANCE_PX = 1e-4
#: Plain pixels: any system will do, as both sides have the same.
_ANY_CRS = "EPSG:3857"
Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@lru_cache(maxsize=64)
def _crs(text: str) -> CRS:
    return CRS.from_user_input(text)


@dataclass(frozen=True, slots=True)
class Placed:
    """Stored pixels and where they are."""

    pixels: Float
    """(H, W), NaN where there is none."""
    affine: Affine
    """From (column, row) to (x, y)."""
    crs: str | None
    """Their CRS."""


def warp_block(source: Placed, lattice: Lattice, block: PixelBox, kernel: Kernel) -> Float:
    """Return a block of the lattice, float32 (H, W) with NaN where invalid."""
    same = same_crs(source.crs, lattice.crs)
    if same and kernel.resampling in RESAMPLINGS and not (source.affine.b or source.affine.d):
        return resample(source.pixels, source.affine, lattice.affine_of(block), block.shape, kernel)
    target = np.full(block.shape, np.nan, np.float32)
    if np.isnan(source.pixels).all():
        return target
    crs = _crs(source.crs or _ANY_CRS)
    options = _vrt_options(lattice.affine_of(block), block.shape, kernel)
    target_crs = crs if same else _crs(lattice.crs or _ANY_CRS)
    with (
        _in_memory(source, crs) as file,
        file.open() as dataset,
        WarpedVRT(dataset, crs=target_crs, **options) as vrt,
    ):
        vrt.read(1, out=target)
    return target


def _in_memory(source: Placed, crs: CRS) -> MemoryFile:
    """Return the pixels as a file that GDAL's warper can open."""
    file = MemoryFile()
    height, width = source.pixels.shape
    shape = {"height": height, "width": width, "count": 1, "dtype": "float32"}
    with file.open(driver="GTiff", crs=crs, transform=source.affine, nodata=np.nan, **shape) as dataset:
        dataset.write(source.pixels, 1)
    return file


def _vrt_options(affine: Affine, shape: tuple[int, int], kernel: Kernel) -> dict[str, object]:
    return {
        "transform": affine,
        "height": shape[0],
        "width": shape[1],
        "resampling": _KERNELS[kernel.resampling],
        "src_nodata": np.nan,
        "nodata": np.nan,
        "init_dest_nodata": True,
        # GDAL's usual eighth of a pixel would show at the edges of blocks; `reproject` knows no other.
        "tolerance": TOLERANCE_PX,
        # One kernel scale for all blocks; GDAL would choose another one for each.
        "XSCALE": kernel.scale[0],
        "YSCALE": kernel.scale[1],
        # Enough source around the block for any kernel, so that GDAL's own guess never cuts it.
        "SOURCE_EXTRA": 64,
        # Megabytes; a block and its source need a tenth, so that GDAL never splits one.
        "warp_mem_limit": 512,
    }


def any_overlap(bad: Bool, affine: Affine, target: Affine, shape: tuple[int, int]) -> Bool:
    """Return for each target pixel whether a bad source pixel overlaps it (equal CRS, no rotation).

    A pixel whose centre lies outside the source is bad: nothing is known of it.
    """
    rows = _Overlap.of((target.f - affine.f) / affine.e, target.e / affine.e, shape[0], bad.shape[0])
    cols = _Overlap.of((target.c - affine.c) / affine.a, target.a / affine.a, shape[1], bad.shape[1])
    # A table of sums tells how many bad pixels any rectangle holds from its four corners.
    sums = np.zeros((bad.shape[0] + 1, bad.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(bad, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    bands: NDArray[np.int64] = sums[rows.stop] - sums[rows.start]
    found = bands[:, cols.stop] - bands[:, cols.start]
    return (found > 0) | rows.outside[:, None] | cols.outside


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Which source rows (or columns) each target row overlaps: ``start`` to ``stop``."""

    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    outside: Bool

    @classmethod
    def of(cls, start: float, step: float, count: int, size: int) -> _Overlap:
        edges = start + np.arange(count + 1) * step
        low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        centre = np.floor((low + high) / 2 + EDGE_PX)
        return cls(
            np.clip(np.floor(low + EDGE_PX), 0, size).astype(np.intp),
            np.clip(np.ceil(high - EDGE_PX), 0, size).astype(np.intp),
            (centre < 0) | (centre >= size),
        )


def hidden(raw: NDArray[np.generic], values: Sequence[int], bits: int) -> Bool:
    """Return which pixels a mask band hides: those with one of ``values`` or any of ``bits`` set."""
    found = np.isin(raw, values) if values else np.zeros(raw.shape, bool)
    if bits:
        found |= (raw.astype(np.int64) & bits) != 0
    return found
