"""The gate for boxes: does a backend find the objects that the package's reference finds?

An object is found again where the other side has a box of its class that covers nearly the same place, or whose corners
are at most a pixel away: of two neighbouring pixels that are peaks alike, the last bit decides which one is. What is
just above the least score on one side may be just below it on the other, so the other side is asked down to half of it.
Where a network gives a fixed number of boxes and the other side has used them all up, what is no better than its worst
may have had no room: a few of these are not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.package.window_boxes import WindowBoxes, objects_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.box_head import BoxesSpec

    Raw = Mapping[str, NDArray[Any]]

__all__ = ["compare_boxes", "kinds_seen"]

#: Share of their union that two boxes must have in common to be the same.
_SAME = 0.9
#: Most that a corner may be away, in pixels of a window of the package's own size; rounding is no distance.
_NEAR_PX = 1.001
#: Scores nearer than this may change places.
_TIE = 1e-3
#: Share of a full side's boxes that others may have taken the place of.
_CROWDED = 0.02
#: Which kinds there are is the same in pixels and in shares of a window.
_ANY_WINDOW = (1, 1)


def kinds_seen(head: BoxesSpec, raw: Raw) -> int:
    """Return how many kinds of answers there are: the classes that were found, and nothing at all."""
    found = objects_of(head, raw, _ANY_WINDOW)
    return 1 + len(np.unique(np.concatenate([each.kind for each in found])))


def compare_boxes(
    head: BoxesSpec, mine: Raw, reference: Raw, window: tuple[int, int]
) -> tuple[float, float, float, int]:
    """Return (largest difference of scores, the same, share of objects found on both sides, kinds of answers).

    ``window`` is the package's own (height, width) in pixels.
    """
    sides = [objects_of(head, raw, window) for raw in (mine, reference)]
    wide = [objects_of(head, raw, window, head.min_score / 2) for raw in (mine, reference)]
    gaps: list[NDArray[np.float32]] = []
    missed = 0
    for here, there, raw in ((sides[0], wide[1], reference), (sides[1], wide[0], mine)):
        rooms = raw[f"{head.name}.boxes"].shape[1]
        for a, b in zip(here, there, strict=True):
            gap = _gaps(a, b)
            lost = np.isnan(gap)
            missed += int(lost.sum()) - _without_room(a.score[lost], b.score, rooms)
            gaps.append(gap[~lost])
    every = np.concatenate(gaps)
    total = len(every) + missed
    largest = float(every.max(initial=0.0))
    return largest, largest, 1.0 if not total else len(every) / total, kinds_seen(head, reference)


def _without_room(lost: NDArray[np.float32], kept: NDArray[np.float32], rooms: int) -> int:
    """Return how many of the scores that were ``lost`` may have had no room beside those that were ``kept``."""
    if not 0 < len(kept) == rooms:
        return 0
    return min(int((lost <= kept.min() + _TIE).sum()), int(_CROWDED * rooms))


def _gaps(a: WindowBoxes, b: WindowBoxes) -> NDArray[np.float32]:
    """Return for each box of ``a`` how far its score is from that of its like in ``b``; NaN where there is none."""
    if not len(a.score) or not len(b.score):
        return np.full(len(a.score), np.nan, np.float32)
    low = np.maximum(a.corners[:, None, :2], b.corners[None, :, :2])
    high = np.minimum(a.corners[:, None, 2:], b.corners[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = _area(a)[:, None] + _area(b)[None] - shared
    away = np.abs(a.corners[:, None] - b.corners[None]).max(axis=2)
    alike = ((shared >= _SAME * union) | (away <= _NEAR_PX)) & (a.kind[:, None] == b.kind[None])
    gap = np.where(alike, np.abs(a.score[:, None] - b.score[None]), np.float32(np.inf)).min(axis=1)
    return np.where(np.isinf(gap), np.float32(np.nan), gap)


def _area(boxes: WindowBoxes) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (boxes.corners[:, 2:] - boxes.corners[:, :2]).prod(axis=1)
    return found
