"""What a network sees beyond the edge of the imagery: its mirror image.

Reflection is about the edge of the frame (not of a tile), so that every tile mirrors the same pixels. A window that
hangs over by more than the frame is wide sees the mirror image mirrored again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["reflect"]


def reflect(start: int, stop: int, first: int, end: int) -> NDArray[np.int64]:
    """Return for each index of ``start..stop`` the index within ``first..end`` that stands for it.

    >>> reflect(-3, 5, 0, 3)
    array([2, 1, 0, 0, 1, 2, 2, 1])
    """
    size = end - first
    place = (np.arange(start, stop) - first) % (2 * size)
    return np.where(place < size, place, 2 * size - 1 - place) + first
