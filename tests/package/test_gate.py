from __future__ import annotations

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import open_backend
from geowatch.package.backends import open_reference
from geowatch.package.gate import compare_outputs, pass_gate
from tests.package.networks import random_windows


class Spoilt:
    """A backend that answers nearly right."""

    def __init__(self, backend, spoil):
        self.identity, self._backend, self._spoil = backend.identity, backend, spoil

    def run(self, inputs):
        return {name: self._spoil(raw.copy()) for name, raw in self._backend.run(inputs).items()}

    def close(self):
        self._backend.close()


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


@pytest.mark.parametrize("spoil", [shift, one_class_swapped, corner_wrong, not_a_number])
def test_a_wrong_backend_is_refused_with_its_figures(tiny_package, spoil):
    good = open_backend(tiny_package, "onnxruntime", threads=1)
    reference = open_reference(tiny_package, threads=1)
    windows = {"x": random_windows((4, 2, 32, 32))}
    assert pass_gate(tiny_package.manifest, good, reference, windows).passed
    with pytest.raises(BackendError, match="agreement"):
        pass_gate(tiny_package.manifest, Spoilt(good, spoil), reference, windows)


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


def test_the_reference_of_a_registry_package_is_torch_and_of_a_graph_the_plain_graph(tiny_package, unet_package):
    assert open_reference(unet_package, threads=1).identity.name == "eager"
    assert open_reference(tiny_package, threads=1).identity.name == "reference"
