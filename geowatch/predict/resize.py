"""Windows at another size, by linear interpolation between pixel centres.

Pixel areas, not pixel centres, coincide: both sizes cover the same ground. Beyond the outermost centres the edge
is repeated; nothing is smoothed before shrinking, which is why sizes may differ by a factor of two at most.
Every value is made from its four neighbours alone, in one order, so that it does not depend on the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["resize"]


def resize(x: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return ``x`` (N, C, H, W) at ``size`` (height, width).

    >>> resize(np.array([[[[0, 3]]]], np.float32), (1, 4))[0, 0, 0]
    array([0.  , 0.75, 2.25, 3.  ], dtype=float32)
    """
    return _along(_along(x, size[0], 2), size[1], 3)


def _along(x: NDArray[np.float32], count: int, axis: int) -> NDArray[np.float32]:
    had = x.shape[axis]
    if had == count:
        return x
    centre = np.clip((np.arange(count) + 0.5) * (had / count) - 0.5, 0, had - 1)
    first = np.minimum(centre.astype(np.int64), max(0, had - 2))
    second = np.minimum(first + 1, had - 1)
    share = (centre - first).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(4)])
    low = x.take(first, axis)
    mixed: NDArray[np.float32] = x.take(second, axis)
    mixed -= low
    mixed *= share
    mixed += low
    return mixed
