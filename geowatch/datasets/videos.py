"""Which images are one series: those of one CRS whose extents touch; and the pixels that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from geowatch.datasets.transforms import written_affine

if TYPE_CHECKING:
    from geowatch.read.scene import RasterGrid

__all__ = ["VideoSpace", "groups_of", "video_spaces"]


@dataclass(frozen=True, slots=True)
class VideoSpace:
    """The pixels of one series."""

    number: int
    """Counted from 1."""
    crs: str | None
    """CRS; None for plain pixels."""
    transform: Affine
    """From its pixels to the CRS."""
    shape: tuple[int, int]
    """(rows, columns)."""

    def to_video(self) -> dict[str, Any]:
        """Return the entry of the table ``videos``."""
        where = (self.crs or "plain").replace(":", "").lower() if len(self.crs or "") < 20 else "own-crs"
        rows, cols = self.shape
        entry: dict[str, Any] = {
            "id": self.number, "name": f"{where}-{self.number}", "width": cols, "height": rows,
        }  # fmt: skip
        if self.crs is not None:
            entry["warp_to_wld"] = written_affine(self.transform)
        return entry


def groups_of(edges: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Return for each of ``count`` things the least number of those that it hangs together with.

    >>> groups_of([(0, 2), (3, 2)], 5)
    [0, 1, 0, 0, 4]
    """
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(count)]


def video_spaces(grids: Sequence[RasterGrid]) -> list[VideoSpace]:
    """Return for each image's grid the series that it belongs to.

    A series has the finest pixels of its images, on the lattice of the first of these, over all of them.
    Images without georeference of one size are one series.
    """
    keys = [(grid.crs, grid.shape if grid.crs is None else None) for grid in grids]
    # Grids repeat over time: only those that differ are compared.
    distinct = {(key, grid.bounds): i for i, (key, grid) in reversed(list(enumerate(zip(keys, grids, strict=True))))}
    edges = [(i, distinct[key, grid.bounds]) for i, (key, grid) in enumerate(zip(keys, grids, strict=True))]
    for key in set(keys):
        edges += _touching([(i, grids[i].bounds) for (k, _), i in distinct.items() if k == key])
    roots = groups_of(edges, len(grids))
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots), 1)}
    members: dict[int, list[RasterGrid]] = {}
    for root, grid in zip(roots, grids, strict=True):
        members.setdefault(root, []).append(grid)
    spaces = {root: _space(numbers[root], found) for root, found in members.items()}
    return [spaces[root] for root in roots]


def _touching(extents: Sequence[tuple[int, tuple[float, float, float, float]]]) -> list[tuple[int, int]]:
    boxes = shapely.box(*np.array([bounds for _, bounds in extents]).T)
    first, second = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    return [(extents[a][0], extents[b][0]) for a, b in zip(first, second, strict=True) if a < b]


def _space(number: int, grids: Sequence[RasterGrid]) -> VideoSpace:
    finest = min((g for g in grids if g.is_straight), key=lambda g: max(g.steps), default=grids[0])
    if finest.crs is None or not finest.is_straight:
        return VideoSpace(number, finest.crs, finest.transform, finest.shape)
    affine = finest.transform
    corners = [~affine @ p for g in grids for p in ((g.bounds[0], g.bounds[1]), (g.bounds[2], g.bounds[3]))]
    cols, rows = [c[0] for c in corners], [c[1] for c in corners]
    x0, y0 = math.floor(min(cols) + 1e-6), math.floor(min(rows) + 1e-6)
    shape = math.ceil(max(rows) - 1e-6) - y0, math.ceil(max(cols) - 1e-6) - x0
    return VideoSpace(number, finest.crs, affine @ Affine.translation(x0, y0), shape)
