"""The layers inside a network: which there are, and a package whose graph gives one of them besides its heads.

A layer is named by its tensor or node in the graph; in a registry network also by the module's path (``down.2``),
which is the tensor that holds the same numbers as the module's output. Only layers of shape (N, D, h, w) with whole
steps h = H / r, w = W / r can be stitched.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import PackageError
from geowatch.package.backends.onnxruntime import GraphSession
from geowatch.package.bundle import Package, record_of
from geowatch.package.graph import flatten, parse_graph
from geowatch.package.manifest import GRAPH_FILE, WEIGHTS_FILE, HeadSpec
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from onnx import ModelProto

__all__ = ["Derived", "Layer", "find_layer", "layers_of", "with_layer"]


_SHAPE = "/gw_shape"


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor inside the graph that can be stitched."""

    name: str
    """Name of the tensor."""
    node: str
    """Name of the node that makes it; empty where it has none."""
    operator: str
    """What makes it, such as Relu."""
    channels: int
    """Numbers a place, D."""
    reduction: int
    """Input pixels along a side of one place."""


@dataclass(frozen=True, slots=True)
class Derived(Package):
    """A package in memory that was made from one on disk: its graph has a further output."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of its files."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one file. Raises PackageError where there is none."""
        if name not in self.contents:
            raise PackageError(f"package {self.path} has no file {name!r}")
        return self.contents[name]


def layers_of(package: Package) -> tuple[Layer, ...]:
    """Return the layers of the package's graph that can be stitched, in the order of the graph.

    Raises:
        PackageError: where the package has no graph.
    """
    model, window = _graph(package), package.manifest.window.size
    shapes = _shapes(model, _windows(package))
    found = (_layer(node.output[0], node.name, node.op_type, shapes, window) for node in model.graph.node)
    return tuple(layer for layer in found if layer is not None)


def _layer(
    name: str, node: str, operator: str, shapes: Mapping[str, tuple[int, ...]], window: tuple[int, int]
) -> Layer | None:
    shape = shapes.get(name, ())
    if len(shape) != 4 or min(shape) < 1 or operator == "Constant":
        return None
    down, across = (divmod(side, part) for side, part in zip(window, shape[2:], strict=True))
    if down != across or down[1]:
        return None
    return Layer(name, node, operator, shape[1], down[0])


def _graph(package: Package) -> ModelProto:
    if GRAPH_FILE not in package.manifest.files:
        raise PackageError(
            f"{package.manifest.name} has no {GRAPH_FILE}, in which layers are found",
            hint="package it again with gw model package, which writes a graph",
        )
    return flatten(parse_graph(package.read(GRAPH_FILE), package.manifest.name), package.manifest.name)


def _windows(package: Package, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return a window of noise for each of the graph's inputs."""
    generator = np.random.default_rng(seed)
    shapes = {i.name: (1, len(i.channels), *package.manifest.window.size) for i in package.manifest.inputs}
    noise = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return feeds(package.manifest.inputs, noise)


def _shapes(model: ModelProto, tensors: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors within a graph, by running it once with a Shape node on each.

    Nothing but running tells: many graphs compute sizes as they go.
    """
    from onnx import TensorProto, helper

    measured = type(model)()
    measured.CopyFrom(model)
    graph = measured.graph
    names = [node.output[0] for node in graph.node if node.op_type != "Constant" and node.output[0]]
    del graph.output[:]
    for name in names:
        graph.node.append(helper.make_node("Shape", [name], [f"{name}{_SHAPE}"]))
        graph.output.append(helper.make_tensor_value_info(f"{name}{_SHAPE}", TensorProto.INT64, None))
    seen = GraphSession(measured.SerializeToString(), threads=1, optimise=False).run(tensors)
    return {name: tuple(map(int, seen[f"{name}{_SHAPE}"])) for name in names}


def with_layer(package: Package, layer: Layer, output: str) -> Derived:
    """Return a package that gives ``layer`` as a further head called ``output``; its size is the layer's own.

    Raises:
        PackageError: where a head has that name.
    """
    manifest = package.manifest
    if any(head.name == output for head in manifest.heads):
        raise PackageError(f"{manifest.name} has a head called '{output}' already", hint="package it with other names")
    content = _exposing(_graph(package), [layer.name])
    names = tuple(f"f{i}" for i in range(layer.channels))
    head = HeadSpec(name=output, output=layer.name, activation="none", classes=names)
    # The registry's network does not give the layer: what runs is the graph.
    changed = manifest.model_copy(
        update={"heads": (*manifest.heads, head), "files": {GRAPH_FILE: record_of(content)}, "net": None}
    )
    return Derived(package.path, changed, changed.digest, MappingProxyType({GRAPH_FILE: content}))


def _exposing(model: ModelProto, names: Sequence[str]) -> bytes:
    """Return the graph's bytes with further outputs."""
    from onnx import TensorProto, helper

    there = {value.name for value in model.graph.output}
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in there
    )
    content: bytes = model.SerializeToString()
    return content


def find_layer(package: Package, name: str) -> Layer:
    """Return the layer called ``name``: a tensor, a node, or the path of a registry network's module.

    Raises:
        PackageError: where there is none, or it cannot be stitched.
    """
    layers = layers_of(package)
    found = next((layer for layer in layers if name in {layer.name, layer.node}), None)
    found = found or _of_module(package, layers, name)
    if found is None:
        known = [each for layer in layers for each in (layer.name, layer.node) if each]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise PackageError(
            f"{package.manifest.name} has no layer '{name}' that can be stitched",
            hint=f"did you mean '{near[0]}'? gw model show --layers lists them" if near else "gw model show --layers",
        )
    return found


def _of_module(package: Package, layers: Sequence[Layer], path: str) -> Layer | None:
    """Return the layer that holds the same numbers as the output of a registry network's module."""
    wanted = _module_output(package, path)
    if wanted is None or wanted.ndim != 4:
        return None
    window = package.manifest.window.size
    alike = [x for x in layers if (x.channels, window[0] // x.reduction) == (wanted.shape[1], wanted.shape[2])]
    names = list(dict.fromkeys(layer.name for layer in alike))
    session = GraphSession(_exposing(_graph(package), names), threads=1, optimise=False)
    seen = session.run(_windows(package), names)
    room = 1e-3 * max(1.0, float(np.abs(wanted).max()))
    return next((layer for layer in alike if np.allclose(seen[layer.name], wanted, rtol=0, atol=room)), None)


def _module_output(package: Package, path: str) -> NDArray[np.float32] | None:
    spec = package.manifest.net
    if spec is None or not find_spec("torch"):
        return None
    import torch

    from geowatch.nets.registry import restore_net

    net = restore_net(spec.name, spec.kwargs, package.read(WEIGHTS_FILE), str(package.path / WEIGHTS_FILE))
    module = dict(net.named_modules()).get(path)
    if module is None:
        return None
    outputs: list[object] = []
    handle = module.register_forward_hook(lambda _module, _given, output: outputs.append(output))
    with torch.inference_mode():
        net(*(torch.from_numpy(x) for x in _windows(package).values()))
    handle.remove()
    first = outputs[0] if outputs else None
    return first.numpy() if isinstance(first, torch.Tensor) else None
