from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from geowatch.errors import PackageError
from geowatch.package.graph import check_graph, flatten, parse_graph, signature, strip_notes
from tests.package.networks import conv, conv_net, model, value, weights


def external(name: str = "w", location: str = "weights.bin") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3, 2, 3, 3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def branch(node: onnx.NodeProto, output: str, *stored: TensorProto) -> onnx.GraphProto:
    return helper.make_graph([node], "branch", [], [value(output, ("n", 2, "h", "w"))], list(stored))


def with_if(then: onnx.GraphProto) -> onnx.ModelProto:
    """A network with a subgraph two levels down."""
    other = branch(helper.make_node("Identity", ["x"], ["o"]), "o")
    inner = helper.make_node("If", ["c"], ["t"], then_branch=then, else_branch=other)
    outer = helper.make_node("If", ["c"], ["y"], then_branch=branch(inner, "t"), else_branch=other)
    return model([outer], [value("x", ("n", 2, "h", "w"))], [value("y", ("n", 2, "h", "w"))], c=np.array(True))


def with_function(body: onnx.NodeProto) -> onnx.ModelProto:
    net = model(
        [helper.make_node("Twice", ["x"], ["y"], domain="own")],
        [value("x", ("n", 2))],
        [value("y", ("n", 2))],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1), helper.make_opsetid("evil", 1)]
    net.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], [body], opsets))
    net.opset_import.append(helper.make_opsetid("own", 1))
    return net


@pytest.mark.parametrize("location", ["weights.bin", "../../etc/passwd", "/etc/passwd"])
def test_numbers_in_another_file_are_refused_by_its_name(location):
    net = conv_net()
    net.graph.initializer[0].CopyFrom(external(location=location))
    with pytest.raises(PackageError, match="another file") as caught:
        parse_graph(net.SerializeToString(), "net.onnx")
    assert location in caught.value.fact


def test_external_numbers_hidden_in_places_are_found():
    attribute = helper.make_node("Constant", [], ["k"], value=external("k"))
    for net in (
        with_if(branch(helper.make_node("Identity", ["w"], ["t2"]), "t2", external())),
        with_if(branch(attribute, "k")),
        with_function(attribute),
    ):
        with pytest.raises(PackageError, match="another file"):
            check_graph(net, "net.onnx")


def test_external_numbers_in_a_list_of_graphs_are_found():
    net = conv_net()
    attribute = net.graph.node[0].attribute.add(name="many", type=onnx.AttributeProto.GRAPHS)
    attribute.graphs.append(branch(helper.make_node("Identity", ["w"], ["t"]), "t", external()))
    with pytest.raises(PackageError, match="another file"):
        check_graph(net, "net.onnx")


def test_external_numbers_of_a_sparse_tensor_are_found():
    net = conv_net()
    net.graph.sparse_initializer.add().values.CopyFrom(external("s"))
    with pytest.raises(PackageError, match="another file"):
        check_graph(net, "net.onnx")


def test_operators_of_other_domains_are_refused_wherever_they_stand():
    evil = helper.make_node("Run", ["x"], ["t2"], domain="evil")
    deep = helper.make_node("Run", ["a"], ["b"], domain="com.microsoft")
    plain = model([evil], [value("x", (1,))], [value("t2", (1,))])
    for net, domain in (
        (plain, "evil"),
        (with_if(branch(evil, "t2")), "evil"),
        (with_function(deep), "microsoft"),
    ):
        with pytest.raises(PackageError, match=domain):
            check_graph(net, "net.onnx")


def test_functions_made_of_standard_operators_are_written_out():
    net = with_function(helper.make_node("Add", ["a", "a"], ["b"]))
    check_graph(net, "net.onnx")
    flat = flatten(net, "net.onnx")
    assert not flat.functions
    assert [n.op_type for n in flat.graph.node] == ["Add"]


def test_random_and_training_graphs_are_refused():
    noise = model([helper.make_node("RandomNormalLike", ["x"], ["y"])], [value("x", (1,))], [value("y", (1,))])
    with pytest.raises(PackageError, match="random"):
        check_graph(noise, "net.onnx")
    net = conv_net()
    net.training_info.add()
    with pytest.raises(PackageError, match="training"):
        check_graph(net, "net.onnx")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x80\x04\x95pickle", b"PK\x03\x04zip"])
def test_bytes_that_are_no_onnx_are_refused_by_name(content):
    with pytest.raises(PackageError, match=r"odd\.onnx is no ONNX"):
        parse_graph(content, "odd.onnx")


def test_a_truncated_file_is_refused():
    content = conv_net().SerializeToString()
    for cut in range(1, len(content), 37):
        with pytest.raises(PackageError):
            flatten(parse_graph(content[:cut], "net.onnx"), "net.onnx") and _load(content[:cut])


def _load(content: bytes) -> None:
    from geowatch.errors import BackendError
    from geowatch.package.backends.onnxruntime import GraphSession

    try:
        GraphSession(content, threads=1)
    except BackendError as error:
        raise PackageError(error.fact) from error


def test_a_file_above_the_limit_is_refused_with_both_sizes():
    content = conv_net().SerializeToString()
    with pytest.raises(PackageError, match=f"{len(content):,}.*100"):
        parse_graph(content, "net.onnx", max_bytes=100)


def test_the_signature_names_free_and_fixed_sizes_and_skips_stored_inputs():
    net = conv_net(dims=(1, 2, "h", None))
    net.graph.input.append(value("w", (3, 2, 3, 3)))
    inputs, outputs = signature(net)
    assert [(t.name, t.dtype, t.dims) for t in inputs] == [("x", "float32", (1, 2, None, None))]
    assert [t.name for t in outputs] == ["y"]


def test_notes_of_the_exporting_machine_are_removed():
    net = model([conv("x", "y")], [value("x", (1, 2, 8, 8))], [value("y", None)], w=weights(1, 2))
    net.graph.node[0].doc_string = "/home/somebody/net.py"
    net.graph.node[0].metadata_props.add(key="stack", value="/home/somebody/net.py")
    net.metadata_props.add(key="host", value="/home/somebody")
    strip_notes(net)
    assert b"somebody" not in net.SerializeToString()
    assert numpy_helper.to_array(net.graph.initializer[0]).shape == (1, 2, 3, 3)
