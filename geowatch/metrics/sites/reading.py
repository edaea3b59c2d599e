"""A site as the programme sees it: days cut to the region's, observations in order, interval of activity, polygon.

Section 3 of the rules: a `Site` and the region's days go in, a `ScoredSite` comes out. All days are day numbers
(`datetime.date.toordinal`); both ends of every range are part of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from shapely.geometry import MultiPolygon, Polygon

from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.planar import Area, area_km2, union
from geowatch.sites.model import PHASES, Observation, Site

__all__ = ["PHASE_LABELLED", "TYPE_LETTERS", "ScoredSite", "Seen", "read_site"]

PHASE_LABELLED = frozenset(
    ["positive_annotated", "positive_annotated_static", "positive_partial", "positive_partial_static"]
)
"""Statuses whose phases people have labelled."""
TYPE_LETTERS = {-2: "A", -1: "B", 0: "C", 1: "D", 2: "E"}
"""Letters of how a site lies against the region's time range."""

_NO_ACTIVITY, _PREPARATION, _ACTIVE, _POST = PHASES


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An observation that has a day."""

    day: int
    """Day number."""
    source: str | None
    """Name of the image."""
    phase: str | None
    """Phases as one text."""
    full: Area
    """Outline as the document has it."""
    boundary: Area
    """The part of it that is the site's boundary."""

    @property
    def is_active(self) -> bool:
        """Whether its phase tells of activity."""
        return self.phase is not None and (_PREPARATION in self.phase or _ACTIVE in self.phase)

    @property
    def phases(self) -> frozenset[str]:
        """Phases without repeats; a group's are joined by an underscore."""
        return frozenset(self.phase.replace("_", ", ").split(", ")) if self.phase else frozenset()

    def contains(self, phase: str) -> bool:
        """Whether its phase's text has this one in it."""
        return self.phase is not None and phase in self.phase


@dataclass(frozen=True, eq=False)
class ScoredSite:
    """A site as it is scored."""

    site: Site
    """What the document says."""
    status: str
    """Its status, ``ignore`` where a date is missing, ``positive_unbounded`` where no activity was found."""
    start: int
    """First day, cut to the region's."""
    end: int
    """Last day, cut to the region's; it may lie before the first."""
    seen: tuple[Seen, ...]
    """Observations by (day, source)."""
    kept: tuple[Seen, ...]
    """Those that are scored."""
    bounded_type: int
    """How it lies against the region's time range: -2, -1, 0, 1 or 2."""
    interval: tuple[int, int] | None
    """First and last day of activity."""
    earliest_start: int | None = None
    """First day that activity may have begun, of a phase-labelled site."""
    latest_start: int | None = None
    """First day that activity is sure, of a phase-labelled site."""

    @property
    def id(self) -> str:
        """Id, originator and version."""
        return self.site.key

    @property
    def score(self) -> float:
        """Confidence; 1 where none is given."""
        return 1.0 if self.site.score is None else self.site.score

    @property
    def has_dates(self) -> bool:
        """Whether the document gives both dates."""
        return self.site.start is not None and self.site.end is not None

    @property
    def letter(self) -> str:
        """Letter of `bounded_type`."""
        return TYPE_LETTERS[self.bounded_type]

    @property
    def days(self) -> Days:
        """Days from start to end."""
        return Days.of([(self.start, self.end)])

    @cached_property
    def polygon(self) -> Area:
        """Union of the kept boundaries; empty with nothing kept."""
        return union([each.boundary for each in self.kept]) if self.kept else Polygon()

    @cached_property
    def place(self) -> Area:
        """Where it is: the polygon, or the union of all observations where none is kept."""
        return self.polygon if self.kept or not self.seen else union([each.boundary for each in self.seen])

    @cached_property
    def area_km2(self) -> float:
        """Area of where it is."""
        return area_km2(self.place)

    @cached_property
    def largest_km2(self) -> float | None:
        """Area of its largest kept boundary; None with nothing kept."""
        return max((area_km2(each.boundary) for each in self.kept), default=None)

    def at(self, day: int) -> Seen | None:
        """Return the latest kept observation that is not newer than a day."""
        place = bisect_right(self.kept, day, key=lambda each: each.day)
        return self.kept[place - 1] if place else None


