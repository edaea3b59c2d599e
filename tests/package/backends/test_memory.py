"""Batches that do not fit: pure logic, with an error that stands in for a full GPU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geowatch.errors import BackendError
from geowatch.package.backends.memory import fitting_batch, run_within_memory

FULL = torch.OutOfMemoryError


def holding(most: int):
    """A stand-in for a device that holds ``most`` windows."""

    def run(start: int, stop: int) -> list[int]:
        if stop - start > most:
            raise FULL("CUDA out of memory")
        return list(range(start, stop))

    return run


@given(n=st.integers(1, 100), begin=st.integers(1, 64), most=st.integers(1, 64))
def test_every_window_is_run_once_and_in_order_whatever_fits(n, begin, most):
    parts, fitted = run_within_memory(n, holding(most), begin, FULL)
    assert [i for part in parts for i in part] == list(range(n))
    assert all(len(part) <= most for part in parts)
    assert fitted <= begin
    if begin <= most:
        assert fitted == begin


def test_what_fitted_is_remembered_so_that_the_next_call_does_not_fail_first():
    _, fitted = run_within_memory(20, holding(5), 16, FULL)
    assert fitted == 4
    tried = []

    def run(start, stop):
        tried.append(stop - start)
        return holding(5)(start, stop)

    run_within_memory(20, run, fitted, FULL)
    assert set(tried) == {4}


def test_a_window_that_does_not_fit_alone_is_an_error_with_a_remedy():
    with pytest.raises(BackendError, match="one window does not fit") as caught:
        run_within_memory(3, holding(0), 8, FULL)
    assert "--device cpu" in str(caught.value.hint)


def test_other_errors_are_not_taken_for_full_memory():
    def run(start, stop):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run_within_memory(3, run, 8, FULL)
    with pytest.raises(RuntimeError, match="broken"):
        fitting_batch(lambda n: run(0, n), 8, FULL)


@pytest.mark.parametrize(("most", "fitted"), [(64, 16), (15, 8), (1, 1), (0, 1)])
def test_the_batch_that_fits_is_found_by_halving(most, fitted):
    assert fitting_batch(lambda n: holding(most)(0, n), 16, FULL) == fitted
