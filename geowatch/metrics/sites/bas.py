"""Broad area search: which truth sites were found, and the figures of merit (section 6 of the rules)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from shapely.geometry import Polygon

from geowatch.metrics.sites.comparing import Comparison, Judgement, passes
from geowatch.metrics.sites.planar import Area, area_km2, difference, intersection, repaired, union
from geowatch.metrics.sites.reading import ScoredSite
from geowatch.metrics.sites.taking_part import IGNORED, NEGATIVE, POSITIVE
from geowatch.metrics.sites.thresholds import Thresholds

__all__ = ["Assignment", "Case", "Detection", "f_score"]


@dataclass(frozen=True, eq=False)
class Case:
    """A subset of a region's sites, compared: all that does not depend on thresholds."""

    region_id: str
    """Region."""
    outline: Area
    """Its polygon."""
    days: int
    """Days from its first to its last."""
    truth: tuple[ScoredSite, ...]
    """Truth sites that take part, in the order in which they were read."""
    statuses: tuple[str, ...]
    """Their statuses in this subset."""
    comparisons: tuple[Sequence[Comparison], ...]
    """What each of them was compared with."""
    proposals: tuple[ScoredSite, ...]
    """Proposals that take part."""
    annotations: tuple[int, int]
    """Truth and proposal documents that were read."""

    @cached_property
    def area_km2(self) -> float:
        """Area of the region."""
        return area_km2(self.outline)

    @cached_property
    def truth_slices(self) -> int:
        """Observations of truth sites that are scored."""
        return sum(len(each.kept) for each in self.truth)

    def assign(self, at: Thresholds, marked: set[str]) -> Assignment:
        """Give each truth site the proposals that match it best.

        Args:
            at: Thresholds.
            marked: Ids of truth sites that were compared by IoT in this run; those of this call are added.
        """
        detections: list[Detection] = []
        failed: list[tuple[Comparison, Judgement]] = []
        for site, status, compared in zip(self.truth, self.statuses, self.comparisons, strict=True):
            judged = [(each, each.judge(status, at)) for each in compared] if status in _CLASSES else []
            if any(judgement.by_iot for _, judgement in judged):
                marked.add(site.id)
            failed += [pair for pair in judged if not pair[1].matches]
            detections.append(Detection(site, status, *_chosen(judged, at)))
        good = tuple(each for each in self.proposals if passes(each, at))
        return Assignment(self, at, tuple(detections), good, tuple(failed), frozenset(marked))


_CLASSES = POSITIVE | NEGATIVE | IGNORED


