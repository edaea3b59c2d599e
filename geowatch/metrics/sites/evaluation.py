"""One region's truth against proposals: every subset, every set of thresholds, and the best of them.

>>> from datetime import date
>>> from shapely.geometry import box
>>> from geowatch.sites.model import Observation, RegionModel, Site
>>> square, day = box(0.01, 0.01, 0.012, 0.012), date(2016, 1, 1)
>>> region = RegionModel("ZZ_R001", box(0, 0, 0.1, 0.1), date(2015, 1, 1), date(2017, 1, 1))
>>> seen = (Observation(day, square, ("Active Construction",)),)
>>> truth = Site("ZZ_R001_0001", square, "positive_pending", day, day, seen)
>>> proposal = Site("ZZ_R001_9001", square, "system_confirmed", day, day, seen)
>>> overall = evaluate_region(region, [truth], [proposal]).subsets["overall"]
>>> overall.best.f1, overall.best.detections[0].mark
(1.0, 'tp')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from geowatch.errors import InputError
from geowatch.metrics.sites.activity import Pair, pairs_of
from geowatch.metrics.sites.bas import Assignment, Case
from geowatch.metrics.sites.comparing import Comparison, compare_all
from geowatch.metrics.sites.planar import area_km2
from geowatch.metrics.sites.reading import ScoredSite, read_site
from geowatch.metrics.sites.taking_part import SUBSETS, effective_status, is_within, proposals_of, truth_of
from geowatch.metrics.sites.thresholds import Filters, Sweep
from geowatch.sites.model import RegionModel, Site

__all__ = ["RegionScores", "SubsetScores", "evaluate_region"]


@dataclass(frozen=True, eq=False)
class SubsetScores:
    """A subset's figures."""

    case: Case
    """What was compared."""
    rows: tuple[Assignment, ...]
    """One for each set of thresholds, ascending."""

    @cached_property
    def best(self) -> Assignment:
        """The row of the largest F1, among equals the strictest."""
        return max(enumerate(self.rows), key=lambda row: (row[1].f1, row[0]))[1]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Pairs of the best row whose phases are compared."""
        return pairs_of(self.best)


@dataclass(frozen=True, eq=False)
class RegionScores:
    """A region's figures."""

    region: RegionModel
    """Region."""
    truth: tuple[ScoredSite, ...]
    """Truth sites that took part."""
    proposals: tuple[ScoredSite, ...]
    """Proposals that took part."""
    subsets: dict[str, SubsetScores]
    """Figures by subset."""


def evaluate_region(
    region: RegionModel,
    truth: Sequence[Site],
    proposals: Sequence[Site],
    sweep: Sweep | None = None,
    filters: Filters | None = None,
) -> RegionScores:
    """Compare proposed sites with true ones as the SMART programme does.

    Args:
        region: The region; where it has site summaries, only truth sites among them take part.
        truth: True sites, in the order in which the programme would read them.
        proposals: Proposed sites.
        sweep: Values of the thresholds; left out, the programme's own.
        filters: Which sites take part; left out, the programme's own.

    Raises:
        InputError: where the region covers nothing, or ends before it starts.
    """
    if not area_km2(region.geometry):
        raise InputError(f"region {region.id} covers no area", hint="give its outline as a Polygon of lon/lat")
    if region.end < region.start:
        fact = f"region {region.id} ends on {region.end}, before it starts on {region.start}"
        raise InputError(fact, hint="correct its start_date or its end_date")
    sweep, filters = sweep or Sweep(), filters or Filters()
    first, last = region.start, region.end
    annotated = (read_site(each, first, last) for each in truth)
    found = (read_site(each, first, last, proposed=True) for each in proposals)
    true = truth_of(annotated, region.geometry, [each.id for each in region.sites], filters)
    proposed = proposals_of(found, region.geometry, filters)
    compared = tuple(compare_all(true, proposed, sweep.min_score))
    base = _Base(region, true, proposed, compared, (len(truth), len(proposals)))
    return RegionScores(region, true, proposed, {each: base.score(each, sweep, filters) for each in SUBSETS})


@dataclass(frozen=True, eq=False)
class _Base:
    """What all subsets share."""

    region: RegionModel
    truth: tuple[ScoredSite, ...]
    proposals: tuple[ScoredSite, ...]
    comparisons: tuple[list[Comparison], ...]
    annotations: tuple[int, int]

    @cached_property
    def within(self) -> list[bool]:
        return [is_within(each, self.region.geometry) for each in self.truth]

    def score(self, subset: str, sweep: Sweep, filters: Filters) -> SubsetScores:
        statuses = tuple(
            effective_status(each, subset, within=within, small_m2=filters.small_m2)
            for each, within in zip(self.truth, self.within, strict=True)
        )
        case = Case(
            region_id=self.region.id,
            outline=self.region.geometry,
            days=(self.region.end - self.region.start).days + 1,
            truth=self.truth,
            statuses=statuses,
            comparisons=self.comparisons,
            proposals=self.proposals,
            annotations=self.annotations,
        )
        marked: set[str] = set()
        return SubsetScores(case, tuple(case.assign(at, marked) for at in sweep.sets()))
