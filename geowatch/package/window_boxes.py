"""From raw output to the objects of each window: corners in pixels, one class, one score.

A box has the class of its best score; of equals the first. Boxes without area, below the head's least score, or of
its background are no objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.box_head import BoxesSpec

__all__ = ["WindowBoxes", "corners", "objects_of", "scores_of"]


@dataclass(frozen=True, eq=False, slots=True)
class WindowBoxes:
    """Objects of one window, in the order in which the network gave them."""

    corners: NDArray[np.float64]
    """(y0, x0, y1, x1) in pixels of the window, shape (n, 4)."""
    kind: NDArray[np.int16]
    """Places among the head's objects."""
    score: NDArray[np.float32]
    """Scores from 0 to 1."""


def objects_of(
    head: BoxesSpec, raw: Mapping[str, NDArray[Any]], window: tuple[int, int], min_score: float | None = None
) -> tuple[WindowBoxes, ...]:
    """Return the objects of each window from what a backend gives of it.

    Args:
        head: What the output means.
        raw: Raw output by key, those of `BoxesSpec.tensors` among it.
        window: (height, width) in pixels.
        min_score: Least score; None takes the head's.

    Raises:
        BackendError: where shapes are not what the manifest says, values are no numbers, or places are short.
    """
    boxes = np.asarray(raw[f"{head.name}.boxes"], np.float64)
    kind, score = scores_of(head, raw)
    if boxes.ndim != 3 or boxes.shape[2] != 4 or boxes.shape[:2] != score.shape:
        raise BackendError(
            f"head {head.name!r} gave boxes of shape {boxes.shape} and scores for {score.shape}",
            hint="import the network again",
        )
    least = head.min_score if min_score is None else min_score
    place = _places(head)
    return tuple(
        _window(head, corners(head, boxes[n], window), place[kind[n]], score[n], least) for n in range(len(boxes))
    )


def _places(head: BoxesSpec) -> NDArray[np.int16]:
    """Return the place among objects of each class; -1 for the background."""
    return np.array([head.objects.index(name) if name in head.objects else -1 for name in head.classes], np.int16)


def _window(
    head: BoxesSpec, box: NDArray[np.float64], kind: NDArray[np.int16], score: NDArray[np.float32], least: float
) -> WindowBoxes:
    found = (score >= np.float32(least)) & (kind >= 0)
    found &= ~((box[:, 2] <= box[:, 0]) | (box[:, 3] <= box[:, 1]))
    if not np.isfinite(box[found]).all():
        raise BackendError(f"head {head.name!r} gave a box whose corners are no numbers")
    if head.most is not None and int(found.sum()) > head.most:
        raise BackendError(
            f"head {head.name!r} found more than {head.most} objects in a window",
            hint="raise --min-score, or import the network again with more --most-boxes",
        )
    return WindowBoxes(box[found], kind[found], score[found])


def scores_of(head: BoxesSpec, raw: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the class (a place among all classes) and the score of each box, (N, M). Raises BackendError."""
    scores = _activated(head, np.asarray(raw[f"{head.name}.scores"], np.float32))
    if np.isnan(scores).any():
        raise BackendError(f"head {head.name!r} gave scores that are no numbers", hint="check --mean and --std")
    if head.labels is not None:
        return _labels(head, np.asarray(raw[f"{head.name}.labels"])), scores
    if scores.ndim == 2:
        scores = scores[:, :, None]
    if scores.ndim != 3 or scores.shape[2] != len(head.classes):
        raise BackendError(f"head {head.name!r} gave scores of shape {scores.shape} for {len(head.classes)} classes")
    kind = scores.argmax(axis=2)
    return kind, np.take_along_axis(scores, kind[:, :, None], 2)[:, :, 0]


def _activated(head: BoxesSpec, x: NDArray[np.float32]) -> NDArray[np.float32]:
    if head.activation == "sigmoid":
        e = np.exp(-np.abs(x))  # at most 1: never overflows
        return np.asarray(np.where(x >= 0, 1 / (1 + e), e / (1 + e)), np.float32)
    if head.activation == "softmax":
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return np.asarray(e / e.sum(axis=-1, keepdims=True), np.float32)
    return x


def _labels(head: BoxesSpec, labels: NDArray[Any]) -> NDArray[np.intp]:
    whole: NDArray[np.intp] = np.rint(labels).astype(np.intp)
    if whole.size and not 0 <= int(whole.min()) <= int(whole.max()) < len(head.classes):
        raise BackendError(
            f"head {head.name!r} gave labels from {whole.min()} to {whole.max()} for {len(head.classes)} classes",
            hint="name all classes in the order of the labels from 0 on, a background among them",
        )
    return whole


def corners(head: BoxesSpec, box: NDArray[np.float64], window: tuple[int, int]) -> NDArray[np.float64]:
    """Return (y0, x0, y1, x1) in pixels from boxes (M, 4) as the head gives them."""
    a, b, c, d = box.T
    if head.format == "yxyx":
        found = np.stack([a, b, c, d], axis=1)
    elif head.format == "xyxy":
        found = np.stack([b, a, d, c], axis=1)
    elif head.format == "xywh":
        found = np.stack([b, a, b + d, a + c], axis=1)
    else:
        found = np.stack([b - d / 2, a - c / 2, b + d / 2, a + c / 2], axis=1)
    return found * np.array([*window, *window], np.float64) if head.units == "share" else found
