"""CRS, resolution and phase: options, then imagery, then UTM."""

import math

import pytest

from geowatch.errors import ConfigError, RegionError
from geowatch.grid.choice import LatticeChoice, choose_lattice
from geowatch.grid.lattice import Lattice

LANDSAT = Lattice("EPSG:32616", -30, 30, 15, 15)


def chosen(**options):
    return choose_lattice(LatticeChoice(**options))


def test_the_imagery_s_lattice_is_taken_as_it_is():
    assert chosen(imagery=LANDSAT) == LANDSAT
    assert chosen(imagery=LANDSAT, crs="epsg:32616") == LANDSAT


def test_another_resolution_keeps_a_pixel_corner_of_the_imagery():
    assert chosen(imagery=LANDSAT, resolution=10) == Lattice("EPSG:32616", -10, 10, 5, 5)
    assert chosen(imagery=LANDSAT, resolution=30, origin=(0, 0)) == Lattice("EPSG:32616", -30, 30, 0, 0)


def test_another_crs_keeps_the_resolution_where_units_agree():
    assert chosen(imagery=LANDSAT, crs="EPSG:3857") == Lattice("EPSG:3857", -30, 30)
    with pytest.raises(ConfigError, match="counts in degree"):
        chosen(imagery=LANDSAT, crs="EPSG:4326")
    assert chosen(imagery=LANDSAT, crs="EPSG:4326", resolution=0.001).step_x == 0.001


def test_options_alone_make_a_lattice():
    assert chosen(crs="EPSG:32618", resolution=10, origin=(5, 3)) == Lattice("EPSG:32618", -10, 10, 5, 3)


def test_without_crs_and_imagery_the_region_goes_to_utm():
    assert chosen(resolution=10) is None
    assert chosen() is None


def test_a_crs_without_a_resolution_is_refused():
    with pytest.raises(RegionError, match="how large a pixel") as caught:
        chosen(crs="EPSG:32618")
    assert "--resolution" in caught.value.hint


@pytest.mark.parametrize("option", [{"crs": "EPSG:32618"}, {"resolution": 10}, {"origin": (0, 0)}])
def test_images_without_georeference_take_no_options(option):
    assert chosen(imagery=Lattice.of_pixels()) == Lattice.of_pixels()
    with pytest.raises(ConfigError, match="no georeference"):
        chosen(imagery=Lattice.of_pixels(), **option)


@pytest.mark.parametrize("resolution", [0, -10, math.nan, math.inf])
def test_a_resolution_that_is_none_is_refused(resolution):
    with pytest.raises(ConfigError, match="resolution"):
        chosen(resolution=resolution)


def test_an_origin_that_is_no_place_is_refused():
    with pytest.raises(ConfigError, match="origin"):
        chosen(resolution=10, origin=(math.nan, 0))


def test_ten_degrees_are_taken_for_a_slip():
    with pytest.raises(ConfigError, match="10 degrees") as caught:
        chosen(crs="EPSG:4326", resolution=10)
    assert "0.0001" in caught.value.hint
