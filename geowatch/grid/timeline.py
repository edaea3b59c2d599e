"""Time as a lattice: which planes a series makes, in which blocks they are stored, and what each of them sees.

Days are whole numbers counted from 1970-01-01. A plane stands at a day; with a step of S days planes stand at the
multiples of S, else at each day of the series. What a plane sees are T slots, filled with observations of its span by
a `Picking`; a slot that nothing fills is None. Picks depend on the days and sensors within the span alone, so a longer
series changes those planes only whose span reaches the new days.

The span of a plane at day t is D days long: ``before`` days, t itself, and ``after`` days, with
``before = floor(anchor (D - 1) + 1/2)``. How its slots are filled:

- ``contiguous``: the last observation at or before t, those before it, and those after it, as anchor shares them out.
- ``uniform``: the span in T equal bins; a slot takes the observation nearest the middle of its bin.
- ``hard-dilated``: targets whose distance from t doubles; a slot takes the observation nearest its target, among
  those that are nearer to it than to its neighbours' targets.
- ``soft-dilated``: the same, then slots still empty take the nearest observation that is left, wherever in the span.
- ``multi-season``: the season about t and about its anniversaries, one quarter of a year each, in equal bins.

Of observations that are equally near the earlier one is taken, then the one that comes first in the series. No
observation is taken twice. Slots nearest t choose first. Filled slots are in order of time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import floor
from typing import Literal

import numpy as np

from geowatch.errors import ConfigError

__all__ = ["SAMPLINGS", "Picking", "Sampling", "Series", "TimeAxis", "day_range", "frame_axis", "step_axis"]

Sampling = Literal["contiguous", "uniform", "hard-dilated", "soft-dilated", "multi-season"]
"""Which observations of a span are picked."""
SAMPLINGS: tuple[Sampling, ...] = ("contiguous", "uniform", "hard-dilated", "soft-dilated", "multi-season")

#: Mean length of a year in the Gregorian calendar, in days; and half the length of a season.
_YEAR_DAYS, _HALF_SEASON_DAYS = 365.2425, 45

Slots = tuple[int | None, ...]
"""For each slot the place of an observation in its series, or None."""


@dataclass(frozen=True, slots=True)
class Series:
    """The observations of a place, oldest first."""

    days: tuple[int, ...]
    """Their days, not descending."""
    sensors: tuple[str, ...]
    """Their sensors."""

    def __post_init__(self) -> None:
        if len(self.days) != len(self.sensors) or list(self.days) != sorted(self.days):
            raise ConfigError(f"{len(self.days)} days and {len(self.sensors)} sensors are no series in order of time")

    def within(self, first: int | None, last: int | None) -> range:
        """Return the places of the observations from day ``first`` to day ``last``, both taken in."""
        start = 0 if first is None else bisect_left(self.days, first)
        return range(start, len(self.days) if last is None else bisect_right(self.days, last))


def day_range(day: int, span_days: int | None, anchor: float) -> tuple[int | None, int | None]:
    """Return the first and last day of the span of a plane at ``day``; (None, None) where it has no end.

    >>> day_range(100, 30, 1.0), day_range(100, 3, 0.5)
    ((71, 100), (99, 101))
    """
    if span_days is None:
        return None, None
    before = floor(anchor * (span_days - 1) + 0.5)
    return day - before, day + span_days - 1 - before


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where a slot looks: days from ``low`` up to and without ``high``, those nearest ``target`` first."""

    low: float
    target: float
    high: float


