"""Arithmetic of shapes: what a graph works out from sizes alone, done on arrays beside the network.

Exporters write sizes as small tensors that pass through a dozen operators. Done here, they are plain numbers when
torch traces the network, also where the number of windows is only a symbol: such arrays hold objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geowatch.nets.onnx.node import Node
from geowatch.nets.onnx.ops.operator import Builder, Kernel, integers
from geowatch.nets.onnx.ops.pointwise import DTYPES
from geowatch.nets.onnx.ops.shape import as_host, expanded_shape, split_sizes, taken, target_shape

__all__ = ["HOST", "tidy"]

Array = NDArray[Any]


def tidy(value: Any) -> Array:  # noqa: ANN401  # whatever numpy gave
    """Return a value as an array; objects that are all plain numbers become numbers."""
    array = np.asarray(value)
    if array.dtype == object and all(type(v) is int for v in array.ravel().tolist()):
        return array.astype(np.int64)
    return array


def _plain(kernel: Callable[..., Any]) -> Builder:
    return lambda _: kernel


def _fold(kernel: Callable[..., Any]) -> Builder:
    return lambda _: lambda *arrays: reduce(kernel, arrays)


def _divide(a: Array, b: Array) -> Array:
    """Sizes are never below 0, where rounding down and cutting differ."""
    exact = a.dtype.kind == "f" or b.dtype.kind == "f"
    return np.asarray(a / b if exact else a // b)


def _cast(node: Node) -> Kernel:
    to = node.integer("to")
    if to not in DTYPES:
        raise node.refusal(f"number type {to}")
    name = str(DTYPES[to]).removeprefix("torch.")
    kind = np.dtype("float32" if name == "bfloat16" else name)
    # A symbol cannot be cast; whole numbers stay whole.
    return lambda x: x if x.dtype == object and kind.kind == "i" else x.astype(kind)


def _gather(node: Node) -> Kernel:
    axis = node.integer("axis")
    return lambda x, places: np.take(x, places.astype(np.int64), axis)


def _concat(node: Node) -> Kernel:
    axis = node.integer("axis")
    return lambda *arrays: np.concatenate(arrays, axis)


def _axes(node: Node, axes: Array | None) -> tuple[int, ...]:
    return tuple(node.integers("axes") if axes is None else integers(axes))


def _squeeze(node: Node) -> Kernel:
    return lambda x, axes=None: np.squeeze(x, _axes(node, axes) or None)


def _unsqueeze(node: Node) -> Kernel:
    return lambda x, axes=None: np.expand_dims(x, _axes(node, axes))


def _slice(node: Node) -> Kernel:
    fixed = [np.array(node.integers(n)) if node.has(n) else None for n in ("starts", "ends", "axes")]

    def run(x: Array, *ranges: Array | None) -> Array:
        for axis, start, end, step in taken(x.ndim, [*ranges, None, None][:4] if ranges else [*fixed, None]):
            start, end, step = slice(start, end, step).indices(x.shape[axis])  # noqa: PLW2901  # as counted from 0
            x = np.take(x, np.arange(start, end, step), axis)
        return x

    return run


def _split(node: Node) -> Kernel:
    axis, fixed = node.integer("axis"), node.integers("split")

    def run(x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
        wanted = split_sizes(node, x.shape[axis], fixed if sizes is None else integers(sizes))
        return tuple(np.split(x, np.cumsum(wanted)[:-1].tolist(), axis))

    return run


def _reshape(node: Node) -> Kernel:
    return lambda x, shape: x.reshape(target_shape(node, x.shape, integers(shape)))


def _transpose(node: Node) -> Kernel:
    order = node.integers("perm")
    return lambda x: x.transpose(order or None)


def _constant_of_shape(node: Node) -> Kernel:
    value = node.array("value")
    fill = np.zeros(1, np.float32) if value is None else value
    return lambda shape: np.full(integers(shape), fill.reshape(()), fill.dtype)


def _reduce(kernel: Callable[..., Any]) -> Builder:
    def build(node: Node) -> Kernel:
        keep = bool(node.integer("keepdims", 1))
        return lambda x, axes=None: kernel(x, axis=_axes(node, axes) or None, keepdims=keep)

    return build


def _shape(node: Node) -> Kernel:
    start, end = node.integer("start"), node.integer("end", 2**31 - 1)
    return lambda x: as_host(list(x.shape)[start:end])


#: Operators on arrays of sizes.
HOST: Mapping[str, Builder] = MappingProxyType(
    {
        "Abs": _plain(np.abs),
        "Add": _plain(np.add),
        "And": _plain(np.logical_and),
        "Cast": _cast,
        "Ceil": _plain(np.ceil),
        "Concat": _concat,
        "ConstantOfShape": _constant_of_shape,
        "Div": _plain(_divide),
        "Equal": _plain(np.equal),
        "Expand": _plain(lambda x, shape: np.broadcast_to(x, expanded_shape(x.shape, integers(shape)))),
        "Floor": _plain(np.floor),
        "Gather": _gather,
        "Greater": _plain(np.greater),
        "Identity": _plain(lambda x: x),
        "Less": _plain(np.less),
        "Max": _fold(np.maximum),
        "Min": _fold(np.minimum),
        "Mod": _plain(np.mod),
        "Mul": _plain(np.multiply),
        "Neg": _plain(np.negative),
        "NonZero": _plain(lambda x: np.stack(np.nonzero(x)).astype(np.int64)),
        "Not": _plain(np.logical_not),
        "Or": _plain(np.logical_or),
        "Range": _plain(lambda a, b, step: np.arange(a.item(), b.item(), step.item(), dtype=a.dtype)),
        "ReduceMax": _reduce(np.max),
        "ReduceMin": _reduce(np.min),
        "ReduceProd": _reduce(np.prod),
        "ReduceSum": _reduce(np.sum),
        "Reshape": _reshape,
        "Shape": _shape,
        "Size": _plain(lambda x: as_host([math.prod(x.shape)]).reshape(())),
        "Slice": _slice,
        "Split": _split,
        "Sqrt": _plain(np.sqrt),
        "Squeeze": _squeeze,
        "Sub": _plain(np.subtract),
        "Tile": _plain(lambda x, times: np.tile(x, integers(times))),
        "Transpose": _transpose,
        "Unsqueeze": _unsqueeze,
        "Where": _plain(np.where),
    }
)
