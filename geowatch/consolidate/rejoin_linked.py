"""Linked pieces of an earlier run and of this one, with the links that one run of all dates would have found.

Before the cut the earlier run's pieces count, from then on this run's. Links lead over it in two ways. Where both runs
looked at a date, a piece of the one stands for those of the other that share its pixels then, and what it is linked to
they are linked to. Else each pixel that the earlier run last saw as part of a piece, and that this run first sees as
part of one, links the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.found import Found
from geowatch.consolidate.joins import Whole
from geowatch.consolidate.meeting import Pixels, Shared, both, shared
from geowatch.grid.runs import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.axis import Axis
    from geowatch.grid.areas import Ints

__all__ = ["rejoined_links"]


@dataclass(frozen=True, eq=False, slots=True)
class _Both:
    """Pieces of both runs, the earlier ones first, one a component."""

    found: Found
    earlier: int
    """How many are the earlier run's."""
    counts: NDArray[np.bool_]
    """Which of them count."""
    stands_for: Shared
    """Pieces that do not count, those of the other run that do and share their pixels, and how many."""

    @property
    def links(self) -> tuple[NDArray[np.integer], ...]:
        """Links as each run has them: (earlier piece, later piece, pixels)."""
        return self.found.link_a, self.found.link_b, self.found.link_px


def rejoined_links(before: Found, later: Found, axis: Axis, grid: int, dark: Sequence[Pixels]) -> Whole:
    """Return the pieces that count, linked.

    Args:
        before: What goes on of the earlier run.
        later: Pieces of this run that may have to do with it, one a component.
        axis: The dates of both.
        grid: Where they are.
        dark: Where this run saw nothing.
    """
    found = Found.join([before, later])
    counts = axis.counts(grid, found.plane)
    each = _Both(found, len(before), counts, _stand_ins(found, len(before), counts, axis.twin(grid)))
    links = _links(each, axis, grid)
    remembered = _remembered(each, dark, bool(len(axis.new(grid))))
    columns: dict[str, Any] = dict(zip(("link_a", "link_b", "link_px"), links, strict=True))
    columns |= remembered.columns("last") | _kin(each)
    if not counts[: len(before)].all():  # what later dates have changed held some of them together
        columns |= {name: np.zeros(0, dtype=np.int32) for name in ("bond_a", "bond_b")}
    found = replace(found, **columns).take(counts)
    group = components(len(found), found.link_a, found.link_b).astype(np.int64)
    return Whole(found, np.arange(len(found)), group)


def _stand_ins(found: Found, earlier: int, counts: NDArray[np.bool_], twin: Ints) -> Shared:
    """Return who stands for whom: pieces of one date as the two runs saw it."""
    pixels = Pixels.of(found)
    plane = found.plane[pixels.owner].astype(np.int64)
    old = pixels.owner < earlier
    same = np.where(old, twin[plane], plane)
    one, other = (replace(pixels[at], layer=same[at]) for at in (old & (same >= 0), ~old))
    pairs = shared(one, other)
    gone = ~counts[pairs.one] & counts[pairs.other]
    came = counts[pairs.one] & ~counts[pairs.other]
    columns = [
        (pairs.one[gone], pairs.other[came]),
        (pairs.other[gone], pairs.one[came]),
        (pairs.px[gone], pairs.px[came]),
    ]
    return Shared(*(np.concatenate(column) for column in columns))


def _links(each: _Both, axis: Axis, grid: int) -> tuple[NDArray[np.int32], NDArray[np.int32], Ints]:
    """Return the links between pieces that count; what is told twice counts once."""
    found = each.found
    old = Pixels.of(found, "last")
    old = old[old.owner < each.earlier]
    new = Pixels.of(found, "first")
    over = shared(old, new[new.owner >= each.earlier])
    over = over[each.counts[over.one] & each.counts[over.other]]
    a, b, px = _translated(each, *(column[_told(each, axis, grid)].astype(np.int64) for column in each.links))
    a, b, px = (np.concatenate(pair) for pair in ((a, over.one), (b, over.other), (px, over.px)))
    pairs, at = np.unique(np.stack([a, b], axis=1), axis=0, return_inverse=True)
    most = np.zeros(len(pairs), dtype=np.int64)
    np.maximum.at(most, at.reshape(-1), px)
    return pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32), most


def _told(each: _Both, axis: Axis, grid: int) -> NDArray[np.bool_]:
    """Return which links tell something.

    Those of the earlier run to dates that later ones have changed do not, where this run saw the dates before them.
    """
    planes = axis.planes[grid]
    if not (axis.is_late(grid, planes) & ~axis.counts(grid, planes)).any():
        return np.ones(len(each.found.link_a), dtype=bool)
    changed = (np.arange(len(each.found)) < each.earlier) & ~each.counts
    return ~changed[each.found.link_a] & ~changed[each.found.link_b]


def _translated(each: _Both, a: Ints, b: Ints, px: Ints) -> tuple[Ints, Ints, Ints]:
    """Return links with pieces that do not count replaced by those that stand for them."""
    row, a = _stood_for(each, a)
    b, px = b[row], px[row]
    row, b = _stood_for(each, b)
    return a[row], b, px[row]


def _stood_for(each: _Both, piece: Ints) -> tuple[Ints, Ints]:
    """Return for each piece the ones that count for it, and the row that each comes from."""
    own = np.flatnonzero(each.counts[piece])
    order = np.argsort(each.stands_for.one, kind="stable")
    ones, others = each.stands_for.one[order], each.stands_for.other[order]
    first, after = (np.searchsorted(ones, piece, side=side) for side in ("left", "right"))
    counts = np.where(each.counts[piece], 0, after - first)
    row = np.repeat(np.arange(len(piece)), counts)
    at = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return np.concatenate([own, row]), np.concatenate([piece[own], others[at]])


def _remembered(each: _Both, dark: Sequence[Pixels], new_dates: bool) -> Pixels:
    """Return the pixels that are part of a piece at the end of both runs, or were when they were last seen."""
    last = Pixels.of(each.found, "last")
    if not new_dates:
        return last[last.owner < each.earlier]
    own = last[(last.owner >= each.earlier) & each.counts[last.owner]]
    still = both(last[last.owner < each.earlier], Pixels.join(dark))
    row, owner = _stood_for(each, last.owner.astype(np.int64))
    told = replace(last[row], owner=owner)
    told = told[(last.owner[row] >= each.earlier) & (owner < each.earlier)]
    return Pixels.join([own, still, told])


def _kin(each: _Both) -> dict[str, Any]:
    """Return what pieces have to do with earlier sites: their own past, and what was another's on the same date."""
    found, pairs = each.found, each.stands_for
    site = np.full(len(found), -1, dtype=np.int64)
    site[found.kin_piece] = found.kin_site
    told = pairs[site[pairs.one] >= 0]
    return {
        "kin_piece": np.concatenate([found.kin_piece, told.other.astype(np.int32)]),
        "kin_site": np.concatenate([found.kin_site, site[told.one].astype(np.int32)]),
        "kin_px": np.concatenate([found.kin_px, told.px]),
        "kin_own": np.concatenate([found.kin_own, np.zeros(len(told), dtype=bool)]),
    }
