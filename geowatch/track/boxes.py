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
    """The boxes of one plane on the lattice of one grid, as columns, sorted by (y0, x0, y1, x1, kind, score)."""

    y0: NDArray[np.int32]
    """First rows."""
    x0: NDArray[np.int32]
    """First columns."""
    y1: NDArray[np.int32]
    """Rows after the last."""
    x1: NDArray[np.int32]
    """Columns after the last."""
    kind: NDArray[np.int16]
    """Indices of classes."""
    score: NDArray[np.uint16]
    """Scores in units."""
    number: NDArray[np.int32] | None = None
    """What names each box on all grids, from `SHARED_NUMBERS` on; None where there is one grid: they are counted."""
    reach: NDArray[np.int32] = field(init=False, repr=False)
    """Of each box: the row after the last that it or a box before it has."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", np.maximum.accumulate(self.y1))

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def none(cls) -> Boxes:
        """Return no boxes."""
        return cls.ordered(np.zeros((0, 4), np.int32), np.zeros(0, np.int16), np.zeros(0, np.uint16))

    @classmethod
    def ordered(
        cls, corners: NDArray[np.int32], kind: NDArray[np.int16], score: NDArray[np.uint16],
        number: NDArray[np.int32] | None = None,
    ) -> Boxes:  # fmt: skip
        """Return boxes in their order, from corners (y0, x0, y1, x1), shape (n, 4), and the rest in any order."""
        y0, x0, y1, x1 = corners.T
        at = np.lexsort((score, kind, x1, y1, x0, y0))
        return cls(y0[at], x0[at], y1[at], x1[at], kind[at], score[at], None if number is None else number[at])

    def where(self, rows: NDArray[np.bool_]) -> Boxes:
        """Return some of the boxes."""
        corners = (self.y0[rows], self.x0[rows], self.y1[rows], self.x1[rows])
        number = None if self.number is None else self.number[rows]
        return Boxes(*corners, self.kind[rows], self.score[rows], number)

    def near(self, box: PixelBox) -> NDArray[np.intp]:
        """Return the places of the boxes that have pixels in ``box``.

        Boxes stand in the order of their first rows: those that begin below are not looked at, nor those before the
        first that reaches down to it.
        """
        low = int(np.searchsorted(self.reach, box.y0, side="right"))
        high = max(low, int(np.searchsorted(self.y0, box.y1, side="left")))
        some = slice(low, high)
        met = (self.y1[some] > box.y0) & (self.x1[some] > box.x0) & (self.x0[some] < box.x1)
        return low + np.flatnonzero(met)


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

    boxes: Callable[[int], Boxes]
    """Of a plane: its boxes."""
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
        of, places = self._on_top(plane, box)
        if of.number is None:
            return places
        return np.concatenate([np.zeros(1, np.int32), of.number])[places]

    def _on_top(self, plane: int, box: PixelBox) -> tuple[Boxes, NDArray[np.int32]]:
        """Return the boxes of a plane, and of each pixel the place of its box among them, from 1, 0 for none."""
        of = self.boxes(plane)
        met = of.near(box)
        area = (of.y1[met] - of.y0[met]).astype(np.int64) * (of.x1[met] - of.x0[met])
        # What is painted last is on top: the smallest, of equals the best, of equals the first.
        order = met[np.lexsort((-met, of.score[met], -area))]
        out = np.zeros(box.shape, np.int32)
        _paint(of, (box, out), order, order + 1)
        return of, out

    def _scores(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[np.uint16]:
        """Return scores as if all of a box had been looked at, (classes, height, width)."""
        of = self.boxes(plane)
        out = np.zeros((len(classes), *box.shape), np.uint16)
        numbers = self._on_top(plane, box)[1] if self.apart else None
        for place, kind in enumerate(classes):
            if numbers is None:
                met = of.near(box)
                mine = met[of.kind[met] == kind]
                best = mine[np.argsort(of.score[mine], kind="stable")]
                _paint(of, (box, out[place]), best, of.score[best])
            else:
                mine = np.flatnonzero(numbers)
                which = numbers.reshape(-1)[mine] - 1
                out[place].reshape(-1)[mine] = np.where(of.kind[which] == kind, of.score[which], 0)
        return out


def _paint(of: Boxes, onto: tuple[PixelBox, NDArray[Any]], which: NDArray[np.intp], values: NDArray[Any]) -> None:
    """Fill the pixels of some boxes in an array that holds a box, one after the other, each with its value."""
    box, out = onto
    corners = np.stack([of.y0[which], of.x0[which], of.y1[which], of.x1[which]], axis=1).tolist()
    for each, value in zip(corners, values, strict=True):
        out[(PixelBox(*each) & box).within(box)] = value
