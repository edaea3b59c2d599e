"""Random fields that hang together in space, made from seeds alone.

A field is drawn on a coarse grid of normal numbers and interpolated by cubic B-splines, so that its hills are about
``cell_px`` wide. Only additions and products of single elements are used: the same seed gives the same bytes whatever
the number of threads.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["coherent", "fractal", "rng_of", "smoothstep", "to_shares"]


def rng_of(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the generator that ``seed`` has for a purpose, independent of all others.

    >>> bool(rng_of(0, "clouds", 3).random() == rng_of(0, "clouds", 3).random())
    True
    """
    keys = [zlib.crc32(str(part).encode()) for part in purpose]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *keys])))


def coherent(rng: np.random.Generator, shape: tuple[int, int], cell_px: float) -> NDArray[np.float32]:
    """Return a field (H, W) with mean 0 and deviation of about 1, whose hills are ``cell_px`` pixels wide."""
    cells = [int(np.ceil(side / cell_px)) + 4 for side in shape]
    shift = rng.random(2)
    grid = rng.standard_normal(cells, np.float32)
    rows = _splined(grid, shape[0], cell_px, float(shift[0]))
    field = _splined(np.ascontiguousarray(rows.T), shape[1], cell_px, float(shift[1])).T
    # A cubic B-spline averages: the mean over phases of the sum of its squared weights is 151/315 along an axis.
    return np.ascontiguousarray(field * np.float32(315 / 151))


def _splined(grid: NDArray[np.float32], count: int, cell_px: float, shift: float) -> NDArray[np.float32]:
    """Interpolate along the first axis at ``count`` places."""
    at = (np.arange(count, dtype=np.float64) + 0.5) / cell_px + shift
    base = np.floor(at).astype(np.intp)
    t = (at - base).astype(np.float32)[:, None]
    weights = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    out = np.asarray(weights[0] * grid[base], np.float32)
    for k in (1, 2, 3):
        out += weights[k] * grid[base + k]
    return out


def fractal(
    rng: np.random.Generator, shape: tuple[int, int], cell_px: float, *, levels: int = 4, falloff: float = 0.55
) -> NDArray[np.float32]:
    """Return `coherent` fields of cells halved from level to level, each weaker by ``falloff``; deviation about 1."""
    out = np.zeros(shape, np.float32)
    power = 0.0
    for level in range(levels):
        size = cell_px / 2**level
        if level and size < 1.5:
            break
        out += np.float32(falloff**level) * coherent(rng, shape, size)
        power += falloff ** (2 * level)
    out /= np.float32(power**0.5)
    return out


def to_shares(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each pixel which share of the field lies below it, 0 to 1: thresholds of it are exact shares."""
    order = np.argsort(field, axis=None, kind="stable")
    out = np.empty(field.size, np.float32)
    out[order] = (np.arange(field.size, dtype=np.float32) + 0.5) / field.size
    return out.reshape(field.shape)


def smoothstep(x: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Return 0 below ``low``, 1 above ``high`` and a smooth ramp between."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    out: NDArray[np.float32] = t * t * (3 - 2 * t)
    return out
