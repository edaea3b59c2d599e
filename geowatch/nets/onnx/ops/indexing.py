"""Operators that pick numbers by their places, and those that make numbers from nothing but a shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Kernel, Operator, integers
from geowatch.nets.onnx.ops.pointwise import DTYPES

__all__ = ["INDEXING"]


def _wrapped(places: Tensor, size: int) -> Tensor:
    """Places below 0 count from the end."""
    return torch.where(places < 0, places + size, places)


def _gather(node: Node) -> Kernel:
    axis = node.integer("axis")

    def run(x: Tensor, places: NDArray[Any] | Tensor) -> Tensor:
        at = axis % x.dim()
        if not isinstance(places, Tensor):
            if places.ndim == 0:
                return x.select(at, int(places))
            places = torch.as_tensor(places, device=x.device)
        flat = _wrapped(places.reshape(-1).long(), x.shape[at])
        return x.index_select(at, flat).reshape(*x.shape[:at], *places.shape, *x.shape[at + 1 :])

    return run


def _gather_elements(node: Node) -> Kernel:
    axis = node.integer("axis")
    return lambda x, places: x.gather(axis, _wrapped(places.long(), x.shape[axis]))


def _gather_nd(node: Node) -> Kernel:
    if node.integer("batch_dims"):
        raise node.refusal("batch_dims is not 0")
    return lambda x, places: x[tuple(places.long().unbind(-1))]


def _scatter_elements(node: Node) -> Kernel:
    axis = node.integer("axis")
    how = node.text("reduction", "none", _REDUCE)

    def run(x: Tensor, places: Tensor, values: Tensor) -> Tensor:
        at = _wrapped(places.long(), x.shape[axis])
        if how == "none":
            return x.scatter(axis, at, values)
        return x.scatter_reduce(axis, at, values, _REDUCE[how])

    return run


_REDUCE = MappingProxyType({"none": "", "add": "sum", "mul": "prod", "max": "amax", "min": "amin"})


def _scatter_nd(node: Node) -> Kernel:
    add = node.text("reduction", "none", {"none", "add"}) == "add"
    return lambda x, places, values: x.index_put(tuple(places.long().unbind(-1)), values, accumulate=add)


def _one_hot(node: Node) -> Kernel:
    axis = node.integer("axis", -1)

    def run(places: Tensor, depth: NDArray[Any], values: Tensor) -> Tensor:
        count = integers(depth)[0]
        at = _wrapped(places.long(), count).unsqueeze(-1)
        hot = at == torch.arange(count, device=places.device)
        return torch.where(hot, values[1], values[0]).movedim(-1, axis)

    return run


def _triangle(node: Node) -> Kernel:
    upper = bool(node.integer("upper", 1))

    def run(x: Tensor, k: NDArray[Any] | None = None) -> Tensor:
        diagonal = 0 if k is None else integers(k)[0]
        return x.triu(diagonal) if upper else x.tril(diagonal)

    return run


def _eye(node: Node) -> Kernel:
    k, kind = node.integer("k"), node.integer("dtype") if node.has("dtype") else None

    def run(x: Tensor) -> Tensor:
        rows, columns = x.shape
        row, column = (torch.arange(n, device=x.device) for n in (rows, columns))
        return (column == row[:, None] + k).to(x.dtype if kind is None else DTYPES[kind])

    return run


def _constant_of_shape(node: Node) -> Kernel:
    """Known without running, as the shape is: an array."""
    value = node.array("value")
    fill = np.zeros(1, np.float32) if value is None else value
    return lambda shape: np.full(integers(shape), fill.reshape(()), fill.dtype)


def _range(_: Node) -> Kernel:
    return lambda start, end, step: np.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


def _non_zero(_: Node) -> Kernel:
    return lambda x: np.stack(np.nonzero(x)).astype(np.int64)


def _grid_sample(node: Node) -> Kernel:
    names = {"linear": "bilinear", "bilinear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}
    names["bicubic"] = "bicubic"
    mode = names[node.text("mode", "linear", names)]
    padding = node.text("padding_mode", "zeros", {"zeros", "border", "reflection"})
    corners = bool(node.integer("align_corners"))

    def run(x: Tensor, grid: Tensor) -> Tensor:
        return fn.grid_sample(x, grid.to(x.dtype), mode=mode, padding_mode=padding, align_corners=corners)

    return run


#: Operators that pick numbers by their places, or make them from a shape.
INDEXING: Mapping[str, Operator] = MappingProxyType(
    {
        "ConstantOfShape": Operator(_constant_of_shape, host=frozenset({0}), gives_host=True),
        "EyeLike": Operator(_eye),
        "Gather": Operator(_gather, either=frozenset({1})),
        "GatherElements": Operator(_gather_elements),
        "GatherND": Operator(_gather_nd),
        "GridSample": Operator(_grid_sample),
        "NonZero": Operator(_non_zero, host=frozenset({0}), gives_host=True),
        "OneHot": Operator(_one_hot, host=frozenset({1})),
        "Range": Operator(_range, rest_host=0, gives_host=True),
        "ScatterElements": Operator(_scatter_elements),
        "ScatterND": Operator(_scatter_nd),
        "Trilu": Operator(_triangle, host=frozenset({1})),
    }
)
