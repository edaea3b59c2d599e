"""From an ONNX graph to a torch module that answers as it does.

The graph is read once. Each value is of one of three kinds, and the kind is known before anything runs:

- constant: stored, or worked out from constants alone; done here, once;
- sizes: worked out from shapes; done beside the network on small arrays (`geowatch.nets.onnx.host`);
- tensor: everything that depends on what the network sees.

So torch traces tensors alone, and an operator that would need a tensor's values as a shape is refused here by
name, as is every operator and attribute that the table does not know. Weights are the module's parameters, under
the names that they have in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from geowatch.nets.onnx.host import HOST, tidy
from geowatch.nets.onnx.node import OPSETS, Node, node_of, refusal
from geowatch.nets.onnx.ops import OPERATORS, Kernel, Operator
from geowatch.nets.onnx.ops.pointwise import DTYPES

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["OnnxNet", "Step", "convert_graph"]

Kind = Literal["constant", "sizes", "tensor"]


@dataclass(frozen=True, slots=True)
class Step:
    """One operator, ready to run."""

    node: Node
    """The operator in the graph."""
    kernel: Kernel
    """What it does."""
    bound: Mapping[int, NDArray[Any] | None]
    """Inputs that are known already, by position; None where left out."""
    host: frozenset[int]
    """Inputs that are taken as arrays."""
    done: tuple[str, ...]
    """Values that nobody needs afterwards."""


class OnnxNet(nn.Module):
    """A graph as a module: tensors in the order of the graph's inputs in, outputs by name out."""

    def __init__(
        self, steps: Sequence[Step], ends: tuple[Sequence[str], Sequence[str]], weights: Mapping[str, Tensor]
    ) -> None:
        """Take the steps in order, the names of (inputs, outputs), and the weights by name."""
        super().__init__()
        self.steps = tuple(steps)
        self.inputs, self.outputs = (tuple(names) for names in ends)
        self._keys = {name: f"w{i}" for i, name in enumerate(weights)}  # a parameter's name has no dots
        for name, key in self._keys.items():
            self.register_parameter(key, nn.Parameter(weights[name], requires_grad=False))

    def forward(self, *tensors: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name."""
        values: dict[str, Any] = {name: getattr(self, key) for name, key in self._keys.items()}
        values.update(zip(self.inputs, tensors, strict=True))
        device = tensors[0].device
        for step in self.steps:
            names = step.node.inputs
            arguments = [step.bound[i] if i in step.bound else values[name] for i, name in enumerate(names)]
            found = step.kernel(*_placed(arguments, step.host, device))
            outputs = found if isinstance(found, tuple) else (found,)
            values.update(zip(step.node.outputs, outputs, strict=False))
            for name in step.done:
                del values[name]
        return {name: _as_tensor(values[name], device) for name in self.outputs}

    def weight_key(self, name: str) -> str:
        """Return the parameter's name of the graph's tensor ``name``."""
        return self._keys[name]


def _placed(arguments: list[Any], host: frozenset[int], device: torch.device) -> list[Any]:
    return [x if i in host or x is None else _as_tensor(x, device) for i, x in enumerate(arguments)]


def _as_tensor(value: Tensor | NDArray[Any], device: torch.device) -> Tensor:
    if isinstance(value, Tensor):
        return value
    numbers = np.ascontiguousarray(value, np.int64 if value.dtype == object else value.dtype)
    return torch.tensor(numbers.reshape(value.shape), device=device)


def convert_graph(model: ModelProto, order: Sequence[str] = ()) -> OnnxNet:
    """Return the graph of ``model`` as a module in evaluation mode.

    Its arguments are the graph's inputs in ``order``, or as the graph has them; inputs with a stored value are taken
    as constants. Raises BackendError naming the first operator, attribute or number type that torch cannot do, or
    that would need the network's values as a shape.
    """
    return _Conversion(model, order).net()


class _Conversion:
    """The walk over one graph."""

    def __init__(self, model: ModelProto, order: Sequence[str]) -> None:
        graph = model.graph
        self.version = _version(model)
        self.graph = graph
        self.constants: dict[str, NDArray[Any]] = {t.name: _stored(t) for t in graph.initializer}
        self.kinds: dict[str, Kind] = dict.fromkeys(self.constants, "constant")
        self.inputs = list(order) or [v.name for v in graph.input if v.name not in self.constants]
        self.kinds.update(dict.fromkeys(self.inputs, "tensor"))
        self.unsigned = {v.name for v in graph.input if _input_type(v) == onnx.TensorProto.UINT16}
        self.outputs = [v.name for v in graph.output]
        self.weights: dict[str, Tensor] = {}
        self.steps: list[Step] = []

    def net(self) -> OnnxNet:
        for proto in self.graph.node:
            if proto.op_type == "Constant":
                self._keep(proto.output[0], _constant(proto))
            else:
                self._add(node_of(proto, self.version, self.constants))
        for name in self.outputs:
            if self.kinds.get(name) == "constant":
                self._weight(name)
        steps = _released(self.steps, {*self.outputs, *self.weights})
        return OnnxNet(steps, (self.inputs, self.outputs), self.weights).eval()

    def _keep(self, name: str, value: NDArray[Any]) -> None:
        self.constants[name], self.kinds[name] = value, "constant"

    def _add(self, node: Node) -> None:
        if node.op != "Cast" and self.unsigned & set(node.inputs):
            raise node.refusal("it computes in uint16")
        kinds = [self.kinds[name] if name else "constant" for name in node.inputs]
        if node.op in HOST and "tensor" not in kinds and "sizes" in kinds:
            self._append(node, HOST[node.op](node), frozenset(range(len(kinds))), "sizes")
            return
        operator = OPERATORS.get(node.op)
        if operator is None:
            raise refusal(f"operator {node.op} is not in the table")
        kernel = operator.build(node)
        node.check_asked()
        if set(kinds) <= {"constant"}:
            self._fold(node, kernel, operator)
            return
        host = _host_inputs(node, operator, kinds)
        self._append(node, kernel, host, "sizes" if operator.gives_host else "tensor")

    def _append(self, node: Node, kernel: Kernel, host: frozenset[int], kind: Kind) -> None:
        bound = {i: self._bound(name) for i, name in enumerate(node.inputs) if self._is_bound(i, name, host)}
        self.kinds.update(dict.fromkeys(node.outputs, kind))
        self.steps.append(Step(node, kernel, MappingProxyType(bound), host, ()))

    def _is_bound(self, index: int, name: str, host: frozenset[int]) -> bool:
        """Whether an input is known already; a constant that is taken as a tensor becomes a weight."""
        if not name or (self.kinds[name] == "constant" and index in host):
            return True
        if self.kinds[name] == "constant":
            self._weight(name)
        return False

    def _bound(self, name: str) -> NDArray[Any] | None:
        return self.constants[name] if name else None

    def _weight(self, name: str) -> None:
        value = self.constants[name]
        self.weights.setdefault(name, torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape)))

    def _fold(self, node: Node, kernel: Kernel, operator: Operator) -> None:
        """Work out a value that follows from constants alone."""
        values = [self.constants[name] if name else None for name in node.inputs]
        host = frozenset(i for i in range(len(values)) if operator.takes_host(i) or i in operator.either)
        with torch.no_grad():
            found = kernel(*_placed(values, host, torch.device("cpu")))
        for name, value in zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False):
            self._keep(name, value.numpy() if isinstance(value, Tensor) else tidy(value))


def _version(model: ModelProto) -> int:
    version = next((int(o.version) for o in model.opset_import if o.domain in {"", "ai.onnx"}), 0)
    if version not in OPSETS:
        raise refusal(f"operator set {version}; understood are {OPSETS.start} to {OPSETS.stop - 1}")
    if others := [n.op_type for n in model.graph.node if n.domain not in {"", "ai.onnx"}]:
        raise refusal(f"operator {others[0]} is of another domain")
    return version


def _host_inputs(node: Node, operator: Operator, kinds: Sequence[Kind]) -> frozenset[int]:
    """Return the positions of inputs that are taken as arrays. Raises where the network would compute one."""
    known = {i for i, kind in enumerate(kinds) if kind != "tensor"}
    for i, name in enumerate(node.inputs):
        if operator.takes_host(i) and i not in known:
            raise node.refusal(f"input {name!r} is computed by the network, and a shape cannot be")
    wanted = {i for i in range(len(kinds)) if operator.takes_host(i)}
    return frozenset(wanted | (operator.either & known))


def _input_type(value: onnx.ValueInfoProto) -> int:
    kind = int(value.type.tensor_type.elem_type)
    if kind not in {*DTYPES, onnx.TensorProto.UINT16}:
        raise refusal(f"input {value.name!r} is {onnx.TensorProto.DataType.Name(kind)}")
    return kind


def _stored(tensor: onnx.TensorProto) -> NDArray[Any]:
    if tensor.data_type == onnx.TensorProto.BFLOAT16:
        raise refusal(f"stored tensor {tensor.name!r} is bfloat16")
    value: NDArray[Any] = np.array(onnx.numpy_helper.to_array(tensor))  # a copy that torch may own
    if value.dtype.kind not in "fiub" or value.dtype.name in {"uint16", "uint32", "uint64"}:
        raise refusal(f"stored tensor {tensor.name!r} is {value.dtype}")
    return value


def _constant(proto: onnx.NodeProto) -> NDArray[Any]:
    attribute = proto.attribute[0]
    if attribute.name == "value":
        return _stored(attribute.t)
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if attribute.name not in kinds:
        raise refusal(f"constant {proto.output[0]!r} is given as {attribute.name}")
    return np.array(onnx.helper.get_attribute_value(attribute), kinds[attribute.name])


def _released(steps: Sequence[Step], kept: set[str]) -> list[Step]:
    """Return the steps with what can be forgotten after each, so that memory holds what is still needed."""
    out: list[Step] = []
    seen = set(kept)
    for step in reversed(steps):
        names = dict.fromkeys([*step.node.outputs, *step.node.inputs])
        bound = {step.node.inputs[i] for i in step.bound}
        done = tuple(name for name in names if name and name not in seen and name not in bound)
        seen.update(done)
        out.append(Step(step.node, step.kernel, step.bound, step.host, done))
    return out[::-1]
