"""Sites where zones meet: what lies on both sides of a zone's edge is one site.

Each pixel's place belongs to one zone, so nothing is found twice. Candidates that come near the edge of their zone
wait until all grids are done. Those of one class that come within a pixel of each other across the edge (and, where
outlines change in time, live at the same time) are one: sums add, the earliest gives the first pixel, and times of
the two grids are matched by their days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from geowatch.consolidate.candidates import Candidates, Places, Seen
from geowatch.consolidate.found import largest, sums
from geowatch.consolidate.outlines import site_wkb
from geowatch.consolidate.terms import NO_DAY
from geowatch.grid.areas import Areas, dense
from geowatch.grid.contour import Edges
from geowatch.grid.runs import components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints

__all__ = ["joined", "near_border", "united"]

#: Candidates this near to a border wait; nearer than `_TOUCH_PX` across it they are one.
_NEAR_PX, _TOUCH_PX = 3.0, 1.0


def near_border(candidates: Candidates, terms: Terms) -> NDArray[np.bool_]:
    """Return which candidates may go on in another zone."""
    out = np.zeros(len(candidates), dtype=bool)
    places = candidates.places
    if not len(candidates) or not any(border is not None for border in terms.borders):
        return out
    first = places.areas.starts
    last = np.append(first[1:], len(places.areas)) - 1
    top, bottom = places.areas.y[first], places.areas.y[last] + 1
    left, right = np.minimum.reduceat(places.areas.x0, first), np.maximum.reduceat(places.areas.x1, first)
    for number, (border, lattice) in enumerate(zip(terms.borders, terms.lattices, strict=True)):
        at = np.flatnonzero(places.grid == number)
        if border is None or not len(at):
            continue
        x = [lattice.phase_x + edge[at] * lattice.step_x for edge in (left, right)]
        y = [lattice.phase_y + edge[at] * lattice.step_y for edge in (top, bottom)]
        boxes = shapely.box(x[0], np.minimum(*y), x[1], np.maximum(*y))
        shapely.prepare(border)
        out[places.owner[at]] |= shapely.dwithin(border, boxes, _NEAR_PX * lattice.resolution)
    return out


def joined(tables: Sequence[Candidates]) -> Candidates:
    """Return the candidates of several tables, one after another."""
    owners = np.cumsum([0, *(len(table) for table in tables)])
    seens = np.cumsum([0, *(len(table.seen) for table in tables)])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("grid", "kind", "first_plane", "last_plane", "y", "x", "score_sum", "score_px", "peak")
    }
    columns["places"] = _places([table.places for table in tables], owners)
    seen = [replace(table.seen, owner=table.seen.owner + by) for table, by in zip(tables, owners, strict=False)]
    columns["seen"] = Seen(*(np.concatenate([getattr(each, f.name) for each in seen]) for f in fields(Seen)))
    for name in ("split", "merged"):
        parts = [np.add(getattr(table, name), [by, 0]) for table, by in zip(tables, owners, strict=False)]
        columns[name] = np.concatenate(parts)
    shapes = [table.shapes for table in tables]
    columns["shapes"] = None if shapes[0] is None else _places([each for each in shapes if each is not None], seens)
    return Candidates(**columns)


def _places(tables: Sequence[Places], owners: NDArray[Any]) -> Places:
    shift = np.cumsum([0, *(len(table.owner) for table in tables)])
    areas = [replace(t.areas, owner=t.areas.owner + by) for t, by in zip(tables, shift, strict=False)]
    edges = [
        replace(t.edges, owner=t.edges.owner + by) for t, by in zip(tables, shift, strict=False) if t.edges is not None
    ]
    return Places(
        np.concatenate([table.owner + by for table, by in zip(tables, owners, strict=False)]),
        np.concatenate([table.grid for table in tables]),
        Areas(*(np.concatenate([getattr(each, f.name) for each in areas]) for f in fields(Areas))),
        Edges(*(np.concatenate([getattr(each, f.name) for each in edges]) for f in fields(Edges))) if edges else None,
    )


def united(candidates: Candidates, terms: Terms) -> Candidates:
    """Return candidates with those joined that are one across a border."""
    one, other = _touching(candidates, terms)
    if not len(one):
        return candidates
    label = components(len(candidates), one, other).astype(np.int64)
    return _merged(candidates, label, int(label.max()) + 1, terms)


def _touching(candidates: Candidates, terms: Terms) -> tuple[Ints, Ints]:
    """Return pairs of candidates on different grids that are one."""
    pairs: list[NDArray[Any]] = [np.zeros((2, 0), dtype=np.int64)]
    shapes = {number: _outlines(candidates, number, terms) for number in np.unique(candidates.grid).tolist()}
    days = _lives(candidates, terms)
    for here, (at, near) in shapes.items():
        tree = shapely.STRtree(near)
        for there in (grid for grid in shapes if grid > here):
            far_at, far = shapes[there]
            moved = _moved(far, terms.lattices[there].crs, terms.lattices[here].crs)
            reach = _TOUCH_PX * terms.lattices[here].resolution
            j, i = tree.query(moved, predicate="dwithin", distance=reach)
            pair = np.stack([at[i], far_at[j]])
            same = candidates.kind[pair[0]] == candidates.kind[pair[1]]
            meets = (days[0][pair[0]] <= days[1][pair[1]]) & (days[0][pair[1]] <= days[1][pair[0]])
            pairs.append(pair[:, same & (meets if terms.mode != "footprint" else True)])
    both = np.concatenate(pairs, axis=1)
    return both[0], both[1]


def _moved(shapes: NDArray[np.object_], crs: str | None, to: str | None) -> NDArray[np.object_]:
    move = pyproj.Transformer.from_crs(crs, to, always_xy=True)
    out: NDArray[np.object_] = shapely.transform(
        shapes, lambda points: np.stack(move.transform(points[:, 0], points[:, 1]), axis=1)
    )
    return out


def _outlines(candidates: Candidates, grid: int, terms: Terms) -> tuple[Ints, NDArray[np.object_]]:
    """Return the candidates on a grid, and their outlines in its CRS."""
    there = candidates.places.take(candidates.grid == grid)
    alone = replace(terms, lattices=(terms.lattices[grid],))
    wkb = site_wkb(replace(there, edges=None), alone)
    return np.flatnonzero(candidates.grid == grid), shapely.from_wkb(wkb.to_list())


def _lives(candidates: Candidates, terms: Terms) -> tuple[Ints, Ints]:
    return (
        terms.days_of(candidates.grid, candidates.first_plane),
        terms.days_of(candidates.grid, candidates.last_plane),
    )


def _merged(candidates: Candidates, label: Ints, count: int, terms: Terms) -> Candidates:
    first_day, last_day = _lives(candidates, terms)
    columns = (candidates.first_plane, candidates.x, candidates.y, candidates.grid, first_day, label)
    order = np.lexsort(columns)
    lead = order[np.append(True, np.diff(label[order]) > 0)]
    last = np.full(count, NO_DAY, dtype=np.int64)
    np.maximum.at(last, label, last_day)
    seen, number = _seen(candidates, label, candidates.grid[lead])
    shapes = candidates.shapes
    return Candidates(
        **{name: getattr(candidates, name)[lead] for name in ("grid", "kind", "first_plane", "y", "x")},
        last_plane=_plane_at(candidates.grid[lead], last, candidates.last_plane[lead], terms),
        score_sum=sums(label, candidates.score_sum, count),
        score_px=sums(label, candidates.score_px, count),
        peak=largest(label, candidates.peak, count),
        places=_owned(candidates.places, label),
        seen=seen,
        split=_relabelled(candidates.split, label),
        merged=_relabelled(candidates.merged, label),
        shapes=None if shapes is None else _owned(shapes, number),
    )


def _relabelled(events: Ints, label: Ints) -> Ints:
    return np.unique(np.stack([label[events[:, 0]], events[:, 1]], axis=1), axis=0)


def _plane_at(grid: NDArray[np.integer], day: Ints, own: Ints, terms: Terms) -> Ints:
    """Return the last plane of each grid that is not after a day; what is aggregated over time stays so."""
    out = own.copy()
    for number, days in enumerate(terms.days):
        mine = (grid == number) & (own >= 0)
        out[mine] = np.maximum(np.searchsorted(days, day[mine], side="right") - 1, own[mine])
    return out


def _owned(places: Places, label: Ints) -> Places:
    """Return places under new owners; those of one owner on one grid become one place."""
    owner = label[places.owner]
    place = dense(owner, places.grid)
    first = np.full(int(place.max()) + 1 if len(place) else 0, len(place))
    np.minimum.at(first, place, np.arange(len(place)))
    areas = replace(places.areas, owner=place[places.areas.owner])
    order = np.lexsort((areas.x0, areas.y, areas.owner))
    edges = places.edges
    if edges is not None:
        edges = replace(edges, owner=place[edges.owner])
    return Places(owner[first], places.grid[first], areas[order], edges)


def _seen(candidates: Candidates, label: Ints, lead_grid: NDArray[np.integer]) -> tuple[Seen, Ints]:
    """Return the observations of the joined, and for each old observation its new one.

    Observations of one day are one; several of a grid on one day are matched in their order.
    """
    seen = candidates.seen
    grid = candidates.grid[seen.owner].astype(np.int64)
    owner = label[seen.owner]
    planes = dense(owner, grid, seen.day, seen.plane)
    days = dense(owner, grid, seen.day)
    first = np.full(int(days.max()) + 1 if len(days) else 0, len(seen) + 1)
    np.minimum.at(first, days, planes)
    number = dense(owner, seen.day, planes - first[days])
    count = int(number.max()) + 1 if len(number) else 0
    who, day = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    who[number], day[number] = owner, seen.day
    plane = np.full(count, -1, dtype=np.int64)
    np.maximum.at(plane, number, np.where(grid == lead_grid[owner], seen.plane, -1))
    px, total = sums(number, seen.px, count), sums(number, seen.sums, count)
    extent = sums(number, seen.extent_px, count)
    if candidates.shapes is None:  # all of the site could have been seen, on whichever grid
        extent = sums(label, candidates.score_px, len(lead_grid))[who]
    return Seen(who, plane, day, px, total, extent), number
