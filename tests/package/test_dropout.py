"""Dropout that is left on: noise that belongs to a place."""

import numpy as np
import pytest
from onnx import helper

from geowatch.errors import PackageError
from geowatch.package import import_onnx, load_package, open_backend
from geowatch.package.dropout import open_dropout
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec
from tests.package.networks import conv, model, random_windows, value, weights

SPEC = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(16, 16), activation="softmax")
WHERE = [(0, 0), (-3, 2), (7, -1)]


def graph_package(folder, *nodes, **stored):
    net = model(
        [conv("x", "a"), *nodes, conv("b", "y", "v")],
        [value("x", ("n", 2, "h", "w"))],
        [value("y", None)],
        w=weights(4, 2),
        v=weights(3, 4, seed=1),
        **stored,
    )
    folder.mkdir(exist_ok=True)
    (folder / "net.onnx").write_bytes(net.SerializeToString())
    import_onnx(folder / "net.onnx", SPEC, folder / "package")
    return load_package(folder / "package")


def dropping(ratio=0.5):
    return helper.make_node("Dropout", ["a", "ratio"], ["b"], "drop"), np.array(ratio, np.float32)


@pytest.fixture(params=["graph", "torch"])
def package(request, tmp_path):
    if request.param == "graph":
        node, ratio = dropping()
        return graph_package(tmp_path / "graph", node, ratio=ratio)
    source = NetSource(net="unet", options={"width": 4, "depth": 2, "dropout": 0.5})
    return package_net(source, SPEC, tmp_path / "unet")


def feed(package, count=3):
    return {package.manifest.inputs[0].name: random_windows((count, 2, 16, 16))}


def run(package, given, where, number, seed=0):
    (raw,) = open_dropout(package, seed).run(given, where, number).values()
    return raw


def test_noise_depends_on_place_pass_and_seed_and_on_nothing_else(package):
    given = feed(package)
    whole = run(package, given, WHERE, 1)
    for k, place in enumerate(WHERE):
        alone = run(package, {name: x[k : k + 1] for name, x in given.items()}, [place], 1)
        assert np.array_equal(alone[0], whole[k])
    assert not np.array_equal(whole, run(package, given, WHERE, 2))
    assert not np.array_equal(whole, run(package, given, WHERE, 1, seed=1))
    assert not np.array_equal(whole[0], run(package, given, [(0, 1), *WHERE[1:]], 1)[0])


def test_passes_vary_about_what_the_network_says(tmp_path):
    node, ratio = dropping(0.3)
    package = graph_package(tmp_path / "net", node, ratio=ratio)
    given = feed(package, 1)
    net = open_dropout(package, 0)
    (plain,) = open_backend(package, "onnxruntime", threads=1).run(given).values()
    passes = np.stack([next(iter(net.run(given, WHERE[:1], k).values())) for k in range(400)])
    assert passes.std(axis=0).mean() > 0.5
    # What comes after the dropout is linear here, so that its mean is the plain answer.
    error = passes.std(axis=0) / np.sqrt(400)
    assert (np.abs(passes.mean(axis=0) - plain) < 5 * error + 1e-6).all()


def test_a_graph_that_drops_nothing_or_by_what_it_computes_is_refused(tmp_path):
    node, ratio = dropping(0.0)
    with pytest.raises(PackageError, match="drops nothing"):
        open_dropout(graph_package(tmp_path / "none", node, ratio=ratio), 0)
    computed = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Sub", ["most", "most"], ["ratio"]),
        helper.make_node("Dropout", ["a", "ratio"], ["b"], "drop"),
    ]
    with pytest.raises(PackageError, match="'drop' is computed"):
        open_dropout(graph_package(tmp_path / "computed", *computed), 0)


def test_a_network_without_dropout_is_refused_by_name(tmp_path):
    plain = graph_package(tmp_path / "plain", helper.make_node("Relu", ["a"], ["b"]))
    with pytest.raises(PackageError, match="net has no dropout") as caught:
        open_dropout(plain, 0)
    assert "entropy" in caught.value.hint
    unet = package_net(NetSource(net="unet", options={"width": 4, "depth": 2}), SPEC, tmp_path / "unet")
    with pytest.raises(PackageError, match="has no dropout"):
        open_dropout(unet, 0)
