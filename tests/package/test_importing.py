from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from geowatch.errors import PackageError
from geowatch.package import (
    HeadSpec,
    ImportSpec,
    InputSpec,
    activate,
    import_onnx,
    load_package,
    open_backend,
)
from tests.package.networks import (
    FORMS,
    conv,
    conv_net,
    model,
    net_of_form,
    nhwc_net,
    random_windows,
    two_dates_net,
    two_heads_net,
    value,
    weights,
)

SPEC = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(32, 32))


@pytest.fixture
def imported(onnx_file, tmp_path):
    def make(net, spec=SPEC):
        return import_onnx(onnx_file(net), spec, tmp_path / "package")

    return make


def probabilities(package, windows):
    backend = open_backend(package, "onnxruntime", threads=1)
    raw = backend.run(windows)
    return {h.name: activate(h, raw[h.name]) for h in package.manifest.heads}


def test_a_plain_network_is_found_to_have_logits_and_free_sizes(imported):
    manifest = imported(conv_net()).manifest
    assert manifest.heads[0].activation == "softmax"
    assert manifest.heads[0].layout == "NCHW"
    assert (manifest.window.size, manifest.window.fixed, manifest.window.multiple_of) == ((32, 32), False, 1)
    assert manifest.batch is None
    assert manifest.gflop_per_window == pytest.approx(2 * 32 * 32 * 3 * 2 * 9 / 1e9)
    assert manifest.name == "net"
    assert manifest.bands == ("red", "nir")


def test_importing_twice_gives_the_same_package(onnx_file, tmp_path):
    first = import_onnx(onnx_file(conv_net()), SPEC, tmp_path / "a")
    second = import_onnx(onnx_file(conv_net()), SPEC, tmp_path / "b")
    assert first.digest == second.digest
    assert import_onnx(onnx_file(conv_net()), SPEC, tmp_path / "a").digest == first.digest


def test_channels_last_in_and_out_gives_the_same_probabilities(onnx_file, tmp_path):
    plain = import_onnx(onnx_file(conv_net()), SPEC, tmp_path / "a")
    last = import_onnx(onnx_file(nhwc_net()), SPEC, tmp_path / "b")
    assert (last.manifest.inputs[0].layout, last.manifest.heads[0].layout) == ("NHWC", "NHWC")
    x = random_windows((3, 2, 32, 32))
    assert probabilities(last, {"x": x})["scores"] == pytest.approx(probabilities(plain, {"x": x})["scores"], abs=1e-6)


@pytest.mark.parametrize(
    ("last", "classes", "activation"),
    [
        (None, ("a", "b", "c"), "softmax"),
        ("Softmax", ("a", "b", "c"), "none"),
        ("ArgMax", ("a", "b", "c"), "labels"),
        (None, ("a",), "sigmoid"),
        ("Sigmoid", ("a",), "none"),
    ],
)
def test_what_the_output_holds_is_found_by_looking(imported, last, classes, activation):
    package = imported(conv_net(classes=len(classes), last=last), replace(SPEC, classes=classes))
    assert package.manifest.heads[0].activation == activation
    p = probabilities(package, {"x": random_windows((2, 2, 32, 32))})["scores"]
    assert p.shape == (2, len(classes), 32, 32)
    assert 0 <= p.min() <= p.max() <= 1


def test_one_logit_for_two_classes_is_binary(imported):
    package = imported(conv_net(classes=1), replace(SPEC, classes=("other", "cloud")))
    assert package.manifest.heads[0].activation == "binary"
    assert probabilities(package, {"x": random_windows((2, 2, 32, 32))})["scores"].sum(axis=1) == pytest.approx(1)


def test_independent_probabilities_have_to_be_said(imported):
    net = conv_net(last="Sigmoid")
    with pytest.raises(PackageError, match="does not add up") as caught:
        imported(net)
    assert "--activation" in str(caught.value.hint)
    assert imported(net, replace(SPEC, activation="none")).manifest.heads[0].activation == "none"


@pytest.mark.parametrize(
    ("net", "activation", "fact"),
    [
        (conv_net(), "none", "no probabilities"),
        (conv_net(last="Softmax"), "softmax", "probabilities already"),
        (conv_net(last="ArgMax"), "softmax", "int64"),
        (conv_net(), "labels", "1 channels"),
    ],
)
def test_a_wrong_activation_is_refused(imported, net, activation, fact):
    with pytest.raises(PackageError, match=fact):
        imported(net, replace(SPEC, activation=activation))


