"""How much arithmetic a graph does for one window, counted from the shapes that a run shows.

Counted are convolutions and matrix products, two operations for each multiply-add; the rest is small beside
them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import onnx

from geowatch.errors import BackendError
from geowatch.package.backends.onnxruntime import GraphSession

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

__all__ = ["count_gflop"]

_PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})


def count_gflop(model: ModelProto, tensors: Mapping[str, NDArray[Any]]) -> float | None:
    """Return 10^9 floating point operations of the graph on ``tensors``; None where it cannot be counted."""
    nodes = [node for node in model.graph.node if node.op_type in _PRODUCTS]
    wanted = dict.fromkeys(name for node in nodes for name in (*node.input[:2], node.output[0]))
    shapes = {t.name: tuple(t.dims) for t in model.graph.initializer}
    shapes |= {name: x.shape for name, x in tensors.items()}
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    known = set(shapes) | {o.name for o in model.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    try:
        session = GraphSession(shown.SerializeToString(), threads=1, optimise=False)
        shapes |= {name: x.shape for name, x in session.run(tensors).items()}
    except BackendError:
        return None
    return round(sum(_operations(node, shapes) for node in nodes) / 1e9, 9)


def _operations(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    first, second, out = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
    if node.op_type == "Conv":  # weights: out, in / groups, kernel
        return 2 * math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":  # weights: in, out / groups, kernel
        return 2 * math.prod(first) * math.prod(second[1:])
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2 * math.prod(out) * (first[0] if transposed else first[-1])
