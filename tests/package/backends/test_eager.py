from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx import helper

from geowatch.errors import BackendError, GwError
from geowatch.package import HeadSpec, ImportSpec, Package, import_onnx, open_backend
from geowatch.package.backends import BackendSpec, available, open_reference, refusal_of
from geowatch.package.bundle import record_of, save_package
from tests.package.backend_conformance import BackendConformance
from tests.package.networks import conv, conv_net, model, random_windows, two_dates_net, two_heads_net, value, weights

TWO_HEADS = (
    HeadSpec(name="land", output="land", classes=("a", "b", "c")),
    HeadSpec(name="cloud", output="cloud", classes=("cloud",), activation="sigmoid"),
)


class TestOnRegistryNet(BackendConformance):
    name = "eager"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package


class TestOnImportedGraph(BackendConformance):
    name = "eager"

    @pytest.fixture
    def package(self, tiny_package: Package) -> Package:
        return tiny_package


class TestOnRegistryNetInBf16(BackendConformance):
    name = "eager"
    precision = "bf16"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package


def test_the_cloud_network_answers_as_onnxruntime_does(cloud_package):
    x = {cloud_package.manifest.inputs[0].name: random_windows((1, 6, 256, 256))}
    found = open_backend(cloud_package, "eager", threads=2).run(x)["scores"]
    wanted = open_reference(cloud_package, threads=2).run(x)["scores"]
    assert abs(found - wanted).max() < 1e-4


def test_two_dates_and_several_heads_go_through_torch(onnx_file, tmp_path):
    bands = {"bands": ("red", "nir"), "window": (16, 16)}
    dates = import_onnx(onnx_file(two_dates_net()), ImportSpec(**bands, classes=("change",), dates=2), tmp_path / "d")
    heads = import_onnx(
        onnx_file(two_heads_net()),
        ImportSpec(**bands, heads=TWO_HEADS),
        tmp_path / "h",
    )
    for package in (dates, heads):
        x = {i.name: random_windows((3, 2, 16, 16), seed=n) for n, i in enumerate(package.manifest.inputs)}
        found, wanted = open_backend(package, "eager").run(x), open_reference(package, threads=1).run(x)
        assert set(found) == set(wanted)
        for head in wanted:
            assert found[head] == pytest.approx(wanted[head], abs=1e-4)


def test_labels_stay_whole_numbers(onnx_file, tmp_path):
    spec = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(16, 16))
    package = import_onnx(onnx_file(conv_net(last="ArgMax")), spec, tmp_path / "p")
    x = {package.manifest.inputs[0].name: random_windows((2, 2, 16, 16))}
    found, wanted = open_backend(package, "eager").run(x), open_reference(package, threads=1).run(x)
    assert all(found[h].dtype == wanted[h].dtype and (found[h] == wanted[h]).all() for h in wanted)


def test_an_operator_that_torch_does_not_have_is_named_when_the_package_is_opened(onnx_file, tmp_path):
    nodes = [
        conv("x", "c"),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    stored = {"w": weights(3, 2), "scale": np.array(0.1, np.float32), "zero": np.array(0, np.int8)}
    made = model(nodes, [value("x", (1, 2, 8, 8))], [value("y", None)], **stored)
    spec = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(8, 8))
    package = import_onnx(onnx_file(made), spec, tmp_path / "p")
    with pytest.raises(BackendError, match="operator QuantizeLinear is not in the table"):
        open_backend(package, "eager")


@pytest.mark.parametrize(
    ("device", "precision", "fact"),
    [
        ("cpu", "fp16", "fp16 runs on a CUDA device alone"),
        ("cpu", "int8", "not in int8"),
        ("tpu", "fp32", "does not run on tpu"),
        ("cuda:7", "fp32", "without CUDA|cuda:7 is not there"),
    ],
)
def test_a_device_or_precision_that_is_not_there_is_named(unet_package, device, precision, fact):
    spec = BackendSpec("eager", device=device, precision=precision)
    assert re.search(fact, str(refusal_of(unet_package, spec)))


