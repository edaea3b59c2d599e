import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.grid.blend import BLENDS, axis_weights, blend_weights
from geowatch.grid.windows import WindowLattice


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 40), data=st.data(), blend=st.sampled_from(BLENDS))
def test_every_pixel_has_weight_from_some_window(size, data, blend):
    stride = data.draw(st.integers(1, size))
    weights = axis_weights(blend, size, size - stride)
    covered = np.zeros(stride)
    for start in range(-(size // stride) * stride, size, stride):
        here = np.arange(stride) - start
        inside = (here >= 0) & (here < size)
        covered[inside] += weights[here[inside]]
    assert (weights >= 0).all()
    assert covered.min() > 1e-5


@pytest.mark.parametrize("blend", BLENDS)
def test_weights_are_the_same_from_both_ends(blend):
    weights = axis_weights(blend, 64, 16)
    assert np.allclose(weights, weights[::-1])


def test_crop_takes_each_pixel_from_one_window():
    weights = axis_weights("crop", 10, 4)
    assert weights.sum() == 6
    assert set(weights) == {0.0, 1.0}


def test_weights_follow_a_window_that_is_not_square():
    assert blend_weights("hann", WindowLattice((8, 16), (6, 12))).shape == (8, 16)


def test_an_unknown_blend_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match="no blend 'hamming'") as caught:
        axis_weights("hamming", 8, 2)
    assert "hann" in caught.value.hint
