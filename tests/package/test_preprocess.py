from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from geowatch.errors import PackageError
from geowatch.package import InputSpec, prepare
from geowatch.package.steps import INDICES, Clip, Index, Log1p, Offset, Scale, Select, index_step

BANDS = ("red", "green", "nir", "swir16")
STEPS = st.lists(
    st.sampled_from(
        [
            Scale(factor=1e-4),
            Scale(factor=3.0, channels=("nir",)),
            Offset(value=-0.1),
            Clip(low=-0.5, high=1.5),
            Log1p(),
            Log1p(channels=("red", "swir16")),
        ]
    ),
    max_size=5,
)
TAILS = st.sampled_from([(), (index_step("ndvi"),), (index_step("ndvi"), Select(channels=("ndvi", "red")))])


def spec_of(steps: tuple[object, ...], *, normalise: bool = True, **more: object) -> InputSpec:
    plain = InputSpec(name="x", tensor="x", bands=BANDS, steps=steps, **more)
    if not normalise:
        return plain
    n = len(plain.channels)
    return InputSpec(**{**plain.model_dump(), "mean": np.linspace(0, 1, n).tolist(), "std": [0.3] * n})


def patch(seed: int, shape: tuple[int, ...] = (4, 40, 50)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    valid = rng.random((*shape[:-3], *shape[-2:])) > 0.2
    return (rng.standard_normal(shape) * 3).astype(np.float32), valid


@settings(max_examples=40, deadline=None)
@given(
    steps=STEPS,
    tail=TAILS,
    seed=st.integers(0, 99),
    y=st.integers(0, 30),
    x=st.integers(0, 40),
    size=st.tuples(st.integers(1, 10), st.integers(1, 10)),
)
def test_a_part_is_prepared_as_in_the_whole_bit_for_bit(steps, tail, seed, y, x, size):
    spec = spec_of((*steps, *tail))
    values, valid = patch(seed)
    whole = prepare(spec, values, BANDS, valid)
    cut = (slice(y, y + size[0]), slice(x, x + size[1]))
    part = prepare(spec, values[(slice(None), *cut)], BANDS, valid[cut])
    assert part.tobytes() == np.ascontiguousarray(whole[(slice(None), *cut)]).tobytes()


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, tail=TAILS, seed=st.integers(0, 99), n=st.integers(1, 5))
def test_a_window_is_prepared_alike_in_every_batch(steps, tail, seed, n):
    spec = spec_of((*steps, *tail))
    values, valid = patch(seed, (n, 4, 9, 7))
    together = prepare(spec, values, BANDS, valid)
    for i in range(n):
        assert prepare(spec, values[i], BANDS, valid[i]).tobytes() == together[i].tobytes()


@settings(max_examples=40, deadline=None)
@given(
    steps=STEPS,
    tail=TAILS,
    seed=st.integers(0, 99),
    junk=st.sampled_from([np.nan, np.inf, -np.inf, 1e38, 0.0, -7.0]),
)
def test_values_under_nodata_change_nothing(steps, tail, seed, junk):
    spec = spec_of((*steps, *tail), fill=0.25)
    values, valid = patch(seed)
    other = np.where(valid, values, np.float32(junk)).astype(np.float32)
    out = prepare(spec, values, BANDS, valid)
    assert prepare(spec, other, BANDS, valid).tobytes() == out.tobytes()
    assert (out[:, ~valid] == np.float32(0.25)).all()
    assert np.isfinite(out).all()


def test_the_arithmetic_is_what_the_steps_say():
    steps = (
        Scale(factor=2.0),
        Offset(value=1.0),
        Clip(low=0.0, high=5.0),
        Log1p(channels=("red",)),
        index_step("ndvi"),
    )
    spec = InputSpec(name="x", tensor="x", bands=("red", "nir"), steps=steps, mean=(0.5, 0, 0), std=(2, 1, 1))
    values = np.array([[[1.0]], [[9.0]]], np.float32)
    out = prepare(spec, values, ("red", "nir"), np.ones((1, 1), bool))[:, 0, 0]
    red = np.log1p(3.0)
    assert out == pytest.approx([(red - 0.5) / 2, 5.0, (5 - red) / (5 + red)], rel=1e-6)


def test_an_index_of_nothing_is_zero_and_not_nan():
    spec = InputSpec(name="x", tensor="x", bands=("nir", "red"), steps=(index_step("ndvi"),))
    out = prepare(spec, np.zeros((2, 3, 3), np.float32), ("nir", "red"), np.ones((3, 3), bool))
    assert (out == 0).all()


def test_bands_are_found_by_name_in_any_order_and_the_input_is_left_alone():
    spec = InputSpec(name="x", tensor="x", bands=("nir", "red"))
    values = np.stack([np.full((2, 2), i, np.float32) for i in range(3)])
    before = values.copy()
    out = prepare(spec, values, ("red", "blue", "nir"), np.ones((2, 2), bool))
    assert out[:, 0, 0].tolist() == [2, 0]
    out[:] = 9
    assert (values == before).all()


def test_bands_in_order_are_copied_too():
    spec = InputSpec(name="x", tensor="x", bands=("red",), steps=(Scale(factor=0.0),))
    values = np.ones((1, 2, 2), np.float32)
    prepare(spec, values, ("red",), np.ones((2, 2), bool))
    assert (values == 1).all()


def test_a_missing_band_is_named_with_those_that_are_there():
    spec = InputSpec(name="x", tensor="x", bands=("nir", "red"))
    with pytest.raises(PackageError, match="needs band 'nir'; there are red, blue"):
        prepare(spec, np.zeros((2, 1, 1), np.float32), ("red", "blue"), np.ones((1, 1), bool))


def test_every_known_index_names_two_bands():
    for name in INDICES:
        step = index_step(name)
        assert step.a != step.b


@pytest.mark.parametrize(
    ("steps", "fact"),
    [
        ((index_step("ndvi"), index_step("ndvi")), "exists"),
        ((Index(name="q", a="red", b="blue"),), "needs 'blue'"),
        ((Scale(factor=1, channels=("thermal",)),), "needs 'thermal'"),
        ((Select(channels=("red",)), index_step("ndvi")), "needs 'nir'"),
    ],
)
def test_steps_that_cannot_work_are_refused_when_they_are_written(steps, fact):
    with pytest.raises(ValidationError, match=fact):
        InputSpec(name="x", tensor="x", bands=("red", "nir"), steps=steps)


def test_a_clip_that_lets_nothing_through_and_an_unknown_index_are_refused():
    with pytest.raises(ValidationError, match="nothing through"):
        Clip(low=1, high=1)
    with pytest.raises(ValueError, match=r"known are .*ndvi"):
        index_step("evi9")


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, tail=TAILS, seed=st.integers(0, 99))
def test_values_that_may_be_used_up_give_the_same(steps, tail, seed):
    spec = spec_of((*steps, *tail))
    values, valid = patch(seed)
    kept = values.copy()
    expected = prepare(spec, values, BANDS, valid)
    assert np.array_equal(values, kept, equal_nan=True)
    assert prepare(spec, values, BANDS, valid, consume=True).tobytes() == expected.tobytes()
