"""Neighbours that are joined, the pair that costs least first: Ward's rule, with limits in time and in area.

Each pair is offered at what it costs. The cheapest offer is taken; where its parts have grown dearer to join since, it
waits at the new cost. What comes of an offer depends on its two parts alone, and these change by their own offers
alone. So an offer that comes before all others of both of its parts can be taken at once, whatever is cheaper
elsewhere: all such offers are taken together, as columns, with the outcome that one after the other has. Where few are
left that can be (a large part takes in its neighbours one by one), the rest goes one after the other.

In: sums of pixels and days, and pairs of neighbours. Out: of each, the first one of its part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints

    Floats = NDArray[np.float64]

__all__ = ["Joining"]

#: Offers are taken together while at least one in so many can be, and these few more: below, columns cost more.
_ONE_IN, _FEW = 64, 16
_NO_CODE = np.iinfo(np.int64).max


@dataclass(eq=False, slots=True)
class Joining:
    """Neighbours and what has been joined so far; a part goes by its first atom.

    >>> apart = Joining.of(np.array([0, 30, 900]), np.array([1, 3, 9]), np.array([100.0, 300.0, 900.0]), 60, 200.0)
    >>> apart.run(np.array([[0, 1], [1, 2]]))
    >>> apart.part(np.arange(3)).tolist()
    [0, 0, 2]
    """

    days: Floats
    """Of each part: sum of its pixels' days. Whole numbers, as pixels are: floats hold them exactly up to 2^53."""
    px: Floats
    """Pixels."""
    m2: Floats
    """Square metres."""
    split_days: int
    """Parts that are so far apart in time stay two."""
    least_m2: float
    """A smaller part cannot stay alone."""
    into: Ints = field(init=False)
    """Of each atom: one of its part that comes before it, or itself."""

    def __post_init__(self) -> None:
        self.into = np.arange(len(self.px))

    @classmethod
    def of(cls, days: Ints, px: Ints, m2: Floats, split_days: int, least_m2: float) -> Joining:
        """Return atoms before any is joined; their columns are left as they are."""
        return cls(days.astype(np.float64), px.astype(np.float64), m2.copy(), split_days, least_m2)

    def run(self, pairs: Ints) -> None:
        """Join neighbours until all that are left must stay apart.

        Pairs that had to stay apart are looked at again at the end: their parts may have come nearer to each other.

        Args:
            pairs: Atoms that touch, (2, pairs), each pair once, the first atom first.
        """
        changed = np.ones(len(self.px), dtype=bool)
        while True:
            again = changed[pairs[0]] | changed[pairs[1]]
            offers = self._offered(*pairs[:, again])
            if not len(offers):
                return
            before = self.px.copy()
            self._settle(offers)
            changed = (self.px != before) | (self.into != np.arange(len(self.into)))
            again = changed[pairs[0]] | changed[pairs[1]]
            pairs = np.concatenate([pairs[:, ~again], self._between_parts(pairs[:, again])], axis=1)

    def part(self, atom: Ints) -> Ints:
        """Return the parts of atoms."""
        while ((first := self.into[atom]) != atom).any():
            atom = first
        return atom

    def _between_parts(self, pairs: Ints) -> Ints:
        """Return the pairs of parts that pairs of atoms lead to, each once."""
        one, other = self.part(pairs[0]), self.part(pairs[1])
        code = np.minimum(one, other) * len(self.into) + np.maximum(one, other)
        return np.stack(np.divmod(np.unique(code[one != other]), len(self.into)))

    def _cost(self, one: Ints, other: Ints) -> Floats:
        """Return what it costs to join parts; infinity where two must stay two."""
        a, b = self.px[one], self.px[other]
        apart = np.abs(self.days[one] / a - self.days[other] / b)
        stays = (apart >= self.split_days) & (np.minimum(self.m2[one], self.m2[other]) >= self.least_m2)
        return np.where(stays, np.inf, a * b / (a + b) * apart * apart)

    def _offered(self, one: Ints, other: Ints) -> _Offers:
        cost = self._cost(one, other)
        offers = _Offers(cost, one * len(self.into) + other, one, other)
        return offers[cost < np.inf]

    def _settle(self, offers: _Offers) -> None:
        """Take offers until none is left."""
        while len(offers):
            first = offers.undisturbed(len(self.into))
            if _ONE_IN * (len(first) - _FEW) < len(offers):
                _one_by_one(self, offers)
                return
            offers = self._taken(offers, first)

    def _taken(self, offers: _Offers, first: NDArray[np.intp]) -> _Offers:
        """Take some offers at once, no two of one part; return those that are left, with those that wait on."""
        one, other = offers.one[first], offers.other[first]
        cost = self._cost(one, other)
        meet = cost <= offers.cost[first]
        self._join(one[meet], other[meet])
        offers.cost[first] = np.where(meet, np.inf, cost)
        offers.code[first] = one * len(self.into) + other
        offers = offers[offers.cost < np.inf]
        one, other = self.into[offers.one], self.into[offers.other]
        left = _Offers(offers.cost, offers.code, np.minimum(one, other), np.maximum(one, other))
        return left[one != other]

    def _join(self, one: Ints, other: Ints) -> None:
        self.into[other] = one
        for column in (self.days, self.px, self.m2):
            column[one] += column[other]


