"""Time: each pixel by itself, bit for bit the same in any block, masked dates left out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.scores import NONE
from geowatch.track.timewise import MOST_NORM, Aggregate, MovingMean, aggregate, moving_mean

WAYS = ["mean", "max", "median", "norm:1", "norm:2", "norm:3", f"norm:{MOST_NORM}"]


def stack(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, FULL_SCORE + 1, shape).astype(np.uint16)
    values[rng.random(shape) < 0.3] = NONE
    return values


@pytest.mark.parametrize("way", WAYS)
def test_a_pixel_has_the_same_bits_in_any_block(way):
    values, how = stack(1, (9, 40, 50)), Aggregate.parse(way)
    whole = aggregate(values, how)
    assert np.array_equal(aggregate(values[:, 3:17, 11:38], how), whole[3:17, 11:38])
    assert np.array_equal(aggregate(values[:, ::3, 1::7], how), whole[::3, 1::7])
    assert np.array_equal(aggregate(np.asfortranarray(values)[:, 5, 5:6], how), whole[5, 5:6])
    spans = MovingMean(4, False).spans([None] * 9)
    assert np.array_equal(moving_mean(values, spans)[:, 2:5], moving_mean(values[:, 2:5], spans))


@pytest.mark.parametrize("power", [2, 3, 5, MOST_NORM])
def test_a_norm_is_the_root_of_the_mean_of_powers(power):
    values = stack(2, (7, 3000))
    found = aggregate(values, Aggregate("norm", power)).astype(float)
    seen = np.where(values == NONE, np.nan, values / FULL_SCORE)
    expected = np.nanmean(seen**power, axis=0) ** (1 / power) * FULL_SCORE
    assert np.abs(found - expected).max() <= 0.51
    assert (aggregate(np.full((3, 2), NONE, np.uint16), Aggregate("norm", power)) == NONE).all()


def test_the_first_norm_is_the_mean_and_norms_grow_towards_the_maximum():
    values = stack(3, (6, 500))
    found = [
        aggregate(values, Aggregate.parse(way)).astype(int) for way in ("mean", "norm:1", "norm:2", "norm:6", "max")
    ]
    assert np.array_equal(found[0], found[1])
    assert all((later >= earlier - 1).all() for earlier, later in itertools.pairwise(found))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=9), st.integers(1, 40), st.integers(0, 99))
def test_a_window_of_days_holds_the_dates_that_lie_within_half_of_it(gaps, length, seed):
    days = np.cumsum(gaps).tolist()
    values = stack(seed, (len(days), 20)).astype(int)
    found = moving_mean(values.astype(np.uint16), MovingMean(length, True).spans(days))
    for t, day in enumerate(days):
        near = [k for k, other in enumerate(days) if 2 * abs(other - day) <= length]
        for pixel in range(20):
            seen = [v for v in values[near, pixel] if v != NONE]
            expected = (2 * sum(seen) + len(seen)) // (2 * len(seen)) if seen else NONE
            assert found[t, pixel] == expected


def test_windows_of_undated_imagery_are_counted_in_planes_only():
    assert MovingMean.parse("2").spans([None] * 3) == [(0, 1), (0, 2), (1, 3)]
    with pytest.raises(ConfigError, match="without dates cannot be smoothed over days"):
        MovingMean.parse("30d").spans([0, None])


@pytest.mark.parametrize("text", ["", "0d", "-3", "1.5d", "d", "30 days"])
def test_windows_that_cannot_be_read_are_refused(text):
    with pytest.raises(ConfigError, match="a window of"):
        MovingMean.parse(text)


@pytest.mark.parametrize("text", ["norm", "norm:0", "norm:9", "min", "norm:2.5"])
def test_ways_that_are_unknown_are_refused(text):
    with pytest.raises(ConfigError, match="cannot be aggregated by"):
        Aggregate.parse(text)
