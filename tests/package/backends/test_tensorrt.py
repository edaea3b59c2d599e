"""TensorRT without TensorRT: a STAND-IN for the library shows selection, keys, bounds, refit and fallback.

Nothing here builds an engine. What the stand-in "compiles" is torch's own graph on the CPU.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import nn

from geowatch.errors import BackendError
from geowatch.package import Package, open_backend
from geowatch.package.backends import BackendSpec, available, refusal_of, tensorrt, trt_library
from geowatch.package.backends.torch_common import Place
from geowatch.package.bundle import record_of, save_package
from geowatch.package.cache import CompiledCache
from geowatch.package.packaging import NetSource, package_net
from tests.package.backend_conformance import BackendConformance
from tests.package.conftest import ImportSpec
from tests.package.networks import random_windows

SPEC = BackendSpec("tensorrt", device="cuda")


class Engines(nn.Module):
    """What the stand-in makes of a network."""

    def __init__(self, net: nn.Module, owner: StandIn, part: str) -> None:
        super().__init__()
        self.add_module(part, net)
        self.part, self.owner = part, owner

    def forward(self, *tensors):
        self.owner.batches.append(len(tensors[0]))
        if len(tensors[0]) > self.owner.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return getattr(self, self.part)(*tensors)


class StandIn:
    """STAND-IN for Torch-TensorRT: the same calls, torch on the CPU behind them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.batches: list[int] = []
        self.bounds: tuple[trt_library.Bounds, ...] = ()
        self.saved: dict[int, nn.Module] = {}
        self.fits = 10**6
        self.part = "_run_on_acc_0"
        self.failure: Exception | None = None
        self.release = "2.13.0"
        self.gpu = "NVIDIA STAND-IN"

    def refusal(self, spec):
        return None

    def place(self, spec):
        return Place("cpu", spec.precision, spec.threads)

    def versions(self):
        return {"torch_tensorrt": self.release, "tensorrt": "11.0"}

    def device_name(self, place):
        return f"cuda-sm90 {self.gpu}"

    def compile(self, program, bounds, scratch):
        self.calls.append("compile")
        self.bounds = tuple(bounds)
        if self.failure is not None:
            raise self.failure
        return Engines(program.module(), self, self.part)

    def engines(self, program):
        return sum("_run_on_acc" in name for name, _ in program.named_children())

    def refit(self, program, weights):
        self.calls.append("refit")
        if self.failure is not None:
            raise self.failure
        return Engines(weights.module(), self, self.part)

    def save(self, program, bounds, path):
        self.calls.append("save")
        self.saved[len(self.saved)] = program
        path.write_text(json.dumps(len(self.saved) - 1))

    def load(self, path):
        self.calls.append("load")
        return self.saved[json.loads(path.read_text())]


