"""The map of true and proposed sites: what its scale bar says is so."""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geowatch.stages.evaluate import site_map

SIDE = st.floats(0.001, 2)


@given(st.floats(-170, 170), st.floats(-75, 75), SIDE, SIDE)
def test_what_the_scale_says_of_a_shown_pixel_is_so_along_and_across(west, south, width, height):
    north, middle = south + height, south + height / 2
    frame = site_map._Frame.around((west, south, west + width, north))
    points = frame.points(shapely.LineString([(west, south), (west, north), (west, middle), (west + width, middle)]))
    (_, y0), (_, y1), (x2, _), (x3, _) = ((x / site_map._FINE, y / site_map._FINE) for x, y in points)
    degree_m = 111_200
    assert (y0 - y1) * frame.scale.per_px == pytest.approx(height * degree_m, rel=1e-6)
    assert (x3 - x2) * frame.scale.per_px == pytest.approx(width * math.cos(math.radians(middle)) * degree_m, rel=1e-6)
