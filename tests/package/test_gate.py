from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from geowatch.errors import BackendError
from geowatch.package import Package, open_backend
from geowatch.package.backends import open_reference
from geowatch.package.bundle import record_of
from geowatch.package.cache import CompiledCache
from geowatch.package.gate import compare_outputs, gather_evidence, pass_gate
from geowatch.package.manifest import GRAPH_FILE
from tests.package.networks import random_windows


class Spoilt:
    """A backend that answers nearly right."""

    def __init__(self, backend, spoil):
        self.identity, self._backend, self._spoil = backend.identity, backend, spoil

    def run(self, inputs):
        return {name: self._spoil(raw.copy()) for name, raw in self._backend.run(inputs).items()}

    def close(self):
        self._backend.close()


def evidence_of(package, count=4):
    windows = {"x": random_windows((count, len(package.manifest.inputs[0].channels), *package.manifest.window.size))}
    return gather_evidence(package.manifest, open_reference(package, threads=1), windows, count=count)


def shift(raw):
    return raw + np.linspace(0, 0.2, raw.shape[1], dtype=np.float32)[:, None, None]


def one_class_swapped(raw):
    raw[:, [0, 1]] = raw[:, [1, 0]]
    return raw


def corner_wrong(raw):
    raw[:, 0, :4, :4] += 50
    return raw


def not_a_number(raw):
    raw[0, :, 3, 3] = np.nan
    return raw


def all_zero(raw):
    return np.zeros_like(raw)


def windows_in_another_order(raw):
    return raw[::-1]


def a_pixel_beside(raw):
    return np.roll(raw, 1, axis=-1)


def saturated(raw):
    return np.clip(raw, -0.5, 0.5)


@pytest.mark.parametrize(
    "spoil",
    [
        shift,
        one_class_swapped,
        corner_wrong,
        not_a_number,
        all_zero,
        windows_in_another_order,
        a_pixel_beside,
        saturated,
    ],
)
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_wrong_backend_is_refused_with_its_figures(tiny_package, spoil, name):
    if name == "openvino":
        pytest.importorskip("openvino")
    good, evidence = open_backend(tiny_package, name), evidence_of(tiny_package)
    assert pass_gate(tiny_package.manifest, good, evidence).passed
    with pytest.raises(BackendError, match=rf"backend {name} differs .*agreement \d") as caught:
        pass_gate(tiny_package.manifest, Spoilt(good, spoil), evidence)
    assert "allowed are 0.001 at percentile 99.99" in caught.value.hint


def changed_weights(package: Package, monkeypatch, change) -> None:
    """Let the package give a graph with other weights, as a broken converter would."""
    model = onnx.load_from_string(package.read(GRAPH_FILE))
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), tensor.name))
            break
    content = model.SerializeToString()
    assert record_of(content) != package.manifest.files[GRAPH_FILE]
    monkeypatch.setattr(Package, "read", lambda self, name: content)


def one_channel_off(w):
    w[0] *= 1.2
    return w


def one_channel_lost(w):
    w[-1] = 0
    return w


@pytest.mark.parametrize("change", [one_channel_off, one_channel_lost])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_engine_with_one_channel_of_weights_off_is_refused(unet_package, monkeypatch, change, name):
    if name == "openvino":
        pytest.importorskip("openvino")
    evidence = evidence_of(unet_package)
    with monkeypatch.context() as patch:
        changed_weights(unet_package, patch, change)
        wrong = open_backend(unet_package, name)
    with pytest.raises(BackendError, match="differs from the reference"):
        pass_gate(unet_package.manifest, wrong, evidence)


def test_a_stale_engine_of_other_weights_in_the_cache_is_refused(unet_package, monkeypatch, tmp_path: Path):
    evidence, cache = evidence_of(unet_package), CompiledCache(tmp_path)
    with monkeypatch.context() as patch:
        changed_weights(unet_package, patch, one_channel_off)
        open_backend(unet_package, "onnxruntime", cache=cache).close()
    stale = open_backend(unet_package, "onnxruntime", cache=cache)
    with pytest.raises(BackendError, match="differs from the reference"):
        pass_gate(unet_package.manifest, stale, evidence)


