"""Time: smoothing and aggregation of each pixel's scores, one pixel like another.

A stack is salience of several planes, shape (T, ...), oldest first, with `NONE` where a plane has no score. All
arithmetic is on whole numbers and per pixel, so that a pixel's result is the same in whatever block it is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.scores import NONE, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.track.scores import Salience

__all__ = ["Aggregate", "MovingMean", "aggregate", "days_of_note", "moving_mean"]

#: Largest P of a norm: beyond it, small scores vanish in the table's 46 bits.
MOST_NORM = 8
_POWER_BITS = 46


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How the scores of all planes become one."""

    kind: str
    """``mean``, ``max``, ``median`` or ``norm``."""
    power: int = 1
    """P of ``norm``: the P-th root of the mean of the P-th powers."""

    @classmethod
    def parse(cls, text: str) -> Aggregate:
        """Read ``mean``, ``max``, ``median`` or ``norm:P``. Raises ConfigError for anything else.

        >>> Aggregate.parse("norm:3")
        Aggregate(kind='norm', power=3)
        """
        match = re.fullmatch(r"(mean|max|median)|norm:([1-9])", text)
        if match is None or int(match[2] or 1) > MOST_NORM:
            raise ConfigError(
                f"scores cannot be aggregated by '{text}'",
                hint=f"mean, max, median, or norm:P with P from 1 to {MOST_NORM}",
            )
        return cls(match[1] or "norm", int(match[2] or 1))


@dataclass(frozen=True, slots=True)
class MovingMean:
    """A window over time, centred on each plane."""

    length: int
    """How long."""
    days: bool
    """Whether the length is in days; else it is in planes."""

    @classmethod
    def parse(cls, text: str) -> MovingMean:
        """Read ``90d`` (days) or ``5`` (planes). Raises ConfigError for anything else.

        >>> MovingMean.parse("90d"), MovingMean.parse("5")
        (MovingMean(length=90, days=True), MovingMean(length=5, days=False))
        """
        match = re.fullmatch(r"([1-9]\d*)(d?)", text.strip())
        if match is None:
            raise ConfigError(
                f"a window of '{text}' in time", hint="give days such as 90d, or a number of planes such as 5"
            )
        return cls(int(match[1]), bool(match[2]))

    def spans(self, days: Sequence[int | None]) -> list[tuple[int, int]]:
        """Return for each plane the planes (first, after the last) that its mean is over.

        Args:
            days: Day number of each plane, ascending; None for undated imagery.

        >>> MovingMean(3, False).spans([None] * 4), MovingMean(10, True).spans([0, 4, 12])
        ([(0, 2), (0, 3), (1, 4), (2, 4)], [(0, 2), (0, 2), (2, 3)])
        """
        if not self.days:
            back = self.length // 2
            return [(max(0, t - back), min(len(days), t - back + self.length)) for t in range(len(days))]
        if None in days:
            raise ConfigError("imagery without dates cannot be smoothed over days", hint="give --smooth-time in planes")
        known = np.array(days, np.float64)
        first = np.searchsorted(known, known - self.length / 2, side="left")
        last = np.searchsorted(known, known + self.length / 2, side="right")
        return list(zip(first.tolist(), last.tolist(), strict=True))


def moving_mean(stack: Salience, spans: Sequence[tuple[int, int]]) -> Salience:
    """Return the stack with each plane replaced by the mean of the scores within its span, shape (T, ...).

    A pixel that is masked takes the mean of what was seen around; where nothing was, it stays masked.

    >>> stack = np.array([[10, NONE], [20, NONE], [31, 8]], np.uint16)
    >>> moving_mean(stack, [(0, 2), (0, 3), (1, 3)]).tolist()
    [[15, 65535], [20, 8], [26, 8]]
    """
    out = np.empty_like(stack)
    total, count = np.zeros(stack.shape[1:], np.int32), np.zeros(stack.shape[1:], np.int32)
    first = last = 0
    for t, (start, stop) in enumerate(spans):
        for plane in stack[last:stop]:
            _add(plane, total, count, 1)
        for plane in stack[first:start]:
            _add(plane, total, count, -1)
        first, last = start, stop
        out[t] = ratio(total, count)
    return out


