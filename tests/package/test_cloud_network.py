"""The off-the-shelf network on its authors' scene: what a person would call the right answer."""

from __future__ import annotations

import numpy as np
import pytest

from geowatch.package import activate, open_backend, prepare
from geowatch.package.backends import BackendSpec, open_reference
from geowatch.package.choose import Asked, autotune
from geowatch.package.gate import gather_evidence, pass_gate
from geowatch.package.prove import Proving, fixed_batch_of
from geowatch.package.tune import Cut
from tests.package.conftest import CLOUD_BANDS


@pytest.fixture(scope="module")
def scene(shared_data):
    with np.load(shared_data("cloud_scene") / "sentinel2.npz") as stored:
        image, labels = stored["img"].transpose(2, 0, 1), stored["msk"][..., 0]
    truth = np.select([labels == 4, labels == 0], [1, 2], 0)
    cut = [(slice(y, y + 256), slice(x, x + 256)) for y in (0, 256) for x in (0, 256)]
    windows = np.stack([image[:, rows, cols] for rows, cols in cut])
    return windows, np.stack([truth[rows, cols] for rows, cols in cut])


@pytest.fixture(scope="module")
def prepared(cloud_package, scene):
    spec = cloud_package.manifest.inputs[0]
    return {spec.name: prepare(spec, scene[0], CLOUD_BANDS, np.ones((4, 256, 256), bool))}


def kappa(found: np.ndarray, truth: np.ndarray) -> float:
    table = np.bincount(truth.ravel() * 3 + found.ravel(), minlength=9).reshape(3, 3) / truth.size
    chance = float(table.sum(0) @ table.sum(1))
    return (float(np.trace(table)) - chance) / (1 - chance)


def test_plain_blocks_reach_the_known_kappa(cloud_package, scene, prepared):
    head = cloud_package.manifest.heads[0]
    p = activate(head, open_backend(cloud_package, "onnxruntime", threads=2).run(prepared)[head.name])
    assert kappa(p.argmax(1), scene[1]) == pytest.approx(0.8010, abs=0.0005)


@pytest.fixture(scope="module")
def evidence(cloud_package, prepared):
    return gather_evidence(cloud_package.manifest, open_reference(cloud_package, threads=2), prepared, count=4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_it_is_within_the_gate_on_real_windows(cloud_package, evidence, name):
    backend = open_backend(cloud_package, name, threads=2)
    report = pass_gate(cloud_package.manifest, backend, evidence)
    assert report.classes == 3
    assert report.maximum < 1e-4


def test_at_half_the_precision_it_is_within_the_gate_but_not_what_fp32_allows(cloud_package, evidence):
    backend = open_backend(cloud_package, BackendSpec("openvino", threads=2, precision="bf16"))
    report = pass_gate(cloud_package.manifest, backend, evidence)
    assert 0.995 < report.agreement < 0.9999
    assert report.difference > cloud_package.manifest.gate.max_difference


def test_its_bytes_do_not_depend_on_the_batch(cloud_package, prepared):
    assert fixed_batch_of(open_backend(cloud_package, "onnxruntime", threads=2), prepared) is None


def test_the_measured_choice_says_why(cloud_package, evidence):
    proving = Proving(cloud_package, lambda size: evidence)
    choice = autotune(proving, Asked(threads=2), [Cut((256, 256), (192, 192), 9)], budget_s=3)
    assert choice.gate.passed
    assert choice.reason.startswith(f"{choice.identity.name} {choice.identity.precision}: ")


def test_what_is_known_of_it_without_running_it(cloud_package):
    manifest = cloud_package.manifest
    assert manifest.bands == CLOUD_BANDS
    assert (manifest.window.size, manifest.window.fixed) == ((256, 256), True)
    assert manifest.heads[0].activation == "softmax"
    assert manifest.heads[0].colors == ("#00000000", "#f2f2f2", "#5b4a8c")
    assert manifest.gflop_per_window == pytest.approx(9.3, abs=0.1)
