"""Two runs of one region, one after the other: whose sites go on, which stay, and which are new.

Earlier sites keep their numbers. A new site that overlaps some goes on with the oldest of them; it stays the only
one to do so. An earlier site that ended before the cut stays as it is, and what begins there later is a new site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.decided import MERGE, SPLIT, Decided
from geowatch.consolidate.extend import Carry, taken, with_event
from geowatch.consolidate.inherit import Heirs, Shared, heirs, shared_px
from geowatch.consolidate.terms import NO_DAY
from geowatch.consolidate.whole_region import order_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.shelf import Shelf
    from geowatch.grid.areas import Ints

__all__ = ["Earlier", "carry_on"]

_AT_ONCE, _ROWS = 65_536, 1 << 24


@dataclass(frozen=True, eq=False, slots=True)
class Earlier:
    """The sites of an earlier run."""

    sites: Decided
    """By number."""
    number: Ints
    """Their numbers."""


def carry_on(shelf: Shelf, earlier: Earlier, carry: Carry, out: Shelf, least_share: float = 0.0) -> Ints:
    """Put the sites of both runs on another shelf; return their numbers.

    Args:
        shelf: New sites.
        earlier: Earlier ones, which keep their numbers.
        carry: How they go on.
        out: Takes all sites.
        least_share: Sites overlap where they share more than this part of the smaller one.
    """
    order, old = order_of(shelf.rows), earlier.sites
    rows = shelf.rows[order]
    settled = carry.is_closed(old.rows)
    age = np.empty(len(old), dtype=np.int64)
    # Those that have not ended come first: what one of them does now must not be lost in one that changes no more.
    age[np.lexsort((earlier.number, old.rows["birth"], settled))] = np.arange(len(old))
    found = _shared(shelf, order, old, least_share)
    found = found[~_apart(rows, old.rows, found, carry)]
    same = heirs(found, len(rows), age)
    goes_on = same.earlier >= 0
    stays = goes_on & settled[np.maximum(same.earlier, 0)]
    fresh = np.flatnonzero(~goes_on)
    numbers = [_keep_earlier(earlier, same, carry, stays, out)]
    grows = np.flatnonzero(goes_on & ~stays)
    _grow(shelf, order[grows], (earlier.sites, same.earlier[grows]), np.isin(grows, same.absorbed_by), (carry, out))
    _add_fresh(shelf, order[fresh], same.split_from[fresh] >= 0, out)
    first = int(earlier.number.max()) + 1 if len(old) else 0
    return np.concatenate([*numbers, earlier.number[same.earlier[grows]], first + np.arange(len(fresh))])


def _shared(shelf: Shelf, order: Ints, old: Decided, least_share: float) -> Shared:
    """Return the pixels that new sites, by their places in ``order``, and earlier ones share."""
    parts = []
    owner = np.repeat(np.arange(len(old)), np.diff(old.runs_start))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    for share in shelf.shares(order, _AT_ONCE, _ROWS):
        sites = shelf.take(share)
        mine = np.repeat(np.arange(len(sites)), np.diff(sites.runs_start))
        found = shared_px((sites.runs, mine, sites.rows["kind"]), (old.runs, owner, old.rows["kind"]))
        enough = found.px > least_share * np.minimum(
            sites.rows["area_px"][found.new], old.rows["area_px"][found.earlier]
        )
        found = found[enough]
        parts.append(Shared(place[share[found.new]], found.earlier, found.px))
    none = np.zeros(0, dtype=np.int64)
    return Shared(*(np.concatenate([none, *(getattr(p, n) for p in parts)]) for n in ("new", "earlier", "px")))


def _apart(new: NDArray[Any], old: NDArray[Any], found: Shared, carry: Carry) -> NDArray[np.bool_]:
    """Return which pairs are of different times: the new site begins after the earlier one had ended."""
    ended = carry.is_closed(old)[found.earlier]
    start = new["start"][found.new]
    return np.asarray(ended & (start != NO_DAY) & (start > old["end"][found.earlier]))


def _keep_earlier(earlier: Earlier, same: Heirs, carry: Carry, stays: NDArray[np.bool_], out: Shelf) -> Ints:
    """Put earlier sites that do not go on where they are; those that were taken in by an older one end."""
    grows = np.zeros(len(earlier.sites), dtype=bool)
    grows[same.earlier[(same.earlier >= 0) & ~stays]] = True
    at = np.flatnonzero(~grows)
    sites = taken(earlier.sites, at)
    merged = (same.absorbed_by[at] >= 0) & (sites.rows["end"] == NO_DAY)
    sites.rows["end"] = np.where(merged, np.maximum(carry.merge_day, sites.rows["start"]), sites.rows["end"])
    out.add(with_event(sites, np.where(merged, MERGE, -1), np.full(len(at), carry.merge_day)))
    return earlier.number[at]


def _grow(
    shelf: Shelf, at: Ints, before: tuple[Decided, Ints], took_in: NDArray[np.bool_], to: tuple[Carry, Shelf]
) -> None:
    """Put new sites (places on the shelf) with what they were before (places among the earlier) on the other shelf."""
    (earlier, old), (carry, out) = before, to
    done = 0
    for share in shelf.shares(at, _AT_ONCE, _ROWS):
        part = slice(done, done + len(share))
        sites = carry.on(taken(earlier, old[part]), shelf.take(share))
        out.add(with_event(sites, np.where(took_in[part], MERGE, -1), np.full(len(share), carry.merge_day)))
        done += len(share)


def _add_fresh(shelf: Shelf, at: Ints, split: NDArray[np.bool_], out: Shelf) -> None:
    done = 0
    for share in shelf.shares(at, _AT_ONCE, _ROWS):
        sites = shelf.take(share)
        what = np.where(split[done : done + len(share)], SPLIT, -1)
        out.add(with_event(sites, what, sites.rows["start"]))
        done += len(share)
