"""Networks that give probabilities: the same as those of the network and its activation, one after the other."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper

from geowatch.errors import BackendError, PackageError
from geowatch.package import ImportSpec, activate, import_onnx, open_backend
from geowatch.package.backends import BackendSpec, open_reference
from geowatch.package.cache import CompiledCache
from geowatch.package.fused import FUSING, fuse
from geowatch.package.gate import gather_evidence, pass_gate
from geowatch.package.int8 import quantise_package
from geowatch.package.manifest import INT8_FILE
from geowatch.package.prove import Proving, known_verdict, prove
from tests.package.networks import conv, conv_net, model, nhwc_net, random_windows, value, weights

pytest.importorskip("openvino")

SPEC = BackendSpec("openvino", window_px=(32, 32))


@pytest.fixture
def imported(tmp_path):
    def make(net, **more):
        (tmp_path / "net.onnx").write_bytes(net.SerializeToString())
        options = {"bands": ("red", "nir"), "classes": ("a", "b", "c"), "window": (32, 32), **more}
        return import_onnx(tmp_path / "net.onnx", ImportSpec(**options), tmp_path / "package")

    return make


def older(version):
    """Return a network of operators of an old version."""
    net = model([conv("x", "y")], [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2))
    net.opset_import[0].version = version
    return net


@pytest.mark.parametrize("version", [11, 12, 13, 17, 20])
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_probabilities_are_those_of_raw_output_and_activation(imported, version, name):
    package = imported(older(version))
    together = fuse(package)
    x = {"x": 4 * random_windows((3, 2, 32, 32))}
    (head,), (given,) = package.manifest.heads, together.manifest.heads
    wanted = activate(head, open_backend(package, name).run(x)["scores"])
    found = activate(given, open_backend(together, name).run(x)["scores"])
    assert (head.activation, given.activation) == ("softmax", "none")
    assert np.ptp(wanted) > 0.9
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("version", [11, 17])
def test_large_scores_stay_numbers(imported, version):
    backend = open_backend(fuse(imported(older(version))), "openvino")
    found = backend.run({"x": 1e4 * random_windows((1, 2, 32, 32))})["scores"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("net", "more"),
    [
        (nhwc_net(), {"layout": "NHWC"}),
        (older(17), {"activation": "sigmoid"}),
        (conv_net(last="Softmax"), {"activation": "none"}),
    ],
)
def test_what_cannot_be_inside_stays_outside(imported, net, more):
    package = imported(net, **more)
    assert fuse(package) is package


def test_a_network_without_a_graph_is_left_as_it_is(unet_package):
    files = {name: record for name, record in unet_package.manifest.files.items() if name != "model.onnx"}
    bare = replace(unet_package, manifest=unet_package.manifest.model_copy(update={"files": files}))
    assert fuse(bare) is bare


def test_the_quantised_graph_has_it_too(unet_package, tmp_path):
    feed = {unet_package.manifest.inputs[0].name: random_windows((2, 3, 64, 64))}
    together = fuse(quantise_package(unet_package, feed, tmp_path / "int8"))
    graph = onnx.ModelProto.FromString(together.read(INT8_FILE)).graph
    assert graph.node[-1].op_type == "Softmax"
    assert [output.name for output in graph.output] == [head.output for head in together.manifest.heads]


def test_other_files_are_the_source_s_own_and_none_is_made_up(unet_package):
    together = fuse(unet_package)
    assert together.read("model.safetensors") == unet_package.read("model.safetensors")
    assert together.digest != unet_package.digest
    with pytest.raises(PackageError, match="nothing"):
        together.read("nothing")


def proving_of(package, cache=None, **options):
    windows = {"x": random_windows((2, 2, 32, 32))}
    reference = open_reference(package, threads=1)
    return Proving(package, lambda _size: gather_evidence(package.manifest, reference, windows), cache, **options)


def test_the_form_that_runs_is_the_one_that_is_proven(tiny_package, tmp_path):
    cache = CompiledCache(tmp_path)
    plain, together = proving_of(tiny_package, cache), proving_of(tiny_package, cache, fused=True)
    prove(plain, SPEC)
    assert known_verdict(together, SPEC) is None
    assert prove(together, SPEC).gate.difference < 1e-5
    digests = {entry.key["package"] for entry in cache.entries()}
    assert {tiny_package.digest, fuse(tiny_package).digest} <= digests
    assert "onnxruntime" not in FUSING
    assert together.form(replace(SPEC, name="onnxruntime")) is tiny_package


def test_the_gate_catches_a_wrong_activation(tiny_package, monkeypatch):
    def over_rows(x, found):
        return [helper.make_node("Softmax", [x], [found], axis=2)]

    monkeypatch.setattr("geowatch.package.fused._softmax", over_rows)
    together = fuse(tiny_package)
    evidence = proving_of(tiny_package).evidence((32, 32))
    with pytest.raises(BackendError, match="differs from the reference"):
        pass_gate(tiny_package.manifest, open_backend(together, SPEC), evidence, given=together.manifest.heads)
