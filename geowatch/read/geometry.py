"""Where stored pixels meet lattice pixels: pure arithmetic on grids, no files.

All functions speak of source pixels as (row, column) of a stored raster and of lattice pixels as absolute
indices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import move_points, same_crs
from geowatch.read.scene import RasterGrid

__all__ = [
    "Axes",
    "Axis",
    "SourceWindow",
    "aligned_offset",
    "extent_on",
    "sampling_ratio",
    "source_window",
]

#: A pixel edge that is off by less than this share of a pixel is on the lattice.
ALIGNED_PX = 1e-4
#: Places per side at which a block is looked up in the source.
_PROBES = 33
_Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SourceWindow:
    """A block of stored pixels: rows ``y0 <= y < y1``, columns ``x0 <= x < x1``."""

    y0: int
    x0: int
    y1: int
    x1: int

    def __bool__(self) -> bool:
        return self.y1 > self.y0 and self.x1 > self.x0

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return max(0, self.y1 - self.y0), max(0, self.x1 - self.x0)

    @property
    def box(self) -> PixelBox:
        """The same as a box of the raster's own pixels."""
        return PixelBox(self.y0, self.x0, self.y1, self.x1)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a target grid in pixels of a source: target pixel i begins at ``start + i * step``."""

    start: float
    """Where target pixel 0 begins."""
    step: float
    """Source pixels per target pixel, with sign."""
    size: int
    """Length of the source."""

    def centres(self, first: int, stop: int) -> _Points:
        """Return the middles of target pixels in source pixels: a function of each index alone."""
        return self.start + (np.arange(first, stop, dtype=np.float64) + 0.5) * self.step

    def span(self, first: int, stop: int, pad: int) -> tuple[int, int]:
        """Return the source pixels (first, stop) under target pixels, with ``pad`` more on each side."""
        ends = sorted((self.start + first * self.step, self.start + stop * self.step))
        low, high = math.floor(ends[0]) - pad, math.ceil(ends[1]) + pad
        return min(self.size, max(0, low)), min(self.size, max(0, high))


@dataclass(frozen=True, slots=True)
class Axes:
    """How a target grid lies on a source grid of the same CRS and direction."""

    rows: Axis
    """Down."""
    cols: Axis
    """Across."""

    @classmethod
    def between(cls, target: Affine, source: Affine, shape: tuple[int, int]) -> Axes:
        """Return how pixels of ``target`` lie on a source of ``shape`` (rows, columns); neither is rotated."""
        return cls(
            Axis((target.f - source.f) / source.e, target.e / source.e, shape[0]),
            Axis((target.c - source.c) / source.a, target.a / source.a, shape[1]),
        )

    def window(self, box: PixelBox, pad: tuple[int, int]) -> SourceWindow:
        """Return the source pixels under a box of target pixels, with ``pad`` (rows, columns) around."""
        y0, y1 = self.rows.span(box.y0, box.y1, pad[0])
        x0, x1 = self.cols.span(box.x0, box.x1, pad[1])
        return SourceWindow(y0, x0, y1, x1)


def aligned_offset(grid: RasterGrid, lattice: Lattice) -> tuple[int, int] | None:
    """Return the lattice (row, column) of a raster's first pixel if its pixels are the lattice's."""
    if not (grid.is_straight and same_crs(grid.crs, lattice.crs)):
        return None
    near, far = lattice.affine, grid.transform
    rows, cols = grid.shape
    first = ~near @ (far @ (0, 0))
    last = ~near @ (far @ (cols, rows))
    col, row = round(first[0]), round(first[1])
    off = max(abs(first[0] - col), abs(first[1] - row), abs(last[0] - col - cols), abs(last[1] - row - rows))
    return (row, col) if off < ALIGNED_PX else None


def extent_on(grid: RasterGrid, lattice: Lattice) -> PixelBox:
    """Return the box of the lattice pixels whose centres lie within a raster's bounds on the lattice."""
    rows, cols = grid.shape
    along = np.linspace(0.0, 1.0, 101)
    zeros, ones = np.zeros_like(along), np.ones_like(along)
    px = np.concatenate([along, ones, along, zeros]) * cols
    py = np.concatenate([zeros, along, ones, along]) * rows
    x, y = _apply(grid.transform, px, py)
    x, y = move_points(x, y, grid.crs, lattice.crs)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return PixelBox(0, 0, 0, 0)
    x, y = x[known], y[known]
    return lattice.box_inside((float(x.min()), float(y.min()), float(x.max()), float(y.max())))


