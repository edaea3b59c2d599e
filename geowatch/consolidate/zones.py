"""Sites where zones meet: what lies on both sides of a zone's edge is one site.

Each pixel's place belongs to one zone: that of its centre. So nothing is found twice, and areas add up. Groups that
come near the edge of their zone wait until all grids are done, the weak ones too. Then the times of all grids are put
on one axis, by their days; pieces of one class and time that come within a pixel of each other across the edge are
one component, as they would be across a seam of tiles. Whatever is decided about sites comes after that, by the same
code as for one grid.

Where a grid has no image of a time, its pixels count for what they were last, as hidden ones do in `track.links`:
pieces that touch that way belong to one site, and to components of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.consolidate.axis import order_in_day
from geowatch.consolidate.candidates import Candidates, candidates_of
from geowatch.consolidate.found import Found
from geowatch.consolidate.joins import Whole
from geowatch.consolidate.parts import Parts
from geowatch.consolidate.splitting import agree
from geowatch.grid.areas import dense
from geowatch.grid.borders import boxes_of
from geowatch.grid.crs import moved
from geowatch.grid.runs import components
from geowatch.sites.fragment import SHARED_NUMBERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints
    from geowatch.grid.lattice import Lattice

__all__ = ["candidates_across", "near_border"]

#: Pieces nearer to each other than this across a border are one.
_TOUCH_PX = 1.0
_NONE = -1


def near_border(whole: Whole, terms: Terms) -> NDArray[np.bool_]:
    """Return which pieces are of groups that may go on in another zone."""
    out = np.zeros(len(whole.found), dtype=bool)
    if not len(out) or not any(border is not None for border in terms.borders):
        return out
    near = np.zeros(int(whole.group.max()) + 1, dtype=bool)
    at = _near_runs(whole.found, terms)
    near[whole.group[whole.found.run_piece[at]]] = True
    return np.asarray(near[whole.group])


def _near_runs(found: Found, terms: Terms) -> NDArray[np.intp]:
    """Return the runs that lie near a border."""
    out = np.zeros(len(found.run_piece), dtype=bool)
    grid = found.grid[found.run_piece]
    for number, border in enumerate(terms.borders):
        at = np.flatnonzero(grid == number)
        if border is not None and len(at):
            out[at] = border.near(found.run_y[at], found.run_x0[at], found.run_x1[at])
    return np.flatnonzero(out)


@dataclass(frozen=True, eq=False, slots=True)
class _Clock:
    """The times of all grids on one axis: images of one day are matched in their order.

    An image that an earlier run and this one looked at is one time; its plane is this run's.
    """

    day: Ints
    """Day of each time."""
    time: tuple[Ints, ...]
    """Of each grid: the time of each place on its own axis, -1 for those that were not looked at."""

    @classmethod
    def of(cls, terms: Terms) -> _Clock:
        day = [days[planes] for days, planes in zip(terms.days, terms.planes, strict=True)]
        # Linked dates count in one run only, so that images of a day are several even where two runs saw them.
        earlier = (terms.mode != "linked" and terms.earlier) or (0,) * len(day)
        order = [_orders(days, planes < n) for days, planes, n in zip(day, terms.planes, earlier, strict=True)]
        every = np.concatenate(
            [np.zeros((2, 0), np.int64), *(np.stack(both) for both in zip(day, order, strict=True))], 1
        )
        number = dense(*every)
        first = np.unique(number, return_index=True)[1]
        time = [np.full(len(days), _NONE) for days in terms.days]
        for mine, planes, times in zip(time, terms.planes, np.split(number, np.cumsum([*map(len, day)])), strict=False):
            mine[planes] = times
        return cls(every[0][first], tuple(time))

    def times(self, grid: NDArray[np.integer], plane: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return the times of planes; what is aggregated over time stays so."""
        out = np.full(len(plane), _NONE, dtype=np.int32)
        for number, time in enumerate(self.time):
            at = np.flatnonzero((grid == number) & (plane >= 0))
            out[at] = time[plane[at]]
        return out

    def planes(self, grid: NDArray[np.integer], time: NDArray[np.integer]) -> Ints:
        """Return the planes of times on each grid, -1 where it has none."""
        out = np.full(len(time), _NONE, dtype=np.int64)
        for number, mine in enumerate(self.time):
            own = np.full(len(self.day), _NONE)
            own[mine[mine >= 0]] = np.flatnonzero(mine >= 0)
            at = np.flatnonzero((grid == number) & (time >= 0))
            out[at] = own[time[at]]
        return out

    def last(self, grid: int) -> Ints:
        """Return for each time the last one until then at which a grid was looked at, -1 for none."""
        there = np.full(len(self.day), _NONE)
        mine = self.time[grid]
        there[mine[mine >= 0]] = mine[mine >= 0]
        return np.maximum.accumulate(there) if len(there) else there


def _orders(days: Ints, earlier: NDArray[np.bool_]) -> Ints:
    """Return the place of each image among those of its day and run: what two runs saw on a day is one time."""
    out = np.empty(len(days), dtype=np.int64)
    for run in (earlier, ~earlier):
        out[run] = order_in_day(days[run])
    return out


