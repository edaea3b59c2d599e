"""When plants are green: seasons by latitude, a little different in each year and on each field.

A season is a trapezoid with rounded corners: green-up, full cover, senescence or harvest. North of the equator its
middle lies around June, south of it around December; winters lengthen with latitude. Within 15 degrees of the equator
fields bear twice a year and wild plants stay green.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Season", "crop_seasons", "green_share", "wild_season"]

_DAYS_A_YEAR = 365.25
_TROPIC_DEG = 15.0
#: Middle of the warm season in days of the year, north of the equator.
_SUMMER_DAY = 190.0


@dataclass(frozen=True, slots=True)
class Season:
    """When one kind of plants at one place is green; days are counted from 1970-01-01."""

    spans: tuple[tuple[float, float, float, float], ...]
    """(begins to green, is full, begins to fade, is gone) of each growing season, in order."""
    low: float = 0.0
    """Share of the ground that is green between seasons."""
    high: float = 0.9
    """Share that is green in season."""


def green_share(season: Season, day: int) -> float:
    """Return the share of the ground that is green on a day, 0 to 1.

    >>> [round(green_share(Season(((0, 20, 60, 80),), 0.1, 0.9), day), 2) for day in (-5, 10, 40, 90)]
    [0.1, 0.5, 0.9, 0.1]
    """
    most = max((min(_ramp(day, up, full), 1 - _ramp(day, fade, gone)) for up, full, fade, gone in season.spans),
        default=0.0)  # fmt: skip
    return season.low + (season.high - season.low) * most


def _ramp(day: float, low: float, high: float) -> float:
    t = min(1.0, max(0.0, (day - low) / (high - low)))
    return t * t * (3 - 2 * t)


def _middles(years: range, lat: float) -> NDArray[np.float64]:
    """Return the middle of each year's warm season as a day number."""
    first = (np.asarray(list(years), np.float64) - 1970) * _DAYS_A_YEAR
    return first + (_SUMMER_DAY if lat >= 0 else _SUMMER_DAY - _DAYS_A_YEAR / 2)


def _warm_days(lat: float) -> float:
    """Return the length of the season without frost, in days: 330 near the tropics, 120 at 70 degrees."""
    return float(np.clip(330 - 3.8 * max(0.0, abs(lat) - _TROPIC_DEG), 110, 330))


def crop_seasons(rng: np.random.Generator, years: range, lat: float, winter: bool) -> Season:
    """Return the seasons of a field: each year's crop is sown, ripens and is harvested within weeks.

    Args:
        rng: what makes this field different from others.
        years: calendar years to cover; one more on each side is added.
        lat: latitude in degrees.
        winter: a winter crop, green in spring and harvested in the middle of summer.
    """
    warm = _warm_days(lat)
    habit = rng.normal(0, 8)
    spans = []
    for middle in _middles(range(years.start - 1, years.stop + 1), lat):
        for centre, length in _harvests(middle, warm, lat, winter):
            begin = centre - length / 2 + habit + rng.normal(0, 5)
            ripe = begin + length
            spans.append((begin, begin + 35, ripe - 15, ripe))
    return Season(tuple(spans), low=float(rng.uniform(0.02, 0.08)), high=float(rng.uniform(0.78, 0.95)))


def _harvests(middle: float, warm: float, lat: float, winter: bool) -> list[tuple[float, float]]:
    """Return (middle, length) in days of a year's crops."""
    if abs(lat) < _TROPIC_DEG:
        return [(middle - 60, 120.0), (middle + 110, 120.0)]
    if winter:
        return [(middle - 0.25 * warm, max(90.0, 0.5 * warm))]
    return [(middle + 0.05 * warm, max(95.0, 0.55 * warm))]


def wild_season(rng: np.random.Generator, years: range, lat: float, low: float, high: float) -> Season:
    """Return the season of grass or trees, which follows the warmth; ``low`` and ``high`` as in `Season`."""
    warm = _warm_days(lat)
    if abs(lat) < _TROPIC_DEG:
        low = 0.7 * high + 0.3 * low
    late = rng.normal(0, 5)
    spans = []
    for middle in _middles(range(years.start - 1, years.stop + 1), lat):
        begin, end = middle - warm / 2 + late + rng.normal(0, 5), middle + warm / 2 + late + rng.normal(0, 5)
        spans.append((begin - 10, begin + 30, end - 30, end + 20))
    return Season(tuple(spans), low, high)
