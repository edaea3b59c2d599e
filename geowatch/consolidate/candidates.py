"""From whole components to candidates: places that may be sites, with all that decides about them.

A candidate lies on one grid, in most cases; where zones meet it may have a place on each of two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import largest, smallest, sums
from geowatch.consolidate.kin import Kin, kin_of
from geowatch.consolidate.links import Chain, chains
from geowatch.consolidate.parts import Parts
from geowatch.consolidate.terms import NO_DAY
from geowatch.grid.areas import Areas, dense, unite
from geowatch.grid.contour import Edges
from geowatch.sites.fragment import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.found import Found
    from geowatch.consolidate.joins import Whole
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints

__all__ = ["Candidates", "Places", "Seen", "candidates_of"]


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What was seen of candidates, time by time, sorted by (owner, day, plane)."""

    owner: Ints
    """Of each observation: its candidate."""
    plane: Ints
    """Place on the time axis."""
    day: Ints
    """Day since 1970-01-01."""
    px: Ints
    """Pixels that have scores."""
    sums: Ints
    """Their sums of scores by class, (observations, K)."""
    extent_px: Ints
    """Pixels that could have had scores."""

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, at: NDArray[np.bool_] | NDArray[np.intp]) -> Seen:
        return Seen(self.owner[at], self.plane[at], self.day[at], self.px[at], self.sums[at], self.extent_px[at])


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """Pixels of owners, grid by grid: a place is what an owner has on one grid."""

    owner: Ints
    """Of each place: whose it is, sorted."""
    grid: NDArray[np.integer]
    """Of each place: its grid."""
    areas: Areas
    """Pixels, by place."""
    edges: Edges | None = None
    """Where between pixels outlines lie, by place; None for outlines along the pixels' edges."""

    def on(self, places: NDArray[np.bool_]) -> Places:
        """Return some places, each as an owner of its own."""
        alone = replace(self, owner=np.arange(len(self.owner)))
        return alone.take(places)

    def take(self, kept: NDArray[np.bool_]) -> Places:
        """Return the places of some owners, numbered anew."""
        places = kept[self.owner]
        part = self.areas[places[self.areas.owner]]
        number = np.cumsum(places) - 1
        areas, edges = replace(part, owner=number[part.owner]), self.edges
        if edges is not None:
            at = places[edges.owner]
            columns = (edges.y[at], edges.x[at], edges.side[at], edges.share[at])
            edges = Edges(number[edges.owner[at]], *columns)
        return Places((np.cumsum(kept) - 1)[self.owner[places]], self.grid[places], areas, edges)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Candidates:
    """Columns of n candidates; places and observations name them by number."""

    grid: NDArray[np.int16]
    """Grid of the first pixel."""
    kind: NDArray[np.int16]
    """Class."""
    first_plane: Ints
    """First plane on which it was found; -1 for scores aggregated over time."""
    gone: Ints
    """First day after its last pieces on which any pixel of these was seen; `NO_DAY` where none was."""
    y: Ints
    """Row of the first pixel of the earliest component."""
    x: Ints
    """Column of it."""
    score_sum: Ints
    """Sum of the scores of the pixels that were found, in score units."""
    score_px: Ints
    """Number of these pixels."""
    peak: Ints
    """Largest score."""
    places: Places
    """Pixels."""
    seen: Seen
    """What was seen of them."""
    split: Ints
    """Days on which components of a candidate split, as (candidate, day), (splits, 2)."""
    merged: Ints
    """Days on which they merged, (merges, 2)."""
    shapes: Places | None = None
    """Pixels at each observation, by its number in ``seen``; None where they do not change."""
    kin: Kin
    """What they have to do with sites of an earlier run."""
    parts: Parts | None = None
    """What they are made of."""
    weak: Parts | None = None
    """What candidates would be made of that have no strong pixel so far."""

    def __len__(self) -> int:
        return len(self.grid)

    def take(self, kept: NDArray[np.bool_]) -> Candidates:
        """Return some of the candidates, numbered anew."""
        if kept.all():
            return self
        number = np.cumsum(kept) - 1
        seen = kept[self.seen.owner]
        names = ("grid", "kind", "first_plane", "gone", "y", "x", "score_sum", "score_px", "peak")
        return replace(
            self,
            **{name: getattr(self, name)[kept] for name in names},
            places=self.places.take(kept),
            seen=replace(self.seen[seen], owner=number[self.seen.owner[seen]]),
            split=_events(self.split, kept, number),
            merged=_events(self.merged, kept, number),
            shapes=None if self.shapes is None else self.shapes.take(seen),
            kin=self.kin.take(kept),
            parts=None if self.parts is None else self.parts.take(kept),
        )

    def bare(self) -> Candidates:
        """Return the candidates without what they are made of."""
        return replace(self, parts=None, weak=None)


def _events(events: Ints, kept: NDArray[np.bool_], number: Ints) -> Ints:
    events = events[kept[events[:, 0]]]
    return np.stack([number[events[:, 0]], events[:, 1]], axis=1)