def test_two_dates_are_two_inputs_in_order(imported):
    package = imported(two_dates_net(), replace(SPEC, classes=("change",), dates=2))
    assert [(i.name, i.date, i.bands) for i in package.manifest.inputs] == [
        ("before", 0, ("red", "nir")),
        ("after", 1, ("red", "nir")),
    ]
    assert package.manifest.dates == 2
    same = random_windows((1, 2, 32, 32))
    p = probabilities(package, {"before": same, "after": same})
    assert (p["scores"] == 0.5).all()


def test_two_inputs_for_one_date_ask_for_more(imported):
    with pytest.raises(PackageError, match=r"2 inputs \(before, after\)") as caught:
        imported(two_dates_net(), replace(SPEC, classes=("change",)))
    assert "--dates 2" in str(caught.value.hint)


def test_dates_stacked_along_channels_are_joined(imported):
    manifest = imported(conv_net(channels=4), replace(SPEC, dates=2)).manifest
    assert [(i.name, i.tensor, i.date) for i in manifest.inputs] == [("x.0", "x", 0), ("x.1", "x", 1)]


def test_dates_with_an_axis_of_their_own_are_joined(imported):
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0), conv("m", "y")]
    net = model(nodes, [value("x", ("n", 3, 2, "h", "w"))], [value("y", None)], w=weights(3, 2))
    package = imported(net, replace(SPEC, dates=3))
    assert {i.layout for i in package.manifest.inputs} == {"NTCHW"}
    windows = {f"x.{t}": random_windows((2, 2, 32, 32), seed=t) for t in range(3)}
    assert probabilities(package, windows)["scores"].shape == (2, 3, 32, 32)


@pytest.fixture
def two_dates(onnx_file, tmp_path):
    """Return a function that imports a network of a form and gives its probabilities of two dates that differ."""
    windows = [random_windows((2, 2, 32, 32), seed) for seed in (1, 2)]

    def scores(form, spec=SPEC, **net):
        package = import_onnx(onnx_file(net_of_form(form, **net)), replace(spec, dates=2), tmp_path / "package")
        by_date = {part.name: windows[part.date] for part in package.manifest.inputs}
        return probabilities(package, by_date)["scores"]

    return scores


@pytest.mark.parametrize("side", [None, 32])
@pytest.mark.parametrize("form", FORMS)
def test_two_dates_give_the_same_whatever_form_they_go_in_by(two_dates, onnx_file, tmp_path, form, side):
    said = {"nHWc": "NHWC", "nHWd": "NHWC", "ntHWc": "NTHWC"} if side is None else {}
    unclear = {"ntcHW": "NTCHW", "nctHW": "NCTHW"}
    found = two_dates(form, replace(SPEC, layout=(said | unclear).get(FORMS[form][0], "auto")), side=side)
    plain = import_onnx(onnx_file(net_of_form("two inputs")), replace(SPEC, dates=2), tmp_path / "plain")
    windows = {name: random_windows((2, 2, 32, 32), seed) for name, seed in (("early", 1), ("late", 2))}
    np.testing.assert_allclose(found, probabilities(plain, windows)["scores"], atol=1e-5)


@pytest.mark.parametrize("form", ["dates before bands", "bands before dates"])
def test_as_many_dates_as_bands_ask_for_their_order(two_dates, form):
    with pytest.raises(PackageError, match="as many") as caught:
        two_dates(form)
    assert "--layout NTCHW" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("last", "classes", "spec"),
    [
        (None, 1, {"classes": ("same", "changed")}),
        ("Sigmoid", 1, {"classes": ("changed",)}),
        (None, 2, {"classes": ("same", "changed")}),
        ("Softmax", 2, {"classes": ("same", "changed")}),
    ],
    ids=["a logit", "a probability", "two logits", "two probabilities"],
)
def test_a_change_is_scored_whatever_form_it_comes_out_by(two_dates, last, classes, spec):
    found = two_dates("stacked", replace(SPEC, **spec), last=last, classes=classes)
    assert found.shape == (2, len(spec["classes"]), 32, 32)
    assert 0 <= found.min() < found.max() <= 1