@dataclass(frozen=True, eq=False, slots=True)
class _Offers:
    """Offers to join two parts. Of two, the cheaper comes first; of equals, that with the smaller code."""

    cost: Floats
    """What it costs, as it was when the offer was made."""
    code: Ints
    """The first atoms of the two parts at that time, as one number."""
    one: Ints
    """The part that comes first, as it is now."""
    other: Ints
    """The other part."""

    def __len__(self) -> int:
        return len(self.cost)

    def __getitem__(self, at: NDArray[np.bool_] | NDArray[np.intp]) -> _Offers:
        return _Offers(self.cost[at], self.code[at], self.one[at], self.other[at])

    def undisturbed(self, parts: int) -> NDArray[np.intp]:
        """Return the offers that come before all others of both of their parts, one for each pair of parts."""
        cost, code = np.full(parts, np.inf), np.full(parts, _NO_CODE)
        for end in (self.one, self.other):
            np.minimum.at(cost, end, self.cost)
        for end in (self.one, self.other):
            at = np.flatnonzero(self.cost == cost[end])
            np.minimum.at(code, end[at], self.code[at])
        at = np.flatnonzero((self.cost == cost[self.one]) & (self.cost == cost[self.other]))
        at = at[(self.code[at] == code[self.one[at]]) & (self.code[at] == code[self.other[at]])]
        # The same offer may stand there twice.
        return np.asarray(at[np.unique(self.one[at], return_index=True)[1]], dtype=np.intp)


def _one_by_one(joining: Joining, offers: _Offers) -> None:
    """Take offers one after the other until none is left."""
    n = len(joining.into)
    order = np.lexsort((offers.code, offers.cost))[::-1]
    one, other = np.divmod(offers.code[order], n)
    made = list(zip(offers.cost[order].tolist(), one.tolist(), other.tolist(), strict=True))
    columns = [getattr(joining, name).tolist() for name in ("days", "px", "m2", "into")]
    _take_all(made, columns, (joining.split_days, joining.least_m2))
    joining.days, joining.px, joining.m2 = (np.array(column) for column in columns[:3])
    joining.into = np.array(columns[3], dtype=np.int64)


def _take_all(made: list[tuple[float, int, int]], columns: list[list[Any]], limits: tuple[int, float]) -> None:
    """Take offers (cost, one, other), the first one last in ``made``. This is what takes long: nothing is called in it.

    Offers that wait on are kept apart from those that were sorted once, each of them once.
    """
    days, px, m2, into = columns
    split_days, least_m2 = limits
    late: list[tuple[float, int, int]] = []
    waiting: set[tuple[float, int, int]] = set()
    while made or late:
        if late and (not made or late[0] < made[-1]):
            offer = heappop(late)
            waiting.discard(offer)
        else:
            offer = made.pop()
        cost, one, other = offer
        while into[one] != one:
            into[one] = one = into[into[one]]
        while into[other] != other:
            into[other] = other = into[into[other]]
        if one == other:
            continue
        if one > other:
            one, other = other, one
        a, b = px[one], px[other]
        apart = abs(days[one] / a - days[other] / b)
        if apart >= split_days and m2[one] >= least_m2 and m2[other] >= least_m2:
            continue
        now = a * b / (a + b) * apart * apart
        if now <= cost:
            into[other] = one
            days[one], px[one], m2[one] = days[one] + days[other], a + b, m2[one] + m2[other]
        elif (offer := (now, one, other)) not in waiting:
            waiting.add(offer)
            heappush(late, offer)
