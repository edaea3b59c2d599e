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
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import sums, touching
from geowatch.consolidate.joining import Joining
from geowatch.grid.areas import dense, unite
from geowatch.grid.pixel_area import areas_m2
from geowatch.grid.runs import components

if TYPE_CHECKING:
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
        work = Joining.of(atoms.days, atoms.px, atoms.m2, atoms.split_days, rules.min_area_m2)
        work.run(far)
        joined = np.flatnonzero(~near)
        label[joined] = work.part(joined)
    return label
