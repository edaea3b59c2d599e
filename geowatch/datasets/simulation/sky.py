"""Clouds, their shadows, and the masks that a product would have of them.

Clouds are the highest parts of a random relief, between some hundred metres and many kilometres wide; their shadow is
the same shape, moved along the sun. A product's mask is not the truth: it misses thin and small clouds, and takes some
bright ground for cloud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.datasets.simulation.noise import coherent, fractal, smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MASK_CLASSES", "Sky", "cloud_shares", "flawed_mask", "make_sky"]

#: Values of the mask that comes with each image.
MASK_CLASSES = {"fill": 0, "clear": 1, "cloud": 2, "shadow": 3}
_FILL, _CLEAR, _CLOUD, _SHADOW = 0, 1, 2, 3
#: How opaque a cloud must be to be called one.
_OPAQUE = 0.25


@dataclass(frozen=True)
class Sky:
    """What lies between ground and sensor."""

    cloud: NDArray[np.float32]
    """(H, W), opacity from 0 to 1."""
    shadow: NDArray[np.float32]
    """(H, W), share of the sunlight that is missing, 0 to 1."""

    @property
    def cloudy(self) -> NDArray[np.bool_]:
        """Which pixels (H, W) are truly under cloud or shadow."""
        return (self.cloud > _OPAQUE) | (self.shadow > _OPAQUE)


def cloud_shares(rng: np.random.Generator, count: int, mean: float) -> NDArray[np.float64]:
    """Return the share of each of ``count`` images that is cloudy: many clear, many overcast, ``mean`` on average.

    Raises ValueError for a mean that is no share.
    """
    if not 0 <= mean <= 1:
        raise ValueError(f"a cloudy share of {mean} is not between 0 and 1")
    if mean in {0, 1} or count == 0:
        return np.full(count, float(mean))
    # Not quite overcast nor quite clear: no power would move those.
    shares = rng.beta(1.1 * mean, 1.1 * (1 - mean), count).clip(1e-4, 1 - 1e-4)
    # The mean of few draws is off; a power brings it to what was asked and hardly moves clear and overcast skies.
    low, high = -14.0, 14.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (shares ** math.exp(middle)).mean() > mean else (low, middle)
    found: NDArray[np.float64] = shares ** math.exp(low)
    return found


def make_sky(rng: np.random.Generator, shape: tuple[int, int], share: float, lat: float, day: int) -> Sky:
    """Return a sky of which ``share`` (0 to 1) is cloud or shadow, over (H, W) pixels of 10 m.

    The sun's height follows latitude and season (Cooper 1969); clouds are 0.6 to 2.5 km high.
    """
    dy, dx = _shadow_shift(rng, lat, day)
    pad = max(abs(dy), abs(dx))
    full = (shape[0] + 2 * pad, shape[1] + 2 * pad)
    relief = fractal(rng, full, float(rng.uniform(40, 220)), levels=6, falloff=0.55)
    here = relief[pad : pad + shape[0], pad : pad + shape[1]]
    sunward = relief[pad - dy : pad - dy + shape[0], pad - dx : pad - dx + shape[1]]
    if share <= 0.005:
        return Sky(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    edge = _edge(np.maximum(here, sunward), share) if share < 1 else -np.inf
    if not math.isfinite(edge):
        edge = float(relief.min()) - 1
    cloud = smoothstep(here, edge - 0.12, edge + 0.35)
    shadow = smoothstep(sunward, edge - 0.12, edge + 0.35) * (1 - cloud)
    return Sky(cloud, shadow)


def _edge(field: NDArray[np.float32], share: float) -> float:
    """Return the least of the largest values of a field that make up ``share`` of it; infinite where there is none."""
    ranks = (np.arange(field.size, dtype=np.float32) + 0.5) / field.size
    first = int(np.searchsorted(ranks, np.float32(1 - share)))
    return float(np.partition(field, first, axis=None)[first]) if first < field.size else math.inf


def _shadow_shift(rng: np.random.Generator, lat: float, day: int) -> tuple[int, int]:
    """Return by how many pixels of 10 m (down, right) shadows lie from their clouds in the middle of a morning."""
    declination = 23.45 * math.sin(math.radians(360 * (284 + day % 365.25) / 365))
    zenith = math.radians(min(75.0, math.hypot(lat - declination, 22.0)))
    length = float(rng.uniform(60, 250)) * math.tan(zenith)
    north = 1.0 if lat > declination else -1.0
    return -round(north * 0.8 * length), -round(0.6 * length)


def flawed_mask(
    rng: np.random.Generator, sky: Sky, brightness: NDArray[np.float32], omission: float, commission: float
) -> NDArray[np.uint8]:
    """Return the mask (H, W) that a product would have of a sky, with values of `MASK_CLASSES`.

    Args:
        rng: what its flaws depend on.
        sky: the truth.
        brightness: (H, W), visible reflectance of the ground, which decides what is taken for cloud.
        omission: share of truly cloudy pixels that it misses: edges and small clouds first.
        commission: share of clear pixels that it calls cloud: bright ground first, in spots.
    """
    shape = (sky.cloud.shape[0], sky.cloud.shape[1])
    spots = coherent(rng, shape, 9)
    mask = np.full(shape, _CLEAR, np.uint8)
    for value, depth in ((_SHADOW, sky.shadow), (_CLOUD, sky.cloud)):
        mask[_without_weakest(depth + np.float32(0.15) * spots, depth > _OPAQUE, omission)] = value
    clear = ~sky.cloudy
    tempting = 6 * brightness + coherent(rng, shape, 5)
    mask[_without_weakest(tempting, clear, 1 - commission) & (mask == _CLEAR)] = _CLOUD
    return mask


def _without_weakest(strength: NDArray[np.float32], which: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return ``which`` without the ``share`` of its pixels where ``strength`` is least."""
    if not which.any() or share >= 1:
        return np.zeros_like(which)
    place = min(int(share * which.sum()), int(which.sum()) - 1)
    limit = np.partition(strength[which], place)[place]
    kept: NDArray[np.bool_] = which & (strength >= limit)
    return kept
