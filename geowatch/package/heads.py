"""What a network's raw output means, found by looking at one.

A class axis, its resolution and whether it holds logits, probabilities or labels can be seen in an output of
known input; what is not clear is refused and has to be said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from geowatch.errors import PackageError
from geowatch.package.colors import default_colors
from geowatch.package.manifest import Activation, HeadSpec
from geowatch.package.spec import complaint

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.spec import ImportSpec

__all__ = ["check_head", "infer_head"]

#: Name of a head that nobody named; what its tensor is called says nothing to those who open a heatmap.
ONLY_HEAD = "scores"
#: Axis of the classes, where there is one.
_CLASS_AXIS = {"NCHW": 1, "NHWC": 3, "NHW": 0, "NTCHW": 2}
#: How far sums and limits of probabilities may be off.
TOLERANCE = 2e-3


def infer_head(output: str, raw: NDArray[Any], spec: ImportSpec, window: tuple[int, int]) -> HeadSpec:
    """Return the head of output tensor ``output``, of which ``raw`` is an example for windows of ``window``.

    Raises PackageError where the classes do not fit, or what the values are is not clear.
    """
    layout, channels, size = _axes(output, raw, spec, window)
    activation = spec.activation
    if raw.dtype.kind in "iub" and activation not in {"auto", "labels"}:
        raise PackageError(f"output {output!r} is {raw.dtype}", hint="whole numbers are labels: --activation labels")
    if activation == "auto":
        activation = _activation(output, raw, _CLASS_AXIS[layout], len(spec.classes), channels)
    try:
        return HeadSpec(
            name=ONLY_HEAD,
            output=output,
            layout=layout,
            classes=spec.classes,
            activation=activation,
            reduction=window[0] // size[0],
            colors=spec.colors or default_colors(spec.classes),
        )
    except ValidationError as error:
        raise PackageError(f"output {output!r} does not fit: {complaint(error)}") from error


def _axes(
    output: str, raw: NDArray[Any], spec: ImportSpec, window: tuple[int, int]
) -> tuple[str, int, tuple[int, int]]:
    """Return (layout, channels, (height, width)) of a raw output."""
    shape, classes = raw.shape, len(spec.classes)
    if raw.ndim == 5 and shape[1] == _dates(spec) and shape[2] in {1, classes} and _reduces(shape[3:], window):
        return "NTCHW", shape[2], (shape[3], shape[4])
    if raw.ndim == 3 and _reduces(shape[1:], window):
        return "NHW", 1, (shape[1], shape[2])
    if raw.ndim == 4 and shape[1] in {1, classes} and _reduces(shape[2:], window):
        return "NCHW", shape[1], (shape[2], shape[3])
    if raw.ndim == 4 and shape[3] in {1, classes} and _reduces(shape[1:3], window):
        return "NHWC", shape[3], (shape[1], shape[2])
    if raw.ndim == 5:
        raise PackageError(
            f"output {output!r} has shape {shape}: five axes, which are no {_dates(spec)} dates of {classes} classes",
            hint="export it as N x classes x H x W, or with an axis of as many dates as go in before the classes",
        )
    raise PackageError(
        f"output {output!r} has shape {shape} for windows of {window} px and {classes} classes",
        hint=_HINT_FLAT if raw.ndim < 3 else _HINT_SIZE,
    )


_HINT_FLAT = (
    "a map needs scores for each pixel: choose another output with --output-tensor, or export one before pooling"
)
_HINT_SIZE = (
    "name as many --classes as the output has channels; its size is the window's, 1/2, 1/4 or 1/8: pad the output of a "
    "network that gives the middle alone"
)


def _dates(spec: ImportSpec) -> int:
    return max((part.date for part in spec.inputs), default=spec.dates - 1) + 1


def _reduces(size: tuple[int, ...], window: tuple[int, int]) -> bool:
    return any(size == (window[0] // f, window[1] // f) and not (window[0] % f or window[1] % f) for f in (1, 2, 4, 8))


def _activation(output: str, raw: NDArray[Any], axis: int, classes: int, channels: int) -> Activation:
    if raw.dtype.kind in "iub":
        return "labels"
    if channels == 1:
        if _is_share(raw):
            if classes == 1:
                return "none"
            raise PackageError(
                f"output {output!r} is one probability for {classes} classes",
                hint="name the one class that it is of, such as --classes changed",
            )
        _check_logit(output, raw)
        return "sigmoid" if classes == 1 else "binary"
    if _adds_up(raw, axis):
        return "none"
    if _is_share(raw):
        raise PackageError(
            f"output {output!r} lies between 0 and 1 but does not add up to 1 over the classes",
            hint="say what it is with --activation softmax, sigmoid or none",
        )
    return "softmax"


def _check_logit(output: str, raw: NDArray[Any]) -> None:
    """Refuse one channel that is never below 0 and goes beyond 1: a distance or an amount rather than a logit."""
    low, high = float(raw.min()), float(raw.max())
    if low >= 0:
        raise PackageError(
            f"output {output!r} runs from {low:g} to {high:g} and never below 0: a distance, or logits?",
            hint="logits: --activation sigmoid (or binary, for two classes); else bring it to 0 to 1 in the network",
        )


def _adds_up(raw: NDArray[Any], axis: int) -> bool:
    return _is_share(raw) and bool(np.abs(raw.sum(axis=axis) - 1).max() <= TOLERANCE)


def _is_share(raw: NDArray[Any]) -> bool:
    return bool(raw.min() >= -TOLERANCE and raw.max() <= 1 + TOLERANCE)


def check_head(head: HeadSpec, raw: NDArray[Any], window: tuple[int, int]) -> None:
    """Compare an output with what is said of it. Raises PackageError where they contradict each other."""
    axis = _CLASS_AXIS[head.layout]
    at = head.layout.index("H")
    size = raw.shape[at : at + 2]
    wanted = (window[0] // head.reduction, window[1] // head.reduction)
    channels = raw.shape[axis] if raw.ndim > 3 else head.raw_channels
    if raw.ndim != len(head.layout) or size != wanted or channels != head.raw_channels:
        raise PackageError(
            f"output {head.output!r} has shape {raw.shape}; head {head.name!r} says {head.layout}, "
            f"{head.raw_channels} channels and {wanted} px",
            hint="check --classes, --activation and the window",
        )
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise PackageError(f"output {head.output!r} holds values that are no numbers", hint="check --mean and --std")
    _check_values(head, raw, axis)


def _check_values(head: HeadSpec, raw: NDArray[Any], axis: int) -> None:
    where, low, high = f"output {head.output!r}", float(raw.min()), float(raw.max())
    if head.activation == "labels":
        if low < 0 or high >= len(head.classes) or (raw != np.rint(raw)).any():
            raise PackageError(f"{where} has labels from {low:g} to {high:g} for {len(head.classes)} classes")
    elif raw.dtype.kind != "f":
        raise PackageError(f"{where} is {raw.dtype}", hint="whole numbers need activation labels")
    elif head.activation == "none" and not _is_share(raw):
        raise PackageError(
            f"{where} runs from {low:g} to {high:g}: no probabilities",
            hint="logits need --activation softmax or sigmoid",
        )
    elif head.activation == "softmax" and head.raw_channels > 1 and low < high and _adds_up(raw, axis):
        raise PackageError(f"{where} holds probabilities already", hint="say --activation none")
