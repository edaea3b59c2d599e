"""What a network's tensors take in memory, told from its graph before anything runs.

The graph says of each tensor who makes it and who needs it last; shapes for one window follow from the input's. Walking
over the nodes, what is needed at once is added up: the most of it is what the best of runtimes needs. How much more
real ones take is told by `geowatch.package.footprint`.

Runtimes differ in the order in which they run nodes: as the graph lists them, or depth first from the outputs, which
holds more where branches are joined late. Both are walked.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, shape_inference

from geowatch.package.graph import flatten, read_graph
from geowatch.package.manifest import GRAPH_FILE
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

    from geowatch.package.bundle import Package
    from geowatch.package.manifest import Manifest

    Sizes = dict[str, int]

__all__ = ["Activations", "activations_of", "most_at_once"]

#: Constants with more numbers than this are weights; smaller ones may be shapes, which inference needs.
_SHAPE_NUMBERS = 1024
#: Where a package has no graph: its tensors, in windows with what goes in and comes out.
_WITHOUT_GRAPH = 8


@dataclass(frozen=True, slots=True)
class Activations:
    """What the tensors of a network take for one window, in bytes; weights apart."""

    in_order: int
    """At once, where nodes run in the order of the graph."""
    depth_first: int
    """At once, where they run depth first from the outputs."""
    inputs: int
    """Input."""
    outputs: int
    """All outputs."""
    nodes: int
    """Nodes of the graph: what is compiled takes memory for each."""


def activations_of(package: Package, window_px: tuple[int, int]) -> Activations:
    """Return what a package's network takes for one window of (height, width) pixels.

    What shape inference does not tell counts as much as the largest tensor that it is made of.
    """
    manifest = package.manifest
    shapes = _input_shapes(manifest, window_px)
    inputs = sum(4 * math.prod(shape) for shape in shapes.values())
    if GRAPH_FILE not in manifest.files:
        outputs = 4 * math.prod(window_px) * max(1, sum(len(head.classes) for head in manifest.heads))
        guess = _WITHOUT_GRAPH * (inputs + outputs)
        return Activations(guess, guess, inputs, outputs, 0)
    content = package.read(GRAPH_FILE)
    model = flatten(read_graph(content, GRAPH_FILE, max_bytes=len(content)), GRAPH_FILE)
    count = manifest.batch or 1
    sizes = _sizes(model, {name: (count, *shape) for name, shape in shapes.items()})
    graph = model.graph
    outputs = sum(sizes.get(tensor, 0) for tensor in set(manifest.outputs.values()))
    in_order, depth_first = (
        most_at_once(graph, nodes, sizes) // count for nodes in (list(graph.node), _depth_first(graph.node))
    )
    return Activations(in_order, max(in_order, depth_first), inputs, outputs // count, len(graph.node))


def most_at_once(graph: GraphProto, nodes: Sequence[NodeProto], sizes: Mapping[str, int]) -> int:
    """Return the most bytes that tensors take at once when ``nodes`` run one after the other.

    A tensor takes memory from the node that makes it to the last that needs it; one without a size, as much as the
    largest that its node takes. Inputs of the graph are there from the start, its outputs stay to the end, and what
    ``sizes`` does not know and no node makes, weights, counts as nothing.

    >>> from onnx import TensorProto, helper
    >>> nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Add", ["x", "y"], ["z"])]
    >>> x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [10]) for name in "xz")
    >>> most_at_once(helper.make_graph(nodes, "g", [x], [z]), nodes, {"x": 40, "y": 40, "z": 40})
    120
    """
    left = Counter(name for node in nodes for name in set(node.input))
    left.update(each.name for each in graph.output)
    held = {each.name: sizes[each.name] for each in graph.input if each.name in sizes}
    most = now = sum(held.values())
    for node in nodes:
        guess = max((held.get(name, 0) for name in node.input), default=0)
        made = {name: sizes.get(name, guess) for name in node.output if name}
        held |= made
        now += sum(made.values())
        most = max(most, now)
        left.subtract(set(node.input))
        for name in {*node.input, *made}:
            if left[name] <= 0:
                now -= held.pop(name, 0)
    return most


def _input_shapes(manifest: Manifest, window_px: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the graph's inputs for one window, without the axis of windows."""
    tiny = {spec.name: np.zeros((1, len(spec.channels), 1, 1), np.float32) for spec in manifest.inputs}
    sides = dict(zip("HW", window_px, strict=True))
    layouts = {tensor: parts[0].layout for tensor, parts in manifest.tensors.items()}
    return {
        name: tuple(sides.get(axis, side) for axis, side in zip(layouts[name], x.shape, strict=True))[1:]
        for name, x in feeds(manifest.inputs, tiny).items()
    }


def _sizes(model: ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> Sizes:
    """Return the bytes of each tensor whose shape follows from those of the inputs; weights are left out."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    graph = shown.graph
    weights = [each for each in graph.initializer if math.prod(each.dims) > _SHAPE_NUMBERS]
    constants = {each.name for each in graph.initializer}
    for each in weights:  # inference needs their shapes alone
        graph.initializer.remove(each)
        if each.name not in {told.name for told in graph.input}:
            graph.input.append(helper.make_tensor_value_info(each.name, each.data_type, list(each.dims)))
    for each in graph.input:
        if each.name in shapes:
            kind = each.type.tensor_type.elem_type
            each.CopyFrom(helper.make_tensor_value_info(each.name, kind, shapes[each.name]))
    del graph.value_info[:]  # what exporters noted is often wrong, or has names in place of sizes
    for each in graph.output:
        each.type.tensor_type.ClearField("shape")
    try:
        found = shape_inference.infer_shapes(shown, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        found = graph
    told = {each.name: _bytes(each) for each in (*found.value_info, *found.output, *found.input)}
    return {name: size for name, size in told.items() if size is not None and name not in constants}


def _bytes(tensor: ValueInfoProto) -> int | None:
    kind = tensor.type.tensor_type
    if not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in kind.shape.dim):
        return None
    item = 8 if kind.elem_type == onnx.TensorProto.STRING else helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    return int(math.prod(dim.dim_value for dim in kind.shape.dim) * item)


def _depth_first(nodes: Iterable[NodeProto]) -> list[NodeProto]:
    """Return the nodes such that each comes right after what it needs, those that nobody needs last."""
    every = list(nodes)
    maker = {name: place for place, node in enumerate(every) for name in node.output if name}
    needs = [sorted({maker[name] for name in node.input if name in maker}) for node in every]
    needed = {place for each in needs for place in each}
    waiting = [(place, False) for place in range(len(every)) if place not in needed]
    seen: set[int] = set()
    order = []
    while waiting:
        place, ready = waiting.pop()
        if ready:
            order.append(every[place])
        elif place not in seen:
            seen.add(place)
            waiting.append((place, True))
            waiting += [(other, False) for other in needs[place] if other not in seen]
    return order
