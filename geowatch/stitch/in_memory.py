"""The stitcher in memory: all of a region at once, for small regions and as a check on the band.

It shares nothing with the sliding band but the weights and the order in which windows add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.windows import WindowLattice

__all__ = ["InMemory"]


class InMemory:
    """Scores of one head for all pixels of a box, adding up."""

    def __init__(self, classes: int, windows: WindowLattice, weights: NDArray[np.float32], box: PixelBox) -> None:
        self._windows = windows
        self._weights = weights
        self.box = box
        #: Scores, shape (K, height, width): final once every window that touches the box is in.
        self.scores = np.zeros((classes, *box.shape), np.float32)

    def add(self, ky: int, kx: int, scores: NDArray[np.float32]) -> None:
        """Add window (ky, kx) with ``scores`` of shape (K, h, w); windows come in row-major order."""
        window = self._windows.box(ky, kx)
        part = window & self.box
        if part:
            rows, cols = part.within(self.box)
            theirs = part.within(window)
            self.scores[:, rows, cols] += scores[(slice(None), *theirs)] * self._weights[theirs]
