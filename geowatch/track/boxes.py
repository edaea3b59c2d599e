"""Detected objects: boxes with a time, a class and a score become planes of scores, and pieces like any other.

A box covers the pixels whose centres lie in it, at least one. A pixel's score for a class is that of the best box of
the class that covers it at that time, and 0 under no box. From there on objects are tracked and joined by the same
code as a heatmap's scores; boxes of one class and time that touch are one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.scores import NONE, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OBJECTS", "BoxPlanes", "Boxes", "objects_key", "pixels_of", "snapped"]

#: Folder of boxes in a run.
OBJECTS = "objects"
#: Scores of boxes are stored in score units.
SCALE = Scale("uint16", FULL_SCORE, NONE)


def objects_key(digest: str) -> str:
    """Return the key of boxes with this digest in a run folder."""
    return f"{OBJECTS}/{digest[:12]}.arrow"


@dataclass(frozen=True, eq=False, slots=True)
class Boxes:
    """Boxes on the lattice of one grid, as columns."""

    y0: NDArray[np.int32]
    """First rows."""
    x0: NDArray[np.int32]
    """First columns."""
    y1: NDArray[np.int32]
    """Rows after the last."""
    x1: NDArray[np.int32]
    """Columns after the last."""
    plane: NDArray[np.int32]
    """Places on the time axis."""
    kind: NDArray[np.int16]
    """Indices of classes."""
    score: NDArray[np.uint16]
    """Scores in units."""


def snapped(lattice: Lattice, bounds: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return (y0, x0, y1, x1) of boxes in pixels, shape (n, 4).

    Args:
        lattice: Where pixels are.
        bounds: (left, bottom, right, top) in CRS units, shape (n, 4).

    >>> lattice = Lattice("EPSG:32618", -10.0, 10.0)
    >>> snapped(lattice, np.array([[12.0, -31.0, 47.0, -9.0], [1.0, -2.0, 3.0, -1.0]])).tolist()
    [[1, 1, 3, 5], [0, 0, 1, 1]]
    """
    columns = np.sort((bounds[:, [0, 2]] - lattice.phase_x) / lattice.step_x, axis=1)
    rows = np.sort((bounds[:, [1, 3]] - lattice.phase_y) / lattice.step_y, axis=1)
    return pixels_of(np.stack([rows[:, 0], columns[:, 0], rows[:, 1], columns[:, 1]], axis=1))


def pixels_of(corners: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return (y0, x0, y1, x1) of the pixels that boxes cover, from corners in pixels, shape (n, 4)."""
    (y0, y1), (x0, x1) = _span(corners[:, [0, 2]]), _span(corners[:, [1, 3]])
    return np.stack([y0, x0, y1, x1], axis=1).astype(np.int32)


def _span(ends: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pixels whose centres lie between two ends; the one that holds the middle where there are none."""
    first, last = np.ceil(ends[:, 0] - 0.5), np.ceil(ends[:, 1] - 0.5)
    middle = np.floor(ends.mean(axis=1))
    empty = last <= first
    return np.where(empty, middle, first), np.where(empty, middle + 1, last)


@dataclass(frozen=True, eq=False, slots=True)
class BoxPlanes:
    """The planes that boxes make; beyond the region's bounds there is nothing."""

    boxes: Boxes
    """The boxes."""
    class_count: int
    """Classes K."""
    bounds: PixelBox
    """The region's bounds."""
    cover: Callable[[PixelBox], NDArray[np.bool_]]
    """Which pixels of a box belong to the region, shape (height, width)."""
    seen: Callable[[int, PixelBox], NDArray[np.bool_]] | None = None
    """Which of them were looked at on a plane; None for all."""

    @property
    def scale(self) -> Scale:
        """How stored values stand for scores."""
        return SCALE

    def read(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[np.uint16]:
        """Return scores in units, shape (classes, height, width); `NONE` beyond the region."""
        out = np.full((len(classes), *box.shape), NONE, np.uint16)
        inside = box & self.bounds
        if not inside:
            return out
        part = out[(slice(None), *inside.within(box))]
        known = self.cover(inside) if self.seen is None else self.cover(inside) & self.seen(plane, inside)
        part[:] = np.where(known, 0, NONE)
        for n in self._met(plane, inside):
            here = PixelBox(*(int(getattr(self.boxes, name)[n]) for name in ("y0", "x0", "y1", "x1"))) & inside
            for k in (k for k, kind in enumerate(classes) if kind == self.boxes.kind[n]):
                covered = part[(k, *here.within(inside))]
                np.maximum(covered, self.boxes.score[n], out=covered)
        return out

    def _met(self, plane: int, box: PixelBox) -> list[int]:
        """Return the boxes of a plane that have pixels in ``box``; each is painted once."""
        of = self.boxes
        rows, columns = (of.y1 > box.y0) & (of.y0 < box.y1), (of.x1 > box.x0) & (of.x0 < box.x1)
        found: list[int] = np.flatnonzero((of.plane == plane) & rows & columns).tolist()
        return found
