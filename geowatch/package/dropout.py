"""A network with its dropout left on, for uncertainty (Gal and Ghahramani 2016, https://arxiv.org/abs/1506.02142).

Noise has to be the same whenever and wherever a window is computed. So it is not a library's: the mask of each dropout
layer is drawn here, by a generator that is seeded with the window's place and the number of the pass alone, and
is multiplied in. Windows run one by one. In a graph each ``Dropout`` node becomes a multiplication by a further
input; in a registry network the output of each dropout module is multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geowatch.errors import PackageError
from geowatch.package.backends.base import cpu_class
from geowatch.package.backends.onnxruntime import GraphSession
from geowatch.package.graph import parse_graph
from geowatch.package.manifest import GRAPH_FILE, WEIGHTS_FILE
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto
    from torch import Tensor, nn

    from geowatch.package.bundle import Package
    from geowatch.package.manifest import Manifest

    Masks = Callable[[tuple[int, ...], float], NDArray[np.float32]]

__all__ = ["DropoutNet", "open_dropout"]

#: Places are counted from below zero, seeds are not.
_PLACE_0 = 2**31


class _Noisy(Protocol):
    """A network that multiplies by the masks that it is given."""

    identity: str

    def run(self, tensors: Mapping[str, NDArray[Any]], masks: Masks) -> dict[str, NDArray[Any]]:
        """Return raw outputs by tensor; ``masks`` is called for each dropout layer in order."""


@dataclass(frozen=True, slots=True)
class DropoutNet:
    """A package's network with dropout on."""

    manifest: Manifest
    """What goes in and comes out."""
    net: _Noisy
    """What runs it."""
    seed: int
    """What noise is drawn from, beside the window's place and the pass."""

    @property
    def identity(self) -> str:
        """Library, version and device class on which its bytes depend."""
        return self.net.identity

    def run(
        self, feed: Mapping[str, NDArray[np.float32]], where: Sequence[tuple[int, int]], number: int
    ) -> dict[str, NDArray[Any]]:
        """Return the raw output of each head in pass ``number`` for the windows at ``where``; see `Backend.run`."""
        found = [self._one({k: x[i : i + 1] for k, x in feed.items()}, place, number) for i, place in enumerate(where)]
        return {h.name: np.concatenate([raw[h.output] for raw in found]) for h in self.manifest.heads}

    def _one(
        self, feed: Mapping[str, NDArray[np.float32]], place: tuple[int, int], number: int
    ) -> dict[str, NDArray[Any]]:
        entropy = (self.seed, place[0] + _PLACE_0, place[1] + _PLACE_0, number)
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        return self.net.run(feeds(self.manifest.inputs, feed), partial(_mask, generator))


def _mask(generator: np.random.Generator, shape: tuple[int, ...], ratio: float) -> NDArray[np.float32]:
    """Return 0 where a value is dropped, which happens with probability ``ratio``, else 1 / (1 - ratio)."""
    kept = generator.random(shape, np.float32) >= np.float32(ratio)
    return kept.astype(np.float32) * np.float32(1 / (1 - ratio))


def open_dropout(package: Package, seed: int) -> DropoutNet:
    """Open the network of ``package`` with its dropout on.

    Raises:
        PackageError: where it has no dropout, or some that cannot be told from outside.
    """
    manifest = package.manifest
    if GRAPH_FILE in manifest.files:
        content = package.read(GRAPH_FILE)
        if any(node.op_type == "Dropout" for node in parse_graph(content, GRAPH_FILE).graph.node):
            return DropoutNet(manifest, _Graph(content, manifest), seed)
    if manifest.net is not None and find_spec("torch"):
        return DropoutNet(manifest, _Torch(package), seed)
    raise PackageError(
        f"{manifest.name} has no dropout: exporters leave it out of graphs",
        hint="ask for --uncertainty entropy or tta, or export the network with its Dropout nodes kept",
    )


