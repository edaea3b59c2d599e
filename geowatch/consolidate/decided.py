"""Sites that were decided on, as columns that can be put on a shelf and taken again in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.decide import area_m2_of, chosen_by_area, fill_holes, is_sure
from geowatch.consolidate.found import sums
from geowatch.consolidate.outlines import site_wkb
from geowatch.consolidate.series import course_of, lasts
from geowatch.consolidate.terms import NO_DAY
from geowatch.grid.areas import spread
from geowatch.grid.wkb import Wkb
from geowatch.sites.fragment import FULL_SCORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Candidates, Places
    from geowatch.consolidate.phases import PhaseModel
    from geowatch.consolidate.series import Course
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints

__all__ = [
    "EVENT",
    "MERGE",
    "RUN",
    "SITE",
    "SPLIT",
    "Decided",
    "Verdict",
    "decide",
    "gathered",
    "runs_of",
    "seen_dtype",
    "starts_of",
]

SITE = np.dtype([
    ("birth", "<i4"), ("grid", "<i2"), ("kind", "<i2"), ("y", "<i4"), ("x", "<i4"), ("plane", "<i4"), ("start", "<i4"),
    ("end", "<i4"), ("area_px", "<i8"), ("area_m2", "<f8"), ("score", "<f4"), ("peak", "<f4"), ("before", "<i4"),
])  # fmt: skip
"""What is known of a site; days since 1970-01-01, `NO_DAY` where there is none. ``before`` is the site of an earlier
run that it goes on with, by age, or -1."""
RUN = np.dtype([("grid", "<i2"), ("y", "<i4"), ("x0", "<i4"), ("x1", "<i4")])
"""Pixels of a site."""
EVENT = np.dtype([("what", "<i2"), ("day", "<i4")])
"""What happened to a site's outline."""
SPLIT, MERGE = 0, 1


def seen_dtype(classes: int) -> np.dtype[Any]:
    """Return the columns of an observation."""
    return np.dtype([
        ("day", "<i4"), ("time", "<i4"), ("phase", "<i2"), ("score", "<f4"), ("seen_share", "<f4"),
        ("shape_bytes", "<i4"), ("scores", "<f4", (classes,)),
    ])  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class Decided:
    """Sites with their pixels, observations and outlines; each ``*_start`` has one entry more than there are sites."""

    rows: NDArray[Any]
    """Of each site: `SITE`."""
    outlines: Wkb
    """Outline of each site."""
    runs: NDArray[Any]
    """Pixels: `RUN`, site after site."""
    runs_start: Ints
    seen: NDArray[Any]
    """Observations: `seen_dtype`, site after site, by day."""
    seen_start: Ints
    shapes: NDArray[np.uint8]
    """Outlines of observations, well-known binary of ``shape_bytes`` each."""
    shapes_start: Ints
    events: NDArray[Any]
    """What happened: `EVENT`, site after site."""
    events_start: Ints

    def __len__(self) -> int:
        return len(self.rows)


