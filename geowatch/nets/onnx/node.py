"""One operator of an ONNX graph as its builder sees it: attributes with defaults, and refusals by name.

Each attribute that a builder asks for is noted; one that is in the graph and was never asked for makes the
conversion fail, so that no attribute with a meaning is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import onnx
from numpy.typing import NDArray

from geowatch.errors import BackendError

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["OPSETS", "Node", "node_of", "refusal"]

#: Versions of the standard's operators that are understood.
OPSETS = range(9, 27)


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of the graph."""

    op: str
    """Operator, such as ``Conv``."""
    version: int
    """Version of the operator set that the graph is written in."""
    inputs: tuple[str, ...]
    """Names of what goes in; empty where an optional one is left out."""
    outputs: tuple[str, ...]
    """Names of what comes out; empty where nobody takes it."""
    attributes: Mapping[str, Any]
    """Attributes as Python values: int, float, bytes, TensorProto, GraphProto or lists of them."""
    known: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    """Inputs that are constants, by position."""
    asked: set[str] = field(default_factory=set)
    """Attributes that a builder has asked for."""

    def _get(self, name: str, default: object) -> Any:  # noqa: ANN401  # an attribute has one of many types
        self.asked.add(name)
        return self.attributes.get(name, default)

    def has(self, name: str) -> bool:
        """Whether the graph gives attribute ``name``."""
        return self._get(name, None) is not None

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number."""
        return int(self._get(name, default))

    def integers(self, name: str, default: Sequence[int] = ()) -> list[int]:
        """Return whole numbers."""
        return [int(v) for v in self._get(name, default)]

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a number."""
        return float(self._get(name, default))

    def numbers(self, name: str) -> list[float]:
        """Return numbers."""
        return [float(v) for v in self._get(name, ())]

    def text(self, name: str, default: str, known: Collection[str]) -> str:
        """Return a word. Raises BackendError where it is none of ``known``."""
        found = self._get(name, default)
        word = found.decode() if isinstance(found, bytes) else str(found)
        if word not in known:
            raise self.refusal(f"attribute {name} is {word!r}")
        return word

    def array(self, name: str) -> NDArray[Any] | None:
        """Return a stored tensor; None where there is none."""
        found = self._get(name, None)
        return None if found is None else cast("NDArray[Any]", onnx.numpy_helper.to_array(found))

    def check_asked(self) -> None:
        """Raise BackendError where the graph gives an attribute that no builder has asked for."""
        if left := sorted(set(self.attributes) - self.asked):
            raise self.refusal(f"attribute {left[0]} is not known in it")

    def refusal(self, reason: str) -> BackendError:
        """Return the error that says why torch cannot take this operator."""
        return refusal(f"operator {self.op} (output {self.outputs[0]!r}, opset {self.version}): {reason}")


def refusal(reason: str) -> BackendError:
    """Return the error that a graph cannot be made a torch module."""
    return BackendError(f"the graph does not convert to torch: {reason}", hint="use onnxruntime or openvino")


def node_of(proto: NodeProto, version: int, constants: Mapping[str, NDArray[Any]]) -> Node:
    """Return one operator of a graph written in operator set ``version``, which has these ``constants``."""
    known = {i: constants[name] for i, name in enumerate(proto.input) if name in constants}
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    return Node(proto.op_type, version, tuple(proto.input), tuple(proto.output), attributes, known)
