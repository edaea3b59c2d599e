"""From one CRS to another: one block of stored pixels in, one block of lattice pixels out, by GDAL's warper.

Stored numbers come as float32 with NaN where there is none, so that no kernel ever weighs a number under a
mask in: weights are shared among the valid pixels, and a lattice pixel is valid where the stored pixel under
its centre is (for ``average``: where any stored pixel in it is).
"""

from __future__ import annotations

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
from geowatch.read.kernels import RADIUS, Kernel

__all__ = ["TOLERANCE_PX", "Placed", "warp_block"]

_KERNELS = {name: Resampling[name] for name in RADIUS}
#: Error allowed when a transform between two CRSs is followed along a row (source pixels).
TOLERANCE_PX = 1e-4
#: Plain pixels: any system will do, as both sides have the same.
_ANY_CRS = "EPSG:3857"
Float = NDArray[np.float32]


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
