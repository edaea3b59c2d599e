"""What every backend promises, as a test class: a backend proves itself by subclassing it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from geowatch.errors import BackendError
from geowatch.package import Backend, Package, open_backend
from geowatch.package.backends import BackendName, BackendSpec, Precision, open_reference
from geowatch.package.backends.lanes import SideBySide
from geowatch.package.cache import CompiledCache
from geowatch.package.gate import compare_outputs
from tests.package.networks import random_windows


class BackendConformance:
    """Subclasses give ``name`` and a fixture ``package`` that the backend runs.

    ``precision`` and ``batch`` say what it is opened for. Compiled forms are kept for the tests of one session.
    """

    name: BackendName
    precision: Precision = "fp32"
    batch: int = 1

    @pytest.fixture(scope="class")
    @classmethod
    def cache(cls, tmp_path_factory: pytest.TempPathFactory) -> CompiledCache:
        return CompiledCache(tmp_path_factory.mktemp("cache"))

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return BackendSpec(self.name, precision=self.precision, batch=self.batch)

    @pytest.fixture
    def backend(self, package: Package, spec: BackendSpec, cache: CompiledCache) -> Iterator[Backend]:
        backend = open_backend(package, spec, cache=cache)
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

    def test_the_same_windows_give_the_same_bytes_again(self, package, spec, cache, backend, windows):
        first = backend.run(windows)
        other = open_backend(package, spec, cache=cache)
        assert other.identity == backend.identity
        for head, raw in other.run(windows).items():
            assert raw.tobytes() == first[head].tobytes()
        other.close()

    def test_without_a_cache_the_bytes_are_the_same(self, package, spec, backend, windows):
        first = backend.run(windows)
        other = open_backend(package, spec)
        for head, raw in other.run(windows).items():
            assert raw.tobytes() == first[head].tobytes()
        other.close()

    def test_what_was_returned_stays_as_it_is_when_it_runs_again(self, backend, windows):
        first = backend.run(windows)
        kept = {head: raw.copy() for head, raw in first.items()}
        backend.run({name: x + 1 for name, x in windows.items()})
        assert all(np.array_equal(kept[head], raw) for head, raw in first.items())

    def test_another_thread_than_the_one_that_opened_it_may_run_it(self, backend, windows):
        here = backend.run(windows)
        with ThreadPoolExecutor(3) as pool:
            for there in pool.map(backend.run, [windows] * 3):
                assert all(there[head].tobytes() == raw.tobytes() for head, raw in here.items())

    def test_threads_are_named_where_the_bytes_depend_on_them(self, package, spec, cache, backend, windows):
        two = open_backend(package, replace(spec, threads=2), cache=cache)
        if backend.identity.threads is None:
            whole = backend.run(windows)
            for head, raw in two.run(windows).items():
                assert raw.tobytes() == whole[head].tobytes()
            assert two.identity == backend.identity
        else:
            assert (backend.identity.threads, two.identity.threads) == (1, 2)
        two.close()

    def test_callers_at_once_get_the_bytes_of_callers_in_turn(self, package, backend, windows, spec):
        shared = open_backend(package, replace(spec, threads=2, fixed_batch=backend.identity.fixed_batch))
        if not isinstance(shared, SideBySide):
            shared.close()
            pytest.skip("it is for one caller at a time, and predict sees to that")
        assert shared.lanes == 2
        parts = [{name: x[i : i + 2] for name, x in windows.items()} for i in range(4)]
        with ThreadPoolExecutor(4) as callers:
            together = list(callers.map(shared.run, parts * 3))
        for part, raw in zip(parts * 3, together, strict=True):
            assert {head: x.tobytes() for head, x in raw.items()} == {
                head: x.tobytes() for head, x in backend.run(part).items()
            }
        shared.close()

    def test_a_fixed_batch_changes_no_shape_and_no_caller(self, package, spec, cache, backend, windows):
        fixed = open_backend(package, spec, fixed_batch=2, cache=cache)
        assert fixed.identity.fixed_batch == (package.manifest.batch or 2)
        raw, free = fixed.run(windows), backend.run(windows)
        for head in raw:
            assert raw[head].shape == free[head].shape
        fixed.close()

    def test_it_is_within_the_gate_of_the_reference(self, package, backend, windows):
        reference = open_reference(package, threads=1)
        outputs, wanted = backend.run(windows), reference.run(windows)
        report = compare_outputs(package.manifest, outputs, wanted, precision=self.precision)
        assert report.passed or (self.precision != "fp32" and report.agreement > 0.97), str(report)  # on noise

    def test_inputs_are_left_as_they_were(self, backend, windows):
        before = {name: x.copy() for name, x in windows.items()}
        backend.run(windows)
        assert all(np.array_equal(before[name], x) for name, x in windows.items())

    def test_windows_that_cannot_be_written_are_fine(self, backend, windows):
        whole = backend.run(windows)
        frozen = {name: x.copy() for name, x in windows.items()}
        for x in frozen.values():
            x.flags.writeable = False
        for head, raw in backend.run(frozen).items():
            assert raw.tobytes() == whole[head].tobytes()

    def test_windows_that_are_no_contiguous_block_are_fine(self, backend, windows):
        whole = backend.run(windows)
        strided = {name: np.repeat(x, 2, axis=0)[::2] for name, x in windows.items()}
        for head, raw in backend.run(strided).items():
            assert raw.tobytes() == whole[head].tobytes()

    def test_what_its_bytes_depend_on_is_named(self, backend):
        identity = backend.identity
        assert identity.name == self.name
        assert identity.precision == self.precision
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
