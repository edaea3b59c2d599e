"""Runs: pixels of the lattice as stretches of rows, and what can be said of them without a raster.

A run is a row ``y`` and half-open columns ``x0 <= x < x1``. Masks become runs, runs become connected pieces, and
runs that were cut at the seams of tiles find each other again. Everything is arithmetic on whole columns of
integers: the cost follows the number of runs, not of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geowatch.grid.lattice import PixelBox

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Connectivity",
    "Runs",
    "at_sides",
    "components",
    "contacts",
    "mask_of",
    "numbered_runs",
    "overlaps",
    "pieces",
    "pixels",
    "runs_of",
    "seam_contacts",
]

Connectivity = Literal[4, 8]
"""Which pixels touch: those that share an edge, or a corner too."""


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Runs as columns, sorted by (y, x0); no two share a pixel."""

    y: NDArray[np.int32]
    """Rows."""
    x0: NDArray[np.int32]
    """First columns."""
    x1: NDArray[np.int32]
    """Columns after the last."""

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, at: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Runs:
        return Runs(self.y[at], self.x0[at], self.x1[at])

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Pixels of each run."""
        return np.asarray(self.x1 - self.x0, np.int32)

    @classmethod
    def of(cls, y: NDArray[np.integer], x0: NDArray[np.integer], x1: NDArray[np.integer]) -> Runs:
        """Return runs of these columns as they stand."""
        return cls(y.astype(np.int32), x0.astype(np.int32), x1.astype(np.int32))

    @classmethod
    def join(cls, parts: Sequence[Runs]) -> Runs:
        """Return the runs of all parts, one after the other."""
        if not parts:
            return cls(*(np.zeros(0, np.int32) for _ in range(3)))
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "x0", "x1")))

    def order(self) -> NDArray[np.intp]:
        """Return the order that sorts them by (y, x0)."""
        return np.argsort(_key(self.y, self.x0, _frame(self)), kind="stable")


def runs_of(mask: NDArray[np.bool_], y0: int = 0, x0: int = 0) -> Runs:
    """Return the runs of a mask (H, W) whose first pixel is lattice pixel (y0, x0).

    >>> found = runs_of(np.array([[1, 1, 0, 1], [0, 0, 1, 1]], bool), y0=10)
    >>> found.y.tolist(), found.x0.tolist(), found.x1.tolist()
    ([10, 10, 11], [0, 3, 2], [2, 4, 4])
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 1), np.uint8)
    padded[:, :width] = mask
    flat = padded.reshape(-1)
    # A column of zeros ends every row, so that runs never go on into the next one.
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        changes = np.concatenate([[0], changes])
    starts, ends = changes[::2], changes[1::2]
    rows = starts // (width + 1)
    return Runs.of(rows + y0, starts - rows * (width + 1) + x0, ends - rows * (width + 1) + x0)


def numbered_runs(numbers: NDArray[np.int32], y0: int = 0, x0: int = 0) -> tuple[Runs, NDArray[np.int32]]:
    """Return runs of pixels with the same number other than 0, and the number of each run.

    Args:
        numbers: Of each pixel, shape (H, W).
        y0: Lattice row of the first pixel.
        x0: Its lattice column.

    >>> found, number = numbered_runs(np.array([[7, 7, 3, 0], [0, 0, 3, 3]], np.int32))
    >>> found.x0.tolist(), found.x1.tolist(), number.tolist()
    ([0, 2, 2], [2, 3, 4], [7, 3, 3])
    """
    height, width = numbers.shape
    padded = np.zeros((height, width + 1), np.int32)
    padded[:, :width] = numbers
    flat = padded.reshape(-1)
    bounds = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    some = np.flatnonzero(flat[bounds[:-1]]) if flat.size else np.zeros(0, np.intp)
    starts, ends = bounds[some], bounds[some + 1]
    rows = starts // (width + 1)
    runs = Runs.of(rows + y0, starts - rows * (width + 1) + x0, ends - rows * (width + 1) + x0)
    return runs, flat[starts]


def mask_of(runs: Runs, box: PixelBox) -> NDArray[np.bool_]:
    """Return the mask (height, width) of runs that lie within ``box``.

    >>> mask_of(runs_of(np.array([[0, 1, 1]], bool)), PixelBox(0, 0, 1, 4)).tolist()
    [[False, True, True, False]]
    """
    out = np.zeros(box.area_px, bool)
    out[pixels(runs, box)] = True
    return out.reshape(box.shape)


def pixels(runs: Runs, box: PixelBox) -> NDArray[np.intp]:
    """Return where the pixels of runs are in an array that holds ``box``, flat, run after run.

    >>> pixels(runs_of(np.array([[0, 1, 1], [1, 0, 0]], bool)), PixelBox(0, 0, 2, 3)).tolist()
    [1, 2, 3]
    """
    lengths = (runs.x1 - runs.x0).astype(np.intp)
    firsts = (runs.y.astype(np.intp) - box.y0) * box.width + (runs.x0.astype(np.intp) - box.x0)
    before = np.cumsum(lengths) - lengths
    return np.repeat(firsts - before, lengths) + np.arange(int(lengths.sum()), dtype=np.intp)


