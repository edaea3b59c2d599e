"""What was seen of each site over time, and when it began and ended.

Scores are means over the site's pixels that were seen, from sums of whole numbers: the same however they were added.
A site begins with its first active observation, and ends with the first observation after its last active one: the
day on which it was seen to be over. A site whose last observation is active has not ended. A polygon of a class begins
and ends on its date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.phases import PhaseModel, likeliest, strongest
from geowatch.consolidate.terms import NO_DAY
from geowatch.sites.fragment import FULL_SCORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Candidates, Seen
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints

__all__ = ["Course", "course_of", "lasts"]

NO_PHASE = -1


@dataclass(frozen=True, eq=False, slots=True)
class Course:
    """Scores and phases of observations, start and end of candidates."""

    scores: NDArray[np.float64]
    """Mean scores by class, (observations, K)."""
    score: NDArray[np.float64]
    """Mean score of what was searched for, of a polygon that of its class, (observations,)."""
    phase: Ints
    """Phase of each observation by place in the model, or -1."""
    start: Ints
    """First active day of each candidate, or `NO_DAY`."""
    end: Ints
    """Day on which each was seen to be over, or `NO_DAY`."""
    last: Ints
    """Day of the last observation."""
    active: NDArray[np.bool_]
    """Whether each candidate was ever active."""

    def take(self, kept: NDArray[np.bool_], seen: NDArray[np.bool_]) -> Course:
        """Return some candidates with their observations."""
        observations = (getattr(self, name)[seen] for name in ("scores", "score", "phase"))
        return Course(*observations, *(getattr(self, name)[kept] for name in ("start", "end", "last", "active")))


def course_of(candidates: Candidates, terms: Terms, rules: Rules, model: PhaseModel | None) -> Course:
    """Return what happened to candidates. ``model`` is needed for phases; its names are classes of the scores."""
    seen = candidates.seen
    scores = seen.sums / np.maximum(seen.px, 1)[:, None] / FULL_SCORE
    score = np.minimum(_salient(candidates, terms) / np.maximum(seen.px, 1) / FULL_SCORE, 1.0)
    phase = np.full(len(seen), NO_PHASE)
    if model is not None and rules.timing != "threshold":
        of_phases = scores[:, model.columns(terms.classes)]
        phase = strongest(of_phases) if rules.timing == "argmax" else likeliest(seen.owner, of_phases, model)
        active = np.array(model.active)[phase]
    elif terms.mode == "footprint":
        active = score >= rules.active_units / FULL_SCORE
    else:
        active = np.ones(len(seen), dtype=bool)  # it was found then: that is what active means
    start, end, last, ever = _span(seen, active, len(candidates))
    if terms.mode == "linked":
        end = np.where(end == NO_DAY, candidates.gone, end)
    if terms.mode != "footprint" and (model is None or rules.timing == "threshold"):
        start, ever = terms.days_of(candidates.grid, candidates.first_plane), np.ones(len(candidates), dtype=bool)
    if terms.mode == "polygons":
        end = start  # a polygon is of its date, and says nothing of later ones
    return Course(scores, score, phase, start, end, last, ever)


def _salient(candidates: Candidates, terms: Terms) -> Ints:
    """Return of each observation the sum of what was searched for: a polygon's own class, else all of them together."""
    seen = candidates.seen
    if terms.mode == "polygons":
        return np.take_along_axis(seen.sums, candidates.kind[seen.owner].astype(np.intp)[:, None], axis=1)[:, 0]
    return np.asarray(seen.sums[:, list(terms.salient)].sum(axis=1))


def _span(seen: Seen, active: NDArray[np.bool_], owners: int) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Return the first active day, the day after the last active one, the last day, and whether there is any."""
    none = np.full(owners, NO_DAY, dtype=np.int64)
    start, end, last = none.copy(), none.copy(), none.copy()
    at = np.flatnonzero(active)
    ever = np.zeros(owners, dtype=bool)
    ever[seen.owner[at]] = True
    last[seen.owner] = seen.day  # the last one stays
    start[seen.owner[at[::-1]]] = seen.day[at[::-1]]
    final = np.zeros(owners, dtype=np.int64)
    final[seen.owner[at]] = at
    over = final + 1
    more = ever & (over < len(seen))
    more[more] = seen.owner[over[more]] == np.flatnonzero(more)
    end[more] = seen.day[over[more]]
    return start, end, last, ever


def lasts(course: Course, rules: Rules) -> NDArray[np.bool_]:
    """Return which candidates last long enough, and not too long; those without dates last 0 days."""
    until = np.where(course.end != NO_DAY, course.end, course.last)
    dated = (course.start != NO_DAY) & (until != NO_DAY)
    days = np.where(dated, until - course.start, 0)
    long_enough = days >= rules.min_days
    return long_enough if rules.max_days is None else long_enough & (days <= rules.max_days)
