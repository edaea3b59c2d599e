"""The dates of an earlier run and of this one on one axis of time.

Places on it are those of the earlier run, then those of this one. Up to the cut the earlier run's dates count, from
then on this one's: each date counts once. The cut is the day after the earlier run's last, less what smoothing over
time reaches back, or this run's first day where that is later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.terms import NO_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints

__all__ = ["Axis", "frozen_from", "order_in_day"]

_NONE = -1
#: More images than a day has.
_MOST_IN_DAY = 1 << 20


@dataclass(frozen=True, eq=False, slots=True)
class Axis:
    """The dates of two runs on the grids of a plan."""

    days: tuple[Ints, ...]
    """Of each grid: the day of each place on the axis, the earlier run's first."""
    earlier: tuple[int, ...]
    """Of each grid: how many places are the earlier run's."""
    planes: tuple[Ints, ...]
    """Of each grid: places that were looked at, of either run."""
    cut: int
    """First day on which this run counts."""
    after: tuple[NDArray[np.bool_], ...]
    """Of each grid: which places are this run's and of a later time than all of the earlier one's; they count, too."""

    @classmethod
    def of(
        cls, terms: Terms, days: tuple[Ints, ...], planes: tuple[Ints, ...], frozen: int,
        last: tuple[int | None, ...] = (),
    ) -> Axis:  # fmt: skip
        """Return the axis.

        Args:
            terms: This run's dates.
            days: Of each grid: the earlier run's days.
            planes: Of each grid: places of these that were looked at.
            frozen: First day of the earlier run that this one can have changed.
            last: Of each grid: the second of the earlier run's last image; None where it is not known.
        """
        last = last or (None,) * len(days)
        after = [
            np.concatenate([np.zeros(len(d), dtype=bool), np.zeros(len(own), dtype=bool) if s is None else at > s])
            for d, own, at, s in zip(days, terms.days, terms.seconds, last, strict=True)
        ]
        first = min(int(own[at].min()) for own, at in zip(terms.days, terms.planes, strict=True) if len(at))
        return cls(
            tuple(np.concatenate(both) for both in zip(days, terms.days, strict=True)),
            tuple(len(each) for each in days),
            tuple(np.concatenate([a, b + len(d)]) for a, b, d in zip(planes, terms.planes, days, strict=True)),
            max(frozen, first),
            tuple(after),
        )

    def is_late(self, grid: int, plane: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which places are this run's."""
        return np.asarray(plane >= self.earlier[grid])

    def counts(self, grid: int, plane: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which places count: the earlier run's before the cut, this run's from then on.

        An image of the earlier run's last day that came after its last one is of this run alone.
        """
        return np.asarray(((self.days[grid][plane] >= self.cut) == self.is_late(grid, plane)) | self.after[grid][plane])

    def too_late(self, grid: int) -> Ints:
        """Return the places of this run before the cut that the earlier one did not look at."""
        planes = self.planes[grid]
        return planes[self.is_late(grid, planes) & ~self.counts(grid, planes) & (self.twin(grid)[planes] < 0)]

    def looks_back(self, grid: int) -> bool:
        """Return whether this run looked at dates before the cut."""
        late = self.planes[grid][self.is_late(grid, self.planes[grid])]
        return not self.counts(grid, late).all()

    def keeps_all(self, grid: int) -> bool:
        """Return whether all dates of the earlier run count."""
        early = self.planes[grid][~self.is_late(grid, self.planes[grid])]
        return bool(self.counts(grid, early).all())

    def new(self, grid: int) -> Ints:
        """Return the places of this run that count."""
        planes = self.planes[grid]
        return planes[self.is_late(grid, planes) & self.counts(grid, planes)]

    def twin(self, grid: int) -> Ints:
        """Return for each place the other run's of the same day, -1 for none; several of a day in their order."""
        planes = self.planes[grid]
        out = np.full(len(self.days[grid]), _NONE)
        late = self.is_late(grid, planes)
        one, other = planes[~late], planes[late & ~self.after[grid][planes]]
        codes = [_coded(self.days[grid][each]) for each in (one, other)]
        _, a, b = np.intersect1d(codes[0], codes[1], return_indices=True)
        out[one[a]], out[other[b]] = other[b], one[a]
        return out

    def sees_all(self) -> bool:
        """Return whether this run looked at each date of the earlier one again."""
        late = [self.is_late(grid, planes) for grid, planes in enumerate(self.planes)]
        old = [np.unique(self.days[g][p[~mine]]) for g, (p, mine) in enumerate(zip(self.planes, late, strict=True))]
        new = [self.days[g][p[mine]] for g, (p, mine) in enumerate(zip(self.planes, late, strict=True))]
        return all(bool(np.isin(one, other).all()) for one, other in zip(old, new, strict=True))

    @property
    def since(self) -> int:
        """First day of this run that counts; the cut where there is none."""
        firsts = [int(self.days[grid][self.new(grid)].min()) for grid in range(len(self.days)) if len(self.new(grid))]
        return min(firsts, default=self.cut)

    def own(self, grid: NDArray[np.integer], plane: NDArray[np.integer]) -> Ints:
        """Return the places on this run's own axis, -1 where it has none."""
        out = np.full(len(plane), _NONE, dtype=np.int64)
        for number, before in enumerate(self.earlier):
            at = np.flatnonzero((grid == number) & (plane >= 0))
            there = np.where(plane[at] < before, self.twin(number)[plane[at]], plane[at])
            out[at] = np.maximum(there - before, _NONE)
        return out


def _coded(days: Ints) -> Ints:
    return days * _MOST_IN_DAY + order_in_day(days)


def order_in_day(days: Ints) -> Ints:
    """Return the place of each day among those of the same day.

    >>> order_in_day(np.array([4, 7, 7, 7, 9])).tolist()
    [0, 0, 1, 2, 0]
    """
    order = np.argsort(days, kind="stable")
    first = np.searchsorted(days[order], days[order])
    out = np.empty(len(days), dtype=np.int64)
    out[order] = np.arange(len(days)) - first
    return out


def frozen_from(terms: Terms, length: int = 0, *, in_days: bool = False) -> int | None:
    """Return the first day that a run of later dates can change, or None where nothing has dates.

    Args:
        terms: What was looked at.
        length: Of the moving mean over time.
        in_days: Whether that is in days, not in dates.
    """
    looked = [days[planes] for days, planes in zip(terms.days, terms.planes, strict=True)]
    if not sum(map(len, looked)) or any((days == NO_DAY).any() for days in looked):
        return None
    last = max(int(days.max()) for days in looked if len(days))
    if in_days:
        return last + 1 - -(-length // 2)
    reach = length // 2
    return min([last + 1, *(int(np.sort(days)[max(0, len(days) - reach)]) for days in looked if reach and len(days))])
