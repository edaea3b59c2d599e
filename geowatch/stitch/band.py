"""The sliding band: where overlapping windows add up.

A sweep is computed one row of windows at a time. The band holds the rows that such a row covers and no more; once
a row of windows is in, its first ``stride`` rows can get nothing further and leave as finished values. Each pixel's
sum runs over its windows in row-major order, whatever the sweep, so the same floating-point result comes out of
any cut. Only windows whose every pixel is masked are ever left out, so weights can be made to add to one beforehand
and no plane of weights is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.blend import Blend, blend_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice

__all__ = ["Band", "unit_weights"]


def unit_weights(blend: Blend, windows: WindowLattice) -> NDArray[np.float32]:
    """Return blend weights (height, width) divided by their sum over all windows that cover a pixel.

    The sum repeats with the stride, so that in a window's own coordinates it is the same for every window.
    """
    weights = blend_weights(blend, windows).astype(np.float64)
    total = np.zeros_like(weights)
    (height, width), (down, right) = windows.size, windows.stride
    for y in range(-(height // down) * down, height, down):
        for x in range(-(width // right) * right, width, right):
            theirs = weights[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
            total[max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)] += theirs
    return (weights / total).astype(np.float32)


class Band:
    """Rows in which the scores of one head add up, for a range of columns.

    Rows enter with `add`, window by window in row-major order, and leave with `finished` and `move_on`. The rows lie
    in a ring: moving on to the next row of windows copies nothing.
    """

    def __init__(
        self, classes: int, windows: WindowLattice, weights: NDArray[np.float32], columns: tuple[int, int]
    ) -> None:
        self._windows = windows
        self._weights = weights
        self._x0, self._x1 = columns
        self._sum = np.zeros((classes, windows.size[0], self._x1 - self._x0), np.float32)
        self._top = 0

    def add(self, kx: Sequence[int], scores: NDArray[np.float32]) -> None:
        """Add windows of the current row of windows.

        Args:
            kx: Columns of the windows on the window lattice, ascending.
            scores: Their scores, shape (N, K, h, w); the array is used up.
        """
        height, width = self._windows.size
        upper = height - self._top
        for number, column in enumerate(kx):
            x = column * self._windows.stride[1] - self._x0
            first, last = max(0, x), min(x + width, self._sum.shape[2])
            if first >= last:
                continue
            score = scores[number]
            # Two steps, here and on a device: a fused multiply-add rounds once and would give other bytes.
            score *= self._weights
            self._sum[:, self._top :, first:last] += score[:, :upper, first - x : last - x]
            if self._top:
                self._sum[:, : self._top, first:last] += score[:, upper:, first - x : last - x]

    def finished(self) -> tuple[NDArray[Any], ...]:
        """Return the rows that are finished, from the top down, in one or two pieces of shape (K, rows, columns).

        Together they are as high as the stride. They are views, good until `move_on`.
        """
        return self._pieces()

    def _pieces(self) -> tuple[NDArray[np.float32], ...]:
        end = self._top + self._windows.stride[0]
        pieces = self._sum[:, self._top : end], self._sum[:, : max(0, end - self._windows.size[0])]
        return tuple(piece for piece in pieces if piece.shape[1])

    def move_on(self) -> None:
        """Give up the finished rows and go on to the next row of windows."""
        for piece in self._pieces():
            piece[...] = 0.0
        self._top = (self._top + self._windows.stride[0]) % self._windows.size[0]
