from __future__ import annotations

import logging

import numpy as np
import onnx
import pytest

from geowatch.errors import PackageError
from geowatch.package import ImportSpec, import_onnx, load_package, open_backend
from geowatch.package.backends import BackendSpec, open_reference
from geowatch.package.gate import gather_evidence, pass_gate
from geowatch.package.int8 import quantise_package
from geowatch.package.manifest import GRAPH_FILE, INT8_FILE
from tests.package.networks import random_windows


@pytest.fixture(scope="module")
def windows():
    return {"x": random_windows((8, 3, 64, 64), seed=5)}


@pytest.fixture(scope="module")
def quantised(unet_package, windows, tmp_path_factory):
    return quantise_package(unet_package, windows, tmp_path_factory.mktemp("int8") / "package")


def test_the_package_has_a_further_graph_and_is_another_one(unet_package, quantised):
    assert set(quantised.manifest.files) - set(unet_package.manifest.files) == {INT8_FILE}
    assert quantised.digest != unet_package.digest
    assert load_package(quantised.path).digest == quantised.digest  # its graph is checked like any other
    assert quantised.read(GRAPH_FILE) == unet_package.read(GRAPH_FILE)


def test_all_but_the_outermost_layers_compute_in_eight_bits(quantised):
    model = onnx.load_from_string(quantised.read(INT8_FILE))
    rounded = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    inside = [set(conv.input[:2]) <= rounded for conv in convs]
    assert inside[0] is False
    assert inside[-1] is False
    assert all(inside[1:-1])
    assert len(inside) > 2


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_both_graph_backends_run_it_and_its_speed_is_paid_with_little(quantised, windows, name):
    if name == "openvino":
        pytest.importorskip("openvino")
    other = {"x": random_windows((4, 3, 64, 64), seed=6)}
    evidence = gather_evidence(quantised.manifest, open_reference(quantised, threads=1), other, count=4)
    backend = open_backend(quantised, BackendSpec(name, precision="int8"))
    assert backend.identity.precision == "int8"
    loose = quantised.manifest.gate.model_copy(update={"reduced_agreement": 0.9})  # noise is all edges of decisions
    report = pass_gate(quantised.manifest.model_copy(update={"gate": loose}), backend, evidence)
    assert report.difference > 1e-4  # it is not the fp32 graph


def test_the_bytes_do_not_depend_on_batch_or_threads(quantised):
    x = random_windows((3, 3, 64, 64))
    one = open_backend(quantised, BackendSpec("onnxruntime", precision="int8"))
    two = open_backend(quantised, BackendSpec("onnxruntime", threads=2, precision="int8"))
    whole = one.run({"x": x})["scores"]
    assert two.run({"x": x})["scores"].tobytes() == whole.tobytes()
    for i in range(3):
        assert one.run({"x": x[i : i + 1]})["scores"].tobytes() == whole[i : i + 1].tobytes()


def test_the_same_windows_give_the_same_package(unet_package, quantised, windows, tmp_path):
    assert quantise_package(unet_package, windows, tmp_path / "again").digest == quantised.digest


def test_a_package_that_is_quantised_already_is_quantised_anew(quantised, windows, tmp_path):
    assert quantise_package(quantised, windows, tmp_path / "again").digest == quantised.digest


def test_a_network_of_one_layer_is_not_worth_it(tiny_package, tmp_path):
    with pytest.raises(PackageError, match="none is worth quantising"):
        quantise_package(tiny_package, {"x": random_windows((2, 2, 32, 32))}, tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_graph_of_an_old_standard_is_brought_to_a_newer_one(tmp_path, onnx_file):
    from tests.package.networks import conv, model, value, weights

    nodes = [conv("x", "a", "u"), conv("a", "b", "v"), conv("b", "y", "w")]
    old = model(
        nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], u=weights(4, 2), v=weights(4, 4), w=weights(3, 4)
    )
    old.opset_import[0].version = 11
    spec = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(32, 32))
    package = import_onnx(onnx_file(old), spec, tmp_path / "old")
    made = quantise_package(package, {"x": random_windows((4, 2, 32, 32))}, tmp_path / "new")
    x = {"x": random_windows((2, 2, 32, 32), seed=9)}
    exact, rough = (
        open_backend(made, BackendSpec("onnxruntime", precision=p)).run(x)["scores"] for p in ("fp32", "int8")
    )
    assert 0 < np.abs(exact - rough).max() < 0.1 * np.abs(exact).max()


def test_the_librarys_log_is_as_it_was(unet_package, windows, tmp_path, caplog):
    quantise_package(unet_package, windows, tmp_path / "package")
    assert not caplog.records
    assert logging.root.manager.disable == 0
