"""What a network sees beyond the edge of the imagery: its mirror image.

Reflection is about the edge of the frame (not of a tile), so that every tile mirrors the same pixels. A window that
hangs over by more than the frame is wide sees the mirror image mirrored again.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["pieces", "reflect"]


def reflect(start: int, stop: int, first: int, end: int) -> NDArray[np.int64]:
    """Return for each index of ``start..stop`` the index within ``first..end`` that stands for it.

    >>> reflect(-3, 5, 0, 3)
    array([2, 1, 0, 0, 1, 2, 2, 1])
    """
    size = end - first
    place = (np.arange(start, stop) - first) % (2 * size)
    return np.where(place < size, place, 2 * size - 1 - place) + first


def pieces(place: NDArray[np.int64]) -> list[tuple[slice, slice]]:
    """Return the runs of ``place`` as (where they stand, what they show), which copies whole where indices would not.

    >>> pieces(np.array([2, 1, 0, 0, 1, 2]))
    [(slice(0, 3, 1), slice(2, None, -1)), (slice(3, 6, 1), slice(0, 3, 1))]
    """
    # The direction changes at mirrors alone, and there a pixel is shown twice.
    cuts = [0, *(np.flatnonzero(np.diff(place) == 0) + 1).tolist(), len(place)]
    return [(slice(a, b, 1), _shown(int(place[a]), int(place[b - 1]))) for a, b in pairwise(cuts)]


def _shown(first: int, last: int) -> slice:
    if first <= last:
        return slice(first, last + 1, 1)
    return slice(first, last - 1 if last else None, -1)
