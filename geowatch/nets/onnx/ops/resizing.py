"""Resize, Upsample and Pad: other sizes of an image.

A resized axis is a weighted sum of the axis as it was, with weights that the standard defines by a formula.
Where torch's own interpolation has these very weights it is used; everywhere else the weights are computed here
and applied as a product with a matrix. Resizing is separable, so that one axis after the other is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, integers

__all__ = ["RESIZING", "Rule", "axis_weights"]

Weights = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """How an axis is resized, by the standard's names."""

    mode: str
    """``nearest``, ``linear`` or ``cubic``."""
    coordinates: str = "half_pixel"
    """How places in the new axis are places in the old one."""
    nearest: str = "round_prefer_floor"
    """Which neighbour is the nearest one."""
    cubic: float = -0.75
    """Coefficient of the cubic kernel."""
    antialias: bool = False
    """Whether the kernel grows as the image shrinks."""
    exclude_outside: bool = False
    """Whether neighbours beyond the edge have no weight, in place of the edge's value."""


_COORDINATES = frozenset(
    {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"}
)
_NEAREST: Mapping[str, Callable[[Weights], Weights]] = MappingProxyType(
    {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
)


def _places(rule: Rule, n: int, m: int, scale: float) -> Weights:
    """Return where the ``m`` pixels of the new axis lie on the old one of ``n``.

    Where the last bit decides which pixel is the nearest, it is that of the reference runtime, which counts in
    float32, but divides for "asymmetric" in float64.
    """
    i, step, half = np.arange(m, dtype=np.float32), np.float32(scale), np.float32(0.5)
    if rule.coordinates == "align_corners":
        where = i * np.float32(n - 1) / np.float32(m - 1) if m > 1 else i * 0
    elif rule.coordinates == "asymmetric":
        where = (i.astype(np.float64) / scale).astype(np.float32)
    elif rule.coordinates == "tf_half_pixel_for_nn":
        where = (i + half) / step
    elif rule.coordinates == "pytorch_half_pixel" and m == 1:
        where = i * 0
    else:
        shift = np.float32(n / 2 * (1 - m / (n * scale))) if rule.coordinates == "half_pixel_symmetric" else 0
        where = shift + (i + half) / step - half
    return where.astype(np.float64)


@lru_cache(maxsize=16)
def axis_weights(rule: Rule, n: int, m: int, scale: float) -> Weights:
    """Return the (m, n) weights that make an axis of ``m`` pixels from one of ``n``.

    Source: the ONNX standard's text of Resize, opset 19.

    >>> axis_weights(Rule("linear"), 2, 4, 2.0).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    where = _places(rule, n, m, scale)
    if rule.mode == "nearest":
        taps, weights = _NEAREST[rule.nearest](where)[:, None], np.ones((m, 1))
    else:
        taps, weights = _kernel(rule, where, scale)
    if rule.exclude_outside:
        weights = weights * ((taps >= 0) & (taps < n))
    if rule.exclude_outside or rule.antialias:
        weights = weights / weights.sum(1, keepdims=True)
    out = np.zeros((m, n))
    np.add.at(out, (np.arange(m)[:, None], taps.clip(0, n - 1).astype(int)), weights)
    out.flags.writeable = False  # it is kept for the next window
    return out


def _kernel(rule: Rule, where: Weights, scale: float) -> tuple[Weights, Weights]:
    """Return (taps, weights), each (m, taps)."""
    shrink = min(scale, 1.0) if rule.antialias else 1.0
    radius = (1 if rule.mode == "linear" else 2) / shrink
    reach = int(np.ceil(radius)) + 1
    taps = np.floor(where)[:, None] + np.arange(-reach, reach + 1)
    far = np.abs(taps - where[:, None]) * shrink
    return taps, np.clip(1 - far, 0, None) if rule.mode == "linear" else _cubic(far, rule.cubic)


def _cubic(x: Weights, a: float) -> Weights:
    """Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _resized(x: Tensor, rule: Rule, sizes: Sequence[int], scales: Sequence[float]) -> Tensor:
    """Resize each axis whose size or scale says so."""
    axes = [i for i, (m, s) in enumerate(zip(sizes, scales, strict=True)) if s != 1.0 or x.shape[i] != m]
    if not axes:
        return x
    own = _torch_mode(x, rule, axes, (sizes, scales))
    if own is not None:
        corners = None if own == "nearest" else rule.coordinates == "align_corners"
        return fn.interpolate(x, size=tuple(sizes[2:]), mode=own, align_corners=corners)
    for axis in axes:
        weights = axis_weights(rule, x.shape[axis], sizes[axis], scales[axis])
        x = _weighted(x, axis, weights, nearest=rule.mode == "nearest")
    return x


def _weighted(x: Tensor, axis: int, weights: Weights, *, nearest: bool) -> Tensor:
    if nearest:
        return x.index_select(axis, torch.as_tensor(weights.argmax(1), device=x.device))
    matrix = torch.tensor(weights, device=x.device).to(x.dtype if x.is_floating_point() else torch.float32)
    return (x.movedim(axis, -1).to(matrix.dtype) @ matrix.t()).movedim(-1, axis).to(x.dtype)


def _torch_mode(x: Tensor, rule: Rule, axes: list[int], to: tuple[Sequence[int], Sequence[float]]) -> str | None:
    """Return the mode of torch's interpolation that has the same weights; None where there is none."""
    sizes, scales = to
    ndim = x.dim() - 2
    names = {"nearest": "nearest", "linear": _LINEAR.get(ndim, ""), "cubic": "bicubic" if ndim == 2 else ""}
    own = names[rule.mode]
    if min(axes) < 2 or ndim > 3 or not own or not x.is_floating_point():
        return None
    corners = rule.coordinates == "align_corners" and own != "nearest"
    like = Rule(rule.mode, "align_corners" if corners else "half_pixel")
    like = Rule("nearest", "asymmetric", "floor") if own == "nearest" else like
    alike = (_alike(rule, like, x.shape[axis], sizes[axis], scales[axis]) for axis in range(2, x.dim()))
    return own if all(alike) else None


@lru_cache(maxsize=256)
def _alike(rule: Rule, like: Rule, n: int, m: int, scale: float) -> bool:
    return np.allclose(axis_weights(rule, n, m, scale), axis_weights(like, n, m, m / n), atol=1e-6)


_LINEAR: Mapping[int, str] = MappingProxyType({1: "linear", 2: "bilinear", 3: "trilinear"})


def _rule(node: Node) -> Rule:
    """Opset 10 knows neither coordinates nor ways of rounding: both are the simplest."""
    first = node.version < 11
    node.number("extrapolation_value")  # only of a coordinate mode that is refused
    coordinates = node.text("coordinate_transformation_mode", "asymmetric" if first else "half_pixel", _COORDINATES)
    mode = {"bilinear": "linear"}.get(word := node.text("mode", "nearest", _MODES), word)
    return Rule(
        mode,
        coordinates,
        node.text("nearest_mode", "floor" if first else "round_prefer_floor", _NEAREST),
        node.number("cubic_coeff_a", -0.75),
        antialias=bool(node.integer("antialias")) and mode != "nearest",
        exclude_outside=bool(node.integer("exclude_outside")),
    )


_MODES = frozenset({"nearest", "linear", "bilinear", "cubic"})


def _resize(node: Node) -> Kernel:
    rule, axes = _rule(node), node.integers("axes")
    policy = node.text("keep_aspect_ratio_policy", "stretch", {"stretch", "not_larger", "not_smaller"})

    def run(x: Tensor, *given: NDArray[Any] | None) -> Tensor:
        scales = given[0] if node.version < 11 else _at(given, 1)
        chosen = [a % x.dim() for a in axes] or list(range(x.dim()))
        sizes, factors = _targets(list(x.shape), chosen, (scales, _at(given, 2)), policy)
        return _resized(x, rule, sizes, factors)

    return run


def _at(given: Sequence[NDArray[Any] | None], index: int) -> NDArray[Any] | None:
    """Return an input, or None where it is left out or empty, which means the same."""
    found = given[index] if index < len(given) else None
    return found if found is not None and found.size else None


def _targets(
    old: Sequence[int], axes: Sequence[int], given: tuple[NDArray[Any] | None, NDArray[Any] | None], policy: str
) -> tuple[list[int], list[float]]:
    """Return (sizes, scales) of all axes from the scales or sizes given for ``axes``."""
    sizes, factors = list(old), [1.0] * len(old)
    scales, wanted = given
    if scales is not None:
        for axis, factor in zip(axes, scales.tolist(), strict=True):
            if factor != 1.0:
                sizes[axis], factors[axis] = int(old[axis] * factor), factor
        return sizes, factors
    asked = [] if wanted is None else integers(wanted)
    ratios = [want / old[axis] for axis, want in zip(axes, asked, strict=True) if want != old[axis] or axis > 1]
    for axis, want in zip(axes, asked, strict=True):
        if want is old[axis] or want == old[axis]:
            continue
        factor = want / old[axis]
        if policy != "stretch":
            factor = min(ratios) if policy == "not_larger" else max(ratios)
            want = int(np.floor(old[axis] * factor + 0.5))  # noqa: PLW2901  # the size that the policy gives
        sizes[axis], factors[axis] = want, factor
    return sizes, factors


def _upsample(node: Node) -> Kernel:
    fixed, mode = node.numbers("scales"), node.text("mode", "nearest", {"nearest", "linear", "bilinear"})
    rule = Rule("linear" if mode == "bilinear" else mode, "asymmetric", "floor")

    def run(x: Tensor, scales: NDArray[Any] | None = None) -> Tensor:
        factors = np.array(fixed) if scales is None else scales
        return _resized(x, rule, *_targets(list(x.shape), range(x.dim()), (factors, None), "stretch"))

    return run


def _pad(node: Node) -> Kernel:
    """Widths and value are attributes before opset 11, inputs from then on."""
    mode = node.text("mode", "constant", {"constant", "reflect", "edge", "wrap"})
    fixed, value = node.integers("pads"), node.number("value")

    def run(x: Tensor, *given: NDArray[Any] | None) -> Tensor:
        pads, fill, axes = [*given, None, None, None][:3]
        widths = fixed if pads is None else integers(pads)
        chosen = list(range(x.dim())) if axes is None else [a % x.dim() for a in integers(axes)]
        sides = dict(zip(chosen, zip(widths[: len(chosen)], widths[len(chosen) :], strict=True), strict=True))
        sides = {axis: pair for axis, pair in sides.items() if any(pair)}
        return _padded(x, sides, mode, value if fill is None or not fill.size else fill.item())

    return run


def _padded(x: Tensor, sides: Mapping[int, tuple[int, int]], mode: str, value: float) -> Tensor:
    if not sides:
        return x
    if mode == "constant":
        flat = [w for axis in range(x.dim() - 1, min(sides) - 1, -1) for w in sides.get(axis, (0, 0))]
        return fn.pad(x, flat, value=value)
    for axis, (before, after) in sides.items():
        n = int(x.shape[axis])
        places = np.pad(np.arange(n), (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
        places = places[max(-before, 0) : len(places) - max(-after, 0)]
        x = x.index_select(axis, torch.as_tensor(places, device=x.device))
    return x


#: Other sizes of an image.
RESIZING: Mapping[str, Operator] = MappingProxyType(
    {
        "Pad": Operator(_pad, rest_host=1),
        "Resize": Operator(_resize, rest_host=1),
        "Upsample": Operator(_upsample, rest_host=1),
    }
)
