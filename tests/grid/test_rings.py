"""Rings of numbers become polygons on the globe."""

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import RegionError
from geowatch.grid.rings import polygon_of_rings, wrap


def test_a_plain_ring_needs_no_note():
    notes: list[str] = []
    assert polygon_of_rings([[[0, 0], [1, 0], [1, 1], [0, 0]]], notes).area == 0.5
    assert notes == []


def test_a_ring_without_area_is_nothing():
    assert polygon_of_rings([[[0, 0], [1, 1], [2, 2], [0, 0]]], []) is None
    assert polygon_of_rings([], []) is None


@settings(max_examples=40, deadline=None)
@given(st.floats(-500, 500), st.floats(0.1, 350))
def test_wrapping_moves_an_area_by_whole_turns(west, width):
    area = wrap(shapely.box(west, 0, west + width, 1))
    assert area.area == pytest.approx(width, rel=1e-9)
    assert area.bounds[0] >= -180
    assert area.bounds[2] <= 180
    middle = (west + width / 2 + 180) % 360 - 180
    assert area.distance(shapely.Point(middle, 0.5)) < 1e-9


def test_each_jump_is_noted_with_its_longitudes():
    notes: list[str] = []
    polygon_of_rings([[[179, 0], [-179, 0], [-179, 1], [179, 1]]], notes)
    assert any("179 to -179" in note for note in notes)
    assert any("not closed" in note for note in notes)


def test_a_latitude_beyond_the_pole_by_rounding_is_the_pole():
    area = polygon_of_rings([[[0, 89], [1, 89], [1, 90.0000001], [0, 90], [0, 89]]], [])
    assert area.bounds[3] == 90
    with pytest.raises(RegionError, match=r"90\.1"):
        polygon_of_rings([[[0, 89], [100, 89], [100, 90.1], [0, 90], [0, 89]]], [])
