from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import Package, open_backend
from geowatch.package.backends import onnxruntime as module
from geowatch.package.backends.onnxruntime import GraphSession
from geowatch.package.cache import CompiledCache
from tests.package.backend_conformance import BackendConformance
from tests.package.networks import conv_net, random_windows


class TestOnImportedGraph(BackendConformance):
    name = "onnxruntime"

    @pytest.fixture
    def package(self, tiny_package: Package) -> Package:
        return tiny_package


class TestOnRegistryNet(BackendConformance):
    name = "onnxruntime"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package


def test_the_cloud_network_answers_alike_in_every_batch_and_on_more_threads(cloud_package):
    name = cloud_package.manifest.inputs[0].name
    x = random_windows((3, 6, 256, 256))
    one, two = (open_backend(cloud_package, "onnxruntime", threads=n) for n in (1, 2))
    whole = one.run({name: x})["scores"]
    for i in range(3):
        assert one.run({name: x[i : i + 1]})["scores"].tobytes() == whole[i : i + 1].tobytes()
    assert two.run({name: x[::-1].copy()})["scores"][::-1].tobytes() == whole.tobytes()


def test_the_optimised_graph_is_made_once_and_gives_the_same_bytes(unet_package, tmp_path, monkeypatch):
    cache, x = CompiledCache(tmp_path), {"x": random_windows((2, 3, 64, 64))}
    plain = open_backend(unet_package, "onnxruntime").run(x)["scores"]
    assert open_backend(unet_package, "onnxruntime", cache=cache).run(x)["scores"].tobytes() == plain.tobytes()
    monkeypatch.setattr(module, "_optimise", lambda *_: pytest.fail("optimised again"))
    assert open_backend(unet_package, "onnxruntime", cache=cache).run(x)["scores"].tobytes() == plain.tobytes()


def test_an_unknown_backend_names_the_known(tiny_package):
    with pytest.raises(BackendError) as caught:
        open_backend(tiny_package, "magic", threads=1)
    assert "onnxruntime" in str(caught.value.hint)


def test_threads_below_one_are_refused(tiny_package):
    with pytest.raises(BackendError, match="0 threads"):
        open_backend(tiny_package, "onnxruntime", threads=0)


def test_a_graph_that_fails_names_the_shapes():
    session = GraphSession(conv_net(channels=2).SerializeToString(), threads=1)
    with pytest.raises(BackendError, match=r"\(1, 3, 8, 8\)"):
        session.run({"x": np.zeros((1, 3, 8, 8), np.float32)})


def test_bytes_that_are_no_graph_are_a_backend_error():
    with pytest.raises(BackendError, match="cannot load"):
        GraphSession(b"no graph at all", threads=1)


def test_opening_a_package_loads_no_network_framework(tiny_package):
    script = (
        "import sys, geowatch.package, geowatch.stages.model.packages\n"
        f"geowatch.package.load_package({str(tiny_package.path)!r})\n"
        "assert not {'torch', 'onnxruntime'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
