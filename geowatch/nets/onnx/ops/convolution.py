"""Convolutions and matrix products: where a network spends its time.

Their inputs take the number type of the weights, so that reduced weights alone make a network of reduced
precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, plain
from geowatch.nets.onnx.ops.sides import Geometry, Sides, geometry_of, pad_sides, same_sides, symmetric

__all__ = ["CONVOLUTION", "convolve"]

_CONV: Mapping[int, Callable[..., Tensor]] = MappingProxyType({1: fn.conv1d, 2: fn.conv2d, 3: fn.conv3d})
_TRANSPOSED: Mapping[int, Callable[..., Tensor]] = MappingProxyType(
    {1: fn.conv_transpose1d, 2: fn.conv_transpose2d, 3: fn.conv_transpose3d}
)


def convolve(x: Tensor, w: Tensor, bias: Tensor | None, **options: Any) -> Tensor:  # noqa: ANN401  # torch's own
    """Convolve the last one, two or three axes of ``x`` (N, C, ...) with ``w`` (K, C / groups, ...)."""
    return _CONV[w.dim() - 2](x.to(w.dtype), w, bias, **options)


def _conv(node: Node) -> Kernel:
    geometry, groups = geometry_of(node), node.integer("group", 1)
    node.integers("kernel_shape")  # the weights say so themselves

    def run(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        ndim = w.dim() - 2
        sides = geometry.sides(x.shape[2:], w.shape[2:])
        even = symmetric(sides)
        x = x if even is not None else pad_sides(x, sides)
        options = {"stride": geometry.steps(ndim), "dilation": geometry.gaps(ndim), "groups": groups}
        return convolve(x, w, bias, padding=even if even is not None else 0, **options)

    return run


def _conv_transpose(node: Node) -> Kernel:
    """The whole result first, then what the pads cut away: so every pad of the standard is possible."""
    geometry, groups = geometry_of(node), node.integer("group", 1)
    more, wanted = node.integers("output_padding"), node.integers("output_shape")
    node.integers("kernel_shape")

    def run(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        ndim = w.dim() - 2
        extra = more or [0] * ndim
        sides = _transposed_sides(geometry, (x.shape[2:], w.shape[2:]), wanted, extra)
        options = {"stride": geometry.steps(ndim), "dilation": geometry.gaps(ndim), "groups": groups}
        transpose, x = _TRANSPOSED[ndim], x.to(w.dtype)
        even = symmetric(sides)
        if even is not None and min(even) >= 0:
            return transpose(x, w, bias, padding=even, output_padding=extra, **options)
        y = transpose(x, w, None, output_padding=extra, **options)
        y = pad_sides(y, [(-before, -after) for before, after in sides])
        return y if bias is None else y + bias.reshape(-1, *[1] * ndim)

    return run


def _transposed_sides(
    geometry: Geometry, shapes: tuple[Sequence[int], Sequence[int]], wanted: Sequence[int], extra: Sequence[int]
) -> Sides:
    size, kernel = shapes
    steps = geometry.steps(len(kernel))
    same = geometry.auto in {"SAME_UPPER", "SAME_LOWER"}
    if not wanted and not same:
        return geometry.sides(size, kernel)
    target = list(wanted)[-len(kernel) :] or [n * step for n, step in zip(size, steps, strict=True)]
    parts = zip(size, steps, geometry.reach(kernel), extra, target, strict=True)
    totals = [step * (n - 1) + more + reach - want for n, step, reach, more, want in parts]
    return [same_sides(total, upper=geometry.auto == "SAME_UPPER") for total in totals]


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    """Of two number types the narrower one is taken."""
    if a.dtype != b.dtype:
        narrow = min(a.dtype, b.dtype, key=lambda kind: kind.itemsize)
        a, b = a.to(narrow), b.to(narrow)
    return torch.matmul(a, b)


def _gemm(node: Node) -> Kernel:
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    turn_a, turn_b = node.integer("transA"), node.integer("transB")

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        y = _matmul(a.t() if turn_a else a, b.t() if turn_b else b)
        y = y if alpha == 1.0 else y * alpha
        return y if c is None else y + (c if beta == 1.0 else c * beta)

    return run


def _einsum(node: Node) -> Kernel:
    raw = node.attributes.get("equation", b"")
    node.has("equation")
    equation = raw.decode().replace(" ", "")
    return lambda *tensors: torch.einsum(equation, *tensors)


#: Convolutions and matrix products.
CONVOLUTION: Mapping[str, Operator] = MappingProxyType(
    {
        "Conv": Operator(_conv),
        "ConvTranspose": Operator(_conv_transpose),
        "Einsum": Operator(_einsum),
        "Gemm": Operator(_gemm),
        "MatMul": plain(_matmul),
    }
)