@pytest.fixture
def library(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(trt_library, "find_library", lambda: stand_in)
    return stand_in


@pytest.fixture
def cache(tmp_path):
    return CompiledCache(tmp_path / "cache")


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Package:
    """A small network."""
    spec = ImportSpec(bands=("red", "nir"), classes=("a", "b"), window=(16, 16))
    source = NetSource(net="unet", options={"width": 2, "depth": 1}, seed=0)
    return package_net(source, spec, tmp_path_factory.mktemp("trt") / "package")


def retrained(package: Package, path) -> Package:
    """The same network with other weights."""
    weights = load_safetensors(package.read("model.safetensors"))
    files = {"model.safetensors": save_safetensors({k: v + (v.is_floating_point() * 0.1) for k, v in weights.items()})}
    records = {name: record_of(content) for name, content in files.items()}
    return save_package(path, package.manifest.model_copy(update={"files": records}), files)


def x(n: int) -> dict[str, np.ndarray]:
    return {"x": random_windows((n, 2, 16, 16))}


class TestWithAStandIn(BackendConformance):
    name = "tensorrt"

    @pytest.fixture(scope="class")
    @classmethod
    def cache(cls, tmp_path_factory):
        return CompiledCache(tmp_path_factory.mktemp("cache"))

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def stand_in(cls):
        with pytest.MonkeyPatch.context() as patch:
            found = StandIn()
            patch.setattr(trt_library, "find_library", lambda: found)
            yield found

    @pytest.fixture
    def spec(self):
        return replace(SPEC, fixed_batch=1)  # the stand-in is torch on the CPU, whose bytes depend on the batch

    @pytest.fixture
    def package(self, unet_package):
        return unet_package


def test_without_the_library_it_is_not_offered_and_says_so(tiny_package):
    if importlib.util.find_spec("torch_tensorrt") is not None:
        pytest.skip("torch-tensorrt is installed here")
    assert "tensorrt" not in available(tiny_package, device="cuda")
    assert refusal_of(tiny_package, SPEC) == "torch-tensorrt is not installed"


def test_a_library_whose_import_breaks_breaks_nothing_else(monkeypatch, tiny_package):
    real = importlib.import_module

    def broken(name, *rest):
        if name == "torch_tensorrt":
            raise Exception("libnvinfer.so.11:\n cannot open")  # noqa: TRY002  # as the library does
        return real(name, *rest)

    monkeypatch.setattr(trt_library, "find_spec", lambda _: object())
    monkeypatch.setattr(trt_library.importlib, "import_module", broken)
    refusal = "torch-tensorrt cannot be imported: libnvinfer.so.11: cannot open"
    assert trt_library.find_library() == refusal
    with pytest.raises(BackendError, match="cannot be imported"):
        open_backend(tiny_package, SPEC)


def test_it_runs_on_gpus_alone(library, tiny_package):
    assert "CUDA devices alone" in str(refusal_of(tiny_package, BackendSpec("tensorrt")))
    assert refusal_of(tiny_package, SPEC) is None


@pytest.mark.parametrize(("batch", "best"), [(1, 8), (4, 4), (16, 16), (100, 32)])
def test_engines_take_one_to_thirty_two_windows(library, cache, package, tmp_path, batch, best):
    backend = open_backend(package, replace(SPEC, batch=batch), cache=cache)
    shapes = [(b.least[0], b.best[0], b.most[0]) for b in library.bounds]
    assert shapes == [(1, best, 32)]
    library.batches.clear()
    assert backend.run(x(75))["scores"].shape == (75, 2, 16, 16)
    assert library.batches == [32, 32, 11]


def test_a_recipes_batch_is_the_engines_only_one(library, cache, package, tmp_path):
    backend = open_backend(package, SPEC, fixed_batch=3, cache=cache)
    assert [(b.least[0], b.best[0], b.most[0]) for b in library.bounds] == [(3, 3, 3)]
    library.batches.clear()
    backend.run(x(4))
    assert library.batches == [3, 3]


def test_batches_that_do_not_fit_are_halved_and_it_is_remembered(library, cache, package, tmp_path):
    backend = open_backend(package, SPEC, cache=cache)
    library.fits = 5
    library.batches.clear()
    found = backend.run(x(10))["scores"]
    assert library.batches == [10, 5, 5]
    library.batches.clear()
    assert np.allclose(backend.run(x(10))["scores"], found, atol=1e-6)
    assert library.batches == [5, 5]


def test_a_recipes_batch_that_does_not_fit_is_an_error_that_names_it(library, cache, package, tmp_path):
    backend = open_backend(package, SPEC, fixed_batch=4, cache=cache)
    library.fits = 2
    with pytest.raises(BackendError, match="4 windows at once do not fit") as caught:
        backend.run(x(4))
    assert "recipe" in str(caught.value.hint)


def test_the_second_start_builds_nothing(library, cache, package, tmp_path):
    first = open_backend(package, SPEC, cache=cache).run(x(2))
    assert library.calls == ["compile", "save", "load"]
    library.calls.clear()
    again = open_backend(package, SPEC, cache=cache).run(x(2))
    assert library.calls == ["load"]
    assert all(np.array_equal(first[k], again[k]) for k in first)


def test_other_weights_of_the_same_network_are_put_into_the_engines_that_are_there(library, cache, package, tmp_path):
    first, second = package, retrained(package, tmp_path / "b")
    open_backend(first, SPEC, cache=cache)
    library.calls.clear()
    found = open_backend(second, SPEC, cache=cache).run(x(2))["scores"]
    assert library.calls == ["load", "refit", "save", "load"]
    wanted = open_backend(second, "eager", threads=1).run(x(2))["scores"]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    library.calls.clear()
    open_backend(second, SPEC, cache=cache)
    assert library.calls == ["load"]


def test_weights_that_cannot_be_exchanged_are_built_anew(library, cache, package, tmp_path, monkeypatch):
    open_backend(package, SPEC, cache=cache)
    library.calls.clear()

    def fails(program, weights):
        library.calls.append("refit")
        raise AssertionError("layer is not found in weight mapping")

    monkeypatch.setattr(library, "refit", fails)
    open_backend(retrained(package, tmp_path / "b"), SPEC, cache=cache)
    assert library.calls == ["load", "refit", "compile", "save", "load"]


def test_another_network_gets_engines_of_its_own(library, cache, package, unet_package):
    open_backend(package, SPEC, cache=cache)
    library.calls.clear()
    open_backend(unet_package, SPEC, cache=cache)
    assert "compile" in library.calls


@pytest.mark.parametrize(
    "change", [{"release": "2.14.0"}, {"gpu": "NVIDIA OTHER"}], ids=["another version", "another GPU"]
)
def test_engines_of_another_machine_are_not_taken(library, cache, package, tmp_path, change):
    open_backend(package, SPEC, cache=cache)
    for name, value in change.items():
        setattr(library, name, value)
    library.calls.clear()
    open_backend(package, SPEC, cache=cache)
    assert library.calls[0] == "compile"


def test_another_precision_window_or_batch_is_another_entry(library, cache, package, tmp_path):
    open_backend(package, SPEC, cache=cache)
    for spec in (
        replace(SPEC, precision="bf16"),
        replace(SPEC, window_px=(32, 32)),
        replace(SPEC, fixed_batch=2),
    ):
        library.calls.clear()
        open_backend(package, spec, cache=cache)
        assert library.calls == ["compile", "save", "load"]


def test_a_network_of_which_tensorrt_takes_nothing_is_refused(library, cache, package, tmp_path):
    library.part = "_run_on_gpu_0"
    with pytest.raises(BackendError, match="TensorRT takes no part of"):
        open_backend(package, SPEC, cache=cache)
    assert not list(cache.entries())


def test_what_the_library_says_when_it_cannot_build_is_passed_on(library, cache, package, tmp_path):
    library.failure = RuntimeError("Conversion of operator aten.mish not supported")
    with pytest.raises(BackendError, match=r"aten\.mish not supported") as caught:
        open_backend(package, SPEC, cache=cache)
    assert "--jit" in str(caught.value.hint)


def test_graphs_share_a_structure_when_their_weights_alone_differ(tiny_package, onnx_file, tmp_path):
    from geowatch.package import import_onnx
    from tests.package.networks import conv, model, value, weights

    def imported(name, seed, classes=3):
        made = model(
            [conv("x", "y")], [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(classes, 2, seed)
        )
        spec = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c", "d")[:classes], window=(16, 16))
        return tensorrt.structure_of(import_onnx(onnx_file(made, f"{name}.onnx"), spec, tmp_path / name))

    assert imported("a", 0) == imported("b", 1)
    assert imported("a2", 0) != imported("c", 0, classes=4)


def test_numbers_that_steer_an_operator_are_part_of_the_structure():
    from onnx import helper

    from tests.package.networks import model, value

    def enlarging(times):
        nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")]
        scales = np.array([1, 1, times, times], np.float32)
        made = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], scales=scales)
        return tensorrt._bare_graph(made.SerializeToString())

    assert enlarging(2) == enlarging(2)
    assert enlarging(2) != enlarging(4)


def test_the_identity_names_every_version(library, cache, package, tmp_path):
    identity = open_backend(package, SPEC, cache=cache).identity
    assert identity.version == "tensorrt 11.0 torch_tensorrt 2.13.0"
    assert identity.fixed_batch is None
