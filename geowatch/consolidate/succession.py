"""Two runs of one region, one after the other: what an earlier run left open is decided on together with what is new.

Sites that ended before the cut stay as they are. What goes on (`ongoing`) is put to this run's components before
anything is decided: linked outlines by the links that one run would have found, outlines of all dates where they
overlap. Then area, hysteresis, holes, scores, days and phases are decided on the whole by the code for one run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.consolidate.axis import Axis
from geowatch.consolidate.found import ENDED, Found, collapsed
from geowatch.consolidate.joins import Whole
from geowatch.consolidate.meeting import Pixels, Shared, beyond, inside, shared
from geowatch.consolidate.rejoin_linked import rejoined_links
from geowatch.consolidate.rejoin_outlines import Looks, rejoined_outlines
from geowatch.consolidate.terms import NO_DAY
from geowatch.consolidate.zones import near_border

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from geowatch.consolidate.decided import Decided
    from geowatch.consolidate.terms import Rules, Terms
    from geowatch.grid.areas import Ints
    from geowatch.grid.lattice import PixelBox
    from geowatch.sites.fragment import Fragment

__all__ = ["Earlier", "Succession"]


@dataclass(frozen=True, eq=False, slots=True)
class Earlier:
    """What an earlier run left."""

    sites: Decided
    """Its sites, by number."""
    number: Ints
    """Their numbers."""
    found: Found
    """What goes on."""
    site: Ints
    """Of each piece of it: the number of its site, -1 for what is none so far."""
    days: tuple[Ints, ...]
    """Of each grid: the days of its axis of time."""
    planes: tuple[Ints, ...]
    """Of each grid: places on it that were looked at."""
    frozen: int
    """First day that a later run can change."""
    last: tuple[int | None, ...]
    """Of each grid: the time of its last image in seconds since 1970-01-01 UTC, where it is known."""
    next_number: int
    """Number of the next site."""
    phases: tuple[str, ...] = ()
    """Phases of this run and of earlier sites, by number."""


@dataclass(eq=False)
class Succession:
    """How this run goes on with an earlier one."""

    earlier: Earlier
    """What it left."""
    tracked: Terms
    """What this run tracked."""
    rules: Rules
    """What is a site."""
    looks: Looks
    """Looks at places in this run's scores."""
    _dark: dict[int, list[Pixels]] = field(default_factory=lambda: defaultdict(list))
    _told: dict[int, list[PixelBox]] = field(default_factory=lambda: defaultdict(list))
    _held: dict[int, list[Whole]] = field(default_factory=lambda: defaultdict(list))

    @cached_property
    def axis(self) -> Axis:
        """The dates of both runs."""
        before = self.earlier
        return Axis.of(self.tracked, before.days, before.planes, before.frozen, before.last)

    @cached_property
    def anew(self) -> bool:
        """Whether this run saw all that the earlier one saw, so that outlines of all dates stand alone."""
        return self.axis.sees_all()

    @cached_property
    def terms(self) -> Terms:
        """What was tracked by both runs."""
        planes = self._counting if self.tracked.mode == "linked" else self.axis.planes
        seconds = [
            np.concatenate([np.full(n, NO_DAY if last is None else last), own])  # none of them is later
            for n, last, own in zip(self.axis.earlier, self.earlier.last, self.tracked.seconds, strict=True)
        ]
        return replace(
            self.tracked, days=self.axis.days, planes=planes, seconds=tuple(seconds), since=self.axis.since,
            earlier=self.axis.earlier,
        )  # fmt: skip

    @cached_property
    def counted(self) -> Terms:
        """What was tracked by both runs, of each date the look that counts alone."""
        return replace(self.terms, planes=self._counting)

    @cached_property
    def _counting(self) -> tuple[Ints, ...]:
        return tuple(each[self.axis.counts(grid, each)] for grid, each in enumerate(self.axis.planes))

    @cached_property
    def going(self) -> NDArray[np.intp]:
        """Earlier sites that go on, the oldest first, as places among all."""
        at = np.flatnonzero(np.isin(self.earlier.number, self.earlier.site))
        rows = self.earlier.sites.rows[at]
        return np.asarray(at[np.lexsort((self.earlier.number[at], rows["birth"]))])

    @cached_property
    def ended(self) -> NDArray[np.intp]:
        """Earlier sites that do not go on, as places among all."""
        return np.setdiff1d(np.arange(len(self.earlier.number)), self.going)

    def ongoing(self, grid: int) -> Found:
        """Return what goes on on a grid; pieces know their sites by age."""
        found, site = self.earlier.found, self.earlier.site
        age = np.full(int(max(self.earlier.number.max(initial=0), site.max(initial=0))) + 2, -1, dtype=np.int64)
        age[self.earlier.number[self.going]] = np.arange(len(self.going))
        own = np.flatnonzero((site >= 0) & (age[site] >= 0))
        kin: dict[str, Any] = {
            "kin_piece": own.astype(np.int32), "kin_site": age[site[own]].astype(np.int32),
            "kin_px": found.area_px[own], "kin_own": np.ones(len(own), dtype=bool),
        }  # fmt: skip
        return replace(found, **kin).take(found.grid == grid)

    def told(self, grid: int, fragments: Iterable[tuple[int, Fragment]]) -> Iterator[tuple[int, Fragment]]:
        """Yield fragments as they come, and keep where tiles saw nothing at all."""
        for place, fragment in fragments:
            self._told[grid].append(fragment.box)
            if len(fragment.dark_y):
                zeros = np.zeros(len(fragment.dark_y), dtype=np.int64)
                self._dark[grid].append(Pixels(zeros, fragment.dark_y, fragment.dark_x0, fragment.dark_x1))
            yield place, fragment

    def sort_out(self, grid: int, whole: Whole) -> Whole:
        """Return components that no earlier run has to do with; the others are held until all are there."""
        whole = self._on_axis(grid, whole)
        if self.tracked.mode != "linked":
            whole = whole.take(self._may_be_strong(whole))
        waits = self._meets(grid, whole)
        if waits.any():
            self._held[grid].append(whole.take(waits))
            whole = whole.take(~waits)
        if self.tracked.mode != "linked":
            return replace(whole, found=self._renewed(grid, whole.found))
        return whole.take(self.axis.counts(grid, whole.found.plane))

    def rejoined(self, grid: int) -> Whole:
        """Return what goes on together with the components that were held."""
        later, linked = self._later(grid), self.tracked.mode == "linked"
        before = self.ongoing(grid)
        here = (self.axis, grid, self.rules.link_overlap)
        if linked:
            dark = None if self._asks(grid) else self._unseen(grid, before)
            return rejoined_links(before, later, here, dark, self.looks, self.tracked.link_days)
        found, component, alone = rejoined_outlines(before, later, here, self.looks, anew=self.anew)
        found = self._renewed(grid, found, alone)
        return Whole(found, component, component)

    def _unseen(self, grid: int, before: Found) -> list[Pixels]:
        """Return where no tile saw anything, and what of earlier pieces no tile has: the region may have shrunk."""
        pixels = Pixels.join([Pixels.of(before, group) for group in ("last", "left")])
        return [*self._dark.pop(grid, []), beyond(pixels, inside(self._told.pop(grid, []), pixels.y))]

    def _asks(self, grid: int) -> bool:
        """Return whether scores are asked for what fragments do not tell: where only dates that count saw nothing."""
        return self.axis.keeps_all(grid) and (self.axis.looks_back(grid) or self.tracked.coarse > 1)

    def _later(self, grid: int) -> Found:
        held = self._held.pop(grid, [])
        if not held:
            return self.earlier.found.take(np.zeros(len(self.earlier.found), dtype=bool))
        shift = np.cumsum([0, *(int(whole.component.max()) + 1 for whole in held)])
        component = np.concatenate([whole.component + by for whole, by in zip(held, shift, strict=False)])
        return collapsed(Found.join([whole.found for whole in held]), component)

    def _on_axis(self, grid: int, whole: Whole) -> Whole:
        found, by = whole.found, np.int32(self.axis.earlier[grid])
        plane = np.where(found.plane >= 0, found.plane + by, found.plane)
        return replace(whole, found=replace(found, plane=plane, series_plane=found.series_plane + by))

    def _may_be_strong(self, whole: Whole) -> NDArray[np.bool_]:
        """Return which pieces have a strong pixel in their component, or may have one in another zone.

        Which others there are follows from how the region was cut.
        """
        strong = np.zeros(int(whole.component.max()) + 1 if len(whole.component) else 0, dtype=bool)
        strong[whole.component[whole.found.strong_px > 0]] = True
        return np.asarray(strong[whole.component] | near_border(whole, self.tracked))

    def _meets(self, grid: int, whole: Whole) -> NDArray[np.bool_]:
        """Return which pieces are of groups that share pixels with what goes on."""
        met = shared(Pixels.of(whole.found), self._going_pixels[grid])
        groups = np.zeros(int(whole.group.max()) + 1 if len(whole.group) else 0, dtype=bool)
        groups[whole.group[met.one]] = True
        return np.asarray(groups[whole.group])

    @cached_property
    def _going_pixels(self) -> list[Pixels]:
        return [Pixels.of(self.ongoing(grid)) for grid in range(len(self.tracked.grids))]

    @cached_property
    def _ended_pixels(self) -> list[Pixels]:
        sites = self.earlier.sites
        owner = np.repeat(np.arange(len(sites)), np.diff(sites.runs_start))
        runs, there = sites.runs, np.isin(owner, self.ended)
        each = [there & (runs["grid"] == grid) for grid in range(len(self.tracked.grids))]
        return [Pixels(owner[at], runs["y"][at], runs["x0"][at], runs["x1"][at]) for at in each]

    def _renewed(self, grid: int, found: Found, alone: NDArray[np.bool_] | None = None) -> Found:
        """Return pieces that lie where a site has ended with what was seen from that end on.

        Those that go on with a site that has not ended (not ``alone``) stay as they are.
        """
        met = shared(Pixels.of(found), self._ended_pixels[grid])
        met = met.more_than(self.rules.link_overlap, found.area_px, self.earlier.sites.rows["area_px"])
        if alone is not None:
            met = met[alone[met.one]]
        if not len(met):
            return found
        return self._from_end_on(grid, found, met)

    def _from_end_on(self, grid: int, found: Found, met: Shared) -> Found:
        end = np.where(self.earlier.sites.rows["end"] == NO_DAY, self.axis.cut, self.earlier.sites.rows["end"])
        since = np.full(len(found), NO_DAY, dtype=np.int64)
        np.maximum.at(since, met.one, end[met.other])
        kept = self.axis.days[grid][found.series_plane] >= since[found.series_piece]
        series: dict[str, Any] = {
            name: getattr(found, f"series_{name}")[kept] for name in ("piece", "plane", "px", "sums")
        }
        again = np.unique(met.one)
        kin: dict[str, Any] = {
            "kin_piece": np.concatenate([found.kin_piece, again.astype(np.int32)]),
            "kin_site": np.concatenate([found.kin_site, np.full(len(again), ENDED, dtype=np.int32)]),
            "kin_px": np.concatenate([found.kin_px, np.ones(len(again), dtype=np.int64)]),
            "kin_own": np.concatenate([found.kin_own, np.zeros(len(again), dtype=bool)]),
        }
        return replace(found, **kin, **{f"series_{name}": values for name, values in series.items()})
