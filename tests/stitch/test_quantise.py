import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geowatch.errors import ConfigError
from geowatch.stitch.quantise import STORED_TYPES, Quantiser

SCORES = arrays(np.float32, (2, 4, 4), elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize("stored", STORED_TYPES)
@given(scores=SCORES, keep=arrays(bool, (4, 4)))
def test_stored_scores_come_back_within_half_a_step_and_masks_exactly(stored, scores, keep):
    quantiser = Quantiser(stored)
    back = quantiser.decode(quantiser.encode(scores, keep))
    assert np.array_equal(np.isnan(back), np.broadcast_to(~keep, back.shape))
    assert np.abs(back - scores)[:, keep].max(initial=0) <= quantiser.step * 1.01
    assert np.array_equal(quantiser.is_fill(quantiser.encode(scores, keep)), np.broadcast_to(~keep, back.shape))


def test_scores_outside_0_to_1_never_become_fill():
    stored = Quantiser("uint8").encode(np.array([[[-0.1, 1.1]]], np.float32), np.ones((1, 2), bool))
    assert stored.tolist() == [[[0, 254]]]


def test_an_unknown_type_is_refused():
    with pytest.raises(ConfigError, match="int12"):
        Quantiser("int12")
