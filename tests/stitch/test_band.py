import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.blend import BLENDS
from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice
from geowatch.stitch.band import Band, unit_weights
from geowatch.stitch.in_memory import InMemory


def windows_of(data):
    size = data.draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    return WindowLattice(size, tuple(data.draw(st.integers(1, s)) for s in size))


def scores_of(windows, ky, kx, classes=2):
    rng = np.random.default_rng([ky + 1000, kx + 1000])
    return rng.random((classes, *windows.size), np.float32)


def banded(windows, weights, box):
    """Slide a band over ``box`` and return its scores."""
    rows, cols = windows.touching(box)
    band = Band(2, windows, weights, (box.x0, box.x1))
    out = np.zeros((2, *box.shape), np.float32)
    for ky in rows:
        for kx in cols:
            band.add([kx], scores_of(windows, ky, kx)[np.newaxis])
        done = PixelBox(ky * windows.stride[0], box.x0, (ky + 1) * windows.stride[0], box.x1)
        values = np.concatenate(band.finished(), axis=1)
        band.move_on()
        part = done & box
        if part:
            out[(slice(None), *part.within(box))] = values[(slice(None), *part.within(done))]
    return out


@settings(max_examples=80, deadline=None)
@given(data=st.data(), blend=st.sampled_from(BLENDS))
def test_where_a_band_is_cut_changes_no_bit(data, blend):
    windows = windows_of(data)
    weights = unit_weights(blend, windows)
    whole = PixelBox(-9, -7, 23, 31)
    y0, x0 = data.draw(st.integers(-9, 22)), data.draw(st.integers(-7, 30))
    part = PixelBox(y0, x0, data.draw(st.integers(y0 + 1, 23)), data.draw(st.integers(x0 + 1, 31)))
    expected = banded(windows, weights, whole)[(slice(None), *part.within(whole))]
    assert np.array_equal(banded(windows, weights, part), expected)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), blend=st.sampled_from(BLENDS))
def test_the_band_equals_the_stitcher_in_memory(data, blend):
    windows = windows_of(data)
    weights = unit_weights(blend, windows)
    box = PixelBox(-5, 3, 14, 29)
    whole = InMemory(2, windows, weights, box)
    rows, cols = windows.touching(box)
    for ky in rows:
        for kx in cols:
            whole.add(ky, kx, scores_of(windows, ky, kx))
    assert np.array_equal(banded(windows, weights, box), whole.scores)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(("size", "stride"), [((8, 8), (6, 6)), ((7, 9), (2, 9)), ((5, 5), (1, 1)), ((6, 6), (5, 4))])
def test_unit_weights_add_to_one_everywhere(blend, size, stride):
    windows = WindowLattice(size, stride)
    weights = unit_weights(blend, windows)
    box = PixelBox(0, 0, 40, 40)
    total = np.zeros(box.shape)
    rows, cols = windows.touching(box)
    for ky in rows:
        for kx in cols:
            part = windows.box(ky, kx) & box
            total[part.within(box)] += weights[part.within(windows.box(ky, kx))]
    assert np.allclose(total, 1, atol=1e-6)
