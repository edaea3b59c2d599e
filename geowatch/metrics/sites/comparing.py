"""Truth sites against proposals: which are compared, date by date overlaps, and what a match is.

Section 5 of the rules. What does not depend on thresholds is computed once: the groups of candidates of each
minimum score, and the table of dates of each pair. `Comparison.judge` then applies thresholds and status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import shapely
from numpy.typing import NDArray

from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.groups import Group, Unions
from geowatch.metrics.sites.planar import Area, area_km2, intersection, repaired, union
from geowatch.metrics.sites.reading import PHASE_LABELLED, ScoredSite, Seen
from geowatch.metrics.sites.taking_part import IGNORED
from geowatch.metrics.sites.thresholds import Thresholds
from geowatch.sites.model import PHASES

__all__ = ["Comparison", "Judgement", "compare_all", "interval_of", "passes"]

_NO_ACTIVITY, _POST = PHASES[0], PHASES[3]


@dataclass(frozen=True, slots=True)
class _Row:
    """Overlaps on a day."""

    day: int
    source: str | None
    iou: float = 0.0
    iot: float = 0.0
    iop: float = 0.0

    @property
    def rank(self) -> tuple[float, bool, str]:
        return self.iou, self.source is None, self.source or ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A pair seen through thresholds."""

    matches: bool
    """Whether the proposals match the truth site."""
    spatial: float | None
    """Share of dates that overlap in space; None without dates."""
    tiot: float | None
    """Share of the truth's days; None without days."""
    tiop: float | None
    """Share of the proposals' days."""
    by_iot: bool = False
    """Whether the overlap over the truth's area had to stand in for IoU."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A truth site and a group of proposals."""

    truth: ScoredSite
    """Truth site."""
    group: Group
    """Proposals."""
    rows: tuple[_Row, ...]
    """Dates that are compared, ascending."""

    @property
    def share_perfect(self) -> float:
        """Share of the dates on which both outlines are the same."""
        return sum(row.iou >= 1 for row in self.rows) / len(self.rows) if self.rows else 0.0

    def passes(self, at: Thresholds) -> bool:
        """Whether every proposal is large and sure enough."""
        return all(passes(each, at) for each in self.group.members)

    def judge(self, status: str, at: Thresholds) -> Judgement:
        """Return whether this is a match for a truth site of this status."""
        spatial, by_iot = self._spatial(status, at)
        tiot, tiop = self._temporal(status)
        need_tiop, need_tiot = at.of_time(is_transient="transient" in status)
        matches = (
            spatial is not None and spatial >= at.rho
            and tiop is not None and tiop >= need_tiop
            and tiot is not None and (status in IGNORED or tiot >= need_tiot)
        )  # fmt: skip
        return Judgement(matches, spatial, tiot, tiop, by_iot)

    def _spatial(self, status: str, at: Thresholds) -> tuple[float | None, bool]:
        if not self.rows:
            return None, False
        if status in IGNORED:
            ends = (self.rows[0], self.rows[-1])
            return sum(row.iop >= at.tau for row in ends) / 2, False
        share = sum(row.iou >= at.tau for row in self.rows) / len(self.rows)
        if share >= at.rho:
            return share, False
        return sum(row.iot >= at.tau for row in self.rows) / len(self.rows), True

    def _temporal(self, status: str) -> tuple[float | None, float | None]:
        """Return the shares of the truth's and of the proposals' days that both have."""
        least, most = _intervals(self.truth, status)
        days = self.group.days
        if not (least and days):
            return None, None
        return (least & days).count / least.count, (most & days).count / days.count


def passes(proposal: ScoredSite, at: Thresholds) -> bool:
    """Whether a proposal is large and sure enough."""
    return proposal.area_km2 >= at.min_area_m2 / 1e6 and proposal.score >= at.min_score


def interval_of(truth: ScoredSite, status: str) -> tuple[int, int] | None:
    """Return the first and the last day of a truth site of this status: of one that is ignored, the site's own."""
    return (truth.start, truth.end) if status in IGNORED else truth.interval


def _intervals(truth: ScoredSite, status: str) -> tuple[Days, Days]:
    """Return the least and the most days of activity of a truth site of this status."""
    interval = interval_of(truth, status)
    if interval is None:
        return Days(), Days()
    if status not in PHASE_LABELLED or truth.latest_start is None or truth.earliest_start is None:
        return Days.of([interval]), Days.of([interval])
    return Days.of([(truth.latest_start, interval[1])]), Days.of([(truth.earliest_start, interval[1])])


