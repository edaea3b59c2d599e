"""Which sites take part, and with which status in each subset (section 4 of the rules)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shapely.geometry import Polygon
from shapely.prepared import prep

from geowatch.metrics.sites.planar import Area, intersection
from geowatch.metrics.sites.reading import ScoredSite
from geowatch.metrics.sites.thresholds import Filters

__all__ = [
    "IGNORED", "NEGATIVE", "POSITIVE", "SUBSETS", "effective_status", "is_within", "proposals_of", "truth_of",
]  # fmt: skip

SUBSETS = ("overall", "completed", "partial")
"""What figures are given for: all sites, those that ended within the region's days, those that did not."""

_WHOLE = frozenset([
    "positive", "positive_annotated", "positive_annotated_static", "positive_pending", "transient_positive",
    "transient_pending",
])  # fmt: skip
POSITIVE = _WHOLE | {"positive_partial", "positive_partial_static"}
"""Statuses of truth that are to be found."""
NEGATIVE = frozenset(
    ["negative", "negative_unbounded", "positive_excluded", "transient_negative", "transient_excluded"]
)
"""Statuses of truth that must not be found."""
IGNORED = frozenset(["ignore", "positive_unbounded", "transient_ignore"])
"""Statuses of truth that cost nothing either way."""
_SMALL_ALLOWED = frozenset(["negative", "negative_unbounded", "transient_negative"])
#: Share of a truth site's polygon that must lie in the region.
_WITHIN = 0.9999


def truth_of(
    sites: Iterable[ScoredSite], region: Area, listed: Sequence[str], filters: Filters
) -> tuple[ScoredSite, ...]:
    """Return the truth sites that take part, in their order; ``listed`` are ids of site summaries, or none."""
    near, ids = prep(region), frozenset(listed)
    return tuple(
        each
        for each in sites
        if (not ids or each.site.id in ids)
        and _passes(each.status, filters.truth_statuses, filters.truth_without)
        and near.intersects(each.place)
    )


def proposals_of(sites: Iterable[ScoredSite], region: Area, filters: Filters) -> tuple[ScoredSite, ...]:
    """Return the proposals that take part, in their order."""
    near = prep(region)
    return tuple(
        each
        for each in sites
        if _passes(each.status, filters.proposal_statuses, filters.proposal_without)
        and (not filters.proposal_types or each.letter in filters.proposal_types)
        and near.intersects(each.place)
    )


def _passes(status: str, allowed: Sequence[str], refused: Sequence[str]) -> bool:
    return (not allowed or status in allowed) and status not in refused


def is_within(site: ScoredSite, region: Polygon | Area) -> bool:
    """Whether a truth site lies in the region; one without a polygon is taken to."""
    whole = site.polygon.area
    return not whole or intersection(site.polygon, region).area / whole >= _WITHIN


def effective_status(site: ScoredSite, subset: str, *, within: bool, small_m2: float) -> str:
    """Return the status of a truth site in a subset."""
    small = site.largest_km2 is not None and site.largest_km2 <= small_m2 / 1e6
    if (small and site.status not in _SMALL_ALLOWED) or not within:
        return _ignored(site.status)
    if not site.has_dates:
        return "ignore"
    return _of_type(site.site.status, site.bounded_type, subset)


def _of_type(status: str, kind: int, subset: str) -> str:
    if status not in _WHOLE and status != "positive_partial":
        return status
    if kind == 0:
        left_out = "completed" if status == "positive_partial" else "partial"
        return _ignored(status) if subset == left_out else status
    if kind == 1 and subset != "completed":
        return status
    return "transient_ignore" if "transient" in status else "positive_unbounded"


def _ignored(status: str) -> str:
    return "transient_ignore" if "transient" in status else "ignore"
