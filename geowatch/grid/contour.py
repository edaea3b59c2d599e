"""Sub-pixel outlines: each edge between two pixels gives way to the point where the threshold lies between them.

A ring of pixel edges visits its edges one by one; the points of these edges, in the same order, are a ring between
the pixels' centres, as marching squares draw it (Lorensen and Cline, 1987). Points stay off the centres themselves,
so that rings cross neither themselves nor each other. Arithmetic is on whole numbers: 1/131072 of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.areas import dense, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints
    from geowatch.grid.trace import Rings

__all__ = ["Contour", "Edges", "contour"]

#: Units of a pixel's side.
UNIT = 1 << 17
TOP, RIGHT, BOTTOM, LEFT = 0, 1, 2, 3
#: Towards the neighbour on each side, (rows, columns).
_AWAY = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])


@dataclass(frozen=True, eq=False, slots=True)
class Edges:
    """Where the threshold lies between pixels of owners and their neighbours, in any order."""

    owner: Ints
    """Of each edge: whose pixel it bounds."""
    y: Ints
    """Row of that pixel."""
    x: Ints
    """Its column."""
    side: NDArray[np.uint8]
    """Its side: 0 top, 1 right, 2 bottom, 3 left."""
    share: NDArray[np.uint16]
    """How far from its centre (0) towards its neighbour's (65535)."""

    def __len__(self) -> int:
        return len(self.owner)


@dataclass(frozen=True, eq=False, slots=True)
class Contour:
    """Rings of points between pixels' centres, in units of `UNIT` a pixel."""

    y: Ints
    x: Ints
    start: Ints
    """Index of each ring's first point, and of the end."""


def contour(rings: Rings, edges: Edges) -> Contour:
    """Return the rings through the thresholds; where an edge has none, through its middle, of several the outermost.

    Points on a straight line between their neighbours are left out.
    """
    y, x, side, ring = _unit_edges(rings)
    share = np.full(len(y), UNIT // 2, dtype=np.int64)
    found, at = _found(rings.part_owner[rings.part][ring], (y, x, side), edges)
    share[found] = 2 * edges.share[at].astype(np.int64) + 1
    py = y * UNIT + UNIT // 2 + _AWAY[side, 0] * share
    px = x * UNIT + UNIT // 2 + _AWAY[side, 1] * share
    start = np.searchsorted(ring, np.arange(len(rings.part) + 1)).astype(np.int64)
    bends = _bends(py, px, start)
    return Contour(py[bends], px[bends], np.concatenate([[0], np.cumsum(bends)])[start])


def _unit_edges(rings: Rings) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the pixel inside, its side, and the ring of each unit of each ring, in the order of the rings."""
    if not len(rings.y):
        return (rings.y,) * 4
    after = np.arange(1, len(rings.y) + 1)
    after[rings.start[1:] - 1] = rings.start[:-1]
    down, right = rings.y[after] - rings.y, rings.x[after] - rings.x
    length = np.abs(down + right)
    step = spread(length)
    corner = np.repeat(np.arange(len(length)), length)
    y = rings.y[corner] + np.sign(down)[corner] * step
    x = rings.x[corner] + np.sign(right)[corner] * step
    side = np.select([right < 0, down < 0, right > 0], [TOP, RIGHT, BOTTOM], LEFT)[corner]
    # A step runs from its corner on; the pixel inside lies to the left of the way, seen on a map.
    y -= (side == BOTTOM) | (side == RIGHT)
    x -= (side == TOP) | (side == RIGHT)
    ring = np.repeat(np.arange(len(rings.part)), rings.corners)[corner]
    return y, x, side, ring


def _found(owner: Ints, wanted: tuple[Ints, Ints, Ints], edges: Edges) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which wanted edges there are, and where."""
    if not len(edges) or not len(owner):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    y, x, side = wanted
    row = dense(np.concatenate([owner, edges.owner]), np.concatenate([y, edges.y.astype(np.int64)]))
    low = int(min(x.min(), edges.x.min()))
    width = int(max(x.max(), edges.x.max())) - low + 1
    codes = (row[len(owner) :] * width + (edges.x - low)) * 4 + edges.side
    order = np.lexsort((edges.share, codes))
    asked = (row[: len(owner)] * width + (x - low)) * 4 + side
    at = np.maximum(np.searchsorted(codes[order], asked, side="right") - 1, 0)
    found = np.flatnonzero(codes[order[at]] == asked)
    return found, order[at[found]]


def _bends(y: Ints, x: Ints, start: Ints) -> NDArray[np.bool_]:
    """Return which points are no middle of a straight line."""
    if not len(y):
        return np.zeros(0, dtype=bool)
    index = np.arange(len(y))
    before, after = index - 1, index + 1
    before[start[:-1]], after[start[1:] - 1] = start[1:] - 1, start[:-1]
    cross = (y - y[before]) * (x[after] - x) - (x - x[before]) * (y[after] - y)
    return np.asarray(cross != 0)