@dataclass(frozen=True, slots=True)
class Picking:
    """How the slots of a plane are filled.

    >>> series = Series((0, 10, 20, 30, 40, 50), ("a",) * 6)
    >>> Picking("uniform", 3, 30).pick(series, 40)
    (2, 3, 4)
    >>> Picking("contiguous", 3).pick(series, 10)
    (None, 0, 1)
    """

    sampling: Sampling
    """Which observations."""
    slots: int
    """How many, T."""
    span_days: int | None = None
    """How many days a plane looks at; None for all there are, only with contiguous sampling."""
    anchor: float = 1.0
    """Where in the span the plane stands: 0 its first day, 1 its last."""
    quota: Mapping[str, int] = field(default_factory=dict)
    """Most slots for observations of a sensor."""
    accepts: tuple[frozenset[str], ...] = ()
    """Sensors that each slot takes; an empty set takes all, and so does leaving it out."""

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise ConfigError(f"there is no sampling '{self.sampling}'", hint=f"choose from {', '.join(SAMPLINGS)}")
        if self.sampling != "contiguous" and self.span_days is None:
            raise ConfigError(f"sampling {self.sampling} needs a span of days", hint="give it with --time-span DAYS")
        if self.slots < 1 or not 0 <= self.anchor <= 1 or (self.span_days or 1) < 1:
            raise ConfigError(
                f"{self.slots} slots in {self.span_days} days with anchor {self.anchor:g} are no series",
                hint="give at least one slot and one day, and an anchor from 0 to 1",
            )

    def support(self, day: int) -> tuple[int | None, int | None]:
        """Return the first and last day that can matter to a plane at ``day``; None where there is no end.

        Contiguous sampling that looks at the past alone (anchor 1) never looks beyond its own day.
        """
        first, last = day_range(day, self.span_days, self.anchor)
        return first, day if self.anchor == 1 else last

    def pick(self, series: Series, day: int) -> Slots:
        """Return the observations that a plane at ``day`` sees, the nearest ones."""
        return self._filled(series, day, lambda places, target: _nearest(series, places, target))

    def draw(self, series: Series, day: int, seed: int) -> Slots:
        """Return observations drawn at random from where each slot looks: the same for the same seed and day."""
        rng = np.random.default_rng([seed, day & 0xFFFFFFFF])
        if self.sampling == "contiguous":
            span = series.within(*self.support(day))
            stand = series.days[int(rng.choice(span))] if span else day
            return self._contiguous(_Taking(series, self.quota, self.accepts), span, stand)
        return self._filled(series, day, lambda places, _target: int(rng.choice(places)))

    def _filled(self, series: Series, day: int, choose: Callable[[list[int], float], int]) -> Slots:
        taking = _Taking(series, self.quota, self.accepts)
        span = series.within(*self.support(day))
        if self.sampling == "contiguous":
            return self._contiguous(taking, span, day)
        cells = self._cells(day)
        found: list[int | None] = [None] * self.slots
        order = sorted(range(len(cells)), key=lambda k: (abs(cells[k].target - day), k))
        for k in order:
            inside = [p for p in span if cells[k].low <= series.days[p] < cells[k].high]
            found[k] = taking.take(k, inside, cells[k].target, choose)
        for k in order if self.sampling == "soft-dilated" else ():
            if found[k] is None:
                found[k] = taking.take(k, list(span), cells[k].target, choose)
        return _in_order(found, self.accepts)

    def _contiguous(self, taking: _Taking, span: range, day: int) -> Slots:
        found: list[int | None] = [None] * self.slots
        own = floor(self.anchor * (self.slots - 1) + 0.5)
        now = bisect_right(taking.series.days, day)
        earlier, later = range(span.start, min(now, span.stop)), range(max(now, span.start), span.stop)
        for slots, places in ((range(own, -1, -1), earlier[::-1]), (range(own + 1, self.slots), later)):
            left: Sequence[int] = places
            for k in slots:
                found[k], left = taking.next_of(k, left)
        return tuple(found)

    def _cells(self, day: int) -> list[_Cell]:
        first, last = day_range(day, self.span_days, self.anchor)
        low, high = float(first or 0), float(last or 0) + 1
        if self.sampling == "uniform":
            return _bins(low, high, self.slots)
        if self.sampling == "multi-season":
            return _seasons(day, low, high, self.slots)
        return _dilated(day, low, high, self.slots, self.anchor)


@dataclass(slots=True)
class _Taking:
    """What was taken already, and what may still be."""

    series: Series
    quota: Mapping[str, int]
    accepts: tuple[frozenset[str], ...]
    taken: set[int] = field(default_factory=set)
    spent: Counter[str] = field(default_factory=Counter)

    def take(
        self, slot: int, places: Sequence[int], target: float, choose: Callable[[list[int], float], int]
    ) -> int | None:
        """Take one of ``places`` for a slot, if it may have any of them."""
        free = [p for p in places if self._may(slot, p)] if self._choosy else [p for p in places if p not in self.taken]
        return self._taken(choose(free, target)) if free else None

    def next_of(self, slot: int, places: Sequence[int]) -> tuple[int | None, Sequence[int]]:
        """Take the first of ``places`` that a slot may have; return it, and those behind it."""
        for at, place in enumerate(places):
            if self._may(slot, place):
                return self._taken(place), places[at + 1 :]
        return None, places

    def _taken(self, place: int) -> int:
        self.taken.add(place)
        self.spent[self.series.sensors[place]] += 1
        return place

    @property
    def _choosy(self) -> bool:
        return bool(self.quota) or any(self.accepts)

    def _may(self, slot: int, place: int) -> bool:
        sensor = self.series.sensors[place]
        wanted = self.accepts[slot] if self.accepts else frozenset()
        left = self.quota.get(sensor, len(self.series.days)) - self.spent[sensor]
        return place not in self.taken and left > 0 and (not wanted or sensor in wanted)


