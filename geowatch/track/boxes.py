"""Detected objects: boxes with a time, a class and a score become planes of scores, and pieces like any other.

A box covers the pixels whose centres lie in it, at least one. Where boxes are told apart, a pixel is of one box at a
time, the smallest that covers it: so no object is lost below a larger one, and pixels are of one piece, as everywhere
else. It has that box's score for the box's class, and 0 for all others. Pieces of two boxes stay two, however they
touch. Otherwise a pixel's score for a class is that of the best box of the class, and what touches is one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    """Boxes on the lattice of one grid, as columns, sorted by (plane, y0, x0, y1, x1, kind, score)."""

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

    def __len__(self) -> int:
        return len(self.plane)

    @classmethod
    def ordered(
        cls, corners: NDArray[np.int32], plane: NDArray[np.int32], kind: NDArray[np.int16], score: NDArray[np.uint16]
    ) -> Boxes:
        """Return boxes in their order, from corners (y0, x0, y1, x1), shape (n, 4), and the rest in any order."""
        y0, x0, y1, x1 = corners.T
        at = np.lexsort((score, kind, x1, y1, x0, y0, plane))
        return cls(*(np.ascontiguousarray(column[at]) for column in (y0, x0, y1, x1, plane, kind, score)))

    def where(self, rows: NDArray[np.bool_]) -> Boxes:
        """Return some of the boxes."""
        return Boxes(*(getattr(self, name)[rows] for name in Boxes.__slots__))


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
    apart: bool = False
    """Whether boxes are told apart."""
    _reach: dict[int, tuple[int, NDArray[np.int32]]] = field(init=False, repr=False, default_factory=dict)
    """Of planes that were asked for: the first box, and of each box the lowest row that it or one before reaches."""

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
        part[:] = np.where(known, self._scores(plane, inside, classes), NONE)
        return out

    def box_numbers(self, plane: int, box: PixelBox) -> NDArray[np.int32] | None:
        """Return of which box each pixel is, from 1, 0 for none; None where boxes are not told apart."""
        if not self.apart:
            return None
        first, met = self._met(plane, box)
        area = (self.boxes.y1[met] - self.boxes.y0[met]).astype(np.int64) * (self.boxes.x1[met] - self.boxes.x0[met])
        # What is painted last is on top: the smallest, of equals the best, of equals the first.
        order = np.lexsort((-met, self.boxes.score[met], -area))
        out = np.zeros(box.shape, np.int32)
        self._paint(box, met[order], met[order] - first + 1, out)
        return out

    def _scores(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[np.uint16]:
        """Return scores as if all of a box had been looked at, (classes, height, width)."""
        first, met = self._met(plane, box)
        out = np.zeros((len(classes), *box.shape), np.uint16)
        numbers = self.box_numbers(plane, box)
        for place, kind in enumerate(classes):
            mine = met[self.boxes.kind[met] == kind]
            if numbers is None:
                best = mine[np.argsort(self.boxes.score[mine], kind="stable")]
                self._paint(box, best, self.boxes.score[best], out[place])
            elif len(mine):
                score = np.zeros(int(met.max()) - first + 2, np.uint16)
                score[mine - first + 1] = self.boxes.score[mine]
                out[place] = score[numbers]
        return out

    def _paint(self, box: PixelBox, which: NDArray[np.intp], values: NDArray[Any], out: NDArray[Any]) -> None:
        """Fill the pixels of some boxes in ``out``, which holds ``box``, one after the other, each with its value."""
        of = self.boxes
        corners = np.stack([of.y0[which], of.x0[which], of.y1[which], of.x1[which]], axis=1).tolist()
        for each, value in zip(corners, values, strict=True):
            out[(PixelBox(*each) & box).within(box)] = value

    def _met(self, plane: int, box: PixelBox) -> tuple[int, NDArray[np.intp]]:
        """Return the first box of a plane, and its boxes that have pixels in ``box``.

        Boxes stand in the order of their first rows: those that begin below are never looked at, nor those before the
        first that reaches down to it.
        """
        of = self.boxes
        if plane not in self._reach:
            start, stop = np.searchsorted(of.plane, [plane, plane + 1])
            self._reach[plane] = int(start), np.maximum.accumulate(of.y1[start:stop])
        first, reach = self._reach[plane]
        low = first + int(np.searchsorted(reach, box.y0, side="right"))
        high = first + int(np.searchsorted(of.y0[first : first + len(reach)], box.y1, side="left"))
        near = slice(low, max(low, high))
        met = (of.y1[near] > box.y0) & (of.x1[near] > box.x0) & (of.x0[near] < box.x1)
        return first, low + np.flatnonzero(met)
