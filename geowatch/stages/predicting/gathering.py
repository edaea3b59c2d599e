"""Objects on their way into tiles: boxes of windows, sorted by the tile that owns them.

A box belongs to the tile whose core holds its centre, and is kept where that pixel is kept. A box comes from a window
that covers its centre, so that a row of cores has all of its boxes as soon as its last row of pixels is finished.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.predict.finding import kept
from geowatch.sites.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.stitch.cores import Core
    from geowatch.stitch.heatmap import HeatmapLayout

__all__ = ["Gathering"]

ByHead = tuple[Detections, ...]
"""The boxes of one window or tile, one entry a head."""
_Owner = tuple[int, int, int]
"""A tile (iy, ix), and a time block, counted from the first."""


class Gathering:
    """The boxes of some tiles, by head."""

    def __init__(self, layout: HeatmapLayout, block: int) -> None:
        """Take where tiles lie, and the number of the first time block."""
        heads = len(layout.boxes)
        self._heads = heads
        self._tile_px = layout.grid.tile_px
        self._planes, self._first = layout.block, block * layout.block
        self._held: dict[_Owner, list[list[Detections]]] = defaultdict(lambda: [[] for _ in range(heads)])

    def put(self, windows: Sequence[ByHead], keep: NDArray[np.bool_], box: PixelBox, plane: int) -> None:
        """Take the boxes of windows within ``box``, whose kept pixels are ``keep`` (height, width).

        Planes count from the first of the first time block.
        """
        for head in range(self._heads):
            found = kept(Detections.joined([window[head] for window in windows]), keep, box)
            iy, ix = found.row // self._tile_px, found.column // self._tile_px
            for place in sorted(set(zip(iy.tolist(), ix.tolist(), strict=True))):
                mine = (iy == place[0]) & (ix == place[1])
                owner = (*place, plane // self._planes)
                self._held[owner][head].append(found.where(mine).at(self._first + plane))

    def into(self, cores: Sequence[Core]) -> list[Core]:
        """Return the cores with their boxes, which are given up here."""
        return [replace(core, objects=self._taken((core.tile.iy, core.tile.ix, core.block))) for core in cores]

    def _taken(self, owner: _Owner) -> ByHead:
        parts = self._held.pop(owner, None)
        if parts is None:
            return tuple(Detections.empty() for _ in range(self._heads))
        return tuple(Detections.joined(each).ordered() for each in parts)
