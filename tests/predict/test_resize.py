import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geowatch.predict.resize import resize

SIDES = st.integers(1, 12)


@given(height=SIDES, width=SIDES, to=st.tuples(SIDES, SIDES), seed=st.integers(0, 9))
def test_every_value_lies_between_those_around_it_and_turns_with_the_window(height, width, to, seed):
    x = np.random.default_rng(seed).random((2, 1, height, width), np.float32)
    made = resize(x, to)
    assert made.shape == (2, 1, *to)
    assert made.min() >= x.min() - 1e-6
    assert made.max() <= x.max() + 1e-6
    assert np.allclose(resize(x[..., ::-1], to)[..., ::-1], made, atol=1e-6)
    assert np.allclose(resize(x.swapaxes(2, 3), to[::-1]).swapaxes(2, 3), made, atol=1e-6)


@given(side=SIDES, to=SIDES)
def test_ground_covers_the_same_ground(side, to):
    """A ramp over the window's width keeps its value at each place, away from the repeated edges."""
    centres = (np.arange(side) + 0.5) / side
    made = resize(centres.astype(np.float32).reshape(1, 1, 1, side), (1, to))[0, 0, 0]
    expected = np.clip((np.arange(to) + 0.5) / to, centres[0], centres[-1])
    assert np.allclose(made, expected, atol=1e-6)


def test_the_same_size_is_the_same_array():
    x = np.ones((1, 1, 3, 4), np.float32)
    assert resize(x, (3, 4)) is x
