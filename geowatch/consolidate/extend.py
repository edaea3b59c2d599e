"""Some of several sites, and sites to which something happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.decided import EVENT, Decided, gathered
from geowatch.consolidate.terms import NO_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["taken", "with_event"]


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