def compare_all(
    truth: Sequence[ScoredSite], proposals: Sequence[ScoredSite], min_scores: Iterable[float]
) -> Iterator[list[Comparison]]:
    """Yield the comparisons of each truth site in turn; groups of all minimum scores are pooled."""
    finder, unions, built = _Finder(proposals), Unions(), dict[tuple[str, ...], Group]()
    scores = sorted(set(min_scores))
    for each in truth:
        search = _Search(each, unions, built)
        near = finder.candidates(each)
        for score in scores:
            search.among([one for one in near if one.score >= score])
        yield list(search.made.values())


class _Finder:
    """Proposals by where they were seen."""

    def __init__(self, proposals: Sequence[ScoredSite]) -> None:
        self.proposals = sorted(proposals, key=lambda each: each.id)
        outlines = [seen.full for each in self.proposals for seen in each.kept]
        counts = [len(each.kept) for each in self.proposals]
        self.owner: NDArray[np.intp] = np.repeat(np.arange(len(self.proposals)), counts)
        self.tree = shapely.STRtree(outlines)

    def candidates(self, truth: ScoredSite) -> list[ScoredSite]:
        """Return the proposals that touch a truth site's outlines and share a day with it, by id."""
        if not truth.kept:
            return []
        hits = self.tree.query([each.full for each in truth.kept], predicate="intersects")[1]
        first, last = truth.interval or (truth.start, truth.end)
        found = [self.proposals[k] for k in np.unique(self.owner[hits])]
        return [each for each in found if max(first, each.start) <= min(last, each.end)]


class _Search:
    """Groups of candidates of one truth site that are compared."""

    def __init__(self, truth: ScoredSite, unions: Unions, built: dict[tuple[str, ...], Group]) -> None:
        self.truth = truth
        self.unions = unions
        self.built = built
        self.made: dict[tuple[str, ...], Comparison] = {}
        self.rows = _compared(truth)
        self.known: dict[tuple[int, bytes], tuple[float, float, float]] = {}

    def among(self, candidates: Sequence[ScoredSite]) -> None:
        """Compare all together, then each alone, then those left after the first, the first two and so on."""
        if not candidates:
            return
        whole = self.compare(candidates)
        if len(candidates) == 1 or whole.share_perfect >= 1:
            return
        alone = [self.compare([each]) for each in candidates]
        order = sorted(alone, key=lambda each: (each.share_perfect, each.group.id))
        left = [each.group.members[0] for each in order]
        # From the smallest group up, since a larger one's outline is the smaller one's and one more.
        for k in range(len(left) - 2, 0, -1):
            self.compare(left[k:])

    def compare(self, members: Sequence[ScoredSite]) -> Comparison:
        """Return the comparison with these proposals, made once."""
        chosen = tuple(sorted(members, key=lambda each: each.id))
        key = tuple(each.id for each in chosen)
        if key not in self.made:
            if key not in self.built:
                self.built[key] = Group(chosen, self.truth)
            group = self.built[key]
            self.made[key] = Comparison(self.truth, group, self._table(group))
        return self.made[key]

    def _table(self, group: Group) -> tuple[_Row, ...]:
        """Return a row for each date; of several observations on it that of the largest overlap."""
        rows = [self._row(number, seen, group) for number, seen in enumerate(self.rows)]
        return tuple(max(same, key=lambda row: row.rank) for _, same in groupby(rows, key=lambda row: row.day))

    def _row(self, number: int, seen: Seen, group: Group) -> _Row:
        outline = group.outline(seen.day, self.unions)
        if outline is None:
            return _Row(seen.day, seen.source)
        key = number, self.unions.name(outline)
        if key not in self.known:
            self.known[key] = _overlaps(seen.full, outline)
        return _Row(seen.day, seen.source, *self.known[key])


def _compared(truth: ScoredSite) -> tuple[Seen, ...]:
    """Return the observations that count: neither quiet ones nor, after the first, those when all is over."""
    over = [each for each in truth.kept if each.phase == _POST]
    return tuple(each for each in truth.kept if each.phase != _NO_ACTIVITY and each not in over[1:])


def _overlaps(truth: Area, proposal: Area) -> tuple[float, float, float]:
    """Return IoU, and the shares of the truth's and of the proposal's area that both have."""
    one, other = repaired(truth), repaired(proposal)
    both = area_km2(intersection(one, other))
    if not both:
        return 0.0, 0.0, 0.0
    areas = area_km2(union([one, other])), area_km2(truth), area_km2(other)
    iou, iot, iop = (both / area if area else 0.0 for area in areas)
    return iou, iot, iop