def starts_of(owner: Ints, owners: int) -> Ints:
    """Return where the rows of each owner start, for owners in order."""
    return np.searchsorted(owner, np.arange(owners + 1)).astype(np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Verdict:
    """What was decided on candidates."""

    sites: Decided
    """Those that are sites."""
    kept: NDArray[np.bool_]
    """Which candidates they are."""
    left_out: Counter[str]
    """How many are none, by reason."""
    active: NDArray[np.bool_]
    """Which candidates were ever active."""
    end: Ints
    """Day on which each was over, or `NO_DAY`."""


def decide(
    candidates: Candidates, terms: Terms, rules: Rules, model: PhaseModel | None = None, simplify: float = 0.0
) -> Verdict:
    """Return which candidates are sites, and why the others are none."""
    candidates = fill_holes(candidates.bare(), terms, rules)
    area_m2 = area_m2_of(candidates, terms)
    fits = {"area": chosen_by_area(area_m2, rules), "score": is_sure(candidates, rules)}
    course = course_of(candidates, terms, rules, model)
    # Where a site has ended, only what is new makes another one.
    new = ~candidates.kin.again | course.active & ((course.end == NO_DAY) | (course.end >= terms.since))
    left_out = Counter({reason: int((new & ~fit).sum()) for reason, fit in fits.items()})
    so_far = fits["area"] & fits["score"] & new
    kept = so_far & course.active & lasts(course, rules)
    left_out["activity"] = int((so_far & ~course.active).sum())
    left_out["duration"] = int((so_far & course.active & ~kept).sum())
    of_sites = course.take(kept, kept[candidates.seen.owner])
    sites = _decided(candidates.take(kept), of_sites, area_m2[kept], (terms, simplify))
    return Verdict(sites, kept, left_out, course.active & new, course.end)


def _decided(
    candidates: Candidates, course: Course, area_m2: NDArray[np.float64], terms: tuple[Terms, float]
) -> Decided:
    n, seen = len(candidates), candidates.seen
    outlines = site_wkb(candidates.places, *terms)
    shapes = Wkb(np.zeros(0, np.uint8), np.zeros(len(seen) + 1, np.int64))
    if candidates.shapes is not None and len(seen):
        shapes = site_wkb(candidates.shapes, *terms)
    runs, runs_start = runs_of(candidates.places, n)
    events, events_start = _events(candidates)
    seen_start = starts_of(seen.owner, n)
    return Decided(
        rows=_rows(candidates, course, area_m2, terms[0]),
        outlines=outlines,
        runs=runs,
        runs_start=runs_start,
        seen=_observations(candidates, course, np.diff(shapes.start)),
        seen_start=seen_start,
        shapes=shapes.content,
        shapes_start=shapes.start[seen_start],
        events=events,
        events_start=events_start,
    )


def _rows(candidates: Candidates, course: Course, area_m2: NDArray[np.float64], terms: Terms) -> NDArray[Any]:
    rows = np.zeros(len(candidates), dtype=SITE)
    first = np.full(len(candidates), NO_DAY)
    seen = candidates.seen
    first[seen.owner[::-1]] = seen.day[::-1]
    first = np.where(candidates.first_plane >= 0, terms.days_of(candidates.grid, candidates.first_plane), first)
    rows["birth"] = np.where(course.start != NO_DAY, course.start, first)
    for name in ("grid", "kind", "y", "x"):
        rows[name] = getattr(candidates, name)
    rows["plane"], rows["start"], rows["end"] = candidates.first_plane, course.start, course.end
    places = candidates.places
    rows["area_px"] = sums(places.owner, places.areas.px(len(places.owner)), len(rows))
    rows["area_m2"] = area_m2
    rows["score"] = candidates.score_sum / np.maximum(candidates.score_px, 1) / FULL_SCORE
    rows["peak"] = candidates.peak / FULL_SCORE
    rows["before"] = candidates.kin.before
    return rows


def _observations(candidates: Candidates, course: Course, shape_bytes: Ints) -> NDArray[Any]:
    seen = candidates.seen
    out = np.zeros(len(seen), dtype=seen_dtype(seen.sums.shape[1]))
    out["day"], out["time"], out["phase"] = seen.day, seen.plane, course.phase
    out["score"], out["scores"] = course.score, course.scores
    out["seen_share"] = seen.px / np.maximum(seen.extent_px, 1)
    out["shape_bytes"] = shape_bytes
    return out


def runs_of(places: Places, owners: int) -> tuple[NDArray[Any], Ints]:
    """Return the pixels of owners as rows of `RUN`, and where those of each start."""
    areas = places.areas
    out = np.zeros(len(areas), dtype=RUN)
    out["grid"], out["y"], out["x0"], out["x1"] = places.grid[areas.owner], areas.y, areas.x0, areas.x1
    return out, starts_of(places.owner[areas.owner], owners)


def _events(candidates: Candidates) -> tuple[NDArray[Any], Ints]:
    both = np.concatenate([candidates.split, candidates.merged])
    what = np.repeat(np.array([SPLIT, MERGE]), [len(candidates.split), len(candidates.merged)])
    dated = both[:, 1] != NO_DAY  # an event without a date says nothing
    both, what = both[dated], what[dated]
    order = np.lexsort((what, both[:, 1], both[:, 0]))
    owner, day = both[order].T
    out = np.zeros(len(both), dtype=EVENT)
    out["what"], out["day"] = what[order], day
    return out, starts_of(owner, len(candidates))


def gathered(values: NDArray[Any], start: Ints, at: NDArray[np.integer]) -> tuple[NDArray[Any], Ints]:
    """Return the rows of some owners, in this order, and where they start."""
    counts = np.diff(start)[at]
    return np.asarray(values[spread(counts, start[:-1][at])]), np.concatenate([[0], np.cumsum(counts)])
