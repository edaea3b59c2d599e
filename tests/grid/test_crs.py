"""Grids of a region: zones that own places, names, and outlines that follow the curve of the map."""

import itertools

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geowatch.errors import ConfigError, RegionError
from geowatch.grid.crs import canonical_crs, grid_id, project, to_lonlat, units_of, utm_zones

quick = settings(max_examples=40, deadline=None)


def zones(*bounds):
    return {grid_id(zone.crs): zone.part for zone in utm_zones(shapely.box(*bounds))}


def test_a_region_in_one_zone_is_one_grid():
    assert list(zones(-73, 40, -72, 41)) == ["utm18n"]
    assert list(zones(-73, -41, -72, -40)) == ["utm18s"]
    assert list(zones(-73, -1, -72, 1)) == ["utm18n"]  # on both sides of the equator: one grid, the northern one
    assert list(zones(-73, -1, -72, 0)) == ["utm18s"]


def test_zone_meridians_and_polar_parallels_own_places():
    parts = zones(-73, 40, -70, 41)
    assert parts["utm18n"].bounds == (-73, 40, -72, 41)
    assert parts["utm19n"].bounds == (-72, 40, -70, 41)
    arctic = zones(10, 80, 11, 86)
    assert arctic["utm32n"].bounds == (10, 80, 11, 84)
    assert arctic["ups_n"].bounds == (10, 84, 11, 86)
    assert list(zones(10, -82, 11, -79)) == ["utm32s", "ups_s"]
    assert list(zones(-72, 40, -66, 41)) == ["utm19n"]  # meets its neighbours in a line only
    assert list(zones(174, 1, 180, 2)) == ["utm60n"]


@quick
@given(st.floats(-180, 170), st.floats(-89, 80), st.floats(0.01, 100), st.floats(0.01, 60))
def test_zones_partition_the_region(west, south, width, height):
    region = shapely.box(west, south, min(180, west + width), min(90, south + height))
    parts = [zone.part for zone in utm_zones(region)]
    assert sum(part.area for part in parts) == pytest.approx(region.area, rel=1e-9)
    assert shapely.union_all(parts).symmetric_difference(region).area < 1e-9
    assert len({zone.crs for zone in utm_zones(region)}) == len(parts)


def test_the_whole_world_has_122_zones_at_most():
    assert len(zones(-180, -90, 180, 90)) == 62  # a strip is one grid on both sides of the equator


@pytest.mark.parametrize(
    ("text", "canonical", "name", "unit"),
    [
        ("epsg:32618", "EPSG:32618", "utm18n", "metre"),
        ("EPSG:32705", "EPSG:32705", "utm05s", "metre"),
        ("32661", "EPSG:32661", "ups_n", "metre"),
        ("EPSG:32761", "EPSG:32761", "ups_s", "metre"),
        ("EPSG:3857", "EPSG:3857", "epsg3857", "metre"),
        ("EPSG:4326", "EPSG:4326", "epsg4326", "degree"),
        ("EPSG:2263", "EPSG:2263", "epsg2263", "US survey foot"),
        ("EPSG:3261", "EPSG:3261", "epsg3261", "metre"),
        ("EPSG:32600", "EPSG:32600", "epsg32600", "metre"),
        ("ESRI:102001", "ESRI:102001", "esri102001", "metre"),
        (pyproj.CRS("EPSG:32618").to_wkt(), "EPSG:32618", "utm18n", "metre"),
    ],
)
def test_a_crs_has_one_spelling_and_a_short_name(text, canonical, name, unit):
    assert canonical_crs(text) == canonical
    assert grid_id(canonical_crs(text)) == name
    assert units_of(text) == unit


def test_a_crs_without_a_code_is_named_by_its_content():
    wkt = canonical_crs("+proj=laea +lat_0=50 +lon_0=10")
    assert grid_id(wkt) == grid_id(canonical_crs(wkt))
    assert grid_id(wkt).startswith("crs")
    assert grid_id(None) == "pixels"


