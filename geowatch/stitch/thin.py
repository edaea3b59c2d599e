"""Thinning a map to the size of a picture while it streams by, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox

__all__ = ["Thinner", "thin_step"]


def thin_step(box: PixelBox, longest_px: int) -> int:
    """Return how many pixels of ``box`` make one of a picture of at most ``longest_px``."""
    return max(1, -(-max(box.shape) // longest_px))


class Thinner:
    """Keeps the middle pixel of each ``step`` x ``step`` square."""

    def __init__(self, box: PixelBox, step: int, empty: int) -> None:
        self._box = box
        self._step = step
        self.picture: NDArray[np.uint8] = np.full((-(-box.height // step), -(-box.width // step)), empty, np.uint8)

    def put(self, block: PixelBox, values: NDArray[np.uint8]) -> None:
        """Take a block of the map, shape (height, width) of ``block``; what lies outside the box is dropped."""
        part = block & self._box
        if not part:
            return
        rows, row_of = self._picked(part.y0, part.y1, self._box.y0, self._box.y1)
        cols, col_of = self._picked(part.x0, part.x1, self._box.x0, self._box.x1)
        self.picture[np.ix_(row_of, col_of)] = values[np.ix_(rows - block.y0, cols - block.x0)]

    def _picked(self, start: int, stop: int, origin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the lattice indices within start..stop that the picture shows, and where it shows them."""
        count = -(-(end - origin) // self._step)
        shown = np.minimum(origin + np.arange(count) * self._step + self._step // 2, end - 1)
        place = np.flatnonzero((shown >= start) & (shown < stop))
        return shown[place], place
