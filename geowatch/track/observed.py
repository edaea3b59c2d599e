"""Series: what each piece's pixels score, class by class, at each date that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.grid.runs import Runs, pixels, runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.track.search import Planes

__all__ = ["Outlined", "Series", "observe", "seen_near"]


@dataclass(frozen=True, eq=False, slots=True)
class Outlined:
    """Pieces and the pixels that they have."""

    number: NDArray[np.int32]
    """Numbers of the pieces."""
    runs: Runs
    """Their runs, one piece after the other."""
    starts: NDArray[np.intp]
    """The first run of each piece; every piece has one."""


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Observations as columns; those of which nothing was seen are left out."""

    piece: NDArray[np.int32]
    """Pieces that were looked at."""
    plane: NDArray[np.int32]
    """Places on the time axis."""
    px: NDArray[np.int64]
    """Pixels of the piece that have scores."""
    sums: NDArray[np.int64]
    """Sums of scores over them by class, (observations, K)."""

    @classmethod
    def join(cls, parts: Sequence[Series], class_count: int) -> Series:
        """Return all observations, sorted by (piece, plane)."""
        if not parts:
            empty = np.zeros(0, np.int32)
            return cls(empty, empty, np.zeros(0, np.int64), np.zeros((0, class_count), np.int64))
        piece, plane = (np.concatenate([getattr(part, name) for part in parts]) for name in ("piece", "plane"))
        order = np.lexsort((plane, piece))
        px = np.concatenate([part.px for part in parts])[order]
        return cls(piece[order], plane[order], px, np.concatenate([part.sums for part in parts])[order])


def observe(planes: Planes, looks: Sequence[int], outlined: Outlined, pause: Callable[[], None]) -> list[Series]:
    """Return what pieces score in each of some planes.

    Args:
        planes: Where scores come from.
        looks: Planes to look at.
        outlined: The pieces.
        pause: Called before each plane.
    """
    runs = outlined.runs
    if not len(runs):
        return []
    hull = _hull(runs)
    where = pixels(runs, hull)
    lengths = runs.lengths.astype(np.intp)
    firsts = (np.cumsum(lengths) - lengths)[outlined.starts]
    found = []
    for plane in looks:
        pause()
        some, px, sums = _look(planes, plane, hull, where, firsts)
        found.append(Series(outlined.number[some], np.full(len(some), plane, np.int32), px, sums))
    return found


def seen_near(planes: Planes, plane: int, runs: Runs) -> Runs:
    """Return where a plane has scores, in the smallest box around some runs."""
    if not len(runs):
        return runs
    hull = _hull(runs)
    return runs_of(~planes.scale.is_none(planes.read(plane, hull, (0,))[0]), hull.y0, hull.x0)


def _hull(runs: Runs) -> PixelBox:
    return PixelBox(int(runs.y.min()), int(runs.x0.min()), int(runs.y.max()) + 1, int(runs.x1.max()))


def _look(
    planes: Planes, plane: int, hull: PixelBox, where: NDArray[np.intp], firsts: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Return which pieces were seen, how many pixels of each, and the sums of their scores."""
    stored = planes.read(plane, hull, tuple(range(planes.class_count)))
    values = stored.reshape(len(stored), -1)[:, where]
    seen = ~planes.scale.is_none(values[0])
    px = np.add.reduceat(seen.astype(np.int64), firsts)
    sums = np.stack([np.add.reduceat(planes.scale.units(each), firsts) for each in values], axis=-1)
    some = np.flatnonzero(px)
    return some, px[some], sums[some]
