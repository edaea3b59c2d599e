"""The coarse pass: cells of the lattice whose mean score makes them worth a look; the fine pass works only there.

Cells are squares of pixels counted from lattice pixel 0, so that they are the same for every tile that meets them. A
cell is a candidate where the mean of its pixels' scores, taken through the same steps in time as a pixel's, reaches
half of the low threshold; candidates are then grown by one cell on every side. What is so small or faint that no cell
shows it is not found: that is the price of the pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.track.layers import in_time
from geowatch.track.scores import NONE, ratio
from geowatch.track.spacewise import dilated
from geowatch.track.timewise import aggregate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.track.scores import Salience
    from geowatch.track.search import Planes, Search

__all__ = ["Candidates", "block_means", "candidates"]


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """Cells that are worth a look."""

    cell_px: int
    """Side of a cell."""
    box: PixelBox
    """Pixels of all cells that were looked at: whole cells."""
    cells: NDArray[np.bool_]
    """Which of them are candidates, (rows, columns) of cells."""

    def pixels(self, box: PixelBox) -> NDArray[np.bool_]:
        """Return which pixels of ``box``, a part of `Candidates.box`, lie in candidates; shape (height, width)."""
        rows = (np.arange(box.y0, box.y1) - self.box.y0) // self.cell_px
        columns = (np.arange(box.x0, box.x1) - self.box.x0) // self.cell_px
        return np.asarray(self.cells[np.ix_(rows, columns)])


def block_means(scores: Salience, side: int) -> Salience:
    """Return the mean score of each block of ``side`` x ``side`` pixels, over those that have one.

    >>> block_means(np.array([[1, 2, NONE, NONE], [3, NONE, NONE, NONE]], np.uint16), 2).tolist()
    [[2, 65535]]
    """
    height, width = scores.shape
    shape = (height // side, side, width // side, side)
    seen = scores != NONE
    total = np.where(seen, scores, 0).reshape(shape).sum(axis=(1, 3), dtype=np.int64)
    return ratio(total, seen.reshape(shape).sum(axis=(1, 3), dtype=np.int64))


def candidates(search: Search, planes: Planes, box: PixelBox) -> Candidates | None:
    """Return which cells around ``box`` (halo included) are candidates, or None where there is no coarse pass."""
    if search.coarse <= 1:
        return None
    inner = box.snap(search.coarse)
    outer = inner.pad(search.coarse)
    found = np.zeros((outer.height // search.coarse, outer.width // search.coarse), bool)
    for group in search.groups:
        stack = np.stack([_means(search, planes, search.planes[at], outer) for at in group])
        stack = in_time(search, group, stack)
        if search.mode == "footprint":
            stack = aggregate(stack, search.aggregate)[np.newaxis]
        found |= ((stack != NONE) & (2 * stack.astype(np.int32) >= search.low)).any(axis=0)
    return Candidates(search.coarse, inner, dilated(found, 1)[1:-1, 1:-1])


def _means(search: Search, planes: Planes, plane: int, box: PixelBox) -> Salience:
    """Return the cells' means of the classes that are looked for, whatever the mode: any of them is worth a look."""
    return block_means(planes.scale.salience(planes.read(plane, box, search.salient)), search.coarse)