@pytest.mark.parametrize("text", ["EPSG:1", "nonsense", "EPSG:4978", "EPSG:5703"])
def test_what_is_no_crs_of_maps_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        canonical_crs(text)
    assert caught.value.hint


def densely(area, pieces=2000):
    """Outline points in longitude and latitude, many on each edge."""
    ring = np.asarray(area.exterior.coords)
    share = np.arange(pieces)[:, None] / pieces
    return np.concatenate([a + share * (b - a) for a, b in itertools.pairwise(ring)])


@quick
@given(st.sampled_from(["EPSG:32633", "EPSG:3035", "EPSG:3857", "EPSG:4326"]), st.data())
def test_the_projected_outline_stays_within_a_tenth_of_a_pixel_of_the_true_curve(crs, data):
    corners = data.draw(st.lists(st.tuples(st.floats(11, 20), st.floats(35, 70)), min_size=3, max_size=3, unique=True))
    area = Polygon(corners)
    if area.area < 1e-3:
        return
    pixel = 1e-4 if crs == "EPSG:4326" else 10.0
    outline = project(area, crs, pixel).boundary
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    true = shapely.points(np.stack(transformer.transform(*densely(area, 300).T), axis=1))
    assert shapely.distance(true, outline).max() < 0.1 * pixel


def test_a_cap_over_the_pole_has_no_seam():
    cap = project(shapely.box(-180, 84, 180, 90), "EPSG:32661", 10)
    assert isinstance(cap, Polygon)
    assert not cap.interiors
    assert cap.contains(shapely.Point(2_000_000, 2_000_000))
    geod_area = abs(
        pyproj.Geod(ellps="WGS84").geometry_area_perimeter(shapely.box(-180, 84, 180, 90).segmentize(0.1))[0]
    )
    assert cap.area == pytest.approx(geod_area, rel=0.02)


def test_both_sides_of_the_antimeridian_join_in_one_polar_grid():
    parts = shapely.union(shapely.box(175, 85, 180, 86), shapely.box(-180, 85, -175, 86))
    assert isinstance(project(parts, "EPSG:32661", 10), Polygon)


def test_tiles_go_back_to_longitude_and_latitude():
    there = np.array([[500000.0, 0.0], [500000.0, 4_000_000.0]])
    assert to_lonlat(there, "EPSG:32618")[:, 0] == pytest.approx([-75, -75])


@pytest.mark.parametrize(
    ("crs", "bounds"),
    [
        ("EPSG:32618", (128, 37, 129, 38)),  # Korea on a grid of New York
        ("EPSG:32618", (-180, -90, 180, 90)),
        ("EPSG:3857", (-10, 80, 10, 90)),
        ("EPSG:5070", (80, 40, 90, 50)),
        ("EPSG:2263", (100, 40, 101, 41)),
        ("+proj=ortho", (150, 0, 151, 1)),  # the far side of the globe, of a CRS that names no area
    ],
)
def test_a_region_outside_of_the_crs_is_refused(crs, bounds):
    with pytest.raises(RegionError, match="outside of") as caught:
        project(shapely.box(*bounds), crs, 10)
    assert "--crs" in caught.value.hint


def test_an_edge_that_leaves_the_map_between_two_corners_on_it_is_refused():
    with pytest.raises(RegionError, match="edge of the map"):
        project(Polygon([(90, 2), (179, 46), (90, 46)]), "+proj=ortho +lat_0=45", 1000)


def test_a_region_over_the_edge_of_the_map_is_refused():
    wkt = canonical_crs("+proj=laea +lat_0=50 +lon_0=10")
    with pytest.raises(RegionError):
        project(shapely.box(150, -80, 180, -20), "+proj=eqc +lon_0=-15", 1000)
    assert project(shapely.box(0, 40, 20, 60), wkt, 1000).area > 0


def test_a_region_smaller_than_anything_is_refused():
    with pytest.raises(RegionError, match="smaller than") as caught:
        project(shapely.box(10, 50, 10 + 1e-12, 50 + 1e-12), "EPSG:32632", 100)
    assert "--resolution" in caught.value.hint