def _chosen(
    judged: Sequence[tuple[Comparison, Judgement]], at: Thresholds
) -> tuple[Comparison | None, Judgement | None]:
    found = [pair for pair in judged if pair[1].matches and pair[0].passes(at)]
    best = max(found, key=lambda pair: (len(pair[0].group.members), pair[1].spatial, pair[0].group.id), default=None)
    return best or (None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A truth site and what was found of it."""

    truth: ScoredSite
    """Truth site."""
    status: str
    """Its status in this subset."""
    found: Comparison | None
    """The proposals that it took."""
    judgement: Judgement | None
    """How well they match."""

    @property
    def members(self) -> tuple[ScoredSite, ...]:
        """Proposals that it took."""
        return self.found.group.members if self.found else ()

    @property
    def mark(self) -> str:
        """Return ``tp``, ``fn``, ``fp``, ``tn``, ``0`` for what is ignored, or nothing for what is not scored."""
        if self.status in POSITIVE:
            return "tp" if self.found else "fn"
        if self.status in NEGATIVE:
            return "fp" if self.found else "tn"
        return "0" if self.status in IGNORED else ""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Truth sites with the proposals that they took, at one set of thresholds."""

    case: Case
    """What was compared."""
    at: Thresholds
    """Thresholds."""
    detections: tuple[Detection, ...]
    """One for each truth site, in their order."""
    proposals: tuple[ScoredSite, ...]
    """Proposals that are large and sure enough."""
    failed: tuple[tuple[Comparison, Judgement], ...]
    """Pairs that do not match."""
    by_iot: frozenset[str]
    """Truth sites that were compared by IoT."""

    @cached_property
    def takers(self) -> Mapping[str, tuple[Detection, ...]]:
        """Truth sites that took a proposal, by its id."""
        found: dict[str, list[Detection]] = {}
        for detection in self.detections:
            for member in detection.members:
                found.setdefault(member.id, []).append(detection)
        return {key: tuple(value) for key, value in found.items()}

    @cached_property
    def unclaimed(self) -> tuple[ScoredSite, ...]:
        """Proposals that no truth site took."""
        return tuple(each for each in self.proposals if each.id not in self.takers)

    def mark_of(self, proposal: ScoredSite) -> str:
        """Return ``tp``, ``fp``, ``tpfp``, or ``0`` for one that only ignored sites took."""
        marks = {each.mark for each in self.takers.get(proposal.id, ())}
        if proposal.id not in self.takers:
            return "fp"
        return ("tp" if "tp" in marks else "") + ("fp" if "fp" in marks else "") or "0"

    @cached_property
    def marks(self) -> Counter[str]:
        """Number of truth sites by mark."""
        return Counter(each.mark for each in self.detections)

    @cached_property
    def kinds(self) -> Counter[str]:
        """Number of detected positive sites by how: over, exact, under (IoU) or under (IoT)."""
        return Counter(self._kind(each) for each in self.detections if each.mark == "tp")

    def _kind(self, detection: Detection) -> str:
        if len(detection.members) > 1:
            return "over"
        if len(self.takers[detection.members[0].id]) == 1:
            return "exact"
        return "under (IoT)" if detection.truth.id in self.by_iot else "under (IoU)"

    @cached_property
    def true_positives(self) -> int:
        """Positive truth sites that were found."""
        return self.marks["tp"]

    @cached_property
    def false_positives(self) -> int:
        """Negative truth sites that were found, and proposals that no truth site took."""
        return self.marks["fp"] + len(self.unclaimed)

    @cached_property
    def false_negatives(self) -> int:
        """Positive truth sites that were not found."""
        return self.marks["fn"]

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return scores_of(self.true_positives, self.false_positives, self.false_negatives)[2]

    @cached_property
    def proposed_slices(self) -> int:
        """Observations of what truth sites took, and of what none took."""
        taken = sum(len(each.found.group.seen) for each in self.detections if each.found)
        return taken + sum(len(each.kept) for each in self.unclaimed)

    @cached_property
    def confident(self) -> int:
        """Proposals that are sure enough, whatever their size."""
        return sum(each.score >= self.at.min_score for each in self.case.proposals)

    @cached_property
    def areas(self) -> Areas:
        """Areas of proposals, and of what of them is a false alarm."""
        proposed = union([each.polygon for each in self.proposals]) if self.proposals else Polygon()
        hits = [hit for each in self.detections if each.status not in NEGATIVE for hit in _hits(each)]
        if not hits:
            return Areas(area_km2(proposed))
        hit = union(hits)
        alarm, rest = area_km2(difference(proposed, hit)), area_km2(difference(repaired(self.case.outline), hit))
        return Areas(area_km2(proposed), alarm, rest)


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas in km2."""

    proposed: float
    """Of all proposals together."""
    alarm: float = 0.0
    """Of that, what is no part of a truth site."""
    quiet: float = field(default=0.0)
    """Of the region without what was hit; 0 where nothing was."""

    @property
    def share(self) -> float:
        """Share of the quiet part that is a false alarm."""
        return self.alarm / self.quiet if self.quiet else 0.0


def _hits(detection: Detection) -> list[Area]:
    """Return what each proposal has of a truth site's polygon on the days that it was seen."""
    found = []
    for member in detection.members:
        seen = {id(at): at.boundary for each in detection.truth.kept if (at := member.at(each.day)) is not None}
        if seen:
            found.append(intersection(detection.truth.polygon, union(list(seen.values()))))
    return found


def scores_of(tp: int, fp: int, fn: int) -> tuple[float, float, float]:
    """Return precision, recall and F1; all are 0 where nothing was found.

    >>> scores_of(9, 8, 2)[2]
    0.6428571428571429
    """
    return (tp / (tp + fp), tp / (tp + fn), tp / (tp + (fp + fn) / 2)) if tp else (0.0, 0.0, 0.0)


def f_score(precision: float, recall: float, beta: float) -> float:
    """Return the weighted harmonic mean of precision and recall; ``beta`` is the weight of recall."""
    squared = beta * beta
    return (1 + squared) * precision * recall / (squared * precision + recall) if precision or recall else 0.0


def rounded(value: float, places: int = 4) -> float:
    """Return a figure as NumPy rounds it: half to even after scaling."""
    return float(np.round(value, places))
