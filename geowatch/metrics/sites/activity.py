"""Phases of detected sites against the truth: confusion, F1, overlap in time, errors of onsets (section 7).

A pair is a phase-labelled truth site and the proposal or group that it took. Errors are in days, negative where the
proposal is early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from geowatch.metrics.sites.bas import Assignment, rounded
from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.groups import Group
from geowatch.metrics.sites.reading import PHASE_LABELLED, ScoredSite, Seen
from geowatch.sites.model import PHASES, UNKNOWN_PHASE

__all__ = ["ERROR_ROWS", "F1_PHASES", "SCORED_PHASES", "Error", "Errors", "Pair", "confusion", "f1_of", "pairs_of"]

SCORED_PHASES = PHASES[1:]
"""Phases that are compared."""
F1_PHASES = PHASES[1:3]
"""Phases that have an F1."""
ERROR_ROWS = (
    "worst mean days (all detections)", "worst std days (all)",
    "worst mean days (absolute value of all detections)", "worst std days (abs val of all)",
    "mean days (all detections)", "std days (all)",
    "mean days (absolute value of all detections)", "std days (abs val of all)",
    "best mean days (all detections)", "best std days (all)",
    "best mean days (absolute value of all detections)", "best std days (abs val of all)",
    "mean days (early detections)", "std days (early)", "mean days (late detections)", "std days (late)",
    "all detections", "early", "late", "perfect", "missing proposals", "missing truth sites",
)  # fmt: skip
"""Names of the figures of errors in time."""


@dataclass(frozen=True, slots=True)
class Error:
    """How far a phase's onset is off."""

    days: int
    """Proposed less true onset."""
    best: int | None
    """Smallest error that the truth's gap before the onset allows; None without such a gap."""
    worst: int | None
    """Largest error that it allows."""


MISSING_TRUTH = "missing truth sites"
MISSING_PROPOSAL = "missing proposals"


@dataclass(frozen=True, eq=False)
class Pair:
    """A detected truth site and what it took."""

    truth: ScoredSite
    """Truth site."""
    group: Group
    """Proposal or group."""

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"site truth {self.truth.id} vs. site model {self.group.id}"

    @cached_property
    def labels(self) -> Counter[tuple[str, str]]:
        """How often a true phase (first) met a proposed one."""
        skipped = {UNKNOWN_PHASE, PHASES[0]}
        found: Counter[tuple[str, str]] = Counter()
        for seen in self.truth.kept:
            other = self.group.at(seen.day)
            if other is not None:
                found.update((t, p) for t in seen.phases - skipped for p in other.phases)
        return found

    def tiou(self, phase: str) -> float | None:
        """Return the share of days on which both have the phase; None where neither has it."""
        one, other = _spans(self.truth.kept, phase), _spans(self.group.seen, phase)
        either = (one | other).count
        return (one & other).count / either if either else None

    def onset_error(self, phase: str) -> Error | str:
        """Return the error of a phase's onset, or which of both is missing."""
        onset = _true_onset(self.truth, phase)
        if onset is None:
            return MISSING_TRUTH
        proposed = self._proposed_onset(phase)
        if proposed is None:
            return MISSING_PROPOSAL
        return _error(onset, proposed, _gap_start(self.truth, phase, onset))

    def foretold_error(self, phase: str) -> Error | str:
        """Return the error of the day that the proposal foretold for a phase, or which of both is missing."""
        onset = _true_onset(self.truth, phase)
        if onset is None:
            return MISSING_TRUTH
        day = _foretold(self.group, phase)
        return MISSING_PROPOSAL if day is None else Error(*[day.toordinal() - onset] * 3)

    def _proposed_onset(self, phase: str) -> int | None:
        if phase != PHASES[3]:
            return next((each.day for each in self.group.seen if phase in each.phases), None)
        begun = max(each.start for each in self.group.members)
        return next((each.day for each in self.group.seen if each.phases == {phase} and each.day >= begun), None)


def pairs_of(assignment: Assignment) -> list[Pair]:
    """Return the pairs whose phases are compared, by ids."""
    found = [
        Pair(each.truth, each.found.group)
        for each in assignment.detections
        if each.found is not None and each.status in PHASE_LABELLED
    ]
    return sorted(found, key=lambda pair: (pair.truth.id, pair.group.id))


