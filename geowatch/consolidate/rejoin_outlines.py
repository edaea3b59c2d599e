"""Outlines of all dates of an earlier run and of this one.

Where this run looked at all dates again, its outlines stand alone: they take the names of the earlier sites that they
overlap, and what these were before the cut. Else both outlines together are the site's, and what this run found in
none of its own outlines is looked at in its scores, so that a site is seen to be over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geowatch.consolidate.found import Found
from geowatch.consolidate.inherit import Shared as Overlaps
from geowatch.consolidate.inherit import heirs
from geowatch.consolidate.meeting import Pixels, Shared, shared, without
from geowatch.grid.areas import Areas, unite
from geowatch.grid.runs import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.axis import Axis
    from geowatch.grid.areas import Ints

__all__ = ["Looks", "rejoined_outlines"]


class Looks(Protocol):
    """Looks at places in a run's scores."""

    def __call__(self, grid: int, areas: Areas, planes: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Return (owner, plane, pixels seen, sums by class) of what was seen of owners on planes of the run's axis."""

    def seen(self, grid: int, areas: Areas, plane: int) -> Pixels:
        """Return where a plane of the run's axis has scores: of these pixels at least, and of others near them."""


def rejoined_outlines(
    before: Found, later: Found, here: tuple[Axis, int, float], looks: Looks, *, anew: bool
) -> tuple[Found, Ints, NDArray[np.bool_]]:
    """Return pieces with what was seen of them, the component of each, and which have nothing to do with earlier ones.

    Args:
        before: What goes on of the earlier run.
        later: Pieces of this run, one a component.
        here: The dates of both, the grid, and the share of the smaller that must be exceeded.
        looks: Looks at this run's scores.
        anew: Whether this run saw all dates again.
    """
    axis, grid, least = here
    pairs = shared(Pixels.of(before), Pixels.of(later)).more_than(least, before.area_px, later.area_px)
    if anew:
        named = np.zeros(len(before), dtype=bool)
        named[before.kin_piece] = True
        pairs = pairs[named[pairs.one]]
        later = _inherited(before, later, pairs, (axis, grid))
        kept = named.copy()
        kept[pairs.one] = False
        component = np.arange(int(kept.sum()) + len(later))
    else:
        kept = np.ones(len(before), dtype=bool)
        later = _without_past(later, pairs, (axis, grid))
        component = components(len(before) + len(later), pairs.one, pairs.other + len(before)).astype(np.int64)
    before = _past(before, (axis, grid)).take(kept)
    met = pairs if not anew else pairs[np.zeros(len(pairs), dtype=bool)]
    found = Found.join([_looked_at(before, later, met, (axis, grid), looks), later])
    alone = np.ones(len(found), dtype=bool)
    alone[: len(before)] = False
    alone[len(before) + pairs.other] = False
    return found, component, alone


def _series(found: Found, kept: NDArray[np.bool_]) -> dict[str, Any]:
    return {f"series_{name}": getattr(found, f"series_{name}")[kept] for name in ("piece", "plane", "px", "sums")}


def _more(found: Found, rows: tuple[NDArray[np.integer], ...]) -> Found:
    """Return pieces with more observations."""
    columns: dict[str, Any] = {}
    for name, values in zip(("piece", "plane", "px", "sums"), rows, strict=True):
        own = getattr(found, f"series_{name}")
        columns[f"series_{name}"] = np.concatenate([own, np.asarray(values, dtype=own.dtype)])
    return replace(found, **columns)


def _past(before: Found, at: tuple[Axis, int]) -> Found:
    """Return earlier pieces with what was seen before the cut."""
    axis, grid = at
    return replace(before, **_series(before, axis.counts(grid, before.series_plane)))


def _without_past(later: Found, pairs: Shared, at: tuple[Axis, int]) -> Found:
    """Return pieces without what this run saw before the cut, where the earlier run saw it."""
    axis, grid = at
    known = np.zeros(len(later), dtype=bool)
    known[pairs.other] = True
    return replace(later, **_series(later, ~known[later.series_piece] | axis.counts(grid, later.series_plane)))


def _inherited(before: Found, later: Found, pairs: Shared, at: tuple[Axis, int]) -> Found:
    """Return pieces with the kinship of those that they overlap, and the past of the one that they go on with."""
    site = np.zeros(len(before), dtype=np.int64)
    site[before.kin_piece] = before.kin_site
    kin: dict[str, Any] = {
        "kin_piece": pairs.other.astype(np.int32), "kin_site": site[pairs.one].astype(np.int32),
        "kin_px": pairs.px, "kin_own": np.zeros(len(pairs), dtype=bool),
    }  # fmt: skip
    age = np.argsort(np.lexsort((np.arange(len(before)), site)))
    same = heirs(Overlaps(pairs.other, pairs.one, pairs.px), len(later), age)
    goes_on = np.flatnonzero(same.earlier >= 0)
    mine = Shared(same.earlier[goes_on], goes_on, np.ones(len(goes_on), dtype=np.int64))
    later = replace(_without_past(later, mine, at), **kin)
    past = _past(before, at)
    heir = np.full(len(before), -1, dtype=np.int64)
    heir[mine.one] = mine.other
    row = np.flatnonzero(heir[past.series_piece] >= 0)
    return _more(
        later, (heir[past.series_piece[row]], past.series_plane[row], past.series_px[row], past.series_sums[row])
    )


def _looked_at(before: Found, later: Found, pairs: Shared, at: tuple[Axis, int], looks: Looks) -> Found:
    """Return earlier pieces with what this run's scores say of their pixels that none of its own pieces has."""
    axis, grid = at
    new = axis.new(grid)
    if not len(before) or not len(new):
        return before
    pixels = Pixels.of(before)
    areas = unite(pixels.owner, pixels.y, pixels.x0, pixels.x1)
    taken = Pixels.of(later)
    order = np.argsort(pairs.other, kind="stable")
    owners, of = pairs.other[order], pairs.one[order]
    first, after = (np.searchsorted(owners, taken.owner, side=side) for side in ("left", "right"))
    row = np.repeat(np.arange(len(taken)), after - first)
    at_pair = np.arange(len(row)) - np.repeat(np.cumsum(after - first) - (after - first), after - first) + first[row]
    rest = without(areas, unite(of[at_pair], taken.y[row], taken.x0[row], taken.x1[row]))
    own = new - axis.earlier[grid]
    piece, plane, px, sums = looks(grid, rest, own)
    return _more(before, (piece, plane + axis.earlier[grid], px, sums))
