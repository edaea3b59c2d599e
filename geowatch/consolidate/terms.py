"""What decides about sites: what tracking was asked for, and the rules by which pieces become sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geowatch.errors import ConfigError
from geowatch.sites.fragment import FULL_SCORE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints
    from geowatch.grid.borders import Border
    from geowatch.grid.lattice import Lattice

__all__ = ["NO_DAY", "Mode", "Rules", "Terms", "Timing"]

Mode = Literal["footprint", "linked", "polygons"]
"""What sites are made of: one outline from all times, outlines linked from time to time, or none at all."""
Timing = Literal["threshold", "argmax", "viterbi"]
"""What dates come from: scores that cross a threshold, or phases."""

#: Day number of what has no date.
NO_DAY = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Terms:
    """What was tracked."""

    mode: Mode
    """What sites are made of."""
    grids: tuple[str, ...]
    """Grids of the plan, in its order."""
    lattices: tuple[Lattice, ...]
    """Where the pixels of each are."""
    days: tuple[NDArray[np.int64], ...]
    """Of each grid: the day of each place on its time axis, since 1970-01-01 UTC; `NO_DAY` where none is known."""
    planes: tuple[NDArray[np.int64], ...]
    """Of each grid: places on its time axis that were looked at, ascending."""
    classes: tuple[str, ...]
    """Classes K of the scores."""
    salient: tuple[int, ...]
    """Classes whose scores, added, are what was searched for."""
    kinds: tuple[str | None, ...] = (None,)
    """What a piece's kind says: a class, or nothing where classes are joined."""
    borders: tuple[Border | None, ...] = (None,)
    """Of each grid: where it meets other grids' zones; None where nowhere."""
    connectivity: Literal[4, 8] = 4
    """Whether pixels that meet at a corner are one component (8)."""
    split_days: int | None = None
    """Neighbours whose activity lies this many days apart are several sites; None: what touches is one."""
    link_days: int | None = None
    """Days over which components are linked although times between saw none there."""
    coarse: int = 1
    """Side of the cells in pixels in which pieces were looked for; beyond them fragments say that nothing was seen."""
    seconds: tuple[NDArray[np.int64], ...] = ()
    """Of each grid: the time of each place of the run's own axis in seconds since 1970-01-01 UTC; `NO_DAY` where none
    is known."""
    since: int = NO_DAY
    """With an earlier run: the first day that is new."""
    earlier: tuple[int, ...] = ()
    """With an earlier run: of each grid, how many places on the time axis are that run's; they come first."""

    def days_of(self, grid: NDArray[np.integer], plane: Ints) -> Ints:
        """Return the day of each plane of a grid."""
        starts = np.cumsum([0, *(len(days) for days in self.days)])
        every = np.concatenate([*self.days, np.array([NO_DAY], dtype=np.int64)])
        at = np.where(plane >= 0, starts[grid] + plane, len(every) - 1)
        return np.asarray(every[at], dtype=np.int64)


@dataclass(frozen=True)
class Rules:
    """Which components are sites, and when they begin and end."""

    min_area_m2: float = 0.0
    """Smallest area, holes filled."""
    max_area_m2: float | None = None
    """Largest area."""
    fill_holes_m2: float = 0.0
    """Holes smaller than this are filled."""
    min_days: int = 0
    """Shortest time from start to end, or to the last observation of a site that has not ended."""
    max_days: int | None = None
    """Longest time."""
    min_score: float = 0.0
    """Least mean score of the outline's pixels, 0 to 1."""
    link_overlap: float = 0.0
    """Components of consecutive times are one site where they share more than this part of the smaller one."""
    timing: Timing = "threshold"
    """What start and end come from."""
    active_score: float = 0.5
    """With ``threshold``: mean score from which a site is active."""

    @property
    def active_units(self) -> int:
        """`active_score` in score units: what equals a threshold reaches it, here as where pixels are compared."""
        return round(self.active_score * FULL_SCORE)

    @property
    def min_score_units(self) -> int:
        """`min_score` in score units."""
        return round(self.min_score * FULL_SCORE)

    def __post_init__(self) -> None:
        for name in ("min_area_m2", "fill_holes_m2", "min_days", "min_score", "link_overlap"):
            if not getattr(self, name) >= 0:  # what is no number is neither
                raise ConfigError(f"{_option(name)} is {getattr(self, name):g}", hint="give 0 or more")
        for name in ("min_score", "link_overlap", "active_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{_option(name)} is {getattr(self, name):g}", hint="give a share from 0 to 1")
        if self.max_area_m2 is not None and not self.max_area_m2 >= self.min_area_m2:
            fact = f"--min-area is {self.min_area_m2:g} m2 and --max-area {self.max_area_m2:g} m2"
            raise ConfigError(fact, hint="give --max-area as much or more, or leave it out")
        if self.max_days is not None and self.max_days < self.min_days:
            fact = f"--min-days is {self.min_days} and --max-days {self.max_days}"
            raise ConfigError(fact, hint="give --max-days as many or more, or leave it out")


def _option(field: str) -> str:
    """Return a field as the command line names it."""
    return f"--{field.removesuffix('_m2').replace('_', '-')}"
