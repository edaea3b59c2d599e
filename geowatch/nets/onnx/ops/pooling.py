"""Poolings: the largest or the mean of each neighbourhood.

torch pools images with equal margins on both ends. The standard allows any margins, and rounding up: there
the margins are put around the image first, with values that change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.convolution import convolve
from geowatch.nets.onnx.ops.operator import Kernel, Operator, integers, plain
from geowatch.nets.onnx.ops.sides import Geometry, Sides, geometry_of, pad_sides, symmetric

__all__ = ["POOLING"]

_MAX: Mapping[int, Callable[..., Any]] = MappingProxyType({1: fn.max_pool1d, 2: fn.max_pool2d, 3: fn.max_pool3d})
_MEAN: Mapping[int, Callable[..., Tensor]] = MappingProxyType({1: fn.avg_pool1d, 2: fn.avg_pool2d, 3: fn.avg_pool3d})
_UNPOOL: Mapping[int, Callable[..., Tensor]] = MappingProxyType(
    {1: fn.max_unpool1d, 2: fn.max_unpool2d, 3: fn.max_unpool3d}
)


def _even(geometry: Geometry, sides: Sides, kernel: Sequence[int]) -> list[int] | None:
    """Return the margins where torch's own pooling takes them."""
    even = symmetric(sides)
    reach = geometry.reach(kernel)
    return even if even is not None and all(2 * p <= r for p, r in zip(even, reach, strict=True)) else None


def _rounded_up(geometry: Geometry, sides: Sides, size: Sequence[int], kernel: Sequence[int]) -> Sides:
    """Return margins that let the last place of the kernel fit; one that would start beyond the image is none."""
    out = []
    parts = zip(sides, size, geometry.steps(len(kernel)), geometry.reach(kernel), strict=True)
    for (before, after), n, step, reach in parts:
        last = -(-(n + before + after - reach) // step) * step
        last -= step if last >= n + before else 0
        out.append((before, last + reach - n - before))
    return out


def _max_pool(node: Node) -> Kernel:
    geometry, kernel = geometry_of(node), node.integers("kernel_shape")
    up, places = bool(node.integer("ceil_mode")), len(node.outputs) > 1
    if places and node.integer("storage_order"):
        raise node.refusal("storage_order is 1")
    node.integer("storage_order")
    ndim = len(kernel)
    options = {"stride": geometry.steps(ndim), "dilation": geometry.gaps(ndim)}

    def run(x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        sides = geometry.sides(x.shape[2:], kernel)
        even = _even(geometry, sides, kernel)
        if even is not None and x.is_floating_point():
            found = _MAX[ndim](x, kernel, padding=even, ceil_mode=up, return_indices=places, **options)
            return (found[0], _whole_places(x, found[1])) if places else torch.as_tensor(found)
        if places:
            raise node.refusal("the places of the largest values are asked for, with uneven pads or whole numbers")
        sides = _rounded_up(geometry, sides, x.shape[2:], kernel) if up else sides
        wide = x if x.is_floating_point() else x.to(torch.float32)
        y: Tensor = _MAX[ndim](pad_sides(wide, sides, -math.inf), kernel, **options)
        return y.to(x.dtype)

    return run


def _whole_places(x: Tensor, places: Tensor) -> Tensor:
    """Count places over the whole tensor, not over each image."""
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device) * math.prod(x.shape[2:])
    return places + planes.reshape(x.shape[0], x.shape[1], *[1] * (x.dim() - 2))


def _max_unpool(node: Node) -> Kernel:
    kernel, strides, pads = node.integers("kernel_shape"), node.integers("strides"), node.integers("pads")
    ndim = len(kernel)
    pads = pads or [0] * 2 * ndim
    steps = strides or [1] * ndim

    def run(x: Tensor, places: Tensor, shape: NDArray[Any] | None = None) -> Tensor:
        margins = [pads[i] + pads[i + ndim] for i in range(ndim)]
        parts = zip(x.shape[2:], steps, kernel, margins, strict=True)
        size = [(n - 1) * step + k - margin for n, step, k, margin in parts]
        flat = places.flatten(2) % math.prod(size)  # places are counted over the whole tensor
        target = size if shape is None else integers(shape)[2:]
        y = x.new_zeros((x.shape[0], x.shape[1], math.prod(size))).scatter(2, flat, x.flatten(2))
        y = y.reshape(x.shape[0], x.shape[1], *size)
        return pad_sides(y, [(0, want - have) for want, have in zip(target, size, strict=True)])

    return run


def _average_pool(node: Node) -> Kernel:
    geometry, kernel = geometry_of(node), node.integers("kernel_shape")
    up, margins_count = bool(node.integer("ceil_mode")), bool(node.integer("count_include_pad"))
    ndim = len(kernel)
    steps, gaps = geometry.steps(ndim), geometry.gaps(ndim)

    def run(x: Tensor) -> Tensor:
        sides = geometry.sides(x.shape[2:], kernel)
        even = symmetric(sides)
        if even is not None and set(gaps) == {1} and all(2 * p <= k for p, k in zip(even, kernel, strict=True)):
            return _MEAN[ndim](x, kernel, steps, even, ceil_mode=up, count_include_pad=margins_count)
        seen = pad_sides(x.new_ones((1, 1, *x.shape[2:])), sides, float(margins_count))
        if up:
            wider = _rounded_up(geometry, sides, x.shape[2:], kernel)
            rest = [(0, wide[1] - side[1]) for wide, side in zip(wider, sides, strict=True)]
            seen, sides = pad_sides(seen, rest), wider
        ones = x.new_ones((x.shape[1], 1, *kernel))
        options = {"stride": steps, "dilation": gaps}
        total = convolve(pad_sides(x, sides), ones, None, groups=x.shape[1], **options)
        return total / convolve(seen, ones[:1], None, **options)

    return run


def _lp_pool(node: Node) -> Kernel:
    """Only the plain form: sum of powers, then the root."""
    geometry, kernel = geometry_of(node), node.integers("kernel_shape")
    power, up = node.integer("p", 2), bool(node.integer("ceil_mode"))
    ndim = len(kernel)

    def run(x: Tensor) -> Tensor:
        sides = geometry.sides(x.shape[2:], kernel)
        sides = _rounded_up(geometry, sides, x.shape[2:], kernel) if up else sides
        ones = x.new_ones((x.shape[1], 1, *kernel))
        options = {"stride": geometry.steps(ndim), "dilation": geometry.gaps(ndim), "groups": x.shape[1]}
        return convolve(pad_sides(x.abs() ** power, sides), ones, None, **options) ** (1.0 / power)

    return run


def _everywhere(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


def _global_lp(node: Node) -> Kernel:
    power = node.integer("p", 2)
    return lambda x: (x.abs() ** power).sum(_everywhere(x), keepdim=True) ** (1.0 / power)


#: Poolings.
POOLING: Mapping[str, Operator] = MappingProxyType(
    {
        "AveragePool": Operator(_average_pool),
        "GlobalAveragePool": plain(lambda x: x.mean(_everywhere(x), keepdim=True)),
        "GlobalLpPool": Operator(_global_lp),
        "GlobalMaxPool": plain(lambda x: x.amax(_everywhere(x), keepdim=True)),
        "LpPool": Operator(_lp_pool),
        "MaxPool": Operator(_max_pool),
        "MaxUnpool": Operator(_max_unpool, host=frozenset({2})),
    }
)
