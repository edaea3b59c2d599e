"""The two sensors of the simulation: what they add to the light that reaches them.

They are like Sentinel-2 and Landsat 8 in pixel, revisit, noise and footprint, and carry names of their own, since
nothing here was sensed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.datasets.simulation.noise import rng_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LANDSAT_LIKE", "SENSORS", "SENTINEL_LIKE", "Overpass", "Sensor", "overpasses", "sense"]

#: Stored numbers per unit of reflectance; 0 is no data.
QUANTISATION = 10_000


@dataclass(frozen=True, slots=True)
class Sensor:
    """An instrument."""

    name: str
    """Name in the documents."""
    short: str
    """Name in file names."""
    smart_name: str
    """The name of the instrument that it is like, as SMART documents spell it."""
    factor: int
    """Side of its pixel in pixels of 10 m."""
    revisit_days: int
    """Days from one overpass to the next."""
    noise: float
    """Deviation of its noise, as reflectance."""
    gain: float
    """Deviation of its bands' calibration from the truth, as a share; it stays the same for all images."""
    partial: float
    """Share of the images of which the swath's edge cuts something off."""


SENTINEL_LIKE = Sensor("simulated-sentinel-2", "s2", "Sentinel-2", 1, 10, 0.004, 0.01, 0.15)
LANDSAT_LIKE = Sensor("simulated-landsat-8", "l8", "Landsat 8", 3, 16, 0.003, 0.02, 0.1)
#: All sensors.
SENSORS = (SENTINEL_LIKE, LANDSAT_LIKE)


@dataclass(frozen=True, slots=True)
class Overpass:
    """A sensor's look at the region on a day."""

    sensor: Sensor
    """Which."""
    day: int
    """Days since 1970-01-01."""
    cloudy: float
    """Share of the picture that is cloudy, 0 to 1."""


def overpasses(sensor: Sensor, seed: int, days: tuple[int, int], revisit_days: int = 10) -> tuple[int, ...]:
    """Return the days on which a sensor passes, of the first to the last of ``days``.

    ``revisit_days`` is the finer sensor's; the others keep their proportion to it.
    """
    every = max(1, round(sensor.revisit_days * revisit_days / SENTINEL_LIKE.revisit_days))
    start = days[0] + int(rng_of(seed, "phase", sensor.short).integers(0, every))
    return tuple(range(start, days[1] + 1, every))


def sense(
    rng: np.random.Generator, sensor: Sensor, light: NDArray[np.float32], seed: int, jitter_px: float
) -> NDArray[np.float32]:
    """Return what a sensor measures, (C, H / factor, W / factor), of light (C, H, W) that reaches it.

    Its optics smear about one pixel, its pointing is off by ``jitter_px`` (deviation, in its own pixels), its bands are
    calibrated a little wrongly, and it is noisy.
    """
    off = rng.normal(0, jitter_px * sensor.factor, 2) if jitter_px else np.zeros(2)
    if sensor.factor > 1:
        off = off - 0.5  # Landsat's pixel corners lie half a pixel off multiples of their size
    moved = _shifted(_shifted(light, float(off[0]), 1), float(off[1]), 2)
    coarse = _binned(_smeared(moved), sensor.factor)
    gains = 1 + sensor.gain * rng_of(seed, "gain", sensor.short).standard_normal(len(light)).astype(np.float32)
    noise = sensor.noise * rng.standard_normal(coarse.shape, np.float32)
    return np.asarray(coarse * gains[:, None, None] * (1 + 2 * noise) + noise, np.float32)


def _shifted(x: NDArray[np.float32], by: float, axis: int) -> NDArray[np.float32]:
    """Move an array along an axis by a part of a pixel or several, repeating its edge; linear in between."""
    whole = int(np.floor(by))
    part = np.float32(by - whole)
    places = np.arange(x.shape[axis])
    a = np.take(x, np.clip(places - whole, 0, x.shape[axis] - 1), axis)
    if part == 0:
        return a
    b = np.take(x, np.clip(places - whole - 1, 0, x.shape[axis] - 1), axis)
    return (1 - part) * a + part * b


def _smeared(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix each pixel with its neighbours: weights 1/8, 3/4, 1/8 along both axes."""
    for axis in (1, 2):
        x = np.float32(0.75) * x + np.float32(0.125) * (_shifted(x, 1, axis) + _shifted(x, -1, axis))
    return x


def _binned(x: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return x
    rows, cols = x.shape[1] // factor, x.shape[2] // factor
    cut = x[:, : rows * factor, : cols * factor].reshape(len(x), rows, factor, cols, factor)
    found: NDArray[np.float32] = cut.mean(axis=(2, 4), dtype=np.float32)
    return found
