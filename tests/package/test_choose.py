from __future__ import annotations

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import choose as module
from geowatch.package import open_backend
from geowatch.package.choose import choose_backend, fixed_batch_of
from tests.package.networks import random_windows


@pytest.fixture
def windows():
    return {"x": random_windows((3, 3, 64, 64))}


def test_the_fastest_backend_that_passes_is_chosen_and_the_reason_names_all(unet_package, windows):
    choice = choose_backend(unet_package, threads=1, windows=windows)
    seconds = choice.seconds_per_window
    assert set(seconds) == {"onnxruntime", "eager"}
    assert choice.identity.name == min(seconds, key=seconds.__getitem__)
    assert choice.reason.startswith(choice.identity.name)
    assert all(name in choice.reason for name in seconds)
    assert not choice.refused


def test_candidates_can_be_named(unet_package, windows):
    choice = choose_backend(unet_package, threads=1, names=["eager"], windows=windows)
    assert choice.identity.name == "eager"
    assert choice.identity.fixed_batch == 1


def test_a_backend_that_fails_the_gate_is_passed_over_and_named(unet_package, windows, monkeypatch):
    honest = module.open_backend

    def open_bad(package, name, **options):
        backend = honest(package, name, **options)
        if name == "onnxruntime":
            run = backend.run
            backend.run = lambda x: {k: -v for k, v in run(x).items()}
        return backend

    monkeypatch.setattr(module, "open_backend", open_bad)
    choice = choose_backend(unet_package, threads=1, windows=windows)
    assert choice.identity.name == "eager"
    assert "agreement" in choice.refused["onnxruntime"]
    assert "onnxruntime refused" in choice.reason


def test_no_candidate_is_an_error_with_every_reason(tiny_package):
    with pytest.raises(BackendError, match=r"eager: .*torch does not run"):
        choose_backend(tiny_package, threads=1, names=["eager"], windows={"x": random_windows((2, 2, 32, 32))})


class Leaky:
    """A backend whose output depends on the batch."""

    def __init__(self, backend, leak):
        self.identity, self._backend, self._leak = backend.identity, backend, leak

    def run(self, inputs):
        return {name: self._leak(raw) for name, raw in self._backend.run(inputs).items()}


def on_size(raw):
    return raw if len(raw) == 1 else np.nextafter(raw, np.float32(9))


def on_place(raw):
    raw = raw.copy()
    raw[1:2] = np.nextafter(raw[1:2], np.float32(9))
    return raw


def test_a_free_backend_stays_free(tiny_package):
    backend = open_backend(tiny_package, "onnxruntime", threads=1)
    assert fixed_batch_of(backend, {"x": random_windows((3, 2, 32, 32))}) is None


@pytest.mark.parametrize("leak", [on_size, on_place])
def test_a_backend_whose_last_bit_depends_on_the_batch_runs_one_by_one(tiny_package, leak):
    backend = Leaky(open_backend(tiny_package, "onnxruntime", threads=1), leak)
    assert fixed_batch_of(backend, {"x": random_windows((3, 2, 32, 32))}) == 1
