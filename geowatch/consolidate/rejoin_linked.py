"""Linked pieces of an earlier run and of this one, with the links that one run of all dates would have found.

Before the cut the earlier run's pieces count, from then on this run's. Links lead over it in two ways. Where both runs
looked at a date, a piece of the one stands for those of the other that share its pixels then, and what it is linked to
they are linked to. Else each pixel that the earlier run last saw as part of a piece, and that this run first sees as
part of one, links the two. With links over days, so does one that either run saw as part of nothing in between, as
long as the two are not further apart. Where this run looked at dates that do not count, these pixels are led through
those that do (`replay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.found import Found
from geowatch.consolidate.joins import Whole
from geowatch.consolidate.meeting import Pixels, Shared, beyond, both, shared
from geowatch.consolidate.replay import Memory
from geowatch.grid.areas import unite
from geowatch.grid.runs import components
from geowatch.sites.fragment import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.axis import Axis
    from geowatch.consolidate.rejoin_outlines import Looks
    from geowatch.grid.areas import Ints

__all__ = ["rejoined_links"]

_NOBODY = Shared(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


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
    day: Ints
    """Day of each piece."""

    @property
    def links(self) -> tuple[NDArray[np.integer], ...]:
        """Links as each run has them: (earlier piece, later piece, pixels, pixels over a gap)."""
        return self.found.link_a, self.found.link_b, self.found.link_px, self.found.link_gap_px

    def pixels(self, group: str, *, late: bool) -> Pixels:
        """Return pixels of one run's pieces: all, or those of a group of columns."""
        pixels = Pixels.of(self.found, group)
        return pixels[(pixels.owner >= self.earlier) == late]


def rejoined_links(
    before: Found, later: Found, here: tuple[Axis, int, float], dark: Sequence[Pixels] | None, looks: Looks,
    link_days: int | None = None,
) -> Whole:  # fmt: skip
    """Return the pieces that count, linked.

    Args:
        before: What goes on of the earlier run.
        later: Pieces of this run that may have to do with it, one a component.
        here: The dates of both, the grid that they are on, and what part of the smaller links must have.
        dark: Where this run saw nothing; None where its fragments do not tell, and its scores are asked.
        looks: Looks at this run's scores.
        link_days: Days over which pieces are linked although dates between saw none there.
    """
    axis, grid, overlap = here
    found = Found.join([before, later])
    counts = axis.counts(grid, found.plane)
    stand_ins = _NOBODY if dark is None else _stand_ins(found, len(before), counts, axis.twin(grid))
    each = _Both(found, len(before), counts, stand_ins, axis.days[grid][found.plane])
    at = (axis, grid)
    led = _led(each, at, looks, link_days) if dark is None else _told_by_fragments(each, dark, at, link_days)
    links = _links(each, at, led.over)
    columns: dict[str, Any] = dict(zip(("link_a", "link_b", "link_px", "link_gap_px"), links, strict=True))
    ends = np.ones(len(found), dtype=bool)
    if not overlap:  # else a link may not count
        ends[columns["link_a"]] = False
    columns["again_day"] = _seen_again(each, ends, at, looks)
    columns |= led.last.columns("last") | _kin(each)
    if link_days is not None:
        columns |= led.left.columns("left")
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


@dataclass(frozen=True, eq=False, slots=True)
class _Led:
    """What leads over the cut, and on beyond both runs."""

    over: Ints
    """Links that neither run has, as rows of `_Both.links`."""
    last: Pixels
    """Pixels that are part of a piece at the end of both runs, or were when they were last seen."""
    left: Pixels
    """Pixels that were seen without their piece, from where links may lead on."""


def _told_by_fragments(each: _Both, dark: Sequence[Pixels], at: tuple[Axis, int], link_days: int | None) -> _Led:
    axis, grid = at
    left = Pixels.join([]) if link_days is None else _left(each, dark, at, link_days)
    return _Led(_over_the_cut(each, link_days), _remembered(each, dark, axis.new(grid)), left)


def _led(each: _Both, at: tuple[Axis, int], looks: Looks, link_days: int | None) -> _Led:
    """Lead what the earlier run's pixels remember through the dates of this one that count."""
    axis, grid = at
    pieces, plane = each.pixels("run", late=True), each.found.plane
    memory = Memory(each.pixels("last", late=False), each.pixels("left", late=False), each.day, link_days)
    for place in axis.new(grid).tolist():
        if not len(memory):
            break

        def seen(pixels: Pixels, place: int = place) -> Pixels:
            return looks.seen(grid, unite(pixels.owner, pixels.y, pixels.x0, pixels.x1), place - axis.earlier[grid])

        memory.take_in(int(axis.days[grid][place]), pieces[plane[pieces.owner] == place], seen)
    last, left = (Pixels.join([p[each.counts[p.owner]], more]) for p, more in (
        (each.pixels("last", late=True), memory.last), (each.pixels("left", late=True), memory.left)
    ))  # fmt: skip
    return _Led(memory.over_the_cut(), last, _still_near(each, left, at, link_days))


