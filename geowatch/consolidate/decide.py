"""Decisions on whole candidates: holes, areas, scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.across import fill_across
from geowatch.grid.areas import Areas, unite
from geowatch.grid.pixel_area import areas_m2
from geowatch.grid.trace import runs_of_rings, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Candidates
    from geowatch.consolidate.terms import Rules, Terms

__all__ = ["area_m2_of", "by_grid", "chosen_by_area", "fill_holes", "is_sure"]


def by_grid(areas: Areas, grid: NDArray[np.integer], terms: Terms) -> NDArray[np.float64]:
    """Return the square metres of each place; ``grid`` is that of each place."""
    out = np.zeros(len(grid))
    for number, lattice in enumerate(terms.lattices):
        there = grid == number
        if there.all():
            return areas_m2(areas, len(grid), lattice)
        if there.any():
            out[there] = areas_m2(areas[there[areas.owner]], len(grid), lattice)[there]
    return out


def area_m2_of(candidates: Candidates, terms: Terms) -> NDArray[np.float64]:
    """Return the square metres of each candidate."""
    places = by_grid(candidates.places.areas, candidates.places.grid, terms)
    return np.asarray(np.bincount(candidates.places.owner, weights=places, minlength=len(candidates)), dtype=np.float64)


def fill_holes(candidates: Candidates, terms: Terms, rules: Rules) -> Candidates:
    """Return the candidates with holes filled that are smaller than asked for.

    A hole is what pixels surround that are connected: with connectivity 8 at corners, too. Filled pixels count for
    outline and area, not for scores. What lies within a filled hole stays what it is.
    """
    if not rules.fill_holes_m2 or not len(candidates):
        return candidates
    places = candidates.places
    rings = trace(places.areas, terms.connectivity)
    holes = rings.area_px < 0
    rings, place = rings.keep(holes), rings.part_owner[rings.part[holes]]
    filling = runs_of_rings(rings, np.arange(len(place)))
    small = by_grid(filling, places.grid[place], terms) < rules.fill_holes_m2
    filling = filling[small[filling.owner]]
    parts = [places.areas, replace(filling, owner=place[filling.owner])]
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("owner", "y", "x0", "x1"))
    places = replace(places, areas=unite(*columns))
    if len(places.owner) > len(candidates):
        places = fill_across(places, terms, rules.fill_holes_m2)
    return replace(candidates, places=places)


def chosen_by_area(area_m2: NDArray[np.float64], rules: Rules) -> NDArray[np.bool_]:
    """Return which candidates are large and small enough."""
    large = area_m2 >= rules.min_area_m2
    return large if rules.max_area_m2 is None else large & (area_m2 <= rules.max_area_m2)


def is_sure(candidates: Candidates, rules: Rules) -> NDArray[np.bool_]:
    """Return which candidates have the least mean score."""
    return np.asarray(candidates.score_sum >= rules.min_score_units * candidates.score_px)