def _nearest(series: Series, places: list[int], target: float) -> int:
    # A day is seen at its middle: bins are in days, and day 3 lies in [3, 4).
    return min(places, key=lambda p: (abs(series.days[p] + 0.5 - target), series.days[p], p))


def _in_order(found: list[int | None], accepts: tuple[frozenset[str], ...]) -> Slots:
    """Put what fills slots of one kind in order of time; the same slots stay empty."""
    kinds = accepts or (frozenset(),) * len(found)
    rising = {
        kind: iter(sorted(p for p, own in zip(found, kinds, strict=True) if p is not None and own == kind))
        for kind in kinds
    }
    return tuple(None if p is None else next(rising[kind]) for p, kind in zip(found, kinds, strict=True))


def _bins(low: float, high: float, count: int) -> list[_Cell]:
    edges = [low + (high - low) * k / count for k in range(count + 1)]
    return [_Cell(a, (a + b) / 2, b) for a, b in pairwise(edges)]


def _dilated(day: int, low: float, high: float, count: int, anchor: float) -> list[_Cell]:
    """Return cells about targets at ``day`` and at distances from it that are 1, 3, 7, ... parts of the reach."""
    past = floor(anchor * (count - 1) + 0.5)
    here = day + 0.5
    targets = [here - (here - low) * share for share in reversed(_doubling(past))]
    targets += [here, *(here + (high - here) * share for share in _doubling(count - 1 - past))]
    between = [(a + b) / 2 for a, b in pairwise(targets)]
    return [_Cell(a, t, b) for a, t, b in zip([low, *between], targets, [*between, high], strict=True)]


def _doubling(count: int) -> list[float]:
    """Return shares that grow towards 1 and double their distances.

    >>> _doubling(2)
    [0.3333333333333333, 1.0]
    """
    return [(2**k - 1) / (2**count - 1) for k in range(1, count + 1)]


def _seasons(day: int, low: float, high: float, count: int) -> list[_Cell]:
    """Return bins of the quarters of a year about ``day`` and about its anniversaries within the span."""
    years = range(floor((low - day) / _YEAR_DAYS) - 1, floor((high - day) / _YEAR_DAYS) + 2)
    middles = [day + floor(year * _YEAR_DAYS + 0.5) for year in years]
    inside = sorted((m for m in middles if low <= m < high), key=lambda m: (abs(m - day), m))
    shares = {m: count // len(inside) + (rank < count % len(inside)) for rank, m in enumerate(inside)}
    cells: list[_Cell] = []
    for middle in sorted(m for m in inside if shares[m]):
        ends = max(low, middle - _HALF_SEASON_DAYS), min(high, middle + _HALF_SEASON_DAYS + 1)
        cells += _bins(*ends, shares[middle])
    return cells


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The planes of a heatmap, and the blocks that they are stored in."""

    days: tuple[int, ...]
    """Day of each plane."""
    block: int = 1
    """Planes of a block; the first block starts at the first plane."""
    step_days: int | None = None
    """Days from one plane to the next; None for planes at the days of observations."""

    @property
    def blocks(self) -> tuple[range, ...]:
        """Places of the planes of each block; the last may be shorter."""
        count = len(self.days)
        return tuple(range(start, min(count, start + self.block)) for start in range(0, count, self.block))


def frame_axis(days: Sequence[int], block: int = 1) -> TimeAxis:
    """Return the axis of planes at the days of observations, each day once.

    A series with later days has the same blocks and more.

    >>> frame_axis((3, 3, 8), 2).days
    (3, 8)
    """
    return TimeAxis(tuple(sorted(set(days))), block)


def step_axis(first_day: int, last_day: int, step_days: int, block: int = 1) -> TimeAxis:
    """Return the axis of planes every ``step_days`` from 1970-01-01 that holds both days.

    It starts where a block starts: step k lies in block k // ``block``, whatever the series, so that another series
    of the same place has the same blocks.

    >>> step_axis(100, 130, 30, 4).days
    (0, 30, 60, 90, 120, 150)
    """
    start = first_day // step_days // block * block
    return TimeAxis(tuple(k * step_days for k in range(start, -(-last_day // step_days) + 1)), block, step_days)