def read_site(site: Site, first: date, last: date, *, proposed: bool = False) -> ScoredSite:
    """Return a site as it is scored in a region whose days are ``first`` to ``last``.

    Phases of what is ``proposed`` narrow neither its observations nor its days, whatever its status; its type is read
    as of truth with that status.
    """
    r0, r1 = first.toordinal(), last.toordinal()
    start, end = _dates(site, r0, r1)
    status = site.status if site.start and site.end else "ignore"
    seen = _observations(site.observations, start, end)
    labelled = status in PHASE_LABELLED and not proposed
    kept = tuple(each for each in seen if r0 <= each.day <= r1) if labelled else seen
    kind = _bounded_type(seen, (r0, r1), labelled=status in PHASE_LABELLED)
    if not labelled:
        return ScoredSite(site, status, start, end, seen, kept, kind, (start, end))
    latest = _latest_start(seen, r0, r1)
    if latest is None:
        return ScoredSite(site, "positive_unbounded", start, end, seen, kept, kind, None)
    earliest = _earliest_start(seen, latest, r0, r1)
    return ScoredSite(site, status, start, end, seen, kept, kind, (latest, _last(kept, latest, r1)), earliest, latest)


def _dates(site: Site, r0: int, r1: int) -> tuple[int, int]:
    """Return first and last day, cut to the region's where they overlap them."""
    start = site.start.toordinal() if site.start else None
    end = site.end.toordinal() if site.end else None
    if start is not None and (end is None or end >= r0):
        start = max(start, r0)
    if end is not None and (start is None or start <= r1):
        end = min(end, r1)
    return r0 if start is None else start, r1 if end is None else end


def _observations(given: Sequence[Observation], start: int, end: int) -> tuple[Seen, ...]:
    """Return those with a day, in order; the first and the last of several take the site's where they have none."""
    days = [each.date.toordinal() if each.date else None for each in given]
    if len(given) > 1:
        days[0] = start if days[0] is None else days[0]
        days[-1] = end if days[-1] is None else days[-1]
    seen = [
        Seen(day, each.source, each.phase, each.geometry, _boundary(each))
        for day, each in zip(days, given, strict=True)
        if day is not None
    ]
    return tuple(sorted(seen, key=lambda each: (each.day, str(each.source))))


def _boundary(seen: Observation) -> Area:
    """Return the subsites that are part of the boundary; beyond the end of the list of flags there are none."""
    if not isinstance(seen.geometry, MultiPolygon) or seen.is_boundary == (True,):
        return seen.geometry
    flags = seen.is_boundary or (True,)
    return MultiPolygon([part for part, flag in zip(seen.geometry.geoms, flags, strict=False) if flag])


def _bounded_type(seen: Sequence[Seen], region: tuple[int, int], *, labelled: bool) -> int:
    """Return how observations, of a phase-labelled site the active ones, lie against the region's days."""
    r0, r1 = region
    marks = [each.day for each in seen if each.is_active or not labelled]
    before, inside, after = (
        any(day < r0 for day in marks), any(r0 <= day <= r1 for day in marks), any(day > r1 for day in marks),
    )  # fmt: skip
    if _is_over(seen, r0, r1):
        return 0
    if before:
        return -1 if inside else -2
    return (1 if inside else 2) if after else 0


def _is_over(seen: Sequence[Seen], r0: int, r1: int) -> bool:
    """Whether activity began and ended within the region's days, whatever was seen after them."""
    late = [each.phase for each in seen if each.day > r1]
    return (
        not any(each.is_active for each in seen if each.day < r0)
        and any(each.phase == _POST for each in seen if r0 <= each.day <= r1)
        and bool(late)
        and all(phase == _POST for phase in late)
    )


def _latest_start(seen: Sequence[Seen], r0: int, r1: int) -> int | None:
    inside = [each for each in seen if r0 <= each.day <= r1]
    begun = any(each.is_active for each in seen if each.day < r0)
    if begun and any(each.is_active or each.contains(_POST) for each in inside):
        return r0
    return next((each.day for each in inside if each.is_active), None)


def _earliest_start(seen: Sequence[Seen], latest: int, r0: int, r1: int) -> int:
    quiet = [each.day for each in seen if each.day <= min(latest, r1) and each.contains(_NO_ACTIVITY)]
    return max(quiet[-1], r0) if quiet else latest


def _last(kept: Sequence[Seen], latest: int, r1: int) -> int:
    return next((each.day for each in kept if each.day >= latest and each.phases == {_POST}), r1)
