"""Stored numbers become values the same way in every type."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geowatch.read.numbers import Numbers
from geowatch.read.scene import BandSource, RasterGrid

GRID = RasterGrid((4, 5), tuple(Affine.identity())[:6], None)
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def band(dtype: str, nodata: float | None, scale: float, offset: float) -> BandSource:
    return BandSource("red", "red", "x.tif", 1, dtype, GRID, nodata, scale, offset)


@st.composite
def cases(draw):
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    stored = draw(arrays(dtype, (4, 5)))
    nodata = draw(st.one_of(st.none(), st.integers(-300, 300), st.sampled_from(stored.ravel().tolist())))
    nodata = None if nodata is None or not np.isfinite(nodata) else float(nodata)
    scale = draw(st.sampled_from([1.0, 1e-4, -2.5, 1e30]))
    return stored, band(dtype.name, nodata, scale, draw(st.sampled_from([0.0, -0.1, 7.0])))


@given(cases())
def test_values_are_number_times_scale_plus_offset_in_two_roundings(case):
    stored, source = case
    with np.errstate(all="ignore"):
        plain = stored.astype("float32")
        if (source.scale, source.offset) != (1.0, 0.0):
            plain = plain * np.float32(source.scale) + np.float32(source.offset)
    there = np.isfinite(plain)
    if source.nodata is not None:
        there &= stored.astype("float64") != source.nodata
    values, valid = np.full((4, 5), 9, "float32"), np.ones((4, 5), bool)
    numbers = Numbers.of(source, stored.dtype)
    numbers.put(stored, values, valid)
    assert np.array_equal(valid, there)
    assert values[there].tobytes() == plain[there].tobytes()


@given(cases())
def test_the_way_over_raw_numbers_gives_the_same(case):
    stored, source = case
    numbers = Numbers.of(source, stored.dtype)
    values, valid, raw = np.empty((4, 5), "float32"), np.ones((4, 5), bool), np.empty((4, 5), "float32")
    numbers.put(stored, values, valid)
    numbers.put_raw(stored, raw)
    numbers.to_physical(raw)
    assert np.array_equal(np.isfinite(raw), valid)
    assert raw[valid].tobytes() == values[valid].tobytes()


@pytest.mark.parametrize(("dtype", "nodata"), [("uint16", -9999.0), ("uint8", 256.0), ("int16", 0.5)])
def test_a_number_for_no_data_that_the_type_cannot_hold_hides_nothing(dtype, nodata):
    assert Numbers.of(band(dtype, nodata, 1.0, 0.0), np.dtype(dtype)).nodata is None


def test_whole_numbers_of_a_small_scale_need_no_look_for_infinities():
    assert Numbers.of(band("uint16", None, 1e-4, 0.0), np.dtype("uint16")).bounded
    assert not Numbers.of(band("uint16", None, 1e35, 0.0), np.dtype("uint16")).bounded
    assert not Numbers.of(band("float32", None, 1.0, 0.0), np.dtype("float32")).bounded
