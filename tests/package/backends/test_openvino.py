from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import ImportSpec, Package, import_onnx, open_backend
from geowatch.package.backends import BackendSpec, available
from geowatch.package.backends import openvino as module
from geowatch.package.cache import CompiledCache
from tests.package.backend_conformance import BackendConformance
from tests.package.networks import random_windows, two_dates_net, two_heads_net

pytest.importorskip("openvino")


class OfRegistry(BackendConformance):
    name = "openvino"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package


class TestFp32(OfRegistry):
    pass


class TestFp32InBatches(OfRegistry):
    batch = 3


class TestBf16(OfRegistry):
    precision = "bf16"
    batch = 2


class TestOnImportedGraph(BackendConformance):
    name = "openvino"

    @pytest.fixture
    def package(self, tiny_package: Package) -> Package:
        return tiny_package


class TestOnTwoDates(BackendConformance):
    name = "openvino"

    @pytest.fixture(scope="class")
    @classmethod
    def package(cls, tmp_path_factory) -> Package:
        root = tmp_path_factory.mktemp("dates")
        (root / "net.onnx").write_bytes(two_dates_net().SerializeToString())
        spec = ImportSpec(bands=("red", "nir"), classes=("change",), window=(32, 32), dates=2)
        return import_onnx(root / "net.onnx", spec, root / "package")


def test_the_cloud_network_answers_alike_in_every_batch_on_more_threads_and_from_the_cache(cloud_package, tmp_path):
    x = {cloud_package.manifest.inputs[0].name: random_windows((3, 6, 256, 256))}
    cache = CompiledCache(tmp_path)
    for precision in ("fp32", "bf16"):
        one = open_backend(cloud_package, BackendSpec("openvino", precision=precision), cache=cache)
        two = open_backend(cloud_package, BackendSpec("openvino", threads=2, precision=precision, batch=2))
        assert two.run(x)["scores"].tobytes() == one.run(x)["scores"].tobytes()


def test_other_sizes_are_compiled_when_they_come(unet_package, tmp_path):
    cache = CompiledCache(tmp_path)
    backend = open_backend(unet_package, "openvino", cache=cache)
    assert backend.run({"x": random_windows((2, 3, 8, 40))})["scores"].shape == (2, 3, 8, 40)
    assert len(list(cache.entries())) == 2
    with pytest.raises(BackendError, match="allowed sizes"):
        backend.run({"x": random_windows((1, 3, 12, 40))})


def test_the_window_asked_for_is_ready_when_it_is_opened(unet_package, tmp_path):
    cache = CompiledCache(tmp_path)
    for batch, threads in ((2, 1), (1, 1), (4, 2)):
        asked = BackendSpec("openvino", window_px=(32, 96), batch=batch, threads=threads)
        open_backend(unet_package, asked, cache=cache).close()
    (entry,) = cache.entries()  # one form for every batch and number of threads
    assert "(1, 3, 32, 96)" in entry.key["form"]


def test_heads_of_several_outputs_are_told_apart(tmp_path, onnx_file):
    file = onnx_file(two_heads_net())
    heads = [
        {"name": "cloud", "output": "cloud", "classes": ["cloud"], "activation": "sigmoid"},
        {"name": "land", "output": "land", "classes": ["a", "b", "c"]},
    ]
    from geowatch.package import HeadSpec

    spec = ImportSpec(bands=("red", "nir"), window=(32, 32), heads=tuple(HeadSpec(**h) for h in heads))
    package = import_onnx(file, spec, tmp_path / "package")
    x = {package.manifest.inputs[0].name: random_windows((2, 2, 32, 32))}
    ours, theirs = (open_backend(package, name).run(x) for name in ("openvino", "onnxruntime"))
    for head in ("cloud", "land"):
        assert np.allclose(ours[head], theirs[head], atol=1e-4)


def test_a_processor_without_the_number_type_is_an_error_and_never_another_type(tiny_package, monkeypatch):
    capabilities = module._openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "FP16" in capabilities:
        pytest.skip("this processor has it")
    with pytest.raises(BackendError, match="does not compute in fp16 on this processor"):
        open_backend(tiny_package, BackendSpec("openvino", precision="fp16"))
    monkeypatch.setattr(module.OpenVinoBackend, "_check_capable", lambda self: None)
    with pytest.raises(BackendError, match="where f16 was asked for"):
        open_backend(tiny_package, BackendSpec("openvino", precision="fp16"))


def test_it_is_refused_by_name_where_it_is_not_installed(tiny_package, monkeypatch):
    monkeypatch.setattr(module, "_version", lambda: None)
    assert "openvino" not in available(tiny_package)
    with pytest.raises(BackendError, match=r"openvino is not installed \(pip install"):
        open_backend(tiny_package, "openvino")


def test_a_graph_that_it_cannot_compile_is_a_backend_error(tiny_package, monkeypatch):
    monkeypatch.setattr(type(tiny_package), "read", lambda self, name: b"no graph at all")
    with pytest.raises(BackendError, match="cannot compile"):
        open_backend(tiny_package, "openvino")


def test_nothing_is_told_to_its_makers_and_no_torch_is_loaded(tiny_package, tmp_path):
    script = (
        "import sys, pathlib\n"
        "from geowatch.package import load_package, open_backend\n"
        "from geowatch.package.cache import CompiledCache\n"
        f"cache = CompiledCache(pathlib.Path({str(tmp_path)!r}))\n"
        f"open_backend(load_package({str(tiny_package.path)!r}), 'openvino', cache=cache)\n"
        "loaded = [name for name in sys.modules if 'telemetry' in name or name == 'torch']\n"
        "assert not loaded, loaded\n"
        "import importlib.util; assert importlib.util.find_spec('openvino.tools.ovc')"  # whoever wants it gets it
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_weights_outlive_the_folder_that_they_were_mapped_from(tiny_package, tmp_path):
    import gc
    import shutil

    x = {"x": random_windows((2, 2, 32, 32))}
    cache = CompiledCache(tmp_path / "cache")
    open_backend(tiny_package, "openvino", cache=cache).close()
    backend = open_backend(tiny_package, "openvino", cache=cache)
    shutil.rmtree(tmp_path / "cache")
    gc.collect()
    assert np.isfinite(backend.run(x)["scores"]).all()
