from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from geowatch.errors import BackendError
from geowatch.package import Backend, Package, open_backend
from geowatch.package.backends import BackendSpec, open_reference, torch_compile
from geowatch.package.gate import compare_outputs
from tests.package.networks import random_windows

pytestmark = pytest.mark.skipif(torch_compile.compiler_refusal("cpu") is not None, reason="no C++ compiler")


@pytest.fixture(scope="module")
def backend(tiny_package: Package) -> Iterator[Backend]:
    """Opened once: it compiles each time. What holds for every torch backend is tested with `aotinductor`."""
    opened = open_backend(tiny_package, BackendSpec("inductor"))
    yield opened
    opened.close()


def test_it_is_within_the_gate_of_the_reference(backend, tiny_package):
    x = {"x": random_windows((5, 2, 32, 32))}
    report = compare_outputs(tiny_package.manifest, backend.run(x), open_reference(tiny_package, threads=1).run(x))
    assert report.passed


def test_a_window_has_the_same_bytes_in_every_batch_and_place(backend):
    x = random_windows((5, 2, 32, 32))
    whole = backend.run({"x": x})["scores"]
    for batch in (1, 2, 3):
        for start in range(0, 5, batch):
            part = backend.run({"x": x[start : start + batch]})["scores"]
            assert part.tobytes() == whole[start : start + batch].tobytes()
    assert backend.run({"x": x[::-1].copy()})["scores"][::-1].tobytes() == whole.tobytes()


def test_what_it_returned_stays_as_it_was(backend):
    first = backend.run({"x": random_windows((1, 2, 32, 32))})["scores"]
    kept = first.copy()
    backend.run({"x": random_windows((1, 2, 32, 32), seed=1)})
    assert np.array_equal(first, kept)


def test_the_compiler_gives_back_its_settings(backend):
    from torch._inductor import config

    assert not config.freezing
    assert torch.is_grad_enabled()


def test_a_network_that_does_not_compile_is_refused_with_the_reason():
    with (
        pytest.raises(BackendError, match="inductor could not compile the network: no such thing") as caught,
        torch_compile.compiling("inductor"),
    ):
        raise RuntimeError("no such\n thing")
    assert "--jit" in str(caught.value.hint)