def test_the_order_of_dates_is_the_graphs_unless_it_is_said(imported):
    spec = replace(SPEC, classes=("change",), dates=2)
    turned = imported(two_dates_net(), replace(spec, input_tensors=("after", "before")))
    assert [(i.tensor, i.date) for i in turned.manifest.inputs] == [("after", 0), ("before", 1)]
    with pytest.raises(PackageError, match="the graph takes before, after") as caught:
        imported(two_dates_net(), replace(spec, input_tensors=("after", "after")))
    assert "--input-tensors" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("names", "turned"),
    [
        (("post_image", "pre_image"), True),
        (("imageAfter", "imageBefore"), True),
        (("x2", "x1"), True),
        (("later", "input"), True),
        (("pre", "post"), False),
        (("t1", "t2"), False),
        (("a", "b"), False),
        (("x10", "y2"), False),
    ],
)
def test_inputs_named_against_the_order_of_dates_ask_which_is_older(imported, names, turned):
    net = two_dates_net()
    for value_info, name in zip(net.graph.input, names, strict=True):
        for node in net.graph.node:
            node.input[:] = [name if x == value_info.name else x for x in node.input]
        value_info.name = name
    spec = replace(SPEC, classes=("change",), dates=2)
    if turned:
        with pytest.raises(PackageError, match=f"'{names[0]}' comes before") as caught:
            imported(net, spec)
        assert f"--input-tensors {names[1]},{names[0]}" in str(caught.value.hint)
        spec = replace(spec, input_tensors=names[::-1])
    found = [i.tensor for i in imported(net, spec).manifest.inputs]
    assert found == list(names[::-1] if turned else names)


def test_one_channel_that_is_never_below_zero_is_not_taken_for_a_logit(imported):
    nodes = [conv("x", "c"), helper.make_node("Abs", ["c"], ["a"]), helper.make_node("Mul", ["a", "ten"], ["y"])]
    ten = np.array(10, np.float32)
    net = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(1, 2), ten=ten)
    with pytest.raises(PackageError, match="never below 0") as caught:
        imported(net, replace(SPEC, classes=("change",)))
    assert "--activation sigmoid" in str(caught.value.hint)
    package = imported(net, replace(SPEC, classes=("change",), activation="sigmoid"))
    assert package.manifest.heads[0].activation == "sigmoid"


def test_networks_that_gw_cannot_feed_say_what_to_export_instead(imported):
    shapes = ((1, 2, 32, 32), (1, 2, 16, 16))
    values = [value(name, dims) for name, dims in zip(("before", "after"), shapes, strict=True)]
    with pytest.raises(PackageError, match="before 32 x 32, after 16 x 16") as caught:
        imported(
            model([conv("before", "y")], values, [value("y", None)], w=weights(3, 2)),
            replace(SPEC, dates=2, window=None),
        )
    assert "one grid" in str(caught.value.hint)
    nodes = [helper.make_node("Unsqueeze", ["x", "at"], ["one"]), conv("one", "y")]
    with pytest.raises(PackageError, match="2 x 32 x 32: that is no image") as caught:
        imported(model(nodes, [value("x", (2, 32, 32))], [value("y", None)], w=weights(3, 2), at=np.array([0])))
    assert "1 x channels" in str(caught.value.hint)
    pooled = [conv("x", "c"), helper.make_node("ReduceMean", ["c"], ["y"], axes=[2, 3], keepdims=0)]
    with pytest.raises(PackageError, match=r"shape \(3, 3\)") as caught:
        imported(model(pooled, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2)))
    assert "each pixel" in str(caught.value.hint)


def test_a_network_of_double_precision_that_does_not_run_says_so(imported):
    net = conv_net()
    w = weights(3, 2).astype(np.float64)
    net.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.DOUBLE, w.shape, w.tobytes(), raw=True))
    for end in (*net.graph.input, *net.graph.output):
        end.type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(PackageError) as caught:
        imported(net)
    assert "float32" in str(caught.value.hint)


def test_inputs_that_are_no_images_and_outputs_of_five_axes_say_what_to_do(imported):
    nodes = [conv("x", "c"), helper.make_node("Add", ["c", "day"], ["y"])]
    dated = model(nodes, [value("x", ("n", 2, "h", "w")), value("day", ("n", 1))], [value("y", None)], w=weights(3, 2))
    with pytest.raises(PackageError, match=r"input 'day' is \? x 1: that is no image") as caught:
        imported(dated)
    assert "constants" in str(caught.value.hint)
    nodes = [conv("x", "c"), helper.make_node("Unsqueeze", ["c", "at"], ["y"])]
    deep = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2), at=np.array([2]))
    with pytest.raises(PackageError, match="five axes") as caught:
        imported(deep)
    assert "N x classes x H x W" in str(caught.value.hint)


def test_several_heads_are_described_in_full(imported):
    heads = (
        HeadSpec(name="land", output="land", classes=("a", "b", "c")),
        HeadSpec(name="cloud", output="cloud", classes=("cloud",), activation="sigmoid"),
    )
    package = imported(two_heads_net(), replace(SPEC, classes=(), heads=heads))
    p = probabilities(package, {"x": random_windows((2, 2, 32, 32))})
    assert {name: x.shape[1] for name, x in p.items()} == {"land": 3, "cloud": 1}


