"""Operators that lay numbers out anew without changing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, integers

__all__ = ["SHAPE", "expanded_shape", "split_sizes", "taken", "target_shape"]

#: Ends of slices from here on mean "to the end"; so nothing is asked of a size that is only known later.
END = 2**31 - 1


def target_shape(node: Node, shape: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return what ``wanted`` of a Reshape means: 0 takes the size that was there, -1 what is left."""
    literal = bool(node.integer("allowzero"))
    return [shape[i] if isinstance(n, int) and n == 0 and not literal else n for i, n in enumerate(wanted)]


def _reshape(node: Node) -> Kernel:
    node.integer("allowzero")
    return lambda x, shape: x.reshape(target_shape(node, x.shape, integers(shape)))


def _flatten(node: Node) -> Kernel:
    axis = node.integer("axis", 1)

    def run(x: Tensor) -> Tensor:
        at = axis % x.dim() if axis < 0 else axis
        return x.reshape(math.prod(x.shape[:at]), math.prod(x.shape[at:]))

    return run


def _transpose(node: Node) -> Kernel:
    order = node.integers("perm")
    return lambda x: x.permute(order or list(range(x.dim()))[::-1])


def _squeeze(node: Node) -> Kernel:
    fixed = node.integers("axes")

    def run(x: Tensor, axes: NDArray[Any] | None = None) -> Tensor:
        chosen = fixed if axes is None else integers(axes)
        return x.squeeze(tuple(chosen)) if chosen else x.squeeze()

    return run


def _unsqueeze(node: Node) -> Kernel:
    fixed = node.integers("axes")

    def run(x: Tensor, axes: NDArray[Any] | None = None) -> Tensor:
        chosen = fixed if axes is None else integers(axes)
        for axis in sorted(a % (x.dim() + len(chosen)) for a in chosen):
            x = x.unsqueeze(axis)
        return x

    return run


def _concat(node: Node) -> Kernel:
    axis = node.integer("axis")
    return lambda *tensors: torch.cat(tensors, axis)


def split_sizes(node: Node, total: int, wanted: Sequence[int]) -> list[int]:
    """Return the sizes of a Split's parts: those given, or equal ones, the last smaller where it does not go up."""
    if wanted:
        return list(wanted)
    parts = node.integer("num_outputs", len(node.outputs))
    each = -(-total // parts)
    return [each] * (parts - 1) + [total - each * (parts - 1)]


def _split(node: Node) -> Kernel:
    axis, fixed = node.integer("axis"), node.integers("split")
    node.integer("num_outputs")

    def run(x: Tensor, sizes: NDArray[Any] | None = None) -> tuple[Tensor, ...]:
        wanted = fixed if sizes is None else integers(sizes)
        return tuple(torch.split(x, split_sizes(node, x.shape[axis], wanted), axis))

    return run


def taken(ndim: int, ranges: Sequence[NDArray[Any] | None]) -> list[tuple[int, int, int, int]]:
    """Return (axis, start, end, step) of a Slice from its inputs starts, ends, axes and steps."""
    starts, ends = (integers(v) for v in ranges[:2] if v is not None)
    axes, steps = (None if v is None else integers(v) for v in ranges[2:])
    chosen = [a % ndim for a in (axes if axes is not None else range(len(starts)))]
    return list(zip(chosen, starts, ends, steps or [1] * len(starts), strict=True))


def _slice(node: Node) -> Kernel:
    """Ranges are attributes before opset 10, inputs from then on."""
    fixed = [np.array(node.integers(n)) if node.has(n) else None for n in ("starts", "ends", "axes")]

    def run(x: Tensor, *ranges: NDArray[Any] | None) -> Tensor:
        given = [*ranges, None, None][:4] if ranges else [*fixed, None]
        for axis, start, end, step in taken(x.dim(), given):
            x = _cut(x, axis, (start, end, step))
        return x

    return run


def _cut(x: Tensor, axis: int, part: tuple[int, int, int]) -> Tensor:
    start, end, step = part
    if start == 0 and end >= END and step == 1:
        return x
    start, end, step = slice(start, end, step).indices(x.shape[axis])
    if step < 0:
        return x.index_select(axis, torch.arange(start, end, step, device=x.device))
    return x[(slice(None),) * axis + (slice(start, max(start, end), step),)]


def expanded_shape(shape: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return the shape that both broadcast to."""
    ndim = max(len(shape), len(wanted))
    a, b = ([1] * (ndim - len(s)) + list(s) for s in (shape, wanted))
    return [x if isinstance(y, int) and y == 1 else y for x, y in zip(a, b, strict=True)]


def _expand(x: Tensor, shape: NDArray[Any]) -> Tensor:
    return x.expand(expanded_shape(x.shape, integers(shape)))


def _depth_to_space(node: Node) -> Kernel:
    b = node.integer("blocksize")
    rows_first = node.text("mode", "DCR", {"DCR", "CRD"}) == "DCR"

    def run(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        deep = c // (b * b)
        if rows_first:
            y = x.reshape(n, b, b, deep, h, w).permute(0, 3, 4, 1, 5, 2)
        else:
            y = x.reshape(n, deep, b, b, h, w).permute(0, 1, 4, 2, 5, 3)
        return y.reshape(n, deep, h * b, w * b)

    return run


def _space_to_depth(node: Node) -> Kernel:
    b = node.integer("blocksize")

    def run(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4)
        return y.reshape(n, c * b * b, h // b, w // b)

    return run


def _shape(node: Node) -> Kernel:
    start, end = node.integer("start"), node.integer("end", END)
    return lambda x: as_host(list(x.shape)[start:end])


def as_host(sizes: Sequence[int]) -> NDArray[Any]:
    """Return sizes as an array; symbolic ones make it an array of objects."""
    known = all(type(n) is int for n in sizes)
    return np.array(sizes, dtype=np.int64) if known else _objects(sizes)


def _objects(values: Sequence[object]) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _size(_: Node) -> Kernel:
    return lambda x: as_host([math.prod(x.shape)]).reshape(())


#: Operators that lay numbers out anew.
SHAPE: Mapping[str, Operator] = MappingProxyType(
    {
        "Concat": Operator(_concat),
        "DepthToSpace": Operator(_depth_to_space),
        "Expand": Operator(lambda _: _expand, host=frozenset({1})),
        "Flatten": Operator(_flatten),
        "Reshape": Operator(_reshape, host=frozenset({1})),
        "Shape": Operator(_shape, gives_host=True),
        "Size": Operator(_size, gives_host=True),
        "Slice": Operator(_slice, rest_host=1),
        "SpaceToDepth": Operator(_space_to_depth),
        "Split": Operator(_split, host=frozenset({1})),
        "Squeeze": Operator(_squeeze, host=frozenset({1})),
        "Tile": Operator(lambda _: lambda x, times: x.repeat(integers(times)), host=frozenset({1})),
        "Transpose": Operator(_transpose),
        "Unsqueeze": Operator(_unsqueeze, host=frozenset({1})),
    }
)
