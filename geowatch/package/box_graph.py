"""Detectors as they come: outputs in many orders and shapes are put into one form, inside the graph.

A head of boxes wants (N, M, 4) boxes and (N, M) or (N, M, K) scores, M the same for all windows (`BoxesSpec`). What is
met is taken apart here, by nodes that are appended to the graph:

- boxes and scores side by side in one tensor, (N, M, C) or (N, C, M): four numbers of the box, then a score for each
  class; or one for any object and then each class, which are multiplied; or one score and a label (6 columns;
  with two classes that is said by naming the tensor as that of labels, too);
- classes before boxes: (N, 4, M), (N, K, M);
- outputs of one window without its axis: (M, 4), (M,), (M, K);
- as many boxes as are found: the best of them are kept and filled up with boxes that have no area.

What a tensor is, its shape for zeros and for noise tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

from geowatch.errors import PackageError
from geowatch.package.boxes_said import described_boxes, scores_are

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from geowatch.package.box_head import BoxesSpec
    from geowatch.package.spec import ImportSpec

    Raw = Mapping[str, NDArray[Any]]

__all__ = ["MOST_BOXES", "arranged"]

#: Objects of a window where a network gives as many as it finds and nobody says how many there can be.
MOST_BOXES = 300
#: First version of the operators that all of the nodes made here have.
_OPSET = 11
#: Raw score of what is no object.
_NEVER = -1e4


def arranged(
    model: ModelProto, spec: ImportSpec, run: Callable[[ImportSpec], tuple[Raw, Raw, int]]
) -> tuple[ModelProto, ImportSpec]:
    """Return a graph whose outputs have the form of heads of boxes, and a spec that names them in full.

    Args:
        model: The graph; it is changed.
        spec: What is said of it.
        run: Gives its outputs for zeros and for noise, by name, and how many windows these were.

    Raises:
        PackageError: where outputs are no boxes, or cannot be brought into the form.
    """
    heads = described_boxes(spec)
    if not heads:
        return model, spec
    spec = replace(spec, boxes=heads)
    zeros, noise, count = run(spec)
    said = spec.boxes_tensor is None or spec.activation != "auto"
    found = tuple(_Arranging(_Nodes(model), head, (zeros, noise), count).head(said=said) for head in heads)
    return model, replace(spec, boxes=found)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where boxes, scores or labels stand in an output."""

    tensor: str
    """The output."""
    turned: bool = False
    """Whether its second and third axis change places."""
    columns: int | tuple[int, int] | None = None
    """The column, or first and last but one, of the last axis."""
    times: tuple[int, int] | None = None
    """Columns that these are multiplied by."""

    def of(self, raw: Raw) -> NDArray[Any]:
        """Return it from outputs."""
        x = raw[self.tensor].swapaxes(1, 2) if self.turned else raw[self.tensor]
        found = x if self.columns is None else x[..., self._at(self.columns)]
        return found if self.times is None else found * x[..., self._at(self.times)]

    @staticmethod
    def _at(columns: int | tuple[int, int]) -> int | slice:
        return columns if isinstance(columns, int) else slice(*columns)

    def emit(self, nodes: _Nodes, name: str) -> str:
        """Append the nodes that make it; return its tensor."""
        x = nodes.add("Transpose", [self.tensor], f"{name}/turned", perm=[0, 2, 1]) if self.turned else self.tensor
        if self.columns is None:
            return x
        found = self._cut(nodes, x, self.columns, f"{name}/columns")
        if self.times is None:
            return found
        return nodes.add("Mul", [found, self._cut(nodes, x, self.times, f"{name}/any")], f"{name}/product")

    def _cut(self, nodes: _Nodes, x: str, columns: int | tuple[int, int], name: str) -> str:
        if isinstance(columns, int):
            return nodes.add("Gather", [x, nodes.number(f"{name}/at", columns)], name, axis=-1)
        ends = [nodes.number(f"{name}/{k}", [value]) for k, value in enumerate((*columns, -1))]
        return nodes.add("Slice", [x, *ends], name)


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Appends nodes to a graph."""

    model: ModelProto

    def __post_init__(self) -> None:
        version = max((each.version for each in self.model.opset_import if each.domain in {"", "ai.onnx"}), default=1)
        if version < _OPSET:
            raise PackageError(
                f"the graph is of operator set {version}", hint=f"export it with operator set {_OPSET} or later"
            )

    def add(self, operator: str, inputs: list[str], name: str, **attributes: object) -> str:
        """Append a node with one output, and return that."""
        self.model.graph.node.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def number(self, name: str, value: object, kind: Any = np.int64) -> str:  # noqa: ANN401  # NumPy's types
        """Store a constant, and return its name."""
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def give(self, tensor: str, like: NDArray[Any]) -> str:
        """Make a tensor an output of the graph."""
        if tensor not in {each.name for each in self.model.graph.output}:
            kind = helper.np_dtype_to_tensor_dtype(like.dtype)
            self.model.graph.output.append(helper.make_tensor_value_info(tensor, kind, None))
        return tensor


@dataclass(frozen=True, slots=True)
class _Arranging:
    """One head on its way into the form."""

    nodes: _Nodes
    spec: BoxesSpec
    raw: tuple[Raw, Raw]
    count: int

    def head(self, *, said: bool) -> BoxesSpec:
        """Append what is needed; return the head as it is then."""
        parts = self._parts()
        zeros, noise = ({name: part.of(raw) for name, part in parts.items()} for raw in self.raw)
        spec = scores_are(self.spec, {self.spec.scores: noise["scores"]}, said=said)
        spec = spec.model_copy(update={"labels": "labels"} if "labels" in parts else {})
        made = {name: part.emit(self.nodes, f"gw/{spec.name}/{name}") for name, part in parts.items()}
        bare = noise["boxes"].ndim == 2
        loose = any(zeros[name].shape != x.shape or 0 in x.shape for name, x in noise.items())
        if bare or loose or spec.most is not None:
            made = self._filled(spec, made, noise, bare=bare)
            spec = spec.model_copy(update={"most": spec.most or MOST_BOXES})
        elif spec.labels is not None and noise["scores"].ndim == 3 and noise["scores"].shape[2] == 1:
            made["scores"] = self.nodes.add(
                "Gather", [made["scores"], self.nodes.number(f"gw/{spec.name}/first", 0)],
                f"gw/{spec.name}/scores/flat", axis=2,
            )  # fmt: skip
        return spec.model_copy(update={name: self.nodes.give(x, noise[name]) for name, x in made.items()})

    def _parts(self) -> dict[str, _Part]:
        """Return where boxes, scores and labels come from."""
        spec, raw = self.spec, self.raw[1]
        for name in spec.tensors.values():
            if name not in raw:
                raise PackageError(f"the graph has no output {name!r}; it has {', '.join(raw)}")
        if spec.scores == spec.boxes:
            return self._columns(raw[spec.boxes])
        boxes, scores = raw[spec.boxes], raw[spec.scores]
        found = {"boxes": _Part(spec.boxes, boxes.ndim == 3 and boxes.shape[1] == 4 != boxes.shape[2])}
        rows = found["boxes"].of(raw).shape[-2] if boxes.ndim > 1 else -1
        found["scores"] = _Part(spec.scores, scores.ndim == 3 and scores.shape[2] == rows != scores.shape[1])
        if spec.labels is not None:
            found["labels"] = _Part(spec.labels)
        return found

    def _columns(self, raw: NDArray[Any]) -> dict[str, _Part]:
        """Return where boxes and scores stand in one tensor."""
        classes, name = len(self.spec.classes), self.spec.boxes
        wide = {4 + classes, 5 + classes, 6}
        turned = raw.ndim == 3 and raw.shape[1] in wide and raw.shape[2] not in wide
        width = raw.shape[1 if turned else -1] if raw.ndim > 1 else -1
        boxes = _Part(name, turned, (0, 4))
        if width == 4 + classes and self.spec.labels is None:
            return {"boxes": boxes, "scores": _Part(name, turned, (4, width))}
        if width == 6:
            return {"boxes": boxes, "scores": _Part(name, turned, 4), "labels": _Part(name, turned, 5)}
        if width == 5 + classes:
            return {"boxes": boxes, "scores": _Part(name, turned, (5, width), times=(4, 5))}
        raise PackageError(
            f"output {name!r} has shape {raw.shape}: no columns of 4 numbers of a box and scores of {classes} classes",
            hint=f"name as many --classes as there are: {4 + classes} columns are expected, or {5 + classes} with a "
            "score of any object, or 6 with one score and a label; else name the --scores-tensor",
        )

    def _filled(self, spec: BoxesSpec, made: dict[str, str], arrays: Raw, *, bare: bool) -> dict[str, str]:
        """Append nodes that keep the best boxes of a window and fill up with none."""
        if self.count != 1:
            raise PackageError(
                f"the network gives as many boxes as it finds, for {self.count} windows at once",
                hint="export it for one window at a time",
            )
        if spec.activation == "softmax":
            raise PackageError(
                "the network gives as many boxes as it finds, with scores that are no probabilities yet",
                hint="export it with the softmax inside",
            )
        count = (spec.most or MOST_BOXES) + 1  # one more than there may be, to see that there were not more
        fill = {"boxes": 0.0, "scores": 0.0 if spec.activation == "none" else _NEVER, "labels": 0.0}
        rows = {name: self._padded(name, x, (arrays[name], bare), (count, fill[name])) for name, x in made.items()}
        best = self._best(rows["scores"], arrays["scores"].ndim - (not bare), count)
        return {name: self._kept(name, x, best, (count, arrays[name], bare)) for name, x in rows.items()}

    def _padded(self, part: str, x: str, like: tuple[NDArray[Any], bool], fill: tuple[int, float]) -> str:
        """Return rows of one window without its axis, with ``fill`` = (rows, value) behind them."""
        nodes, name, (array, bare), (count, value) = self.nodes, f"gw/{self.spec.name}/{part}", like, fill
        if not bare:
            x = nodes.add("Gather", [x, nodes.number(f"{name}/window", 0)], f"{name}/rows", axis=0)
        axes = array.ndim - (not bare)
        pads = nodes.number(f"{name}/pads", [0] * axes + [count] + [0] * (axes - 1))
        return nodes.add("Pad", [x, pads, nodes.number(f"{name}/fill", value, array.dtype)], f"{name}/padded")

    def _best(self, scores: str, axes: int, count: int) -> str:
        """Return the places of the ``count`` rows with the best scores."""
        nodes, name = self.nodes, f"gw/{self.spec.name}/best"
        if axes == 2:
            one = nodes.number(f"{name}/one", [1])
            node = helper.make_node("TopK", [scores, one], [f"{name}/of row", f"{name}/class"], axis=1)
            nodes.model.graph.node.append(node)
            scores = nodes.add("Reshape", [f"{name}/of row", nodes.number(f"{name}/flat", [-1])], f"{name}/score")
        number = nodes.number(f"{name}/count", [count])
        nodes.model.graph.node.append(helper.make_node("TopK", [scores, number], [f"{name}/top", name], axis=0))
        return name

    def _kept(self, part: str, x: str, best: str, like: tuple[int, NDArray[Any], bool]) -> str:
        """Return the best rows, as those of one window."""
        nodes, name, (count, array, bare) = self.nodes, f"gw/{self.spec.name}/{part}", like
        rest = list(array.shape[1 if bare else 2 :])
        kept = nodes.add("Gather", [x, best], f"{name}/best", axis=0)
        shape = [1, count, *([] if part == "scores" and self.spec.labels and rest == [1] else rest)]
        return nodes.add("Reshape", [kept, nodes.number(f"{name}/shape", shape)], f"{name}/kept")
