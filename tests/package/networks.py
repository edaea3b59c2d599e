"""Small ONNX networks for tests, built by hand so that each shows one thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Dim = int | str | None


def value(name: str, dims: Sequence[Dim], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A graph's input or output."""
    return helper.make_tensor_value_info(name, kind, dims)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    **stored: np.ndarray,
) -> ModelProto:
    """A model of the standard's operators."""
    initializers = [numpy_helper.from_array(x, name) for name, x in stored.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(outputs: int, inputs: int, seed: int = 0, kernel: int = 3) -> np.ndarray:
    """Weights of a convolution."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((outputs, inputs, kernel, kernel)).astype(np.float32)


def conv(x: str, y: str, w: str = "w", stride: int = 1) -> NodeProto:
    """A 3 x 3 convolution that keeps the size, or divides it by ``stride``."""
    return helper.make_node("Conv", [x, w], [y], pads=[1, 1, 1, 1], strides=[stride, stride])


def conv_net(
    channels: int = 2,
    classes: int = 3,
    *,
    dims: Sequence[Dim] | None = None,
    last: str | None = None,
    stride: int = 1,
) -> ModelProto:
    """One convolution, then operator ``last`` over the classes (``Softmax``, ``ArgMax`` ...)."""
    dims = ("n", channels, "h", "w") if dims is None else dims
    nodes = [conv("x", "y" if last is None else "logits", stride=stride)]
    kind = TensorProto.FLOAT
    if last == "ArgMax":
        nodes.append(helper.make_node("ArgMax", ["logits"], ["y"], axis=1, keepdims=0))
        kind = TensorProto.INT64
    elif last == "Softmax":
        nodes.append(helper.make_node("Softmax", ["logits"], ["y"], axis=1))
    elif last is not None:
        nodes.append(helper.make_node(last, ["logits"], ["y"]))
    return model(nodes, [value("x", dims)], [value("y", None, kind)], w=weights(classes, channels))


def nhwc_net(channels: int = 2, classes: int = 3) -> ModelProto:
    """The same network, channels last on both ends."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        conv("a", "b"),
        helper.make_node("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
    ]
    dims = ("n", "h", "w", channels)
    return model(nodes, [value("x", dims)], [value("y", None)], w=weights(classes, channels))


def two_dates_net(channels: int = 2) -> ModelProto:
    """Two inputs; the output is a convolution of their difference, one channel."""
    nodes = [helper.make_node("Sub", ["after", "before"], ["d"]), conv("d", "y")]
    dims = ("n", channels, "h", "w")
    return model(nodes, [value("before", dims), value("after", dims)], [value("y", None)], w=weights(1, channels))


#: How two dates of two bands go in: sizes of the axes of each input (d the bands of both dates), and the order of axes
#: that makes them N, H, W, then date and band; those of one input are one axis then.
FORMS: dict[str, tuple[str, tuple[int, ...]]] = {
    "two inputs": ("ncHW", (0, 2, 3, 1)),
    "two inputs, channels last": ("nHWc", (0, 1, 2, 3)),
    "stacked": ("ndHW", (0, 2, 3, 1)),
    "stacked, channels last": ("nHWd", (0, 1, 2, 3)),
    "dates before bands": ("ntcHW", (0, 3, 4, 1, 2)),
    "bands before dates": ("nctHW", (0, 3, 4, 2, 1)),
    "dates, channels last": ("ntHWc", (0, 2, 3, 1, 4)),
}


def net_of_form(form: str, *, side: int | None = None, last: str | None = None, classes: int = 3) -> ModelProto:
    """The same convolution of two dates of two bands, however they go in; ``side`` fixes the windows' size."""
    axes, order = FORMS[form]
    sizes: dict[str, Dim] = {"n": "n", "H": side or "h", "W": side or "w", "c": 2, "t": 2, "d": 4}
    names = ("early", "late") if form.startswith("two") else ("x",)
    nodes = [helper.make_node("Transpose", [name], [f"{name}_last"], perm=order) for name in names]
    if len(names) > 1:
        nodes.append(helper.make_node("Concat", [f"{name}_last" for name in names], ["flat"], axis=3))
    else:
        nodes.append(helper.make_node("Reshape", ["x_last", "four"], ["flat"]))
    nodes += [helper.make_node("Transpose", ["flat"], ["both"], perm=[0, 3, 1, 2]), conv("both", "logits")]
    if last is not None:
        nodes.append(helper.make_node(last, ["logits"], ["y"], **({"axis": 1} if last == "Softmax" else {})))
    inputs = [value(name, [sizes[axis] for axis in axes]) for name in names]
    outputs = [value("logits" if last is None else "y", None)]
    stored = {"w": weights(classes, 4)} | ({} if len(names) > 1 else {"four": np.array([0, 0, 0, 4])})
    return model(nodes, inputs, outputs, **stored)


def two_heads_net(channels: int = 2) -> ModelProto:
    """Outputs ``land`` (3 classes) and ``cloud`` (1 class), both logits."""
    nodes = [conv("x", "land", "w"), conv("x", "cloud", "v")]
    return model(
        nodes,
        [value("x", ("n", channels, "h", "w"))],
        [value("land", None), value("cloud", None)],
        w=weights(3, channels),
        v=weights(1, channels, seed=1),
    )


def random_windows(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """Noise as float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