def _spans(seen: Sequence[Seen], phase: str) -> Days:
    """Return the days of runs of this very phase; the last observation by itself is no run."""
    runs: list[tuple[str | None, int, int]] = []
    for each in seen:
        if runs and runs[-1][0] == each.phase:
            runs[-1] = each.phase, runs[-1][1], each.day
        else:
            runs.append((each.phase, each.day, each.day))
    if len(seen) > 1 and seen[-1].phase == seen[-2].phase:
        runs.append((None, 0, -1))
    return Days.of((first, last) for text, first, last in runs[:-1] if text == phase)


def _true_onset(truth: ScoredSite, phase: str) -> int | None:
    if any(len(each.phases) > 1 for each in truth.kept):
        return None
    return next((each.day for each in truth.kept if phase in each.phases), None)


def _gap_start(truth: ScoredSite, phase: str, onset: int) -> int | None:
    """Return the last day, before a phase began, on which the nearest earlier phase was seen."""
    for earlier in reversed(PHASES[: PHASES.index(phase)]):
        days = [each.day for each in truth.kept if each.day <= onset and earlier in each.phases]
        if days:
            return days[-1]
    return None


def _error(onset: int, proposed: int, gap: int | None) -> Error:
    """Return the error of an onset that was somewhere after ``gap`` and not after ``onset``.

    >>> _error(60, 105, 0)
    Error(days=45, best=45, worst=105)
    """
    days = proposed - onset
    if gap is None:
        return Error(days, None, None)
    since = proposed - gap
    if proposed <= gap:
        return Error(days, since, days)
    if proposed <= onset:
        return Error(days, 0, since if abs(since) > abs(days) else days)
    return Error(days, days, since)


def _foretold(group: Group, phase: str) -> date | None:
    site = group.members[0].site
    return site.predicted_date if group.is_single and site.predicted_phase == phase else None


@dataclass(frozen=True)
class Errors:
    """Errors of a phase's onset over pairs."""

    found: tuple[Error, ...]
    """Errors."""
    missing_proposals: int
    """Pairs without a proposed onset."""
    missing_truth: int
    """Pairs without a true one."""

    @classmethod
    def of(cls, each: Iterable[Error | str]) -> Errors:
        """Collect errors, and what is missing."""
        given = list(each)
        errors = tuple(one for one in given if isinstance(one, Error))
        return cls(errors, given.count(MISSING_PROPOSAL), given.count(MISSING_TRUTH))

    @property
    def figures(self) -> tuple[float | None, ...] | None:
        """Return the figures of `ERROR_ROWS`; None where there is no error at all."""
        if not self.found:
            return None
        days = [each.days for each in self.found]
        worst = [each.worst for each in self.found if each.worst is not None]
        best = [each.best for each in self.found if each.best is not None]
        early, late = [d for d in days if d < 0], [d for d in days if d > 0]
        counts = (len(days), len(early), len(late), days.count(0), self.missing_proposals, self.missing_truth)
        spread = [each for some in (worst, days, best) for each in (*_spread(some), *_spread([abs(d) for d in some]))]
        return (*spread, *_spread(early), *_spread(late), *(float(count) for count in counts))


def _spread(days: Sequence[int]) -> tuple[float | None, float | None]:
    """Return mean and population standard deviation, to a tenth of a day."""
    return (rounded(float(np.mean(days)), 1), rounded(float(np.std(days)), 1)) if days else (None, None)


def errors_by_phase(pairs: Sequence[Pair], error: Callable[[Pair, str], Error | str]) -> Iterator[tuple[str, Errors]]:
    """Yield the errors of each phase that has any."""
    for phase in SCORED_PHASES:
        found = Errors.of(error(pair, phase) for pair in pairs)
        if found.found:
            yield phase, found


def joined(pairs: Iterable[Pair]) -> Counter[tuple[str, str]]:
    """Return the labels of all pairs."""
    found: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        found.update(pair.labels)
    return found


def confusion(labels: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return how often a true phase (rows) met a proposed one; other labels are left out."""
    return {true: {found: labels[true, found] for found in PHASES} for true in SCORED_PHASES}


def f1_of(labels: Counter[tuple[str, str]], phase: str) -> float | None:
    """Return the F1 of a phase, to 4 decimals; None where it does not occur."""
    true = sum(count for (t, _), count in labels.items() if t == phase)
    found = sum(count for (_, p), count in labels.items() if p == phase)
    return rounded(2 * labels[phase, phase] / (true + found)) if true + found else None


def macro_f1(pairs: Sequence[Pair], phase: str) -> float | None:
    """Return the mean of the sites' F1, to 4 decimals; None where the phase occurs in none."""
    found = [f1 for pair in pairs if (f1 := f1_of(pair.labels, phase)) is not None]
    return rounded(float(np.mean(found))) if found else None
