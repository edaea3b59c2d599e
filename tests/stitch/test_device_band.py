"""The band on a device gives the bytes of the band on the host. Here torch's CPU stands in for a device."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.windows import WindowLattice
from geowatch.stitch.band import Band, unit_weights
from geowatch.stitch.device_band import DeviceBand
from geowatch.stitch.heatmap import HeadLayout
from geowatch.stitch.quantise import STORED_TYPES, Quantiser


@pytest.mark.parametrize("stored", STORED_TYPES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_same_scores_give_the_same_bytes_as_on_the_host(stored, data):
    size = data.draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    windows = WindowLattice(size, tuple(data.draw(st.integers(1, s)) for s in size))
    weights = unit_weights("hann", windows)
    columns = sorted(data.draw(st.sets(st.integers(0, 6), min_size=1)))
    x = columns[0] * windows.stride[1], columns[-1] * windows.stride[1] + size[1] - data.draw(st.integers(0, 1))
    quantiser = Quantiser(stored)
    host = Band(2, windows, weights, x)
    device = DeviceBand(HeadLayout("h", ("a", "b"), quantiser), windows, weights, x, "cpu")
    rng = np.random.default_rng(1)
    for _ in range(5):
        scores = rng.random((len(columns), 2, *size), np.float32)
        device.add(columns, torch.from_numpy(scores.copy()))
        host.add(columns, scores)
        keep = rng.random((windows.stride[0], x[1] - x[0])) < 0.8
        expected = quantiser.encode(np.concatenate(host.finished(), axis=1), keep)
        found = quantiser.empty(expected.shape)
        quantiser.encode_into(found, np.concatenate(device.finished(), axis=1), keep)
        assert found.tobytes() == expected.tobytes()
        host.move_on()
        device.move_on()
