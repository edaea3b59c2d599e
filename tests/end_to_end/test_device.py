"""Scores that stay on the network's device give the same map. Here torch's CPU stands in for a device."""

import numpy as np
import pytest
import torch
from affine import Affine

from geowatch.errors import BackendError
from geowatch.stages.predict import predict
from geowatch.stages.predicting import context
from tests.support.small_job import config_of, placed, plan_job, speckled, write_raster


class StandIn:
    """Stands in for a backend on an accelerator: what it gives are tensors, and the host gets nothing else."""

    torch_device = "cpu"

    def __init__(self, backend, spoilt=None):
        self._backend = backend
        self._spoilt = spoilt
        self.identity = backend.identity
        self.runs = 0

    def run(self, inputs):
        raise AssertionError("the output came to the host")

    def run_on_device(self, inputs):
        self.runs += 1
        raw = {name: torch.from_numpy(values.copy()) for name, values in self._backend.run(inputs).items()}
        if self.runs == self._spoilt:
            next(iter(raw.values()))[-1, 0, 0, 0] = float("nan")
        return raw

    def close(self):
        self._backend.close()


@pytest.fixture
def scene(tmp_path):
    return write_raster(tmp_path / "scene.tif", speckled(300, 420), Affine(10, 0, 300_005, 0, -10, 5_000_005))


def run_of(tmp_path, scene, package, name, **options):
    plan_job(tmp_path / name, None, scene, 128)
    predict(config_of(tmp_path / name, scene, package, **options))
    return placed(tmp_path / name)[1]


@pytest.mark.parametrize("stored", ["uint8", "float32"])
def test_the_map_is_the_same_to_the_last_digit(tmp_path, scene, tiny_package, monkeypatch, stored):
    host = run_of(tmp_path, scene, tiny_package, "host", stored=stored)
    honest, made = context.open_backend, []

    def on_device(*args, **kwargs):
        made.append(StandIn(honest(*args, **kwargs)))
        return made[-1]

    monkeypatch.setattr(context, "open_backend", on_device)
    device = run_of(tmp_path, scene, tiny_package, "device", stored=stored)
    assert made[0].runs > 3
    if stored == "float32":
        assert np.allclose(device, host, atol=1e-5, equal_nan=True)
    else:
        assert np.array_equal(device == 255, host == 255)
        assert np.abs(device.astype(int) - host).max() <= 1
        assert (device == host).mean() > 0.999


def test_a_value_that_is_no_number_names_its_window(tmp_path, scene, tiny_package, monkeypatch):
    honest = context.open_backend
    monkeypatch.setattr(context, "open_backend", lambda *a, **k: StandIn(honest(*a, **k), spoilt=2))
    with pytest.raises(BackendError, match=r"NaN or infinity for window \("):
        run_of(tmp_path, scene, tiny_package, "spoilt")
