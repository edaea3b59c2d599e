from __future__ import annotations

import numpy as np
import pytest

from geowatch.package import InputSpec
from geowatch.package.tensors import feeds


def parts(layout: str, **more: object) -> tuple[InputSpec, ...]:
    return tuple(
        InputSpec(name=f"d{date}", tensor="x", bands=("red", "nir"), date=date, layout=layout, **more)
        for date in range(3)
    )


@pytest.mark.parametrize(
    ("layout", "shape", "index"),
    [
        ("NCHW", (2, 6, 4, 5), lambda t, c: (slice(None), 2 * t + c)),
        ("NHWC", (2, 4, 5, 6), lambda t, c: (..., 2 * t + c)),
        ("NTCHW", (2, 3, 2, 4, 5), lambda t, c: (slice(None), t, c)),
        ("NCTHW", (2, 2, 3, 4, 5), lambda t, c: (slice(None), c, t)),
        ("NTHWC", (2, 3, 4, 5, 2), lambda t, c: (slice(None), t, ..., c)),
    ],
)
def test_dates_that_share_a_tensor_are_joined_in_its_layout(layout, shape, index):
    windows = {f"d{t}": np.random.default_rng(t).random((2, 2, 4, 5), np.float32) for t in range(3)}
    tensor = feeds(parts(layout), windows)["x"]
    assert tensor.shape == shape
    assert tensor.flags.c_contiguous
    for t in range(3):
        for c in range(2):
            assert (tensor[index(t, c)] == windows[f"d{t}"][:, c]).all()


def test_whole_numbers_are_rounded_and_limited():
    spec = InputSpec(name="d", tensor="x", bands=("red",), dtype="uint8")
    x = np.array([-3, 0.4, 0.6, 254.5, 900], np.float32).reshape(1, 1, 1, 5)
    tensor = feeds((spec,), {"d": x})["x"]
    assert tensor.dtype == np.uint8
    assert tensor.ravel().tolist() == [0, 0, 1, 254, 255]


def test_one_plain_input_is_not_copied():
    spec = InputSpec(name="d", tensor="x", bands=("red",))
    x = np.zeros((2, 1, 4, 4), np.float32)
    assert np.shares_memory(feeds((spec,), {"d": x})["x"], x)
