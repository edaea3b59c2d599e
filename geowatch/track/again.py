"""When pieces are seen again: the first later plane at which any of their pixels has a score.

A linked site ends on the day on which its last piece is seen again: found it was not, or it would not be the last.
Under clouds and beyond images nothing is seen, and nothing ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import Runs, overlaps
from geowatch.sites.fragment import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.track.links import Owned

__all__ = ["seen_again"]


def seen_again(planes: Iterable[Owned], count: int) -> NDArray[np.int32]:
    """Return for each of ``count`` pieces the day on which it is seen again, `NEVER` where it is not.

    Args:
        planes: The planes of a tile, oldest first; their days count.
        count: How many pieces they have.

    >>> from geowatch.grid.runs import runs_of
    >>> from geowatch.track.links import Owned
    >>> row = lambda *pixels: runs_of(np.array([pixels], bool))
    >>> planes = [Owned(row(1, 1, 0), np.array([0], np.int32), row(0, 0, 0), 3),
    ...           Owned(row(0, 0, 1), np.array([1], np.int32), row(1, 1, 0), 5),
    ...           Owned(row(0, 0, 0), np.array([], np.int32), row(1, 0, 1), 9)]
    >>> seen_again(planes, 2).tolist() == [9, NEVER]
    True
    """
    out = np.full(count, NEVER, np.int32)
    hidden, owner = Runs.join([]), np.zeros(0, np.int32)
    for plane in planes:
        left = _unseen(hidden, owner, plane.unseen, count)
        out[owner[~left]] = plane.day
        mine = plane.owner >= 0
        hidden = Runs.join([hidden[left], plane.runs[mine]])
        order = hidden.order()
        hidden, owner = hidden[order], np.concatenate([owner[left], plane.owner[mine]])[order]
    return out


def _unseen(runs: Runs, owner: NDArray[np.int32], unseen: Runs, count: int) -> NDArray[np.bool_]:
    """Return which runs are of pieces of which no pixel is seen; no two runs share a pixel."""
    if not len(runs) or not len(unseen):
        return np.zeros(len(runs), bool)
    i, _, px = overlaps(runs, unseen)
    # Sums of whole numbers below 2**53 are exact in floats.
    pixels = np.bincount(owner, runs.lengths, minlength=count)
    hidden = np.bincount(owner[i], px, minlength=count)
    return np.asarray(pixels[owner] == hidden[owner])