def sampling_ratio(grid: RasterGrid, lattice: Lattice) -> tuple[float, float]:
    """Return source pixels per lattice pixel along the source's (columns, rows), in the middle of the raster.

    A pure function of the two grids: it does not depend on region, tiles or reads.
    """
    if same_crs(grid.crs, lattice.crs) and grid.is_straight:
        return lattice.step_x / grid.steps[1], abs(lattice.step_y) / grid.steps[0]
    rows, cols = grid.shape
    x, y = move_points(*_apply(grid.transform, np.array([cols / 2]), np.array([rows / 2])), grid.crs, lattice.crs)
    col, row = _apply(~lattice.affine, x, y)
    px, py = to_source(
        grid,
        lattice,
        np.concatenate([col - 0.5, col + 0.5, col, col]),
        np.concatenate([row, row, row - 0.5, row + 0.5]),
    )
    ratios = math.hypot(px[1] - px[0], px[3] - px[2]), math.hypot(py[1] - py[0], py[3] - py[2])
    # Six digits: the last bits of a projection differ between machines, and the number is pinned anyway.
    return _digits(ratios[0]), _digits(ratios[1])


def _digits(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) and value > 0 else 1.0


def source_window(
    grid: RasterGrid,
    lattice: Lattice,
    block: PixelBox,
    pad: tuple[int, int],
    to_level: tuple[float, float] = (1.0, 1.0),
) -> SourceWindow:
    """Return the stored pixels that a block of the lattice needs.

    Args:
        grid: the raster at full resolution.
        lattice: the lattice.
        block: lattice pixels.
        pad: (rows, columns) that the kernel reaches further.
        to_level: (rows, columns) of the level that is read per full-resolution pixel.
    """
    along_x = np.linspace(block.x0, block.x1, _PROBES)
    along_y = np.linspace(block.y0, block.y1, _PROBES)
    cols, rows = (a.ravel() for a in np.meshgrid(along_x, along_y))
    px, py = to_source(grid, lattice, cols, rows)
    known = np.isfinite(px) & np.isfinite(py)
    if not known.any():
        return SourceWindow(0, 0, 0, 0)
    height, width = (max(1, round(n * f)) for n, f in zip(grid.shape, to_level, strict=True))
    y0, y1 = _span(py[known] * to_level[0], pad[0], height)
    x0, x1 = _span(px[known] * to_level[1], pad[1], width)
    return SourceWindow(y0, x0, y1, x1)


def _span(places: _Points, pad: int, size: int) -> tuple[int, int]:
    low, high = float(places.min()), float(places.max())
    # Between the probes a curved edge may bulge: a fiftieth of the span is far more than any projection
    # bends.
    bulge = (high - low) / 50
    start = math.floor(low - bulge) - pad
    stop = math.ceil(high + bulge) + pad
    return min(size, max(0, start)), min(size, max(0, stop))


def to_source(grid: RasterGrid, lattice: Lattice, cols: _Points, rows: _Points) -> tuple[_Points, _Points]:
    """Move lattice places (column, row) to source places (column, row); infinity where there is none."""
    x, y = _apply(lattice.affine, cols, rows)
    x, y = move_points(x, y, lattice.crs, grid.crs)
    return _apply(~grid.transform, x, y)


def _apply(affine: Affine, x: _Points, y: _Points) -> tuple[_Points, _Points]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f
