"""Calendar days as sets: disjoint ranges of day numbers, both ends included.

A day number is the proleptic Gregorian ordinal of a date (`datetime.date.toordinal`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Days"]


@dataclass(frozen=True, slots=True)
class Days:
    """A set of days.

    >>> both = Days.of([(1, 3), (3, 5), (9, 8), (11, 11)])
    >>> both.ranges, both.count, (both & Days.of([(5, 11)])).ranges
    (((1, 5), (11, 11)), 6, ((5, 5), (11, 11)))
    """

    ranges: tuple[tuple[int, int], ...] = ()
    """First and last day of each range, ascending, disjoint."""

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> Days:
        """Return the union of ranges; one that ends before it begins holds no day."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted(pair for pair in ranges if pair[0] <= pair[1]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = joined[-1][0], max(joined[-1][1], last)
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    @property
    def count(self) -> int:
        """Number of days."""
        return sum(last - first + 1 for first, last in self.ranges)

    def __and__(self, other: Days) -> Days:
        pairs = ((a, b) for a in self.ranges for b in other.ranges)
        return Days.of((max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs)

    def __or__(self, other: Days) -> Days:
        return Days.of((*self.ranges, *other.ranges))

    def __bool__(self) -> bool:
        return bool(self.ranges)
