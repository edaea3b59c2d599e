"""Polygons as well-known binary, many at once: bytes are laid out by lengths, never ring by ring.

In: rings of points, as `trace` gives them. Out: one run of bytes and where each owner's geometry lies in it, which
is what an Arrow column of binary is made of. An owner of one part is a Polygon, of several a MultiPolygon.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.areas import spread
from geowatch.grid.contour import UNIT, contour

if TYPE_CHECKING:
    from geowatch.grid.areas import Ints
    from geowatch.grid.contour import Edges
    from geowatch.grid.lattice import Lattice
    from geowatch.grid.trace import Rings

__all__ = ["Outlines", "Wkb", "outlines_of"]

_HEADER = np.dtype([("order", "u1"), ("type", "<u4"), ("parts", "<u4")])  # packed: 9 bytes
_POLYGON, _MULTI = 3, 6
_POINT_BYTES = 16


@dataclass(frozen=True, eq=False, slots=True)
class Wkb:
    """Geometries as bytes, one after another."""

    content: NDArray[np.uint8]
    """The bytes of all."""
    start: Ints
    """Where each begins, and the end: (geometries + 1,)."""

    def __len__(self) -> int:
        return len(self.start) - 1

    def take(self, at: NDArray[np.integer]) -> Wkb:
        """Return some of the geometries, in this order."""
        counts = np.diff(self.start)[at]
        return Wkb(self.content[spread(counts, self.start[:-1][at])], np.concatenate([[0], np.cumsum(counts)]))

    def to_list(self) -> list[bytes]:
        """Return each geometry as bytes."""
        content = self.content.tobytes()
        edges = self.start.tolist()
        return [content[a:b] for a, b in pairwise(edges)]


@dataclass(frozen=True, eq=False, slots=True)
class Outlines:
    """Rings of points in coordinates; a point is not repeated at a ring's end."""

    points: NDArray[np.float64]
    """(x, y) of each point, shape (points, 2)."""
    start: Ints
    """Index of each ring's first point, and of the end: (rings + 1,)."""
    part: Ints
    """Of each ring: its part, sorted; the first ring of a part is its exterior."""
    part_owner: Ints
    """Of each part: its owner, sorted; each owner from 0 on has a part."""

    def to_wkb(self) -> Wkb:
        """Return the geometry of each owner."""
        corners = np.diff(self.start)
        heads, head_bytes = self._heads()
        closed = spread(corners + 1, self.start[:-1])
        closed[np.cumsum(corners + 1) - 1] = self.start[:-1]
        points = np.ascontiguousarray(self.points[closed], dtype="<f8").view(np.uint8).ravel()
        content = _woven(heads, head_bytes, (corners + 1) * _POINT_BYTES, points)
        sizes = heads + (corners + 1) * _POINT_BYTES
        owners = int(self.part_owner[-1]) + 1 if len(self.part_owner) else 0
        of_owner = np.bincount(self.part_owner[self.part], weights=sizes, minlength=owners).astype(np.int64)
        return Wkb(content, np.concatenate([[0], np.cumsum(of_owner)]))

    def _heads(self) -> tuple[Ints, NDArray[np.uint8]]:
        """Bytes before each ring's points, as lengths and content: of geometry, polygon and ring."""
        first_of_part = np.append(True, self.part[1:] != self.part[:-1])[: len(self.part)]
        parts = np.bincount(self.part_owner)
        first_of_owner = np.append(True, self.part_owner[1:] != self.part_owner[:-1])[: len(self.part_owner)]
        opens_multi = np.zeros(len(self.part), dtype=bool)
        opens_multi[first_of_part] = first_of_owner & (parts[self.part_owner] > 1)
        polygons = _headers(_POLYGON, np.bincount(self.part, minlength=len(self.part_owner)))
        multis = _headers(_MULTI, parts[parts > 1])
        counts = (np.diff(self.start) + 1).astype("<u4").view(np.uint8)
        size = _HEADER.itemsize
        outer = size * opens_multi
        both = _woven(outer[first_of_part], multis, np.full(len(self.part_owner), size), polygons)
        before = outer + size * first_of_part
        return before + 4, _woven(before, both, np.full(len(self.part), 4), counts)


def _headers(kind: int, parts: Ints) -> NDArray[np.uint8]:
    heads = np.zeros(len(parts), dtype=_HEADER)
    heads["order"], heads["type"], heads["parts"] = 1, kind, parts
    return heads.view(np.uint8)


def _woven(a_bytes: Ints, a: NDArray[np.uint8], b_bytes: Ints, b: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay out bytes of a and of b in turns of these lengths."""
    turns = np.stack([a_bytes, b_bytes], axis=1).ravel()
    from_b = np.repeat(np.arange(len(turns)) % 2 == 1, turns)
    woven = np.empty(len(from_b), dtype=np.uint8)
    woven[from_b], woven[~from_b] = b, a
    return woven


def outlines_of(rings: Rings, lattice: Lattice, edges: Edges | None = None) -> Outlines:
    """Return rings in the coordinates of a lattice; exteriors counterclockwise, holes clockwise.

    With ``edges`` they run through the thresholds between pixels, else along the pixels' edges.
    """
    y, x, start = rings.y, rings.x, rings.start
    unit = 1.0
    if edges is not None:
        drawn = contour(rings, edges)
        y, x, start, unit = drawn.y, drawn.x, drawn.start, float(UNIT)
    if lattice.step_y > 0:  # rows run north: the other way round, from the same corner on
        at, length = np.arange(len(y)), np.diff(start)
        first = np.repeat(start[:-1], length)
        around = np.repeat(length, length)
        at = first + (around - (at - first)) % around
        y, x = y[at], x[at]
    xy = [lattice.phase_x + x * (lattice.step_x / unit), lattice.phase_y + y * (lattice.step_y / unit)]
    return Outlines(np.stack(xy, axis=1), start, rings.part, rings.part_owner)
