"""What a user says of outputs that are boxes, compared with what the network gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from geowatch.errors import BackendError, PackageError
from geowatch.package.box_head import BoxesSpec
from geowatch.package.spec import complaint
from geowatch.package.window_boxes import objects_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.spec import ImportSpec

    Raw = Mapping[str, NDArray[Any]]

__all__ = ["ONLY_BOXES", "check_boxes", "described_boxes", "keyed", "scores_are"]

#: Name of a head of boxes that nobody named.
ONLY_BOXES = "objects"
#: How far probabilities may be beyond 0 and 1.
_TOLERANCE = 2e-3


def described_boxes(spec: ImportSpec) -> tuple[BoxesSpec, ...]:
    """Return the heads of boxes that the options describe; their activation may be open yet.

    Raises:
        PackageError: where something is missing or does not fit.
    """
    if spec.boxes or spec.boxes_tensor is None:
        return spec.boxes
    if spec.activation not in {"auto", "none", "sigmoid", "softmax"}:
        raise PackageError(
            f"scores of boxes have no activation {spec.activation}", hint="say --activation none, sigmoid or softmax"
        )
    try:
        head = BoxesSpec(
            name=ONLY_BOXES,
            boxes=spec.boxes_tensor,
            scores=spec.scores_tensor or spec.boxes_tensor,
            labels=spec.labels_tensor,
            classes=spec.classes or ("object",),
            background=spec.background,
            format=spec.box_format,
            units=spec.box_units,
            activation="none" if spec.activation == "auto" else spec.activation,
            min_score=spec.min_score,
            max_overlap=spec.max_overlap,
            most=spec.most_boxes,
            colors=spec.colors,
        )
    except ValidationError as error:
        raise PackageError(f"the boxes do not fit: {complaint(error)}") from error
    return (head,)


def keyed(head: BoxesSpec, raw: Raw) -> dict[str, NDArray[Any]]:
    """Return output by tensor as output by key, as a backend gives it."""
    return {key: raw[tensor] for key, tensor in head.tensors.items()}


def scores_are(head: BoxesSpec, raw: Raw, *, said: bool) -> BoxesSpec:
    """Return the head with the activation of its scores, as said or as the values show it.

    Raises:
        PackageError: where that is not clear, or what was said does not fit.
    """
    scores = np.asarray(raw[head.scores], np.float64)
    if np.isnan(scores).any():
        raise PackageError(f"output {head.scores!r} holds values that are no numbers", hint="check --mean and --std")
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
    shares = low >= -_TOLERANCE and high <= 1 + _TOLERANCE
    if shares or (said and head.activation != "none"):
        return head
    if said or scores.ndim == 3:
        raise PackageError(
            f"the scores in output {head.scores!r} run from {low:g} to {high:g}: no probabilities",
            hint="say how they become some: --activation sigmoid, or softmax where the classes exclude each other",
        )
    return head.model_copy(update={"activation": "sigmoid"})


def check_boxes(head: BoxesSpec, raw: Raw, count: int, window: tuple[int, int]) -> None:
    """Compare outputs with what is said of them, for ``count`` windows.

    Raises:
        PackageError: where they contradict each other.
    """
    boxes, scores = np.shape(raw[head.boxes]), np.shape(raw[head.scores])
    if len(boxes) != 3 or boxes[0] != count or boxes[2] != 4:
        raise PackageError(
            f"output {head.boxes!r} has shape {boxes} for {count} windows: these are no boxes",
            hint=f"boxes are ({count}, M, 4); name their output with --boxes-tensor",
        )
    one = head.labels is not None or len(head.classes) == 1
    wanted: list[tuple[int, ...]] = [boxes[:2]] if one else []
    wanted += [(*boxes[:2], len(head.classes))] if head.labels is None else []
    if scores not in wanted:
        shown = " or ".join(str(shape) for shape in wanted)
        raise PackageError(
            f"output {head.scores!r} has shape {scores}; scores of these boxes are {shown}",
            hint="name as many --classes as there are, the --background among them, or the --labels-tensor",
        )
    if head.labels is not None and np.shape(raw[head.labels]) != boxes[:2]:
        raise PackageError(
            f"output {head.labels!r} has shape {np.shape(raw[head.labels])}; labels of these boxes are {boxes[:2]}",
            hint="name the output of labels with --labels-tensor",
        )
    _check_values(head, raw, window)


def _check_values(head: BoxesSpec, raw: Raw, window: tuple[int, int]) -> None:
    try:
        # In noise there may be more than in any image.
        found = objects_of(head.model_copy(update={"most": None}), keyed(head, raw), window, 1e-3)
    except BackendError as error:
        raise PackageError(error.fact, hint=error.hint) from error
    told = sum(int((s >= 1e-3).sum()) for s in _best(head, raw))
    area = sum(len(each.score) for each in found)
    if told >= 8 and area < told // 2:
        raise PackageError(
            f"{told - area} of {told} boxes in output {head.boxes!r} have no area as {head.format}",
            hint="say what their numbers are with --box-format: xyxy, yxyx, xywh or cxcywh",
        )
    far = [each for each in found if len(each.corners) and np.abs(each.corners).max() > 16 * max(window)]
    if far:
        raise PackageError(
            f"output {head.boxes!r} has boxes that are far outside of a window of {window[0]} x {window[1]} px",
            hint="say what their numbers are with --box-units: px, or share of the window",
        )


def _best(head: BoxesSpec, raw: Raw) -> list[NDArray[np.float32]]:
    from geowatch.package.window_boxes import scores_of

    kind, score = scores_of(head, keyed(head, raw))
    nothing = [head.classes.index(head.background)] if head.background else []
    return list(np.where(np.isin(kind, nothing), 0, score))
