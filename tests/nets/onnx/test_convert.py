"""Graphs as torch modules: what a person who packages a network sees of the conversion."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from geowatch.errors import BackendError
from geowatch.nets.onnx import convert_graph
from geowatch.nets.onnx.ops.resizing import Rule, axis_weights
from tests.package.networks import model, value, weights

RNG = np.random.default_rng(0)


def graph(nodes, *, version=17, dims=("n", 2, "h", "w"), outputs=("y",), kind=TensorProto.FLOAT, **stored):
    """A graph of input x."""
    made = model(nodes, [value("x", dims, kind)], [value(name, None) for name in outputs], **stored)
    made.opset_import[0].version = version
    return made


def agrees(made, *shape, atol=1e-5):
    """Compare torch with onnxruntime on noise, and return what they say."""
    x = RNG.standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        found = convert_graph(made)(torch.from_numpy(x))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    for name, wanted in zip(found, session.run(None, {"x": x}), strict=True):
        np.testing.assert_allclose(found[name].numpy(), wanted, atol=atol, rtol=1e-4)
    return found


def node(op, *inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def test_sizes_worked_out_from_shapes_are_plain_numbers_to_torch():
    nodes = [
        node("Shape", "x", outputs=["s"]),
        node("Gather", "s", "two", outputs=["h"]),
        node("Div", "h", "two_", outputs=["half"]),
        node("Unsqueeze", "half", "zero", outputs=["u"]),
        node("Concat", "minus", "channels", "u", "u", "two1", "two1", outputs=["target"], axis=0),
        node("Reshape", "x", "target", outputs=["r"]),
        node("ReduceMean", "r", axes=[4, 5], keepdims=0),
    ]
    stored = {
        "two": np.array(2),
        "two_": np.array(2),
        "zero": np.array([0]),
        "minus": np.array([-1]),
        "channels": np.array([2]),
        "two1": np.array([2]),
    }
    made = graph(nodes, **stored)
    agrees(made, 3, 2, 8, 8)
    program = torch.export.export(convert_graph(made), (torch.zeros(2, 2, 8, 8),), strict=False)
    names = {str(n.target).split(".")[1] for n in program.graph.nodes if n.op == "call_function"}
    assert names <= {"reshape", "view", "mean"}


def test_the_number_of_windows_stays_free_when_torch_traces_it():
    nodes = [
        node("Shape", "x", outputs=["s"]),
        node("Slice", "s", "zero", "one", outputs=["n"]),
        node("Concat", "n", "flat", outputs=["target"], axis=0),
        node("Reshape", "x", "target"),
    ]
    made = graph(nodes, zero=np.array([0]), one=np.array([1]), flat=np.array([-1]))
    n = torch.export.Dim("n", min=1, max=32)
    program = torch.export.export(
        convert_graph(made), (torch.zeros(3, 2, 8, 8),), dynamic_shapes=(({0: n},),), strict=False
    )
    assert program.module()(torch.zeros(7, 2, 8, 8))["y"].shape == (7, 128)


def test_weights_are_parameters_and_shapes_are_not():
    nodes = [node("Conv", "x", "w", outputs=["c"], pads=[1, 1, 1, 1]), node("Reshape", "c", "s")]
    net = convert_graph(graph(nodes, w=weights(3, 2), s=np.array([0, -1])))
    assert {tuple(p.shape) for p in net.parameters()} == {(3, 2, 3, 3)}
    assert net.weight_key("w") in dict(net.named_parameters())


def test_what_follows_from_constants_alone_is_worked_out_once():
    nodes = [node("Transpose", "w", outputs=["t"], perm=[1, 0, 2, 3]), node("ConvTranspose", "x", "t")]
    net = convert_graph(graph(nodes, w=weights(3, 2)))
    assert [step.node.op for step in net.steps] == ["ConvTranspose"]


def test_values_are_forgotten_as_soon_as_nobody_needs_them():
    nodes = [node("Relu", "x", outputs=["a"]), node("Neg", "a", outputs=["b"]), node("Add", "b", "x")]
    net = convert_graph(graph(nodes))
    assert [set(step.done) for step in net.steps] == [set(), {"a"}, {"b", "x"}]


@pytest.mark.parametrize(
    ("nodes", "fact"),
    [
        ([node("NonMaxSuppression", "x", "x")], "operator NonMaxSuppression"),
        ([node("Reshape", "x", "x")], "operator Reshape .* computed by the network"),
        ([node("Range", "x", "x", "x")], "operator Range"),
        ([node("Relu", "x", colour=1)], "operator Relu .* colour"),
        ([node("Resize", "x", "", "f", coordinate_transformation_mode="tf_crop_and_resize")], "tf_crop_and_resize"),
        ([node("Pad", "x", "p", mode="moon")], "mode is 'moon'"),
        ([node("Cast", "x", to=TensorProto.STRING)], "STRING"),
        ([node("BatchNormalization", "x", "f", "f", "f", "f", training_mode=1)], "training mode"),
        ([node("Dropout", "x", "f1", "yes")], "training mode"),
    ],
)
def test_what_torch_cannot_do_is_refused_by_name_before_anything_runs(nodes, fact):
    stored = {
        "f": np.ones(4, np.float32),
        "f1": np.array(0.5, np.float32),
        "p": np.zeros(8, np.int64),
        "yes": np.array(True),
    }
    used = {name for n in nodes for name in n.input}
    with pytest.raises(BackendError, match=fact) as caught:
        convert_graph(graph(nodes, **{k: v for k, v in stored.items() if k in used}))
    assert "onnxruntime" in str(caught.value.hint)


@pytest.mark.parametrize("version", [8, 99])
def test_other_versions_of_the_standard_are_refused(version):
    with pytest.raises(BackendError, match=f"operator set {version}; understood are 9 to"):
        convert_graph(graph([node("Relu", "x")], version=version))


def test_number_types_that_torch_does_not_compute_in_are_refused():
    with pytest.raises(BackendError, match="UINT32"):
        convert_graph(graph([node("Relu", "x")], kind=TensorProto.UINT32))
    with pytest.raises(BackendError, match=r"operator Add .* uint16"):
        convert_graph(graph([node("Add", "x", "x")], kind=TensorProto.UINT16))


def test_raw_counts_come_in_as_uint16():
    net = convert_graph(graph([node("Cast", "x", to=TensorProto.FLOAT)], kind=TensorProto.UINT16))
    found = net(torch.from_numpy(np.full((1, 2, 8, 8), 60000, np.uint16)))["y"]
    assert (found.dtype, float(found.max())) == (torch.float32, 60000)


OLD = [
    (10, node("Clip", "x", min=-0.5, max=0.5)),
    (10, node("Softmax", "x", axis=2)),
    (12, node("Softmax", "x")),
    (13, node("Softmax", "x")),
    (9, node("Slice", "x", starts=[0, 1], ends=[2, 2**31 - 1], axes=[2, 3])),
    (10, node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 3, 4], value=2.0)),
    (10, node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 3, 4], mode="reflect")),
    (10, node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 3, 4], mode="edge")),
    (11, node("Unsqueeze", "x", axes=[1])),
    (11, node("ReduceSum", "x", axes=[1])),
    (12, node("Split", "x", outputs=["y", "z"], axis=2, split=[3, 5])),
    (17, node("Split", "x", outputs=["y", "z"], axis=2)),
    (9, node("Dropout", "x", ratio=0.5)),
    (16, node("LeakyRelu", "x", alpha=0.2)),
    (17, node("AveragePool", "x", kernel_shape=[3, 3], pads=[0, 1, 1, 0])),
    (17, node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
    (17, node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], dilations=[1, 2])),
    (17, node("GlobalLpPool", "x", p=2)),
    (17, node("LpPool", "x", kernel_shape=[2, 2], p=2)),
    (17, node("LRN", "x", size=3, alpha=0.1, beta=0.5, bias=2.0)),
    (17, node("LpNormalization", "x", axis=1, p=2)),
    (17, node("DepthToSpace", "wide", blocksize=2, mode="CRD")),
]


@pytest.mark.parametrize(("version", "operator"), OLD, ids=[f"{n.op_type}-{v}" for v, n in OLD])
def test_each_version_means_what_it_meant(version, operator):
    nodes = [operator]
    if "wide" in operator.input:
        nodes.insert(0, node("Concat", "x", "x", outputs=["wide"], axis=1))
    agrees(graph(nodes, version=version, outputs=list(operator.output)), 2, 2, 8, 8)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        {"strides": [2, 2]},
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"strides": [2, 2], "pads": [0, 1, 1, 0]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "output_shape": [16, 17]},
        {"strides": [3, 2], "dilations": [2, 1], "group": 2},
    ],
)
def test_enlarging_convolutions_take_every_margin(how, bias):
    w = weights(2, 2) if "group" not in how else weights(2, 1)
    stored = {"w": w, **({"b": np.arange(w.shape[1] * how.get("group", 1), dtype=np.float32)} if bias else {})}
    agrees(graph([node("ConvTranspose", "x", *stored, **how)], **stored), 2, 2, 8, 8, atol=1e-4)


@pytest.mark.parametrize("how", [{"auto_pad": "SAME_LOWER"}, {"pads": [0, 2, 1, 0]}, {"auto_pad": "VALID"}])
def test_convolutions_take_every_margin(how):
    agrees(graph([node("Conv", "x", "w", strides=[2, 2], **how)], w=weights(3, 2)), 2, 2, 9, 8, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    coordinates=st.sampled_from(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]),
    nearest=st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_every_way_of_resizing_is_onnxruntimes(mode, coordinates, nearest, size):
    sizes = np.array([1, 2, *size])
    how = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
    agrees(graph([node("Resize", "x", "", "", "s", **how)], s=sizes), 1, 2, 7, 9, atol=1e-4)


@settings(max_examples=200, deadline=None)
@given(
    mode=st.sampled_from(["nearest", "linear", "cubic"]),
    n=st.integers(1, 40),
    m=st.integers(1, 40),
    outside=st.booleans(),
    antialias=st.booleans(),
)
def test_resizing_leaves_a_flat_image_flat(mode, n, m, outside, antialias):
    found = axis_weights(Rule(mode, exclude_outside=outside, antialias=antialias), n, m, m / n)
    np.testing.assert_allclose(found @ np.ones(n), np.ones(m), atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    mode=st.sampled_from(["constant", "reflect", "edge", "wrap"]),
    pads=st.lists(st.integers(0, 6), min_size=8, max_size=8),
)
def test_padding_is_numpys(mode, pads):
    x = RNG.standard_normal((7, 7, 7, 7)).astype(np.float32)
    made = graph([node("Pad", "x", "p", mode=mode)], version=19, dims=(7, 7, 7, 7), p=np.array(pads))
    found = convert_graph(made)(torch.from_numpy(x))["y"].numpy()
    np.testing.assert_array_equal(found, np.pad(x, list(zip(pads[:4], pads[4:], strict=True)), mode=mode))


def test_a_stored_input_is_a_constant_and_arguments_come_in_the_order_asked_for():
    made = model(
        [node("Sub", "a", "b", outputs=["d"]), node("Mul", "d", "k")],
        [value("a", (1,)), value("b", (1,)), value("k", (1,))],
        [value("y", None)],
        k=np.array([2.0], np.float32),
    )
    one, four = torch.ones(1), torch.full((1,), 4.0)
    assert float(convert_graph(made)(one, four)["y"]) == -6
    assert float(convert_graph(made, order=("b", "a"))(one, four)["y"]) == 6


def test_an_output_that_is_a_constant_is_given():
    made = graph(
        [node("Relu", "x"), node("Identity", "k", outputs=["z"])], outputs=["y", "z"], k=np.ones(2, np.float32)
    )
    assert convert_graph(made)(torch.zeros(1, 2, 8, 8))["z"].tolist() == [1, 1]


def test_a_transformer_block_answers_as_onnxruntime_does():
    c = 8
    shaped = {"s1": np.array([0, 64, c]), "s2": np.array([0, 64, 2, c // 2]), "s3": np.array([0, 8, 8, c])}
    w = {f"w{i}": RNG.standard_normal((c, c)).astype(np.float32) for i in range(4)}
    nodes = [
        node("Transpose", "x", outputs=["t"], perm=[0, 2, 3, 1]),
        node("Reshape", "t", "s1", outputs=["tokens"]),
        node("LayerNormalization", "tokens", "scale", "shift", outputs=["n"], axis=-1),
    ]
    for name, i in (("q", 0), ("k", 1), ("v", 2)):
        nodes += [
            node("MatMul", "n", f"w{i}", outputs=[f"{name}1"]),
            node("Reshape", f"{name}1", "s2", outputs=[f"{name}2"]),
            node("Transpose", f"{name}2", outputs=[name], perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", "q", "k", outputs=["a"]),
        node("Softmax", "a", outputs=["p"], axis=-1),
        node("MatMul", "p", "v", outputs=["o1"]),
        node("Transpose", "o1", outputs=["o2"], perm=[0, 2, 1, 3]),
        node("Reshape", "o2", "s1", outputs=["o"]),
        node("MatMul", "o", "w3", outputs=["g"]),
        node("Add", "g", "tokens", outputs=["r"]),
        node("Reshape", "r", "s3", outputs=["r2"]),
        node("Transpose", "r2", outputs=["y"], perm=[0, 3, 1, 2]),
    ]
    ones = {"scale": np.ones(c, np.float32), "shift": np.zeros(c, np.float32)}
    agrees(graph(nodes, dims=("n", c, 8, 8), **shaped, **w, **ones), 2, c, 8, 8, atol=1e-4)


def test_half_precision_and_damaged_tensors_are_named():
    made = graph([node("Add", "x", "k")], k=np.ones(1, np.float32))
    bad = numpy_helper.from_array(np.ones(1, np.uint32), "k")
    made.graph.initializer[0].CopyFrom(bad)
    with pytest.raises(BackendError, match="'k' is uint32"):
        convert_graph(made)
    assert isinstance(made, onnx.ModelProto)