def test_several_outputs_without_a_word_are_refused_and_one_may_be_chosen(imported):
    with pytest.raises(PackageError, match="2 outputs: land, cloud"):
        imported(two_heads_net())
    assert [h.output for h in imported(two_heads_net(), replace(SPEC, output_tensor="land")).manifest.heads] == ["land"]


def test_two_sensors_are_described_in_full(imported):
    inputs = (
        InputSpec(name="radar", tensor="before", bands=("vv", "vh"), sensors=("sentinel-1",)),
        InputSpec(name="optical", tensor="after", bands=("red", "nir")),
    )
    package = imported(two_dates_net(), replace(SPEC, bands=(), classes=("change",), inputs=inputs))
    assert package.manifest.bands == ("vv", "vh", "red", "nir")
    assert package.manifest.dates == 1


def test_a_layout_of_other_axes_than_the_tensors_is_named(imported):
    inputs = tuple(
        InputSpec(name=name, tensor=name, bands=("red", "nir"), layout=layout, date=date)
        for date, (name, layout) in enumerate((("before", "NCHW"), ("after", "NTCHW")))
    )
    with pytest.raises(PackageError, match=r"'after' is .*, and its layout is NTCHW"):
        imported(two_dates_net(), replace(SPEC, bands=(), classes=("change",), inputs=inputs))


def test_a_fixed_size_and_batch_are_kept_to(imported):
    package = imported(conv_net(dims=(2, 2, 32, 32)), replace(SPEC, window=None))
    assert (package.manifest.window.size, package.manifest.window.fixed) == ((32, 32), True)
    assert package.manifest.batch == 2
    x = random_windows((5, 2, 32, 32))
    p = probabilities(package, {"x": x})["scores"]
    assert p.shape[0] == 5
    assert probabilities(package, {"x": x[4:]})["scores"].tobytes() == p[4:].tobytes()


def test_a_declared_free_batch_that_does_not_run_is_found(imported):
    nodes = [conv("x", "c"), helper.make_node("Reshape", ["c", "shape"], ["y"])]
    net = model(
        nodes,
        [value("x", ("n", 2, 32, 32))],
        [value("y", None)],
        w=weights(3, 2),
        shape=np.array([1, 3, 32, 32]),
    )
    assert imported(net).manifest.batch == 1


def test_another_window_than_the_graph_takes_is_refused(imported):
    with pytest.raises(PackageError, match="32 x 32 px, not 64 x 64"):
        imported(conv_net(dims=("n", 2, 32, 32)), replace(SPEC, window=(64, 64)))


def test_sizes_that_must_be_multiples_are_found(imported):
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Resize", ["p", "", "scales"], ["u"], mode="nearest"),
        helper.make_node("Add", ["u", "x"], ["s"]),
        conv("s", "y"),
    ]
    net = model(
        nodes,
        [value("x", ("n", 2, "h", "w"))],
        [value("y", None)],
        w=weights(3, 2),
        scales=np.array([1, 1, 4, 4], np.float32),
    )
    window = imported(net).manifest.window
    assert (window.fixed, window.multiple_of) == (False, 4)
    assert window.accepts((36, 64))
    assert not window.accepts((34, 64))


def test_an_output_of_half_resolution_is_enlarged(imported):
    package = imported(conv_net(stride=2))
    assert package.manifest.heads[0].reduction == 2
    assert package.manifest.window.multiple_of == 2
    assert probabilities(package, {"x": random_windows((2, 2, 32, 32))})["scores"].shape == (2, 3, 32, 32)


def test_a_network_that_mixes_its_batch_is_refused(imported):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "m"], ["d"]),
        conv("d", "y"),
    ]
    net = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2))
    with pytest.raises(PackageError, match="other windows of its batch") as caught:
        imported(net)
    assert "eval" in str(caught.value.hint)


