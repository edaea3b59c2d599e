"""Sets of pixels as runs along rows, for many owners at once: unions, connected parts, meetings.

An owner is whatever the pixels belong to: a component, a site, a part of one. A million owners are four columns,
and nothing here loops over them. `trace` draws their outlines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import PlanError
from geowatch.grid.runs import components

__all__ = ["Areas", "Spans", "dense", "meet", "parts_of", "spread", "unite"]

Ints = NDArray[np.int64]

#: Products of columns that stand for a place must stay below this to be one integer.
_CODE_LIMIT = 1 << 62


@dataclass(frozen=True, eq=False, slots=True)
class Areas:
    """Pixels of owners: disjoint runs that do not abut, sorted by (owner, y, x0).

    Made by `unite`, which brings any runs into this form: one set of pixels has one `Areas`.
    """

    owner: Ints
    """Of each run: whose it is."""
    y: Ints
    """Row."""
    x0: Ints
    """First column."""
    x1: Ints
    """Column after the last."""

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, at: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Areas:
        return Areas(self.owner[at], self.y[at], self.x0[at], self.x1[at])

    @property
    def starts(self) -> NDArray[np.intp]:
        """Index of each owner's first run."""
        return np.flatnonzero(_changes(self.owner))

    def px(self, owners: int) -> Ints:
        """Pixels of the owners 0 to ``owners - 1``."""
        ends = np.searchsorted(self.owner, np.arange(owners + 1))
        total = np.concatenate([[0], np.cumsum(self.x1 - self.x0)])
        return np.asarray(total[ends[1:]] - total[ends[:-1]], dtype=np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Spans:
    """Half-open intervals in groups; only those of one group can meet."""

    group: Ints
    """Which group, as numbers that are close together (`dense`)."""
    low: Ints
    """First place."""
    high: Ints
    """Place after the last."""


def _changes(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    new = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return new


def dense(*columns: NDArray[np.integer]) -> Ints:
    """Number the rows of a table: equal rows alike, in the order of the rows, from 0 on without holes."""
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), dtype=bool)
    for column in columns:
        new[1:] |= column[order[1:]] != column[order[:-1]]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def spread(counts: NDArray[np.integer], first: NDArray[np.integer] | None = None) -> Ints:
    """Return first, first + 1, ... for each count, one after another.

    >>> spread(np.array([2, 0, 3]), np.array([10, 20, 30])).tolist()
    [10, 11, 30, 31, 32]
    """
    ends = np.cumsum(counts, dtype=np.int64)
    shift = -(ends - counts) if first is None else first - (ends - counts)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) + np.repeat(shift, counts), dtype=np.int64)


def meet(a: Spans, b: Spans) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs (of ``a``, of ``b``) that share a place, sorted by ``a``.

    >>> one = Spans(np.array([0]), np.array([3]), np.array([5]))
    >>> two = Spans(np.array([0, 0, 0]), np.array([0, 4, 5]), np.array([9, 6, 7]))
    >>> [pair.tolist() for pair in meet(one, two)]
    [[0, 0], [0, 1]]
    """
    if not len(a.group) or not len(b.group):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    low, high = min(a.low.min(), b.low.min()), max(a.high.max(), b.high.max())
    width = int(high - low) + 1
    if (max(int(a.group.max()), int(b.group.max())) + 1) * width >= _CODE_LIMIT:
        raise PlanError(f"runs over {width} columns are too many to be joined at once")
    a_low, a_high = (a.group * width + (edge - low) for edge in (a.low, a.high))
    b_low, b_high = (b.group * width + (edge - low) for edge in (b.low, b.high))
    order = np.argsort(b_low, kind="stable")
    b_low, b_high = b_low[order], b_high[order]
    # Intervals of b may cover each other: what ends before `first` cannot meet, what follows is tried.
    first = np.searchsorted(np.maximum.accumulate(b_high), a_low, side="right")
    counts = np.maximum(np.searchsorted(b_low, a_high, side="left") - first, 0)
    of_a, of_b = np.repeat(np.arange(len(counts)), counts), spread(counts, first)
    met = b_high[of_b] > a_low[of_a]
    return of_a[met], order[of_b[met]]


def unite(
    owner: NDArray[np.integer], y: NDArray[np.integer], x0: NDArray[np.integer], x1: NDArray[np.integer]
) -> Areas:
    """Return the union of runs that may abut, overlap and stand in any order."""
    runs = [np.asarray(column, dtype=np.int64) for column in (owner, y, x0, x1)]
    if not len(runs[0]):
        return Areas(*runs)
    if not _in_order(runs):
        order = np.lexsort((runs[2], runs[1], runs[0]))
        runs = [column[order] for column in runs]
    owner, y, x0, x1 = runs
    line = np.cumsum(_changes(owner) | _changes(y))
    width = int(x1.max() - x0.min()) + 1
    reach = np.maximum.accumulate(line * width + (x1 - x0.min()))
    new = np.ones(len(line), dtype=bool)
    np.greater((line * width + (x0 - x0.min()))[1:], reach[:-1], out=new[1:])
    if new.all():
        return Areas(owner, y, x0, x1)
    first = np.flatnonzero(new)
    return Areas(owner[first], y[first], x0[first], np.maximum.reduceat(x1, first))


def _in_order(runs: list[Ints]) -> bool:
    owner, y, x0 = (np.sign(np.diff(column)) for column in runs[:3])
    return bool(((owner > 0) | (owner == 0) & ((y > 0) | (y == 0) & (x0 >= 0))).all())


def _meetings(areas: Areas, reach_px: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of runs of one owner in rows that follow each other, which share a column (within ``reach_px``)."""
    new = _changes(areas.owner) | _changes(areas.y)
    line = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    owner, y = areas.owner[first], areas.y[first]
    follows = np.zeros(len(first), dtype=bool)
    follows[1:] = (owner[1:] == owner[:-1]) & (y[1:] == y[:-1] + 1)
    above = np.flatnonzero(np.append(follows[1:], False)[line])
    below = np.flatnonzero(follows[line])
    upper = Spans(line[above] + 1, areas.x0[above] - reach_px, areas.x1[above] + reach_px)
    of_upper, of_lower = meet(upper, Spans(line[below], areas.x0[below], areas.x1[below]))
    return above[of_upper], below[of_lower]


def parts_of(areas: Areas, connectivity: int = 4) -> Ints:
    """Return the connected part of each run, numbered from 0 by (owner, first pixel).

    Args:
        areas: Pixels of owners.
        connectivity: 4, or 8 where pixels that meet at a corner are connected.
    """
    return components(len(areas), *_meetings(areas, 1 if connectivity == 8 else 0)).astype(np.int64)