def candidates_across(waiting: Sequence[Whole], terms: Terms, rules: Rules) -> Candidates:
    """Return the candidates of groups that waited at borders, those of all grids together."""
    clock = _Clock.of(terms)
    whole = _on(clock, waiting)
    shared = replace(
        terms, days=(clock.day,) * len(terms.grids), planes=tuple(np.sort(time[time >= 0]) for time in clock.time)
    )
    same, remembered = (_of_one_box(whole, pairs) for pairs in _contacts(whole.found, terms, clock))
    same = same[:, agree(whole, same, terms)]
    label = components(int(whole.component.max()) + 1, *(whole.component[same])).astype(np.int64)
    component = label[whole.component]
    found = candidates_of(Whole(whole.found, component, whole.group), shared, rules, component[remembered])
    first_plane = clock.planes(found.grid, found.first_plane)
    plane = clock.planes(found.grid[found.seen.owner], found.seen.plane)
    parts, weak = (_on_own_axes(clock, each) for each in (found.parts, found.weak))
    return replace(found, first_plane=first_plane, seen=replace(found.seen, plane=plane), parts=parts, weak=weak)


def _on_own_axes(clock: _Clock, parts: Parts | None) -> Parts | None:
    """Return pieces with the planes of their grids in place of times."""
    if parts is None:
        return None
    found = parts.found
    plane = clock.planes(found.grid, found.plane).astype(np.int32)
    series_plane = clock.planes(found.grid[found.series_piece], found.series_plane).astype(np.int32)
    return replace(parts, found=replace(found, plane=plane, series_plane=series_plane))


def _on(clock: _Clock, waiting: Sequence[Whole]) -> Whole:
    """Return all groups as one table, with times in place of planes."""
    found = Found.join([whole.found for whole in waiting])
    labels = []
    for name in ("component", "group"):
        each = [getattr(whole, name) for whole in waiting]
        shift = np.cumsum([0, *(int(label.max()) + 1 for label in each)])
        labels.append(np.concatenate([label + by for label, by in zip(each, shift, strict=False)]))
    series_plane = clock.times(found.grid[found.series_piece], found.series_plane)
    found = replace(found, plane=clock.times(found.grid, found.plane), series_plane=series_plane)
    return Whole(found, labels[0], labels[1], np.concatenate([whole.boxes for whole in waiting]))


def _of_one_box(whole: Whole, pairs: Ints) -> Ints:
    """Return the pairs of pieces, (2, pairs), that are not of two detected objects.

    Inside a zone objects that touch stay two. Here they do where both pieces have names that hold on all grids: what is
    on both sides of the edge is one object where it is the same box.
    """
    one, other = whole.boxes[pairs]
    named = (one >= SHARED_NUMBERS) & (other >= SHARED_NUMBERS)
    return pairs[:, ~named | (one == other)]


def _contacts(found: Found, terms: Terms, clock: _Clock) -> tuple[Ints, Ints]:
    """Return pairs of pieces that touch across a border, (2, pairs) each: at one time, and as one is remembered."""
    runs = _near_runs(found, terms)
    pairs: list[tuple[list[Ints], list[Ints]]] = []
    grids = np.unique(found.grid[found.run_piece[runs]]).tolist()
    for here in grids:
        for there in grids:
            if here < there:
                pairs += [_pairs(found, runs, (here, there), (terms, clock))]
    none = np.zeros((2, 0), dtype=np.int64)
    same, remembered = (np.concatenate([none, *(p for pair in pairs for p in pair[k])], axis=1) for k in (0, 1))
    return same, remembered


def _pairs(
    found: Found, runs: NDArray[np.intp], grids: tuple[int, int], by: tuple[Terms, _Clock]
) -> tuple[list[Ints], list[Ints]]:
    terms, clock = by
    to = terms.lattices[grids[0]]
    one, other = (_Drawn.of(found, runs, grid, terms, to) for grid in grids)
    reach = _TOUCH_PX * to.resolution
    same: list[Ints] = []
    remembered: list[Ints] = []
    for time, at, far_at in _meetings(clock, grids):
        if terms.mode != "linked" and not at == far_at == time:
            continue
        i, j = one.at(at), other.at(far_at)
        if not len(i) or not len(j):
            continue
        far, near = shapely.STRtree(one.shapes[i]).query(other.shapes[j], predicate="dwithin", distance=reach)
        pair = np.stack([one.piece[i[near]], other.piece[j[far]]])
        pair = pair[:, found.kind[pair[0]] == found.kind[pair[1]]]
        (same if at == far_at == time else remembered).append(np.unique(pair, axis=1))
    return same, remembered


def _meetings(clock: _Clock, grids: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield each time with the times of two grids that count then; both are -1 for what is aggregated over time."""
    yield _NONE, _NONE, _NONE
    one, other = (clock.last(grid) for grid in grids)
    for time, (at, far_at) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        if at >= 0 and far_at >= 0 and time in (at, far_at):
            yield time, at, far_at


@dataclass(frozen=True, eq=False, slots=True)
class _Drawn:
    """Runs of one grid near its border, sorted by time, in the CRS of another."""

    time: Ints
    piece: Ints
    shapes: NDArray[np.object_]

    @classmethod
    def of(cls, found: Found, runs: NDArray[np.intp], grid: int, terms: Terms, to: Lattice) -> _Drawn:
        mine = runs[found.grid[found.run_piece[runs]] == grid]
        piece = found.run_piece[mine].astype(np.int64)
        order = np.argsort(found.plane[piece], kind="stable")
        at = mine[order]
        shapes = boxes_of(found.run_y[at], found.run_x0[at], found.run_x1[at], terms.lattices[grid])
        crs = terms.lattices[grid].crs
        return cls(
            found.plane[piece][order].astype(np.int64),
            piece[order],
            shapely.transform(shapes, lambda points: moved(points, str(crs), str(to.crs))),
        )

    def at(self, time: int) -> NDArray[np.intp]:
        """Return the runs of a time."""
        return np.arange(*np.searchsorted(self.time, [time, time + 1]))
