"""Names of 100 km squares, against the reference library of the grid's keepers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geowatch.sites.mgrs import square

# The reference takes what lies within a metre of a zone's edge for the zone beyond: places lie on edges or 10 m away.
LON = st.integers(-1_800_000, 1_800_000).map(lambda steps: steps / 10_000)
LAT = st.integers(-900_000, 900_000).map(lambda steps: steps / 10_000)


@pytest.fixture(scope="module")
def reference():
    return pytest.importorskip("mgrs").MGRS()


@given(lon=LON, lat=LAT)
@example(lon=180.0, lat=0.0)
@example(lon=-180.0, lat=-45.0)
@example(lon=3.0, lat=60.0)  # Norway's south-west has a wide zone
@example(lon=2.9999, lat=60.0)
@example(lon=9.0, lat=72.0)  # and Svalbard has only odd ones
@example(lon=20.9999, lat=75.0)
@example(lon=33.0, lat=78.0)
@example(lon=42.0, lat=73.0)
@example(lon=10.0, lat=84.0)
@example(lon=10.0, lat=84.001)
@example(lon=-179.0, lat=88.0)
@example(lon=10.0, lat=-80.001)
@example(lon=-120.0, lat=-86.0)
@example(lon=10.0, lat=0.0)
@example(lon=10.0, lat=-0.0001)
def test_squares_have_the_names_that_the_reference_gives(reference, lon, lat):
    name = reference.toMGRS(lat, lon, MGRSPrecision=5)
    east, north = int(name[-10:-5]), int(name[-5:])
    # A metre from a side either name is right.
    if 1 < east < 99_998 and 1 < north < 99_998:
        assert square(lon, lat).lstrip("0") == name[:-10].lstrip("0")


def test_sides_between_zones_belong_to_the_zone_that_begins_there(reference):
    for lon in range(-180, 180, 6):
        assert square(lon, 10.05)[:2] == f"{(lon + 180) // 6 + 1:02d}"


def test_longitudes_go_around_the_globe():
    assert square(190.0, 40.0) == square(-170.0, 40.0)
    assert square(-181.0, 40.0) == square(179.0, 40.0)


@pytest.mark.parametrize(("lon", "lat"), [(0, 90.5), (0, float("nan")), (float("inf"), 0)])
def test_what_is_no_place_is_refused(lon, lat):
    with pytest.raises(ValueError, match="no place on the globe"):
        square(lon, lat)