def test_a_single_pixel_off_by_little_passes_and_is_reported(tiny_package):
    backend = open_backend(tiny_package, "onnxruntime", threads=1)
    raw = backend.run({"x": random_windows((16, 2, 32, 32))})
    other = {"scores": raw["scores"].copy()}
    at = np.unravel_index(np.abs(np.diff(np.sort(raw["scores"], axis=1), axis=1)).min(axis=1).argmin(), (16, 32, 32))
    other["scores"][at[0], :, at[1], at[2]] += (0.0, 0.01, 0.0)
    report = compare_outputs(tiny_package.manifest, other, raw)
    assert report.passed
    assert report.maximum > 0
    assert report.classes == 3


def test_reduced_precision_is_judged_by_agreement_alone(tiny_package):
    backend = open_backend(tiny_package, "onnxruntime", threads=1)
    raw = backend.run({"x": random_windows((4, 2, 32, 32))})
    other = {"scores": raw["scores"] * np.float32(1.01)}
    assert not compare_outputs(tiny_package.manifest, other, raw).passed
    assert compare_outputs(tiny_package.manifest, other, raw, precision="bf16").passed


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_thresholds_are_the_manifests(tiny_package, precision):
    raw = open_backend(tiny_package, "onnxruntime").run({"x": random_windows((4, 2, 32, 32))})
    other = {"scores": raw["scores"] + np.float32([0, 0.05, 0])[:, None, None]}
    strict = tiny_package.manifest.model_copy(
        update={"gate": tiny_package.manifest.gate.model_copy(update={"agreement": 1.0, "reduced_agreement": 1.0})}
    )
    loose = tiny_package.manifest.model_copy(
        update={
            "gate": tiny_package.manifest.gate.model_copy(
                update={"agreement": 0.9, "reduced_agreement": 0.9, "max_difference": 0.5}
            )
        }
    )
    assert not compare_outputs(strict, other, raw, precision=precision).passed
    assert compare_outputs(loose, other, raw, precision=precision).passed


def test_values_that_are_no_numbers_fail_at_any_precision(tiny_package):
    raw = open_backend(tiny_package, "onnxruntime").run({"x": random_windows((4, 2, 32, 32))})
    other = {"scores": not_a_number(raw["scores"].copy())}
    assert not compare_outputs(tiny_package.manifest, other, raw, precision="bf16").passed


class Counting:
    """A reference that remembers how many windows it was shown."""

    def __init__(self, backend):
        self.identity, self._backend, self.seen = backend.identity, backend, 0

    def run(self, inputs):
        self.seen += len(next(iter(inputs.values())))
        return self._backend.run(inputs)


def test_evidence_goes_on_until_two_classes_are_seen(tiny_package):
    reference = Counting(open_reference(tiny_package, threads=1))
    windows = np.zeros((6, 2, 32, 32), np.float32)  # the network answers zeros for these: one class
    windows[4] = random_windows((2, 32, 32))
    evidence = gather_evidence(tiny_package.manifest, reference, {"x": windows})
    assert (reference.seen, evidence.count) == (5, 5)
    assert evidence.classes > 1
    assert len(evidence.outputs["scores"]) == 5


def test_evidence_of_one_class_says_so(tiny_package):
    reference = Counting(open_reference(tiny_package, threads=1))
    evidence = gather_evidence(tiny_package.manifest, reference, {"x": np.zeros((6, 2, 32, 32), np.float32)})
    assert (reference.seen, evidence.classes) == (6, 1)
    report = pass_gate(tiny_package.manifest, open_backend(tiny_package, "onnxruntime"), evidence)
    assert "one class only" in str(report)


def test_evidence_stops_early_where_it_is_clear(tiny_package):
    reference = Counting(open_reference(tiny_package, threads=1))
    gather_evidence(tiny_package.manifest, reference, {"x": random_windows((6, 2, 32, 32))})
    assert reference.seen == 2


def test_the_reference_of_a_registry_package_is_torch_and_of_a_graph_the_plain_graph(tiny_package, unet_package):
    assert open_reference(unet_package, threads=1).identity.name == "eager"
    assert open_reference(tiny_package, threads=1).identity.name == "reference"