class _Graph:
    """An ONNX graph whose dropout nodes multiply by masks."""

    def __init__(self, content: bytes, manifest: Manifest) -> None:
        import onnxruntime as ort

        model = parse_graph(content, manifest.name)
        self._ratios = [_ratio(node, model.graph) for node in _dropouts(model.graph)]
        if not any(self._ratios):
            raise PackageError(f"the dropout of {manifest.name} drops nothing", hint="ask for --uncertainty entropy")
        probing = parse_graph(content, manifest.name)
        self._probes = _expose(probing.graph)
        self._probe = GraphSession(probing.SerializeToString(), threads=1)
        _multiplied(model.graph)
        self._session = GraphSession(model.SerializeToString(), threads=1)
        self._shapes: dict[tuple[tuple[int, ...], ...], list[tuple[int, ...]]] = {}
        self.identity = f"onnxruntime {ort.__version__} {cpu_class()}"

    def run(self, tensors: Mapping[str, NDArray[Any]], masks: Masks) -> dict[str, NDArray[Any]]:
        """Return raw outputs by tensor."""
        key = tuple(x.shape for x in tensors.values())
        if key not in self._shapes:
            seen = self._probe.run(tensors, self._probes)
            self._shapes[key] = [seen[name].shape for name in self._probes]
        noise = [masks(shape, ratio) for shape, ratio in zip(self._shapes[key], self._ratios, strict=True)]
        return self._session.run({**tensors, **{_mask_name(i): mask for i, mask in enumerate(noise)}})


def _dropouts(graph: GraphProto) -> list[NodeProto]:
    return [node for node in graph.node if node.op_type == "Dropout"]


def _mask_name(number: int) -> str:
    return f"gw_mask_{number}"


def _ratio(node: NodeProto, graph: GraphProto) -> float:
    """Return the share that a dropout node drops. Raises PackageError where the graph computes it."""
    from onnx import numpy_helper

    if len(node.output) > 1 and node.output[1]:
        raise PackageError(f"dropout '{node.name}' gives its mask to others", hint="ask for --uncertainty entropy")
    stored = {t.name: t for t in graph.initializer}
    stored |= {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant" and n.attribute}
    if len(node.input) > 1 and node.input[1]:
        if node.input[1] not in stored:
            raise PackageError(f"the ratio of dropout '{node.name}' is computed", hint="ask for --uncertainty entropy")
        return float(numpy_helper.to_array(stored[node.input[1]]))
    return next((float(a.f) for a in node.attribute if a.name == "ratio"), 0.5)


def _expose(graph: GraphProto) -> list[str]:
    """Make what goes into the dropout nodes outputs of the graph; return their names."""
    from onnx import helper

    names = [node.input[0] for node in _dropouts(graph)]
    there = {value.name for value in graph.output}
    graph.output.extend(helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names) if name not in there)
    return names


def _multiplied(graph: GraphProto) -> None:
    """Turn each dropout node into a multiplication by an input of its own."""
    from onnx import TensorProto, helper

    for number, node in enumerate(_dropouts(graph)):
        source, target = node.input[0], node.output[0]
        node.Clear()
        node.CopyFrom(helper.make_node("Mul", [source, _mask_name(number)], [target], f"gw_dropout_{number}"))
        graph.input.append(helper.make_tensor_value_info(_mask_name(number), TensorProto.FLOAT, None))


class _Torch:
    """A registry network whose dropout modules multiply by masks."""

    def __init__(self, package: Package) -> None:
        import torch

        from geowatch.nets.registry import restore_net

        spec = package.manifest.net
        if spec is None:
            raise PackageError(f"{package.manifest.name} is no network of the registry")
        self._net = restore_net(spec.name, spec.kwargs, package.read(WEIGHTS_FILE), str(package.path / WEIGHTS_FILE))
        self.identity = f"eager {torch.__version__} {cpu_class()}"
        self._modules = [m for m in self._net.modules() if _drops(m)]
        if not self._modules:
            raise PackageError(
                f"{package.manifest.name} has no dropout", hint="train it with one, or ask for --uncertainty entropy"
            )

    def run(self, tensors: Mapping[str, NDArray[Any]], masks: Masks) -> dict[str, NDArray[Any]]:
        """Return raw outputs by tensor."""
        import torch

        torch.set_num_threads(1)
        handles = [module.register_forward_hook(partial(_drop, masks)) for module in self._modules]
        try:
            with torch.inference_mode():
                found = self._net(*(torch.from_numpy(x) for x in tensors.values()))
        finally:
            for handle in handles:
                handle.remove()
        return {name: x.numpy() for name, x in found.items()}


def _drops(module: nn.Module) -> bool:
    from torch.nn import Dropout, Dropout1d, Dropout2d, Dropout3d

    return isinstance(module, Dropout | Dropout1d | Dropout2d | Dropout3d) and module.p > 0


def _drop(masks: Masks, module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    """Multiply what a dropout module gives; those of whole channels drop whole channels."""
    import torch

    whole = not isinstance(module, torch.nn.Dropout)
    shape = (*output.shape[:2], *(1 for _ in output.shape[2:])) if whole else tuple(output.shape)
    return output * torch.from_numpy(masks(shape, module.p))  # type: ignore[arg-type]
