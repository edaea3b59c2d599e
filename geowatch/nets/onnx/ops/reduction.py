"""Operators that take many numbers to one: sums, means, largest, and where the largest is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, integers

__all__ = ["REDUCTION"]

_Reduce = Callable[[Tensor, list[int], bool], Tensor]


def _reduce(kernel: _Reduce, before: Callable[[Tensor], Tensor] | None = None) -> Operator:
    """Axes are an attribute before opset 18 (13 of ReduceSum), an input from then on.

    ``before`` is what happens to each number where no axis is reduced.
    """

    def build(node: Node) -> Kernel:
        fixed, keep = node.integers("axes"), bool(node.integer("keepdims", 1))
        nothing = bool(node.integer("noop_with_empty_axes"))

        def run(x: Tensor, axes: NDArray[Any] | None = None) -> Tensor:
            chosen = fixed if axes is None else integers(axes)
            if not chosen and nothing:
                return x if before is None else before(x)
            return kernel(x, [a % x.dim() for a in chosen] or list(range(x.dim())), keep)

        return run

    return Operator(build, host=frozenset({1}))


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _extreme(kernel: Callable[..., Tensor]) -> _Reduce:
    def run(x: Tensor, axes: list[int], keep: bool) -> Tensor:
        wide = x.to(torch.uint8) if x.dtype == torch.bool else x
        return kernel(wide, axes, keepdim=keep).to(x.dtype)

    return run


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep, dtype=x.dtype)


def _place(kernel: Callable[..., Tensor]) -> Operator:
    """Where the largest or smallest is; of several the first or the last."""

    def build(node: Node) -> Kernel:
        axis, keep = node.integer("axis"), bool(node.integer("keepdims", 1))
        last = bool(node.integer("select_last_index"))

        def run(x: Tensor) -> Tensor:
            if not last:
                return kernel(x, axis, keepdim=keep)
            return x.shape[axis] - 1 - kernel(x.flip(axis), axis, keepdim=keep)

        return run

    return Operator(build)


def _top(node: Node) -> Kernel:
    axis, largest = node.integer("axis", -1), node.integer("largest", 1)
    node.integer("sorted", 1)

    def run(x: Tensor, k: NDArray[Any]) -> tuple[Tensor, Tensor]:
        values, places = torch.sort(x, dim=axis, descending=bool(largest), stable=True)  # of equals the first
        count = integers(k)[0]
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return run


def _running(node: Node) -> Kernel:
    exclusive, reverse = node.integer("exclusive"), node.integer("reverse")

    def run(x: Tensor, axis: NDArray[Any]) -> Tensor:
        at = integers(axis)[0]
        turned = x.flip(at) if reverse else x
        total = turned.cumsum(at, dtype=x.dtype)
        total = total - turned if exclusive else total
        return total.flip(at) if reverse else total

    return run


#: Operators that take many numbers to one.
REDUCTION: Mapping[str, Operator] = MappingProxyType(
    {
        "ArgMax": _place(torch.argmax),
        "ArgMin": _place(torch.argmin),
        "CumSum": Operator(_running, host=frozenset({1})),
        "ReduceL1": _reduce(lambda x, axes, keep: _sum(x.abs(), axes, keep), torch.abs),
        "ReduceL2": _reduce(lambda x, axes, keep: _sum(x * x, axes, keep).sqrt(), torch.abs),
        "ReduceLogSum": _reduce(lambda x, axes, keep: _sum(x, axes, keep).log(), torch.log),
        "ReduceLogSumExp": _reduce(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
        "ReduceMax": _reduce(_extreme(torch.amax)),
        "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
        "ReduceMin": _reduce(_extreme(torch.amin)),
        "ReduceProd": _reduce(_product),
        "ReduceSum": _reduce(_sum),
        "ReduceSumSquare": _reduce(lambda x, axes, keep: _sum(x * x, axes, keep), torch.square),
        "TopK": Operator(_top, host=frozenset({1})),
    }
)
