"""What every backend promises, as a test class: a backend proves itself by subclassing it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import Backend, Package, open_backend
from geowatch.package.backends import open_reference
from geowatch.package.gate import compare_outputs
from tests.package.networks import random_windows


class BackendConformance:
    """Subclasses give ``name`` and a fixture ``package`` that the backend runs."""

    name: str

    @pytest.fixture
    def backend(self, package: Package) -> Iterator[Backend]:
        backend = open_backend(package, self.name, threads=1)
        yield backend
        backend.close()

    @pytest.fixture
    def windows(self, package: Package) -> dict[str, np.ndarray]:
        size = package.manifest.window.size
        return {
            spec.name: random_windows((5, len(spec.channels), *size), seed=i)
            for i, spec in enumerate(package.manifest.inputs)
        }

    def test_every_head_answers_each_window_in_its_layout(self, package, backend, windows):
        raw = backend.run(windows)
        assert set(raw) == {h.name for h in package.manifest.heads}
        for head in package.manifest.heads:
            shape = dict(zip(head.layout, raw[head.name].shape, strict=True))
            height, width = package.manifest.window.size
            assert shape["N"] == 5
            assert (shape["H"], shape["W"]) == (height // head.reduction, width // head.reduction)
            assert shape.get("C", 1) == head.raw_channels

    @pytest.mark.parametrize("batch", [1, 2, 3, 4])
    def test_a_window_has_the_same_bytes_in_every_batch(self, backend, windows, batch):
        whole = backend.run(windows)
        for start in range(0, 5, batch):
            part = backend.run({name: x[start : start + batch] for name, x in windows.items()})
            for head, raw in part.items():
                assert raw.tobytes() == whole[head][start : start + batch].tobytes()

    def test_a_window_has_the_same_bytes_at_every_place_of_a_batch(self, backend, windows):
        whole = backend.run(windows)
        for turn in range(1, 5):
            rolled = backend.run({name: np.roll(x, turn, axis=0) for name, x in windows.items()})
            for head, raw in rolled.items():
                assert raw.tobytes() == np.roll(whole[head], turn, axis=0).tobytes()

    def test_neighbours_that_are_no_numbers_do_not_leak(self, backend, windows):
        whole = backend.run(windows)
        spoilt = {name: x.copy() for name, x in windows.items()}
        for x in spoilt.values():
            x[1::2] = np.nan
        for head, raw in backend.run(spoilt).items():
            assert raw[::2].tobytes() == whole[head][::2].tobytes()

    def test_the_same_windows_give_the_same_bytes_again(self, package, backend, windows):
        first = backend.run(windows)
        other = open_backend(package, self.name, threads=1)
        for head, raw in other.run(windows).items():
            assert raw.tobytes() == first[head].tobytes()
        other.close()

    def test_a_fixed_batch_changes_no_shape_and_no_caller(self, package, backend, windows):
        fixed = open_backend(package, self.name, threads=1, fixed_batch=2)
        assert fixed.identity.fixed_batch == (package.manifest.batch or 2)
        raw, free = fixed.run(windows), backend.run(windows)
        for head in raw:
            assert raw[head].shape == free[head].shape
        fixed.close()

    def test_it_is_within_the_gate_of_the_reference(self, package, backend, windows):
        reference = open_reference(package, threads=1)
        report = compare_outputs(package.manifest, backend.run(windows), reference.run(windows))
        assert report.passed, str(report)

    def test_inputs_are_left_as_they_were(self, backend, windows):
        before = {name: x.copy() for name, x in windows.items()}
        backend.run(windows)
        assert all(np.array_equal(before[name], x) for name, x in windows.items())

    def test_windows_that_are_no_contiguous_block_are_fine(self, backend, windows):
        whole = backend.run(windows)
        strided = {name: np.repeat(x, 2, axis=0)[::2] for name, x in windows.items()}
        for head, raw in backend.run(strided).items():
            assert raw.tobytes() == whole[head].tobytes()

    def test_what_its_bytes_depend_on_is_named(self, backend):
        identity = backend.identity
        assert identity.name == self.name
        assert identity.threads == 1
        assert identity.precision == "fp32"
        assert identity.version
        assert identity.device.startswith("cpu-")

    def test_wrong_inputs_are_refused_with_what_is_wanted(self, package, backend, windows):
        name, x = next(iter(windows.items()))
        with pytest.raises(BackendError, match="got inputs"):
            backend.run({"nothing": x})
        with pytest.raises(BackendError, match=name):
            backend.run({**windows, name: x[:, :-1]})
        with pytest.raises(BackendError, match=name):
            backend.run({**windows, name: x[..., :0]})
        with pytest.raises(BackendError, match="float64"):
            backend.run({**windows, name: x.astype(np.float64)})

    def test_no_windows_is_an_error(self, backend, windows):
        with pytest.raises(BackendError, match="no windows"):
            backend.run({name: x[:0] for name, x in windows.items()})

    def test_a_closed_backend_says_so(self, backend, windows):
        backend.close()
        with pytest.raises(BackendError, match="closed"):
            backend.run(windows)
        backend.close()
