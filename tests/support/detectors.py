"""Detectors built by hand as ONNX networks, with outputs in different orders and shapes: stand-ins for trained ones.

Each finds the brightest pixels of a window that no pixel around them outshines, and puts a square around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SIDE_PX, MOST, HALF_PX = 32, 12, 3.0
FORMS = (
    "plain",
    "centres",
    "shares",
    "rows first",
    "one tensor",
    "one tensor turned",
    "any object",
    "label",
    "as found",
)
"""What `detector` makes."""


def _numbers(**values: object) -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(np.asarray(x, np.int64 if np.asarray(x).dtype.kind == "i" else np.float32), name)
        for name, x in values.items()
    ]


def _found() -> list[NodeProto]:
    """Nodes that give ``score`` (n, M), and the middle of each square: ``x`` and ``y`` (n, M, 1)."""
    node = helper.make_node
    return [
        node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1),
        node("MaxPool", ["grey"], ["around"], kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        node("GreaterOrEqual", ["grey", "around"], ["is peak"]),
        node("Where", ["is peak", "grey", "zero"], ["peaks"]),
        node("Flatten", ["peaks"], ["flat"], axis=1),
        node("TopK", ["flat", "most"], ["score", "place"], axis=1),
        node("Div", ["place", "side"], ["row"]),
        node("Mod", ["place", "side"], ["column"]),
        *(n for axis, source in (("y", "row"), ("x", "column")) for n in (
            node("Cast", [source], [f"{axis} at"], to=TensorProto.FLOAT),
            node("Add", [f"{axis} at", "middle"], [f"{axis} flat"]),
            node("Unsqueeze", [f"{axis} flat", "last"], [axis]),
        )),
        *(node(op, [axis, "half"], [f"{axis}{end}"]) for axis in "xy" for op, end in (("Sub", 0), ("Add", 1))),
        node("Unsqueeze", ["score", "last"], ["scores"]),
    ]  # fmt: skip


def _corners(name: str = "boxes", order: Sequence[str] = ("x0", "y0", "x1", "y1")) -> NodeProto:
    return helper.make_node("Concat", list(order), [name], axis=2)


def _joined(name: str, *more: str) -> NodeProto:
    """Boxes and what stands beside them, in one tensor."""
    return helper.make_node("Concat", ["x0", "y0", "x1", "y1", *more], [name], axis=2)


def _outputs(form: str) -> tuple[list[NodeProto], list[str]]:
    """Nodes behind `_found`, and the outputs."""
    node = helper.make_node
    nought, sure = node("Mul", ["scores", "zero"], ["nought"]), node("Add", ["nought", "one"], ["sure"])
    turned = [node("Transpose", [f"{name}'"], [name], perm=[0, 2, 1]) for name in ("all", "boxes", "pair")]
    size = [node("Sub", ["x1", "x0"], ["width"]), node("Sub", ["y1", "y0"], ["height"])]
    pair = [node("Sub", ["one", "scores"], ["none"]), node("Concat", ["none", "scores"], ["pair'"], axis=2)]
    shares = node("Div", ["px", "whole"], ["boxes"])
    ways: dict[str, tuple[list[NodeProto], list[str]]] = {
        "plain": ([_corners()], ["boxes", "scores"]),
        "centres": ([*size, _corners(order=("x", "y", "width", "height"))], ["scores", "boxes"]),
        "shares": ([_corners("px", ("y0", "x0", "y1", "x1")), shares], ["boxes", "scores"]),
        "rows first": ([_corners("boxes'"), *pair, *turned[1:]], ["pair", "boxes"]),
        "one tensor": ([_joined("all", "scores")], ["all"]),
        "one tensor turned": ([_joined("all'", "scores"), turned[0]], ["all"]),
        "any object": ([nought, sure, _joined("all", "scores", "sure", "nought")], ["all"]),
        "label": ([nought, sure, _joined("all", "scores", "sure")], ["all"]),
        "as found": (_as_found(), ["boxes", "scores'"]),
    }
    return ways[form]


def _as_found() -> list[NodeProto]:
    """Nodes that give the boxes above one half alone, of one window and without its axis."""
    node = helper.make_node
    return [
        _corners("every"),
        node("Squeeze", ["every", "first"], ["rows"]),
        node("Squeeze", ["score", "first"], ["s"]),
        node("Greater", ["s", "least"], ["good"]),
        node("Compress", ["rows", "good"], ["boxes"], axis=0),
        node("Compress", ["s", "good"], ["scores'"], axis=0),
    ]


def detector(form: str = "plain", side_px: int = SIDE_PX, most: int = MOST) -> ModelProto:
    """Return a detector of one of `FORMS`, for windows of three bands and ``side_px`` pixels a side."""
    more, outputs = _outputs(form)
    batch = 1 if form == "as found" else "n"
    graph = helper.make_graph(
        [*_found(), *more],
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, side_px, side_px])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        _numbers(zero=0.0, most=[most], side=side_px, middle=0.5, last=[2], half=HALF_PX, one=1.0, least=0.5,
                 whole=float(side_px), first=[0]),
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def said(form: str) -> dict[str, object]:
    """Return what a user has to say of a form, by field of ``ImportSpec``."""
    own: dict[str, dict[str, object]] = {
        "centres": {"scores_tensor": "scores", "box_format": "cxcywh"},
        "shares": {"scores_tensor": "scores", "box_format": "yxyx", "box_units": "share"},
        "rows first": {"scores_tensor": "pair", "classes": ("nothing", "spot"), "background": "nothing"},
        "one tensor": {"boxes_tensor": "all"},
        "one tensor turned": {"boxes_tensor": "all"},
        "any object": {"boxes_tensor": "all", "classes": ("spot", "other")},
        "label": {
            "boxes_tensor": "all",
            "labels_tensor": "all",
            "classes": ("nothing", "spot"),
            "background": "nothing",
        },
        "as found": {"scores_tensor": "scores'", "most_boxes": MOST},
    }
    return {"boxes_tensor": "boxes", "classes": ("spot",), **own.get(form, {"scores_tensor": "scores"})}