def test_values_that_are_no_numbers_are_refused(imported):
    nodes = [conv("x", "c"), helper.make_node("Log", ["c"], ["y"])]
    net = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2))
    with pytest.raises(PackageError, match="no numbers"):
        imported(net, replace(SPEC, activation="softmax"))


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"bands": ("red",)}, "no axis takes 1 date"),
        ({"bands": ()}, "which bands"),
        ({"bands": ("red", "red")}, "names a band twice"),
        ({"classes": ()}, "what the classes are"),
        ({"classes": ("a", "b")}, "2 classes"),
        ({"classes": ("a", "a", "b")}, "class twice"),
        ({"mean": (1.0,)}, "mean has 1 values"),
        ({"std": (1.0, 0.0)}, "greater than 0"),
        ({"colors": ("#fff",)}, "colors"),
        ({"output_tensor": "z"}, "no output 'z'; it has y"),
        ({"indices": ("ndvi",)}, "no axis takes"),
        ({"indices": ("evi9",)}, "known are"),
        ({"overlap": -1.0}, "overlap"),
        ({"layout": "NHWC"}, "windows of 2 x"),
        ({"clip": (1.0, 0.0)}, "lets nothing through"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(imported, change, fact):
    with pytest.raises(PackageError, match=fact):
        imported(conv_net(), replace(SPEC, **change))


def test_steps_and_indices_are_declared_and_count_as_channels(imported):
    spec = replace(
        SPEC,
        scale=1e-4,
        offset=-0.1,
        clip=(0.0, 1.0),
        log1p=True,
        indices=("ndvi",),
        mean=(0.1,) * 3,
        std=(1.0,) * 3,
    )
    manifest = imported(conv_net(channels=3), spec).manifest
    assert [s.op for s in manifest.inputs[0].steps] == ["scale", "offset", "clip", "log1p", "index"]
    assert manifest.inputs[0].channels == ("red", "nir", "ndvi")


def test_half_precision_is_widened_and_answers_the_same(onnx_file, tmp_path):
    plain, half = conv_net(), conv_net()
    w = weights(3, 2).astype(np.float16)
    half.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.FLOAT16, w.shape, w.tobytes(), raw=True))
    cast = helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16)
    half.graph.node[0].input[0] = "h"
    half.graph.node.insert(0, cast)
    half.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    narrow = import_onnx(onnx_file(half), SPEC, tmp_path / "half")
    wide = import_onnx(onnx_file(plain, "plain.onnx"), SPEC, tmp_path / "plain")
    x = {"x": random_windows((2, 2, 32, 32))}
    assert probabilities(narrow, x)["scores"] == pytest.approx(probabilities(wide, x)["scores"], abs=0.02)
    assert b"\x0a" not in {bytes([t.data_type]) for t in _stored(narrow)}


def test_half_precision_numbers_that_are_damaged_are_refused(imported):
    net = conv_net()
    broken = helper.make_tensor("w", TensorProto.FLOAT16, (3, 2, 3, 3), bytes(108), raw=True)
    broken.raw_data = broken.raw_data[:-2]
    net.graph.initializer[0].CopyFrom(broken)
    with pytest.raises(PackageError, match="'w' is damaged"):
        imported(net)


def _stored(package):
    import onnx

    return onnx.ModelProto.FromString(package.read("model.onnx")).graph.initializer


def test_integer_inputs_get_rounded_values(imported):
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), conv("f", "y")]
    net = model(nodes, [value("x", ("n", 2, "h", "w"), TensorProto.UINT8)], [value("y", None)], w=weights(3, 2))
    package = imported(net)
    assert package.manifest.inputs[0].dtype == "uint8"
    x = np.full((1, 2, 32, 32), 7.4, np.float32)
    assert (
        probabilities(package, {"x": x})["scores"].tobytes()
        == probabilities(package, {"x": np.rint(x)})["scores"].tobytes()
    )


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pt2", "net.pkl", "net.ts"])
def test_files_that_run_are_refused_before_they_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(PackageError, match="run code") as caught:
        import_onnx(tmp_path / name, SPEC, tmp_path / "package")
    assert "gw model package" in str(caught.value.hint)


def test_a_missing_or_oversized_file_is_refused(tmp_path, onnx_file):
    with pytest.raises(PackageError, match="cannot read"):
        import_onnx(tmp_path / "none.onnx", SPEC, tmp_path / "package")
    with pytest.raises(PackageError, match="at most 10"):
        import_onnx(onnx_file(conv_net()), replace(SPEC, max_bytes=10), tmp_path / "package")


def test_a_failed_import_leaves_nothing(onnx_file, tmp_path):
    with pytest.raises(PackageError):
        import_onnx(onnx_file(conv_net()), replace(SPEC, classes=("a",)), tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_colours_follow_the_names_of_classes(imported):
    package = imported(conv_net(), replace(SPEC, classes=("background", "cloud", "odd")))
    assert package.manifest.heads[0].colors[0] == "#00000000"
    assert len(set(package.manifest.heads[0].colors)) == 3
    assert load_package(package.path).manifest == package.manifest
