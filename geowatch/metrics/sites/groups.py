"""Proposals that are compared with a truth site: one, or several that act as one.

A group has an observation on every day that the truth site or a member has one, as soon as a member has been seen;
its days are the union of its members'. Outlines of groups are joined only where they are compared.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from shapely.geometry import Polygon

from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.planar import Area, union
from geowatch.metrics.sites.reading import ScoredSite, Seen

__all__ = ["Group", "Unions"]

_NOWHERE = Polygon()


class Unions:
    """Unions of outlines that were made already, by which outlines they are of."""

    def __init__(self) -> None:
        self._made: dict[tuple[bytes, ...], Area] = {}
        self._names: dict[int, tuple[Area, bytes]] = {}

    def name(self, outline: Area) -> bytes:
        """Return the outline's bytes, the same for the same outline."""
        if id(outline) not in self._names:
            self._names[id(outline)] = outline, outline.wkb
        return self._names[id(outline)][1]

    def of(self, outlines: list[Area]) -> Area:
        """Return the union of outlines, made from that of all but the first where that is known."""
        key = tuple(self.name(each) for each in outlines)
        if key not in self._made:
            rest = self._made.get(key[1:])
            self._made[key] = union(outlines if rest is None else [outlines[0], rest])
        return self._made[key]


@dataclass(frozen=True, eq=False)
class Group:
    """One or several proposals, in the order of their ids."""

    members: tuple[ScoredSite, ...]
    """Proposals."""
    truth: ScoredSite
    """Truth site that it was first built for, whose days are among those of several."""

    @cached_property
    def seen(self) -> tuple[Seen, ...]:
        """Observations; those of several have no outline of their own."""
        if self.is_single:
            return self.members[0].kept
        days = {each.day for one in (self.truth, *self.members) for each in one.kept}
        return tuple(each for day in sorted(days) if (each := _joined(self.members, day)) is not None)

    @property
    def id(self) -> str:
        """Ids of the members, joined."""
        return "_".join(each.id for each in self.members)

    @property
    def is_single(self) -> bool:
        """Whether it is one proposal."""
        return len(self.members) == 1

    @property
    def days(self) -> Days:
        """Days of all members."""
        return Days.of(pair for each in self.members for pair in each.days.ranges)

    def outline(self, day: int, unions: Unions) -> Area | None:
        """Return its outline on a day: of one proposal in full, of several their boundaries joined."""
        found = [each for one in self.members if (each := one.at(day)) is not None]
        if not found:
            return None
        return found[0].full if self.is_single else unions.of([each.boundary for each in found])

    def at(self, day: int) -> Seen | None:
        """Return the latest observation that is not newer than a day."""
        place = bisect_right(self.seen, day, key=lambda each: each.day)
        return self.seen[place - 1] if place else None


def _joined(members: tuple[ScoredSite, ...], day: int) -> Seen | None:
    found = [each for one in members if (each := one.at(day)) is not None]
    phase = "_".join(each.phase for each in found if each.phase is not None)
    return Seen(day, None, phase or None, _NOWHERE, _NOWHERE) if found else None