def test_output_stays_on_the_device_only_where_there_is_one(unet_package):
    backend = open_backend(unet_package, "eager")
    assert backend.torch_device is None
    found = backend.run_on_device({"x": random_windows((3, 3, 64, 64))})["scores"]
    assert isinstance(found, torch.Tensor)
    assert found.shape == (3, 3, 64, 64)


def test_both_kinds_of_package_run_by_torch(unet_package, tiny_package):
    assert "eager" in available(unet_package)
    assert "eager" in available(tiny_package)


def test_other_sizes_run_where_the_package_says_so(unet_package):
    backend = open_backend(unet_package, "eager", threads=1)
    assert backend.run({"x": random_windows((1, 3, 8, 40))})["scores"].shape == (1, 3, 8, 40)
    with pytest.raises(BackendError, match="allowed sizes"):
        backend.run({"x": random_windows((1, 3, 12, 40))})


def _republished(package: Package, tmp_path, **changes) -> Package:
    manifest = package.manifest.model_copy(update=changes)
    return save_package(tmp_path / "changed", manifest, {name: package.read(name) for name in manifest.files})


@pytest.mark.parametrize(
    ("kwargs", "fact"),
    [
        ({"channels": 3, "heads": {"scores": 3}, "width": 8, "depth": 3}, "shape"),
        ({"channels": 3, "heads": {"scores": 3}, "width": 4, "depth": 2}, "weight"),
        ({"channels": 3, "heads": {"scores": 3}, "width": 4, "depth": 60}, "depth"),
        ({"channels": 3, "colour": 1}, "colour"),
    ],
)
def test_options_that_do_not_fit_the_weights_are_refused(unet_package, tmp_path, kwargs, fact):
    net = unet_package.manifest.net.model_copy(update={"kwargs": kwargs})
    package = _republished(unet_package, tmp_path, net=net)
    with pytest.raises(GwError, match=fact):
        open_backend(package, "eager", threads=1)


def test_a_network_that_is_not_of_the_registry_is_refused(unet_package, tmp_path):
    net = unet_package.manifest.net.model_copy(update={"name": "os:system"})
    with pytest.raises(GwError, match="no network is called 'os:system'"):
        open_backend(_republished(unet_package, tmp_path, net=net), "eager", threads=1)


def test_weights_that_are_no_safetensors_are_refused(unet_package, tmp_path):
    files = {name: unet_package.read(name) for name in unet_package.manifest.files}
    files["model.safetensors"] = b"\x80\x04pickle"
    records = {name: record_of(content) for name, content in files.items()}
    manifest = unet_package.manifest.model_copy(update={"files": records})
    package = save_package(tmp_path / "bad", manifest, files)
    with pytest.raises(GwError, match="no safetensors file"):
        open_backend(package, "eager", threads=1)


@pytest.mark.parametrize(("fits", "kept"), [(16, 8), (5, 4), (1, 1)])
def test_the_batch_that_fits_a_gpu_is_kept_for_the_recipe(unet_package, fits, kept):
    """With a stand-in for a GPU that is full beyond ``fits`` windows."""
    backend = open_backend(unet_package, "eager")
    net = backend._program(())

    def small(*tensors):
        if len(tensors[0]) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return net(*tensors)

    backend._program = lambda _: small
    backend._identity = replace(backend.identity, fixed_batch=8)
    backend._warm_up(BackendSpec("eager", batch=8))
    assert backend.identity.fixed_batch == kept
    assert backend.run({"x": random_windows((3, 3, 64, 64))})["scores"].shape == (3, 3, 64, 64)
    if fits < 8:
        backend._identity = replace(backend.identity, fixed_batch=8)
        with pytest.raises(BackendError, match="8 windows at once do not fit"):
            backend._warm_up(BackendSpec("eager", batch=8, fixed_batch=8))
