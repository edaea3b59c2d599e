"""Sites of an earlier run, carried on in time.

What is older than the *cut* does not change any more: its observations, and starts and ends that lie before it. The
cut is the day from which on this run saw everything that the earlier run saw, less what smoothing over time reaches
back. Outlines follow this run where it looked at all of the time again; else they are the union of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.candidates import Places
from geowatch.consolidate.decide import by_grid
from geowatch.consolidate.decided import EVENT, Decided, gathered, runs_of, starts_of
from geowatch.consolidate.found import sums
from geowatch.consolidate.outlines import site_wkb
from geowatch.consolidate.terms import NO_DAY
from geowatch.grid.areas import spread, unite
from geowatch.grid.wkb import Wkb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints

__all__ = ["Carry", "taken", "with_event"]


def taken(sites: Decided, at: NDArray[np.integer]) -> Decided:
    """Return some sites, in this order."""
    columns: dict[str, Any] = {}
    for name in ("runs", "seen", "shapes", "events"):
        columns[name], columns[f"{name}_start"] = gathered(getattr(sites, name), getattr(sites, f"{name}_start"), at)
    return Decided(rows=sites.rows[at], outlines=sites.outlines.take(at), **columns)


def with_event(sites: Decided, what: NDArray[np.integer], day: NDArray[np.integer]) -> Decided:
    """Return sites with one more event each, where ``what`` is none (-1) or the day unknown with none more."""
    count = np.diff(sites.events_start)
    what = np.where(day == NO_DAY, -1, what)
    more = (what >= 0).astype(np.int64)
    owner = np.concatenate([np.repeat(np.arange(len(sites)), count), np.flatnonzero(more)])
    added = np.zeros(int(more.sum()), dtype=EVENT)
    added["what"], added["day"] = what[more > 0], day[more > 0]
    events = np.concatenate([sites.events, added])
    order = np.lexsort((events["what"], events["day"], owner))
    start = np.concatenate([[0], np.cumsum(count + more)])
    names = ("rows", "outlines", "runs", "runs_start", "seen", "seen_start", "shapes", "shapes_start")
    return Decided(**{name: getattr(sites, name) for name in names}, events=events[order], events_start=start)


@dataclass(frozen=True)
class Carry:
    """How earlier sites go on."""

    terms: Terms
    """What was tracked."""
    cut_day: int
    """What is older does not change; `NO_DAY` + 1 where nothing has dates."""
    anew: bool
    """Whether this run looked at all of the time again, so that its outlines stand alone."""
    simplify: float = 0.0
    """Units of the CRS by which corners may move."""

    @property
    def merge_day(self) -> int:
        """Day on which sites merge that were several so far; `NO_DAY` where nothing has dates."""
        return NO_DAY if self.cut_day == NO_DAY + 1 else self.cut_day

    def is_closed(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which earlier sites ended before the cut: they stay as they are."""
        return np.asarray((rows["end"] != NO_DAY) & (rows["end"] < self.cut_day))

    def on(self, earlier: Decided, new: Decided) -> Decided:
        """Return earlier sites with what the new ones, row by row the same sites, add to them."""
        seen, seen_start, shapes, shapes_start = self._seen(earlier, new)
        events, events_start = _joined(
            (earlier.events, earlier.events_start), (new.events, new.events_start),
            (earlier.events["day"] < self.cut_day, new.events["day"] >= self.cut_day),
        )  # fmt: skip
        rows = self._rows(earlier.rows, new.rows)
        runs, runs_start, outlines = new.runs, new.runs_start, new.outlines
        if not self.anew and len(rows):
            runs, runs_start, outlines = self._united(earlier, new, rows)
        return Decided(
            rows, outlines, runs, runs_start, seen, seen_start, shapes, shapes_start, events, events_start
        )  # fmt: skip

    def _rows(self, old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        rows = new.copy()
        for name in ("birth", "grid", "kind", "y", "x"):
            rows[name] = old[name]
        settled = (old["start"] != NO_DAY) & (old["start"] < self.cut_day)
        rows["start"] = np.where(settled, old["start"], new["start"])
        if not self.anew:
            px = old["area_px"] + new["area_px"]
            rows["score"] = (old["score"] * old["area_px"] + new["score"] * new["area_px"]) / px
            rows["peak"] = np.maximum(old["peak"], new["peak"])
        return rows

    def _seen(self, earlier: Decided, new: Decided) -> tuple[NDArray[Any], Ints, NDArray[np.uint8], Ints]:
        keeps = (earlier.seen["day"] < self.cut_day, new.seen["day"] >= self.cut_day)
        seen, start = _joined((earlier.seen, earlier.seen_start), (new.seen, new.seen_start), keeps)
        bytes_of = [
            np.concatenate([[0], np.cumsum(each.seen["shape_bytes"], dtype=np.int64)]) for each in (earlier, new)
        ]
        parts = []
        for each, first, kept in zip((earlier, new), bytes_of, keeps, strict=True):
            owner = np.repeat(np.arange(len(each)), np.diff(each.seen_start))[kept]
            parts.append((each.shapes, first, np.flatnonzero(kept), owner))
        shapes = _shapes(parts)
        return seen, start, shapes, np.concatenate([[0], np.cumsum(seen["shape_bytes"], dtype=np.int64)])[start]

    def _united(self, earlier: Decided, new: Decided, rows: NDArray[Any]) -> tuple[NDArray[Any], Ints, Wkb]:
        """Return the pixels that sites have in either run, and their outlines; areas go into ``rows``."""
        runs = np.concatenate([earlier.runs, new.runs])
        owner = np.concatenate([np.repeat(np.arange(len(rows)), np.diff(each.runs_start)) for each in (earlier, new)])
        grids = len(self.terms.grids)
        pairs, place = np.unique(owner * grids + runs["grid"], return_inverse=True)
        areas = unite(place, runs["y"], runs["x0"], runs["x1"])
        both = Places(pairs // grids, pairs % grids, areas)
        rows["area_px"] = sums(both.owner, areas.px(len(pairs)), len(rows))
        m2 = by_grid(areas, both.grid, self.terms)
        rows["area_m2"] = np.bincount(both.owner, weights=m2, minlength=len(rows))
        return *runs_of(both, len(rows)), site_wkb(both, self.terms, self.simplify)


def _joined(
    one: tuple[NDArray[Any], Ints], other: tuple[NDArray[Any], Ints], keeps: tuple[NDArray[Any], NDArray[Any]]
) -> tuple[NDArray[Any], Ints]:
    """Return the kept rows of both, for each owner those of ``one`` first."""
    owners = len(one[1]) - 1
    owner = [
        np.repeat(np.arange(owners), np.diff(start))[kept] for (_, start), kept in zip((one, other), keeps, strict=True)
    ]
    rows = np.concatenate([values[kept] for (values, _), kept in zip((one, other), keeps, strict=True)])
    both = np.concatenate(owner)
    order = np.argsort(both, kind="stable")
    return rows[order], starts_of(both[order], owners)


def _shapes(parts: list[tuple[NDArray[np.uint8], Ints, NDArray[np.intp], Ints]]) -> NDArray[np.uint8]:
    """Return the bytes of kept observations, for each owner those of the first part first."""
    content = np.concatenate([shapes for shapes, *_ in parts])
    shift = np.cumsum([0, *(len(shapes) for shapes, *_ in parts)])
    first = np.concatenate([start[:-1][at] + by for (_, start, at, _), by in zip(parts, shift, strict=False)])
    counts = np.concatenate([np.diff(start)[at] for _, start, at, _ in parts])
    order = np.argsort(np.concatenate([owner for *_, owner in parts]), kind="stable")
    return np.asarray(content[spread(counts[order], first[order])])
