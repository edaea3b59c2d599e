"""Neighbours that were active one after the other: a footprint is split where its parts' days are far apart.

Tracking dates each pixel of a footprint and cuts its pieces where stretches of time end. Here, where the whole
footprint is at hand, pieces of one stretch that touch are one again across seams, whatever the tiles: these are the
atoms. Then neighbours are joined, those first that cost least: px_a px_b / (px_a + px_b) times the square of the days
between them (Ward, "Hierarchical grouping to optimize an objective function", 1963). Two stay apart that are large
enough to be sites and ``split_days`` or more apart. Everything is computed from sums of whole numbers, in an order
that follows from the pixels alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import sums, touching
from geowatch.grid.areas import dense, unite
from geowatch.grid.pixel_area import areas_m2
from geowatch.grid.runs import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.consolidate.found import Found
    from geowatch.consolidate.joins import Whole
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints

__all__ = ["agree", "split"]


def agree(whole: Whole, pairs: Ints, terms: Terms) -> NDArray[np.bool_]:
    """Return which pairs of pieces, (2, pairs), are of components that are not too far apart in time to be one."""
    if terms.split_days is None or not pairs.size:
        return np.ones(pairs.shape[1], dtype=bool)
    count = int(whole.component.max()) + 1
    px, days = (sums(whole.component, column, count) for column in (whole.found.area_px, whole.found.day_sum))
    mean = days / np.maximum(px, 1)
    one, other = whole.component[pairs]
    return np.asarray(np.abs(mean[one] - mean[other]) < terms.split_days)


def split(whole: Whole, grid: int, terms: Terms, rules: Rules) -> Whole:
    """Return footprints of a grid with the components that they fall into; each component must be a whole footprint."""
    if terms.split_days is None or not len(whole.found):
        return whole
    found = whole.found
    one, other = touching(found, terms.connectivity)
    stretch = found.day_sum // found.area_px // terms.split_days
    same = stretch[one] == stretch[other]
    atom = _in_order(found, components(len(found), one[same], other[same]))
    label = _joined(_atoms(found, atom, (grid, terms)), _pairs(atom[one], atom[other]), whole.component, atom, rules)
    return replace(whole, component=dense(label[atom]))


@dataclass(frozen=True, eq=False, slots=True)
class _Atoms:
    """What is joined, in the order of first pixels."""

    days: Ints
    """Sums of the days of their pixels."""
    px: Ints
    """Pixels."""
    m2: NDArray[np.float64]
    """Square metres."""
    split_days: int
    """How far apart in time neighbours are that stay two."""


def _in_order(found: Found, label: NDArray[np.integer]) -> Ints:
    """Return labels of pieces numbered anew, by the first pixel of each."""
    lead = np.lexsort((found.x, found.y))
    _, first = np.unique(label[lead], return_index=True)
    return np.asarray(np.argsort(np.argsort(first))[label], dtype=np.int64)


def _atoms(found: Found, atom: Ints, where: tuple[int, Terms]) -> _Atoms:
    grid, terms = where
    n = int(atom.max()) + 1
    areas = unite(atom[found.run_piece], found.run_y, found.run_x0, found.run_x1)
    m2 = areas_m2(areas, n, terms.lattices[grid])
    return _Atoms(sums(atom, found.day_sum, n), sums(atom, found.area_px, n), m2, int(terms.split_days or 0))


def _pairs(one: Ints, other: Ints) -> Ints:
    """Return pairs of atoms that touch, (2, pairs), each once, the first one first."""
    pairs = np.stack([np.minimum(one, other), np.maximum(one, other)])
    return np.unique(pairs[:, pairs[0] < pairs[1]], axis=1)


def _joined(atoms: _Atoms, pairs: Ints, component: Ints, atom: Ints, rules: Rules) -> Ints:
    """Return for each atom the first one of its part."""
    n = len(atoms.px)
    of = np.zeros(n, dtype=np.int64)
    of[atom] = component
    mean = atoms.days / atoms.px
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, of, mean)
    np.maximum.at(high, of, mean)
    # Where all are near each other in time, means of means are, too: nothing is split.
    near = (high - low < atoms.split_days)[of]
    first = np.full(n, n, dtype=np.int64)
    np.minimum.at(first, of, np.arange(n))
    label = np.where(near, first[of], np.arange(n))
    far = pairs[:, ~near[pairs[0]]]
    if far.size:
        work = _Joining.of(atoms, rules.min_area_m2)
        work.run(list(zip(*far.tolist(), strict=True)))
        joined = np.flatnonzero(~near)
        label[joined] = [work.part(one) for one in joined.tolist()]
    return label


@dataclass(eq=False, slots=True)
class _Joining:
    """Neighbours that are joined one pair after the other; a part goes by its first atom."""

    days: list[int]
    """Of each part: sum of days."""
    px: list[int]
    """Pixels."""
    m2: list[float]
    """Square metres."""
    split_days: int
    """Parts that are so far apart in time stay two."""
    least_m2: float
    """A smaller part cannot stay alone."""
    into: list[int]
    """Of each atom: one of its part that comes before it, or itself."""

    @classmethod
    def of(cls, atoms: _Atoms, least_m2: float) -> _Joining:
        """Return the parts before any is joined."""
        n = len(atoms.px)
        columns = (atoms.days.tolist(), atoms.px.tolist(), atoms.m2.tolist())
        return cls(*columns, atoms.split_days, least_m2, list(range(n)))

    def run(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Join neighbours until all that are left must stay apart.

        What a pair costs is looked at again when its turn comes, and it waits on where it costs more by then. Pairs
        that had to stay apart are looked at again at the end: their parts may have come nearer to each other.
        """
        while offers := [offer for pair in pairs if (offer := self._offer(*pair)) is not None]:
            heapify(offers)
            while offers:
                cost, one, other = heappop(offers)
                offer = self._offer(one, other)
                if offer is None:
                    continue
                if offer[0] > cost:
                    heappush(offers, offer)
                else:
                    self._join(*offer[1:])
            pairs = sorted({(self.part(one), self.part(other)) for one, other in pairs})

    def part(self, atom: int) -> int:
        """Return the part of an atom."""
        while self.into[atom] != atom:
            self.into[atom] = atom = self.into[self.into[atom]]
        return atom

    def _offer(self, one: int, other: int) -> tuple[float, int, int] | None:
        """Return what it costs to join two parts, the first one first; None where they are one or must stay two."""
        one, other = sorted((self.part(one), self.part(other)))
        a, b = self.px[one], self.px[other]
        apart = abs(self.days[one] / a - self.days[other] / b)
        stays = apart >= self.split_days and min(self.m2[one], self.m2[other]) >= self.least_m2
        return None if one == other or stays else (a * b / (a + b) * apart * apart, one, other)

    def _join(self, one: int, other: int) -> None:
        self.into[other] = one
        self.days[one] += self.days[other]
        self.px[one] += self.px[other]
        self.m2[one] += self.m2[other]