def candidates_of(whole: Whole, terms: Terms, rules: Rules, bound: Ints | None = None) -> Candidates:
    """Return the candidates of whole components: each one, or with linking each chain of them.

    One without a pixel at or above the high threshold, at any time, is none (hysteresis). Where components lie on
    several grids, planes must count on one axis of time for all of them (`zones`). Components ``bound`` to each other,
    (2, pairs), are one candidate however little they share.
    """
    parts, chain, weak = _strong(whole, terms, rules, bound)
    n = int(parts.owner.max()) + 1 if len(parts.owner) else 0
    kin, apart = kin_of(parts.found, parts.owner, n)
    if apart.any():
        parts = Parts(parts.found.take(~apart), parts.owner[~apart], parts.component[~apart])
    found, owner = parts.found, parts.owner
    first = np.lexsort((found.x, found.y, found.grid, found.plane, owner))
    first = first[np.append(True, np.diff(owner[first]) > 0)[: len(first)]]
    places = _placed(found, owner, found.grid[first])
    seen, at_seen = _seen(found, owner, sums(places.owner, places.areas.px(len(places.owner)), n), terms)
    linked = terms.mode == "linked"
    return Candidates(
        grid=found.grid[first],
        kind=found.kind[first],
        first_plane=found.plane[first].astype(np.int64),
        gone=_gone(found, owner, n),
        y=found.y[first].astype(np.int64),
        x=found.x[first].astype(np.int64),
        score_sum=sums(owner, found.score_sum, n),
        score_px=sums(owner, found.area_px, n),
        peak=largest(owner, found.peak, n),
        places=places,
        seen=seen,
        split=_dated(chain.split, found.grid[first], terms, np.flatnonzero(kin.split)),
        merged=_dated(chain.merged, found.grid[first], terms, kin.absorbed[:, 0]),
        shapes=_placed(found, at_seen, found.grid[first][seen.owner]) if linked else None,
        kin=kin,
        parts=parts,
        weak=weak,
    )


def _gone(found: Found, owner: Ints, n: int) -> Ints:
    """Return the first day on which any pixel of each owner's last pieces was seen again."""
    last = found.plane == (largest(owner, found.plane + 1, n) - 1)[owner]
    day = smallest(owner[last], found.again_day[last], n)
    return np.where(day == NEVER, NO_DAY, day)


def _dated(events: Ints, grid: NDArray[np.int16], terms: Terms, told: NDArray[np.integer]) -> Ints:
    """Return events with days in place of planes, and those that candidates are ``told`` by an earlier run.

    Links tell of splits and merges by themselves.
    """
    out = np.stack([events[:, 0], terms.days_of(grid[events[:, 0]], events[:, 1])], axis=1)
    if terms.mode == "linked" or not len(told):
        return out
    return np.concatenate([out, np.stack([np.unique(told), np.full(len(np.unique(told)), terms.since)], axis=1)])


def _strong(whole: Whole, terms: Terms, rules: Rules, bound: Ints | None) -> tuple[Parts, Chain, Parts | None]:
    """Return what candidates with a strong pixel are made of, their events, and what others would be made of."""
    component = whole.component
    chain = _chain(whole.found, component, int(component.max()) + 1 if len(component) else 0, terms, rules)
    if terms.mode == "linked":
        bonds = component[np.stack([whole.found.bond_a, whole.found.bond_b])]
        bonds = bonds if bound is None else np.concatenate([bonds, bound], axis=1)
        chain = chain.bound(bonds) if bonds.size else chain
    owner = chain.owner[component]
    strong = sums(owner, whole.found.strong_px, len(chain.owner)) > 0
    number = np.cumsum(strong) - 1
    split, merged = (_events(events, strong, number) for events in (chain.split, chain.merged))
    every = Parts(whole.found, owner, component)
    return (
        every.take(strong),
        Chain(chain.owner, split, merged),
        every.take(~strong) if terms.mode == "linked" else None,
    )


def _chain(found: Found, component: Ints, count: int, terms: Terms, rules: Rules) -> Chain:
    if terms.mode != "linked":
        return Chain.apart(count)
    plane = np.zeros(count, dtype=np.int64)
    plane[component] = found.plane
    links = (component[found.link_a], component[found.link_b], found.link_px, found.link_gap_px)
    return chains(plane, sums(component, found.area_px, count), links, rules.link_overlap)


def _placed(found: Found, owner: Ints, grid: NDArray[np.integer]) -> Places:
    """Return the pixels of owners: ``owner`` is that of each piece (-1 for none), ``grid`` that of each owner.

    Where pieces lie on several grids, an owner has a place on each of its own.
    """
    found = found.take(owner >= 0)
    place = owner = owner[owner >= 0]
    owners = np.arange(len(grid))
    if len(found) and (found.grid != found.grid[0]).any():
        place = dense(owner, found.grid)
        first = np.unique(place, return_index=True)[1]
        owners, grid = owner[first], found.grid[first]
    areas = unite(place[found.run_piece], found.run_y, found.run_x0, found.run_x1)
    if not len(found.edge_piece):
        return Places(owners, grid, areas)
    columns = (found.edge_y.astype(np.int64), found.edge_x.astype(np.int64), found.edge_side, found.edge_share)
    return Places(owners, grid, areas, Edges(place[found.edge_piece], *columns))


def _seen(found: Found, owner: Ints, extent: Ints, terms: Terms) -> tuple[Seen, Ints]:
    """Return what was seen of owners, and for each piece its observation on its own plane.

    It is -1 where nothing was seen then: smoothing over time finds pieces on cloudy days as well. ``extent`` is the
    pixels of each owner.
    """
    of_row = owner[found.series_piece]
    width = int(max(found.series_plane.max(initial=0), found.plane.max(initial=0))) + 2
    code = of_row * width + found.series_plane
    rows, at = np.unique(code, return_inverse=True)
    who, plane = rows // width, rows % width
    grid = np.zeros(len(extent), dtype=np.int64)
    grid[owner] = found.grid
    px, total = (sums(at, column, len(rows)) for column in (found.series_px, found.series_sums))
    own = owner * width + found.plane
    at_seen = np.searchsorted(rows, own)
    at_seen[~np.isin(own, rows)] = -1
    there = at_seen >= 0
    linked = terms.mode == "linked"
    extent_px = sums(at_seen[there], found.area_px[there], len(rows)) if linked else extent[who]
    return Seen(who, plane, terms.days_of(grid[who], plane), px, total, extent_px), at_seen
