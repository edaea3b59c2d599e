"""Outlines of pixel areas: from runs along rows to rings of corners, for many owners at once and exactly.

Above each line between two rows lie runs and below it lie runs; where only one of the two has pixels the outline
runs along the line. The ends of these edges are the corners. Sorted by (owner, y, x) corners are joined along
rows two by two, sorted by (owner, x, y) along columns; going on by row, then by column, walks around each ring.
Exteriors run counterclockwise on a map whose rows run south, holes clockwise; each ring starts at its smallest
(y, x). Where two pixels of an owner meet at a corner only, rings turn around the pixel that is not its own, so
that no ring touches itself and each polygon is valid: a hole may touch the exterior at a point.

The smallest example, one pixel at row 2, column 5:

>>> rings = trace(unite(*(np.array([value]) for value in (0, 2, 5, 6))))
>>> list(zip(rings.y.tolist(), rings.x.tolist()))
[(2, 5), (3, 5), (3, 6), (2, 6)]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.areas import Areas, Ints, parts_of, spread, unite

__all__ = ["Rings", "runs_of_rings", "trace"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Rings:
    """Rings of corners. Each part has one exterior, then its holes; a corner is not repeated at a ring's end."""

    y: Ints
    """Of each corner: its line, counted as the row below it."""
    x: Ints
    """Of each corner: its line, counted as the column right of it."""
    start: Ints
    """Index of each ring's first corner, and of the end: (rings + 1,)."""
    area_px: Ints
    """Of each ring: pixels inside; negative for holes."""
    part: Ints
    """Of each ring: its part (a 4-connected polygon), from 0 on, sorted."""
    part_owner: Ints
    """Of each part: its owner, sorted."""

    @property
    def corners(self) -> Ints:
        """Of each ring: its number of corners."""
        return np.diff(self.start)

    def keep(self, kept: Flags) -> Rings:
        """Return the rings of a mask; each part must keep its exterior."""
        counts = self.corners[kept]
        at = spread(counts, self.start[:-1][kept])
        start = np.concatenate([[0], np.cumsum(counts)])
        return Rings(self.y[at], self.x[at], start, self.area_px[kept], self.part[kept], self.part_owner)


@dataclass(frozen=True, eq=False, slots=True)
class _Frame:
    """Where corners of parts are numbered: lines of one part follow those of another."""

    row: Ints
    """Of each part: number of its first line between rows; and the end."""
    column: Ints
    """Of each part: number of its first line between columns; and the end."""
    y: Ints
    """Of each part: its first row."""
    x: Ints
    """Of each part: its first column."""

    @classmethod
    def of(cls, areas: Areas) -> _Frame:
        first = areas.starts
        y, x = areas.y[first], np.minimum.reduceat(areas.x0, first)
        last = np.append(first[1:], len(areas)) - 1
        heights, widths = areas.y[last] - y + 2, np.maximum.reduceat(areas.x1, first) - x + 1
        row, column = (np.concatenate([[0], np.cumsum(sizes)]) for sizes in (heights, widths))
        return cls(row, column, y, x)


def trace(areas: Areas, connectivity: int = 4) -> Rings:
    """Return the outlines of all owners. Parts are numbered by (owner, first pixel).

    Args:
        areas: Pixels of owners.
        connectivity: 4, or 8 where pixels that meet at a corner are one part: its holes are what pixels surround
            that touch at corners only, too. Rings may then touch themselves: they are for filling, not for drawing.
    """
    if not len(areas):
        none = np.zeros(0, dtype=np.int64)
        return Rings(none, none, np.zeros(1, dtype=np.int64), none, none, none)
    part = parts_of(areas, connectivity)
    part_owner = np.empty(part.max() + 1, dtype=np.int64)
    part_owner[part] = areas.owner
    split = Areas(part, areas.y, areas.x0, areas.x1)
    if (part[1:] < part[:-1]).any():
        split = split[np.argsort(part, kind="stable")]
    frame = _Frame.of(split)
    keys, width = _events(split, frame)
    row, x, fg_below, tie = _corners(keys, width)
    of_part = np.repeat(np.arange(len(frame.y)), np.diff(frame.row))[row]
    y = row - frame.row[of_part]
    heights = np.diff(frame.row)
    column = (frame.column[of_part] + x) * (2 * int(heights.max())) + 2 * y + tie
    order, start = _walk(_follow(fg_below, np.argsort(column, kind="stable")))
    y, x = (y + frame.y[of_part])[order], (x + frame.x[of_part])[order]
    return Rings(y, x, start, _area_px(y, x, start), of_part[order[start[:-1]]], part_owner)


def _events(areas: Areas, frame: _Frame) -> tuple[Ints, int]:
    """Return where runs begin and end above and below each line, as sorted keys, and the width they count with.

    A key is (line * width + x) * 4 + kind; kind is 0 where a run below begins, 1 where one below ends, 2 and 3 for
    runs above.
    """
    counts = np.diff(np.append(areas.starts, len(areas)))
    x = np.repeat(frame.x, counts)
    width = int(np.diff(frame.column).max())
    line = np.repeat(frame.row[:-1] - frame.y, counts) + areas.y
    begin = (line * width + areas.x0 - x) * 4
    end = (line * width + areas.x1 - x) * 4
    keys = np.concatenate([begin, end + 1, begin + (4 * width + 2), end + (4 * width + 3)])
    keys.sort(kind="stable")  # four sorted columns: merged, not sorted anew
    return keys, width


