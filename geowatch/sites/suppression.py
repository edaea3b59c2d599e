"""Suppression: of boxes that show the same object, the best one stays.

A box is suppressed by a better one that stays, of the same time and class, where the two overlap enough. That is the
usual greedy rule. Its outcome depends on the set of boxes alone, never on their order: which of two boxes is better
is told by integers, down to the corners. Boxes that end at a window's border are worse than all others, and are
also suppressed where most of what they show lies in a better box: a part of an object overlaps the whole of it by
little. The rule is not local (a box may stay since the one above it went), so it is applied to whole planes, or within
one window, and never to a tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.sites.detections import Detections

__all__ = ["suppressed"]

#: Parts in which a share is told, so that areas are compared as integers.
_PARTS = 10_000


def suppressed(boxes: Detections, max_overlap: float) -> Detections:
    """Return the boxes that stay, in the order of files.

    Args:
        boxes: Boxes in any order.
        max_overlap: Share of the union that the intersection of two boxes must reach, above 0.

    >>> from geowatch.sites.detections import Detections
    >>> corners = np.array([[0, 0, 10, 10], [0, 1, 10, 11], [0, 9, 10, 19.0]])
    >>> best = suppressed(Detections.of(corners, np.zeros(3, int), np.array([0.5, 0.9, 0.4])), 0.5)
    >>> (best.x0 // 16).tolist()
    [1, 9]
    """
    ranked = boxes.where(_by_rank(boxes))
    better, worse = _pairs(ranked, max_overlap)
    return ranked.where(_staying(len(ranked), better, worse)).ordered()


def _by_rank(boxes: Detections) -> NDArray[np.intp]:
    """Return the order from the best box to the worst; equal boxes are the same box."""
    keys = (boxes.x1, boxes.y1, boxes.x0, boxes.y0, boxes.kind, boxes.time, -boxes.score.astype(np.int32), boxes.cut)
    return np.lexsort(keys)


def _pairs(ranked: Detections, max_overlap: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of which the first suppresses the second if it stays."""
    shapes = shapely.box(ranked.x0, ranked.y0, ranked.x1, ranked.y1)
    a, b = shapely.STRtree(shapes).query(shapes)
    alike = (a < b) & (ranked.kind[a] == ranked.kind[b]) & (ranked.time[a] == ranked.time[b])
    a, b = a[alike], b[alike]
    y0, x0, y1, x1 = (getattr(ranked, name).astype(np.int64) for name in ("y0", "x0", "y1", "x1"))
    area = (y1 - y0) * (x1 - x0)
    height = np.minimum(y1[a], y1[b]) - np.maximum(y0[a], y0[b])
    width = np.minimum(x1[a], x1[b]) - np.maximum(x0[a], x0[b])
    shared = np.maximum(height, 0) * np.maximum(width, 0)
    whole = np.where(ranked.cut[b] > 0, np.minimum(area[b], area[a] + area[b] - shared), area[a] + area[b] - shared)
    same = shared * _PARTS >= max(1, round(max_overlap * _PARTS)) * whole
    return a[same], b[same]


def _staying(count: int, better: NDArray[np.intp], worse: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which of ``count`` boxes stay: those that no box that stays suppresses.

    Round by round: what nothing undecided can suppress stays, what such a box suppresses goes.
    """
    stays, open_ = np.zeros(count, bool), np.ones(count, bool)
    while open_.any():
        challenged = np.zeros(count, bool)
        challenged[worse] = True
        safe = open_ & ~challenged
        stays |= safe
        gone = np.zeros(count, bool)
        gone[worse[safe[better]]] = True
        open_ &= ~(safe | gone)
        left = open_[better] & open_[worse]
        better, worse = better[left], worse[left]
    return stays