def _links(each: _Both, at: tuple[Axis, int], over: Ints) -> tuple[NDArray[np.integer], ...]:
    """Return the links between pieces that count; what is told twice counts once."""
    told = np.stack(_translated(each, *(column[_told(each, *at)].astype(np.int64) for column in each.links)))
    pairs, px = _one_a_pair(np.concatenate([told, np.concatenate(_one_a_pair(over, np.add))], axis=1), np.maximum)
    return (*pairs.astype(np.int32), *px)


def _over_the_cut(each: _Both, link_days: int | None) -> Ints:
    """Return the links that pixels tell which no date of both runs saw as part of a piece, rows as `_Both.links`."""
    last, first = each.pixels("last", late=False), each.pixels("first", late=True)
    parts = [_rows(each, shared(last, first), 2)]
    if link_days is not None:
        left, begun = each.pixels("left", late=False), each.pixels("begun", late=True)
        met = [shared(*pair) for pair in ((last, begun), (left, first), (left, begun))]
        parts += [_rows(each, some[each.day[some.other] - each.day[some.one] <= link_days], 3) for some in met]
    return np.concatenate(parts, axis=1)


def _rows(each: _Both, met: Shared, row: int) -> Ints:
    """Return what pieces that count share, as links with the pixels in one of their rows."""
    met = met[each.counts[met.one] & each.counts[met.other]]
    out = np.zeros((4, len(met)), dtype=np.int64)
    out[0], out[1], out[row] = met.one, met.other, met.px
    return out


def _one_a_pair(links: Ints, how: np.ufunc) -> tuple[Ints, Ints]:
    """Return the pairs (2, pairs) of links and their pixels (2, pairs), those of one pair put together."""
    pairs, at = np.unique(links[:2], axis=1, return_inverse=True)
    px = np.zeros((2, pairs.shape[1]), dtype=np.int64)
    for out, values in zip(px, links[2:], strict=True):
        how.at(out, at.reshape(-1), values)
    return pairs, px


def _told(each: _Both, axis: Axis, grid: int) -> NDArray[np.bool_]:
    """Return which links tell something.

    Those of the earlier run to dates that later ones have changed do not, where this run saw the dates before them.
    """
    planes = axis.planes[grid]
    if not (axis.is_late(grid, planes) & ~axis.counts(grid, planes)).any():
        return np.ones(len(each.found.link_a), dtype=bool)
    changed = (np.arange(len(each.found)) < each.earlier) & ~each.counts
    return ~changed[each.found.link_a] & ~changed[each.found.link_b]


def _translated(each: _Both, a: Ints, b: Ints, *px: Ints) -> tuple[Ints, ...]:
    """Return links with pieces that do not count replaced by those that stand for them."""
    of_a, a = _stood_for(each, a)
    of_b, b = _stood_for(each, b[of_a])
    return a[of_b], b, *(values[of_a][of_b] for values in px)


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


def _remembered(each: _Both, dark: Sequence[Pixels], new: Ints) -> Pixels:
    """Return the pixels that are part of a piece at the end of both runs, or were when they were last seen."""
    before = each.pixels("last", late=False)
    if not len(new):
        return before
    return Pixels.join([*_told_of(each, "last"), both(before, Pixels.join(dark))])


def _seen_again(each: _Both, ends: NDArray[np.bool_], at: tuple[Axis, int], looks: Looks) -> NDArray[np.int32]:
    """Return when pieces are seen again: the earlier run's that may be the last of a site on this run's dates."""
    axis, grid = at
    found = each.found
    out = found.again_day.copy()
    waits = each.counts & (out >= axis.cut) & (np.arange(len(found)) < each.earlier)
    out[waits] = NEVER
    waits &= ends
    pixels = Pixels.of(found)
    for plane in axis.new(grid).tolist():
        rest = pixels[(waits & (out == NEVER))[pixels.owner]]
        if not len(rest):
            break
        areas = unite(rest.owner, rest.y, rest.x0, rest.x1)
        owner, _, px, _ = looks(grid, areas, np.array([plane - axis.earlier[grid]]))
        out[owner[px > 0]] = axis.days[grid][plane]
    return out


def _left(each: _Both, dark: Sequence[Pixels], at: tuple[Axis, int], link_days: int) -> Pixels:
    """Return the pixels that were seen without their piece, from where links may lead on beyond both runs."""
    axis, grid = at
    last, left = (each.pixels(group, late=False) for group in ("last", "left"))
    if not len(axis.new(grid)):
        return left
    seen = beyond(beyond(Pixels.join([last, left]), each.pixels("run", late=True)), Pixels.join(dark))
    out = Pixels.join([*_told_of(each, "left"), seen, both(left, Pixels.join(dark))])
    return _still_near(each, out, at, link_days)


def _still_near(each: _Both, left: Pixels, at: tuple[Axis, int], link_days: int | None) -> Pixels:
    """Return the pixels of pieces from which links reach the last date."""
    axis, grid = at
    new = axis.new(grid)
    if link_days is None or not len(new):
        return left
    return left[each.day[left.owner] >= axis.days[grid][new].max() - link_days]


def _told_of(each: _Both, group: str) -> list[Pixels]:
    """Return pixels of this run's pieces that count, and of the earlier ones for which others of this run stand."""
    late = each.pixels(group, late=True)
    row, owner = _stood_for(each, late.owner.astype(np.int64))
    told = replace(late[row], owner=owner)
    return [late[each.counts[late.owner]], told[owner < each.earlier]]


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