def _corners(keys: Ints, width: int) -> tuple[Ints, Ints, Flags, Flags]:
    """Return line, column, whether the pixel below and to the right is inside, and the order in its column.

    Where runs begin (or end) above and below alike the outline goes straight on and there is no corner; where one
    begins and the other ends two pixels meet diagonally, and the corner stands twice.
    """
    place, kind = keys >> 2, (keys & 3).astype(np.int8)
    twin = np.flatnonzero(place[1:] == place[:-1])
    crossing = (kind[twin] ^ kind[twin + 1]) == 3
    keep = np.ones(len(keys), dtype=bool)
    straight = twin[~crossing]
    keep[straight] = keep[straight + 1] = False
    tie = np.zeros(len(keys), dtype=bool)
    falling = kind[twin] == 0  # inside are the pixels above left and below right
    tie[twin[crossing & falling]] = True
    tie[twin[crossing & ~falling] + 1] = True
    place, kind = place[keep], kind[keep]
    return place // width, place % width, (kind == 0) | (kind == 3), tie[keep]


def _follow(fg_below: Flags, by_column: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the corner that follows each: along the row, where an edge begins there, else along the column."""
    along_column = np.empty(len(by_column), dtype=np.intp)
    along_column[by_column[0::2]] = by_column[1::2]
    along_column[by_column[1::2]] = by_column[0::2]
    corner = np.arange(len(by_column))
    right = (corner & 1).astype(bool)
    # Edges above pixels run west, edges below them east.
    begins = right == np.repeat(fg_below[0::2], 2)
    return np.where(begins, corner ^ 1, along_column)


def _walk(follow: NDArray[np.intp]) -> tuple[NDArray[np.intp], Ints]:
    """Return the corners ring by ring, each from its smallest on, and where rings start.

    Distances along the rings are found by doubling: after n rounds each corner knows the way to 2^n corners on.
    """
    first = _smallest_on_ring(follow)
    corner = np.arange(len(follow))
    heads = first == corner
    number = np.cumsum(heads) - 1
    start = np.concatenate([[0], np.cumsum(np.bincount(number[first]))])
    rank = _distance(follow, heads)
    order = np.empty(len(follow), dtype=np.intp)
    length = np.diff(start)[number[first]]
    order[start[number[first]] + (length - rank) % length] = corner
    return order, start


def _smallest_on_ring(follow: NDArray[np.intp]) -> NDArray[np.intp]:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    size = len(follow)
    index = np.int32 if size < 1 << 31 else np.int64
    parts = (np.ones(size, dtype=np.int8), follow.astype(index), np.arange(size + 1, dtype=index))
    count, label = connected_components(csr_array(parts, shape=(size, size)), directed=False)
    first = np.empty(count, dtype=np.intp)
    first[label[::-1]] = np.arange(size)[::-1]
    return np.asarray(first[label], dtype=np.intp)


def _distance(follow: NDArray[np.intp], heads: Flags) -> Ints:
    """Return the steps from each corner on to the head of its ring; 0 at the head."""
    distance = (~heads).astype(np.int64)
    jump = np.where(heads, np.arange(len(follow)), follow)
    active = np.flatnonzero(~heads[jump])
    while len(active):
        over = jump[active]
        ahead, beyond = distance[over], jump[over]
        distance[active] += ahead
        jump[active] = beyond
        active = active[~heads[beyond]]
    return distance


def _area_px(y: Ints, x: Ints, start: Ints) -> Ints:
    if not len(y):
        return np.zeros(0, dtype=np.int64)
    after = np.arange(1, len(y) + 1)
    after[start[1:] - 1] = start[:-1]
    # Twice the area is not needed: along pixel edges only those on rows count. From the ring's own first line.
    height = y - np.repeat(y[start[:-1]], np.diff(start))
    return np.asarray(np.add.reduceat((x[after] - x) * height, start[:-1]), dtype=np.int64)


def runs_of_rings(rings: Rings, owner: Ints) -> Areas:
    """Return the pixels inside of each ring, holes as if they were exteriors, as ``owner`` of each ring says."""
    after = np.arange(1, len(rings.y) + 1)
    after[rings.start[1:] - 1] = rings.start[:-1]
    ring = np.repeat(np.arange(len(rings.start) - 1), rings.corners)
    top, bottom = np.minimum(rings.y, rings.y[after]), np.maximum(rings.y, rings.y[after])
    y, x = spread(bottom - top, top), np.repeat(rings.x, bottom - top)
    ring = np.repeat(ring, bottom - top)
    order = np.lexsort((x, y, ring))
    y, x, ring = y[order], x[order], ring[order]
    return unite(owner[ring[0::2]], y[0::2], x[0::2], x[1::2])