def _add(plane: Salience, total: NDArray[np.int32], count: NDArray[np.int32], sign: int) -> None:
    seen = plane != NONE
    total += np.where(seen, plane, 0).astype(np.int32) * sign
    count += seen.astype(np.int32) * sign


def aggregate(stack: Salience, how: Aggregate) -> Salience:
    """Return one score a pixel from all planes that have one, shape (...).

    >>> stack = np.array([[0, NONE, NONE], [32768, 100, NONE], [0, 300, NONE]], np.uint16)
    >>> [aggregate(stack, Aggregate.parse(how)).tolist() for how in ("mean", "max", "median")]
    [[10923, 200, 65535], [32768, 300, 65535], [0, 200, 65535]]
    >>> aggregate(stack, Aggregate.parse("norm:2")).tolist()
    [18919, 224, 65535]
    """
    if how.kind == "max":
        # One more wraps NONE around to 0, which never wins; one less takes it back.
        return np.asarray((stack + np.uint16(1)).max(axis=0) - np.uint16(1), np.uint16)
    if how.kind == "median":
        return _median(stack)
    count = np.count_nonzero(stack != NONE, axis=0)
    if how.kind == "mean" or how.power == 1:
        total = stack.sum(axis=0, dtype=np.int64) - NONE * (len(stack) - count)
        return ratio(total, count)
    return _norm(stack, count, how.power)


def days_of_note(stack: Salience, days: Sequence[int]) -> NDArray[np.int64]:
    """Return of each pixel its day: the mean day of the planes on which it scores half of its largest score or more.

    Args:
        stack: Salience, (T, ...).
        days: Day number of each plane.

    A pixel that no plane saw has day 0.

    >>> stack = np.array([[10, 0, NONE], [20, NONE, NONE], [9, 8, NONE]], np.uint16)
    >>> days_of_note(stack, [100, 110, 125]).tolist()
    [105, 125, 0]
    """
    largest = aggregate(stack, Aggregate("max")).astype(np.int32)
    total, count = np.zeros(stack.shape[1:], np.int64), np.zeros(stack.shape[1:], np.int64)
    for plane, day in zip(stack, days, strict=True):
        active = (plane != NONE) & (2 * plane.astype(np.int32) >= largest)
        total += active * np.int64(day)
        count += active
    return np.asarray(total // np.maximum(count, 1), np.int64)


def _median(stack: Salience) -> Salience:
    # Masked values sort to the end, being the largest.
    ordered = np.sort(np.moveaxis(stack, 0, -1), axis=-1)
    count = np.count_nonzero(ordered != NONE, axis=-1)
    middle = np.maximum(np.stack([(count - 1) // 2, count // 2], axis=-1), 0)
    pair = np.take_along_axis(ordered, middle, axis=-1).astype(np.int32)
    return np.asarray(np.where(count > 0, (pair.sum(axis=-1) + 1) // 2, NONE), np.uint16)


def _norm(stack: Salience, count: NDArray[np.intp], power: int) -> Salience:
    powers, roots = _tables(power)
    total = np.zeros(stack.shape[1:], np.int64)
    for plane in stack:
        total += powers[np.where(plane == NONE, 0, plane)]
    mean = total // np.maximum(count, 1)
    root = np.searchsorted(roots, mean, side="left")
    return np.asarray(np.where(count > 0, root, NONE), np.uint16)


@cache
def _tables(power: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the powers of all scores, and where between two scores a mean of powers changes its root.

    Whole numbers throughout: another machine's mathematics library would round otherwise.
    """
    bits = FULL_SCORE.bit_length() - 1
    powers = [(score**power << _POWER_BITS) >> (bits * power) for score in range(FULL_SCORE + 1)]
    roots = [((2 * score + 1) ** power << _POWER_BITS) >> ((bits + 1) * power) for score in range(FULL_SCORE)]
    return np.array(powers, np.int64), np.array(roots, np.int64)