def contacts(runs: Runs, connectivity: Connectivity = 4) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of runs that touch: one below the other, or end to end in a row.

    Runs of one mask never stand end to end; those of neighbouring tiles do.

    >>> first, second = contacts(runs_of(np.array([[1, 1, 0, 1], [0, 0, 1, 1]], bool)))
    >>> list(zip(first.tolist(), second.tolist()))
    [(1, 2)]
    >>> first, second = contacts(runs_of(np.array([[1, 1, 0, 1], [0, 0, 1, 1]], bool)), 8)
    >>> list(zip(first.tolist(), second.tolist()))
    [(0, 2), (1, 2)]
    """
    upper, lower = _meeting(runs, runs, rows_down=1, reach=0 if connectivity == 4 else 1)
    beside = np.flatnonzero((runs.y[1:] == runs.y[:-1]) & (runs.x1[:-1] == runs.x0[1:]))
    return np.concatenate([upper, beside]), np.concatenate([lower, beside + 1])


def overlaps(first: Runs, second: Runs) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """Return pairs (i, j) of runs of two planes that share pixels, and how many they share.

    >>> i, j, px = overlaps(runs_of(np.array([[1, 1, 1, 0]], bool)), runs_of(np.array([[0, 1, 1, 1]], bool)))
    >>> i.tolist(), j.tolist(), px.tolist()
    ([0], [0], [2])
    """
    i, j = _meeting(first, second, rows_down=0, reach=0)
    shared = np.minimum(first.x1[i], second.x1[j]) - np.maximum(first.x0[i], second.x0[j])
    return i, j, shared.astype(np.int64)


def _meeting(first: Runs, second: Runs, *, rows_down: int, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs (i, j) where run j of ``second`` lies ``rows_down`` rows below run i and over or under it.

    With ``reach`` 1 runs that only meet at a corner count as well.
    """
    frame = _frame(first, second)
    begins, ends = _key(second.y, second.x0, frame), _key(second.y, second.x1, frame)
    row = first.y.astype(np.int64) + rows_down
    # Runs of a row are disjoint and sorted: those that meet run i are consecutive.
    start = np.searchsorted(ends, _key(row, first.x0, frame) - reach, side="right")
    stop = np.searchsorted(begins, _key(row, first.x1, frame) + reach, side="left")
    count = np.maximum(stop - start, 0)
    i = np.repeat(np.arange(len(first), dtype=np.intp), count)
    j = np.arange(len(i), dtype=np.intp) + np.repeat(start - (np.cumsum(count) - count), count)
    return i, j


def _frame(*each: Runs) -> tuple[int, int]:
    """Return (first column less 2, width with room at both ends) that holds all runs."""
    filled = [runs for runs in each if len(runs)]
    if not filled:
        return 0, 1
    low = min(int(runs.x0.min()) for runs in filled) - 2
    return low, max(int(runs.x1.max()) for runs in filled) + 2 - low


def _key(y: NDArray[np.integer], x: NDArray[np.integer], frame: tuple[int, int]) -> NDArray[np.int64]:
    """Return numbers that stand in row-major order."""
    low, width = frame
    return y.astype(np.int64) * width + (x.astype(np.int64) - low)


def components(count: int, first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return for each of ``count`` things the number of its component; pairs (first, second) belong together.

    Components are numbered by their first member.

    >>> components(5, np.array([3, 1]), np.array([0, 4])).tolist()
    [0, 1, 2, 0, 1]
    """
    if not len(first):
        return np.arange(count, dtype=np.int32)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    found, label = connected_components(graph, directed=False)
    leads = np.empty(found, np.intp)
    leads[label[::-1]] = np.arange(count)[::-1]  # of several the first stays
    rank = np.empty(found, np.int32)
    rank[np.argsort(leads)] = np.arange(found, dtype=np.int32)
    return np.asarray(rank[label], np.int32)


def pieces(runs: Runs, connectivity: Connectivity = 4, number: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    """Return for each run the number of its connected piece, counted by first pixel in row-major order.

    Where runs have a ``number`` each, only those with the same one are connected.

    >>> pieces(runs_of(np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], bool))).tolist()
    [0, 0, 0, 0, 0]
    >>> pieces(runs_of(np.array([[1, 0, 1], [0, 1, 0]], bool))).tolist()
    [0, 1, 2]
    """
    first, second = contacts(runs, connectivity)
    if number is not None:
        same = number[first] == number[second]
        first, second = first[same], second[same]
    return components(len(runs), first, second)


def at_sides(runs: Runs, box: PixelBox) -> NDArray[np.bool_]:
    """Return which runs of a box reach one of its sides: only those can touch a run of another box.

    >>> at_sides(runs_of(np.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], bool)), PixelBox(0, 0, 3, 4)).tolist()
    [True, False]
    """
    rows = (runs.y == box.y0) | (runs.y == box.y1 - 1)
    return np.asarray(rows | (runs.x0 == box.x0) | (runs.x1 == box.x1))


def seam_contacts(
    runs: Runs, owner: NDArray[np.integer], connectivity: Connectivity = 4
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of owners (a < b) whose runs touch, each pair once; runs may come in any order.

    Two tiles side by side, with a piece each that meet at the seam:

    >>> left, right = runs_of(np.array([[0, 1], [0, 1]], bool)), runs_of(np.array([[1, 0], [0, 0]], bool), x0=2)
    >>> a, b = seam_contacts(Runs.join([left, right]), np.array([0, 0, 7]))
    >>> a.tolist(), b.tolist()
    ([0], [7])
    """
    order = runs.order()
    first, second = contacts(runs[order], connectivity)
    a, b = owner[order[first]].astype(np.int64), owner[order[second]].astype(np.int64)
    low, high = np.minimum(a, b), np.maximum(a, b)
    span = int(high.max()) + 1 if len(high) else 1
    pairs = np.unique((low * span + high)[low != high])
    return pairs // span, pairs % span
