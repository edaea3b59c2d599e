"""Resampling between grids of one CRS whose rows and columns run alike: exact, separable, without GDAL.

Each target row is a weighted sum of source rows, each target column of source columns. The weights are
GDAL's: a triangle (bilinear), the cubic convolution of Keys (a = -0.5), Lanczos with three lobes, or the
share of the pixel's area (average); when shrinking, the kernel is stretched by the plan's fixed scale. With
validity V the value is ``sum(w V x) / sum(w V)``: pixels without a number weigh nothing. Sums run in a fixed
order, tap by tap, so the bytes do not depend on threads or libraries.

Doubling a row with bilinear weights::

    source    10        20
    target  10  12.5  17.5  20
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.read.geometry import Axes, Axis, SourceWindow

__all__ = ["EDGE_PX", "RADIUS", "Kernel", "resample"]

Float = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]

#: How far each kernel reaches in source pixels before it is stretched.
RADIUS = {"nearest": 1, "bilinear": 1, "cubic": 2, "average": 1, "lanczos": 3, "max": 1}
#: A pixel edge that is nearer than this to another counts as the same (pixels).
EDGE_PX = 1e-6
#: With this share of its weight or less on valid pixels, a kernel with negative lobes says nothing.
_LEAST_WEIGHT = {"cubic": 0.1, "lanczos": 0.1}


@dataclass(frozen=True, slots=True)
class Kernel:
    """How pixels are weighed."""

    resampling: str
    """``nearest``, ``bilinear``, ``cubic``, ``average``, ``lanczos`` or ``max``."""
    scale: tuple[float, float]
    """Fixed scale (x, y): target pixels per source pixel, at most 1."""

    @property
    def reach(self) -> tuple[int, int]:
        """How far (rows, columns) it reaches in source pixels, with two to spare."""
        radius = RADIUS[self.resampling]
        return math.ceil(radius / self.scale[1]) + 2, math.ceil(radius / self.scale[0]) + 2


def _triangle(x: Doubles) -> Doubles:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: Doubles) -> Doubles:
    t = np.abs(x)
    near = (1.5 * t - 2.5) * t * t + 1.0
    far = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return np.where(t <= 1.0, near, np.where(t < 2.0, far, 0.0))


def _lanczos(x: Doubles) -> Doubles:
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


_WEIGHTS: dict[str, Callable[[Doubles], Doubles]] = {
    "bilinear": _triangle,
    "cubic": _cubic,
    "lanczos": _lanczos,
}


@dataclass(frozen=True, slots=True)
class _Taps:
    """For each of n target rows (or columns): the source rows that it is made of, and the one under its centre."""

    index: Indices
    """(n, taps)."""
    weight: Float
    """(n, taps), 0 outside the source; each row sums to 1."""
    centre: Indices
    """(n,)."""
    inside: NDArray[np.bool_]
    """(n,): whether the centre lies within the source."""

    def within(self, first: int, count: int) -> _Taps:
        """Return the taps as indices into ``count`` source rows from ``first`` on."""
        index, centre = (np.clip(i - first, 0, max(0, count - 1)) for i in (self.index, self.centre))
        return replace(self, index=index, centre=centre)

    @property
    def absolute(self) -> _Taps:
        """The taps with weights that cannot cancel out."""
        return replace(self, weight=np.abs(self.weight))


@lru_cache(maxsize=256)  # neighbouring bands, dates and boxes ask for the same
def _taps(axis: Axis, span: tuple[int, int], kernel: tuple[str, float]) -> _Taps:
    """Return the taps of target pixels ``span`` (first, stop) for a kernel (name, scale)."""
    name, scale = kernel
    places = axis.centres(*span)
    under = np.floor(places + EDGE_PX).astype(np.intp)
    if name == "nearest":
        index, weight = under[:, None], np.ones((len(under), 1))
    elif name == "average":
        index, weight = _areas(places, abs(axis.step))
    else:
        index, weight = _lobes(places, name, scale)
    weight = np.where((index >= 0) & (index < axis.size), weight, 0.0)
    total = weight.sum(axis=1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=np.abs(total) > EDGE_PX)
    return _Taps(index, weight.astype(np.float32), under, (under >= 0) & (under < axis.size))


def _areas(places: Doubles, width: float) -> tuple[Indices, Doubles]:
    low, high = (places - width / 2)[:, None], (places + width / 2)[:, None]
    first = np.floor(low + EDGE_PX).astype(np.intp)
    index = first + np.arange(math.ceil(width) + 1)
    share = np.minimum(index + 1, high) - np.maximum(index, low)
    return index, np.where(share > EDGE_PX, share, 0.0)


def _lobes(places: Doubles, resampling: str, scale: float) -> tuple[Indices, Doubles]:
    reach = RADIUS[resampling] / scale
    first = np.ceil(places - 0.5 - reach).astype(np.intp)
    index = first[:, None] + np.arange(math.floor(2 * reach) + 1)
    return index, _WEIGHTS[resampling]((index + 0.5 - places[:, None]) * scale)


def resample(pixels: Float, window: SourceWindow, axes: Axes, box: PixelBox, kernel: Kernel) -> Float:
    """Return target pixels (H, W), NaN where invalid. Each is a function of its own place: cuts change nothing.

    A pixel is valid where the source pixel under its centre is; for ``average``, where any source pixel in it
    is.

    Args:
        pixels: stored pixels (H, W) of ``window``, NaN where there is none.
        window: which these are; it holds all that the kernel reaches.
        axes: how the target lies on the source.
        box: which target pixels.
        kernel: how pixels are weighed.
    """
    name = kernel.resampling
    rows = _taps(axes.rows, (box.y0, box.y1), (name, kernel.scale[1])).within(window.y0, window.shape[0])
    cols = _taps(axes.cols, (box.x0, box.x1), (name, kernel.scale[0])).within(window.x0, window.shape[1])
    valid = rows.inside[:, None] & cols.inside
    known = np.isfinite(pixels)
    if known.all():
        return np.where(valid, _weighed(pixels, rows, cols), np.float32(np.nan))
    if name != "average":
        valid &= known[rows.centre][:, cols.centre]
    summed = _weighed(np.where(known, pixels, np.float32(0)), rows, cols)
    share = _weighed(known.astype(np.float32), rows, cols)
    # Far from any hole nothing is divided, so that a hole elsewhere in the box changes no bit.
    touched = _weighed((~known).astype(np.float32), rows.absolute, cols.absolute) > 0
    valid &= ~touched | (share > _LEAST_WEIGHT.get(name, EDGE_PX))
    np.divide(summed, share, out=summed, where=touched & valid)
    return np.where(valid, summed, np.float32(np.nan))


def _weighed(pixels: Float, rows: _Taps, cols: _Taps) -> Float:
    down = _sum(pixels, rows)
    return np.ascontiguousarray(_sum(np.ascontiguousarray(down.T), cols).T)


def _sum(pixels: Float, taps: _Taps) -> Float:
    """Return the weighted sums of rows of ``pixels``, tap by tap."""
    out = np.zeros((len(taps.index), pixels.shape[1]), np.float32)
    for index, weight in zip(taps.index.T, taps.weight.T, strict=True):
        if weight.any():
            out += weight[:, None] * pixels[index]
    return out
