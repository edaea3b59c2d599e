"""Where between pixels an outline lies: for each pixel edge on it, the place of the threshold between two centres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.sites.fragment import BOTTOM, HALF_SHARE, LEFT, RIGHT, TOP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Edges", "edges_of"]

#: Where the neighbour of a pixel is, by side.
_STEPS = {TOP: (-1, 0), RIGHT: (0, 1), BOTTOM: (1, 0), LEFT: (0, -1)}
_WHOLE_SHARE = 65535


@dataclass(frozen=True, eq=False, slots=True)
class Edges:
    """Pixel edges as columns."""

    y: NDArray[np.int32]
    """Rows of the pixels inside."""
    x: NDArray[np.int32]
    """Columns of the pixels inside."""
    side: NDArray[np.uint8]
    """Which side of the pixel."""
    share: NDArray[np.uint16]
    """Where the threshold lies, from the pixel's centre (0) to its neighbour's (65535)."""

    @classmethod
    def none(cls) -> Edges:
        """Return no edges."""
        place = np.zeros(0, np.int32)
        return cls(place, place, np.zeros(0, np.uint8), np.zeros(0, np.uint16))


def edges_of(mask: NDArray[np.bool_], margin: NDArray[np.int32], origin: tuple[int, int]) -> Edges:
    """Return the edges on the outline of a mask.

    Where no threshold lies between two pixels (morphology moved the outline, or nothing was seen beyond it), an edge
    stays where pixels meet.

    Args:
        mask: Pixels that belong, shape (H + 2, W + 2); edges of the middle (H, W) are returned.
        margin: Units by which each pixel is above its threshold, same shape.
        origin: (row, column) of the middle's first pixel.

    >>> found = edges_of(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], bool),
    ...                  np.array([[-9, -4, -9], [-1, 4, -8], [-9, -99, -9]], np.int32), (5, 7))
    >>> found.side.tolist(), found.share.tolist(), found.y.tolist(), found.x.tolist()
    ([0, 1, 2, 3], [32768, 21845, 2545, 52428], [5, 5, 5, 5], [7, 7, 7, 7])
    """
    height, width = (side - 2 for side in mask.shape)
    middle = mask[1:-1, 1:-1]
    found: list[tuple[NDArray[np.intp], int, NDArray[np.uint16]]] = []
    for side, (dy, dx) in _STEPS.items():
        there = (slice(1 + dy, 1 + dy + height), slice(1 + dx, 1 + dx + width))
        at = np.flatnonzero(middle & ~mask[there])
        found.append((at, side, _shares(margin[1:-1, 1:-1].reshape(-1)[at], margin[there].reshape(-1)[at])))
    place = np.concatenate([at for at, _, _ in found])
    sides = np.concatenate([np.full(len(at), side, np.uint8) for at, side, _ in found])
    order = np.lexsort((sides, place))
    y, x = np.divmod(place[order], max(1, width))
    shares = np.concatenate([share for _, _, share in found])[order]
    return Edges((y + origin[0]).astype(np.int32), (x + origin[1]).astype(np.int32), sides[order], shares)


def _shares(inside: NDArray[np.int32], outside: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Return where the margin is 0 on the way from one pixel to the next."""
    crosses = (inside >= 0) & (outside < 0) & (outside > -_WHOLE_SHARE)
    way = np.where(crosses, inside.astype(np.int64) - outside, 1)
    share = (2 * _WHOLE_SHARE * inside.astype(np.int64) + way) // (2 * way)
    return np.where(crosses, share, HALF_SHARE).astype(np.uint16)
