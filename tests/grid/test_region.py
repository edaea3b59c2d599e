"""Regions from any GeoJSON that users have, and what is refused."""

import copy
import json
import math
from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, mapping

from geowatch.errors import RegionError
from geowatch.grid.region import Region, parse_region

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
HOLE = [[0.2, 0.2], [0.2, 0.8], [0.8, 0.8], [0.8, 0.2], [0.2, 0.2]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, **properties):
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features, **more):
    return {"type": "FeatureCollection", "features": list(features), **more}


@pytest.mark.parametrize(
    "document",
    [
        polygon(SQUARE),
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        feature(polygon(SQUARE)),
        collection(feature(polygon(SQUARE))),
        {"type": "GeometryCollection", "geometries": [polygon(SQUARE)]},
        feature(
            {
                "type": "GeometryCollection",
                "geometries": [polygon(SQUARE), {"type": "Point", "coordinates": [5, 5]}],
            }
        ),
        collection(feature(polygon(SQUARE)), feature(None), feature({"type": "Point", "coordinates": [3, 3]})),
        polygon([[*corner, 120.5] for corner in SQUARE]),
        polygon([[0, 0, 1], [1, 0], [1, 1, 2, 3], [0, 1], [0, 0]]),
        polygon([(0.0, 0.0), (0, 1), (1, 1), (1, 0)]),
        {**polygon(SQUARE), "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
        {
            **collection(feature(polygon(SQUARE))),
            "crs": {"type": "name", "properties": {"name": "EPSG:4326"}},
        },
        {**polygon(SQUARE), "crs": None},
    ],
)
def test_every_form_of_one_square_is_one_region(document):
    region = parse_region(document, name="place")
    assert region.geometry.equals(shapely.box(0, 0, 1, 1))
    assert region.id == "place"
    assert not region.geometry.has_z


def test_holes_and_parts_are_kept():
    region = parse_region({"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [[[5, 5], [6, 5], [6, 6], [5, 5]]]]})
    assert isinstance(region.geometry, MultiPolygon)
    assert region.geometry.area == pytest.approx(1 - 0.36 + 0.5)
    assert region.notes == ()


def test_parts_of_a_collection_that_overlap_count_once():
    region = parse_region(collection(feature(polygon(SQUARE)), feature(polygon([[0.5, 0], [2, 0], [2, 1], [0.5, 1]]))))
    assert region.geometry.area == pytest.approx(2)


def test_a_hole_outside_of_its_ring_adds_nothing():
    region = parse_region(polygon(SQUARE, [[3, 3], [4, 3], [4, 4], [3, 3]]))
    assert region.geometry.equals(shapely.box(0, 0, 1, 1))


def test_a_region_does_not_depend_on_where_its_ring_starts():
    turned = [SQUARE[2], SQUARE[3], SQUARE[0], SQUARE[1], SQUARE[2]]
    assert parse_region(polygon(SQUARE)) == parse_region(polygon(turned)) == parse_region(polygon(SQUARE[::-1]))


@pytest.mark.parametrize(
    ("rings", "area"),
    [
        ([[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]], 2),  # a bow tie keeps both wings
        (
            [[[0, 0], [4, 0], [4, 4], [2, 4], [3, 2], [1, 2], [2, 4], [0, 4], [0, 0]]],
            14,
        ),  # a hole by touching itself
        (
            [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [5, 1], [5, 2], [1, 2], [1, 1]]],
            13,
        ),  # a hole reaches out
        ([[[0, 0], [4, 0], [4, 2], [4, 0], [0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]], 16),  # a spike
    ],
)
def test_rings_that_cross_or_touch_themselves_are_repaired(rings, area):
    region = parse_region(polygon(*rings))
    assert region.geometry.is_valid
    assert region.geometry.area == pytest.approx(area)


def test_a_repair_is_said():
    assert "repaired" in parse_region(polygon([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]])).notes[0]
    assert "not closed" in parse_region(polygon(SQUARE[:-1])).notes[0]
    assert (
        "Point"
        in parse_region(collection(feature(polygon(SQUARE)), feature({"type": "Point", "coordinates": [0, 0]}))).notes[
            0
        ]
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=12))
@example([(-1, 0), (0, -1), (0, 0), (-1, 0), (0, -1), (0, -2)])
def test_any_ring_becomes_valid_polygons_or_a_typed_error(corners):
    try:
        region = parse_region(polygon([*map(list, corners), list(corners[0])]))
    except RegionError:
        return  # a ring without an area
    assert region.geometry.is_valid
    assert isinstance(region.geometry, Polygon | MultiPolygon)
    assert parse_region(json.loads(json.dumps(region.to_feature()))) == region.__class__(
        region.id, region.geometry, notes=()
    )


def test_a_smart_region_model_gives_its_id_and_dates():
    model = collection(
        feature(
            polygon(SQUARE),
            type="region",
            region_id="XX_R001",
            start_date="2014-01-01",
            end_date="2021-08-31",
        ),
        feature(polygon([[5, 5], [6, 5], [6, 6], [5, 5]]), type="site_summary", site_id="XX_R001_0001"),
    )
    region = parse_region(model, name="file")
    assert (region.id, region.start, region.end) == ("XX_R001", date(2014, 1, 1), date(2021, 8, 31))
    assert region.geometry.equals(shapely.box(0, 0, 1, 1))


def test_all_region_models_of_smart_are_regions(shared_data):
    files = sorted(shared_data("smart/region_models").glob("*.geojson"))
    regions = [parse_region(json.loads(file.read_text("utf-8"))) for file in files]
    assert [region.id for region in regions] == [file.stem for file in files]
    assert len(regions) == 24
    assert all(region.start and region.end and not region.notes for region in regions)


def test_a_region_comes_back_from_its_feature_unchanged():
    region = Region("a/b ü", shapely.box(0.1, 1 / 3, 0.7, 2.1), date(2020, 2, 29), None, ("said",))
    assert Region.from_feature(json.loads(json.dumps(region.to_feature())), ["said"]) == region


def test_a_region_that_ends_before_it_starts_is_refused():
    with pytest.raises(RegionError, match="before it starts"):
        parse_region(feature(polygon(SQUARE), start_date="2021-01-01", end_date="2020-01-01"))
    with pytest.raises(RegionError, match="not a date"):
        parse_region(feature(polygon(SQUARE), start_date="soon"))


# --- the antimeridian and the poles ---------------------------------------------------------------------------------

EAST_OF_FIJI = [[179, -18], [-179, -18], [-179, -16], [179, -16], [179, -18]]


@pytest.mark.parametrize(
    "ring",
    [EAST_OF_FIJI, [[x % 360, y] for x, y in EAST_OF_FIJI], [[x % 360 - 360, y] for x, y in EAST_OF_FIJI]],
)
def test_a_ring_over_the_antimeridian_is_cut_there(ring):
    region = parse_region(polygon(ring))
    assert region.geometry.equals(shapely.union(shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)))
    assert any("antimeridian" in note for note in region.notes)


def test_a_hole_on_the_other_side_of_the_antimeridian_is_cut_out():
    hole = [[-179.8, -17.8], [-179.2, -17.8], [-179.2, -17.2], [-179.8, -17.8]]
    region = parse_region(polygon([[179, -18], [181, -18], [181, -16], [179, -16], [179, -18]], hole))
    assert region.geometry.area == pytest.approx(4 - 0.18)


@settings(max_examples=40, deadline=None)
@given(st.floats(-179, 179), st.floats(-60, 60), st.floats(0.5, 80), st.integers(3, 12))
def test_where_a_ring_lies_on_the_globe_does_not_change_its_area(lon, lat, radius, corners):
    angle = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    ring = np.stack([lon + radius * np.cos(angle), lat + radius / 4 * np.sin(angle)], axis=1)
    plain = Polygon(ring).area
    wrapped = (ring + np.array([180, 0])) % 360 - np.array([180, 0])
    wrapped[:, 1] = ring[:, 1]
    region = parse_region(polygon([*wrapped.tolist(), wrapped[0].tolist()]))
    assert region.geometry.area == pytest.approx(plain, rel=1e-9)
    assert -180 <= region.geometry.bounds[0] <= region.geometry.bounds[2] <= 180


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 85], [120, 85], [-120, 85], [0, 85]],
        [[0, 85], [90, 85], [180, 85], [270, 85], [360, 85]],
        [[-180, 85], [0, 85], [180, 85], [180, 90], [-180, 90], [-180, 85]],
        [[0, 85], [-120, 85], [120, 85], [0, 85]],
    ],
)
def test_a_ring_around_a_pole_is_the_cap_inside_it(ring):
    assert parse_region(polygon(ring)).geometry.equals(shapely.box(-180, 85, 180, 90))
    south = [[x, -y] for x, y in ring]
    assert parse_region(polygon(south)).geometry.equals(shapely.box(-180, -90, 180, -85))


def test_a_ring_around_the_globe_over_the_equator_is_refused():
    with pytest.raises(RegionError, match="which pole") as caught:
        parse_region(polygon([[0, 1], [120, -1], [-120, 1], [0, 1]]))
    assert "between longitudes" in caught.value.hint


def test_the_whole_world_is_a_region():
    assert parse_region(polygon([[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]])).geometry.area == 64800


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "fact", "hint"),
    [
        ({"type": "Point", "coordinates": [0, 0]}, "only Point", "Polygon"),
        (feature({"type": "LineString", "coordinates": SQUARE}), "only LineString", "Polygon"),
        (collection(), "empty", "Polygon"),
        (feature(None), "empty", "Polygon"),
        (polygon(), "no polygon", "Polygon"),
        (polygon([[0, 0], [1, 1], [2, 2], [0, 0]]), "no polygon with an area", "Polygon"),
        (polygon([[0, 0], [1, 1]]), "2 corners", "three corners"),
        (polygon([[0, 0], [math.nan, 1], [1, 1], [0, 0]]), "nan", "NaN"),
        (polygon([[0, 0], [math.inf, 1], [1, 1], [0, 0]]), "inf", "NaN"),
        (polygon([[500000, 4e6], [500100, 4e6], [500100, 4.1e6], [500000, 4e6]]), "looks projected", "ogr2ogr"),
        (polygon([[35, 127], [36, 127], [36, 128], [35, 127]]), "beyond 90", "swap"),
        ({**polygon(SQUARE), "crs": {"type": "name", "properties": {"name": "EPSG:32618"}}}, "EPSG:32618", "ogr2ogr"),
        (collection(feature({**polygon(SQUARE), "crs": {"type": "link"}})), "link", "ogr2ogr"),
        (polygon([["0", "0"], ["1", "0"], ["1", "1"], ["0", "0"]]), "pairs", None),
        (polygon([[0], [1], [2], [0]]), "pairs", None),
        (polygon("text"), "pairs", None),
        (polygon([1, 2, 3, 4]), "pairs", None),
        ({"type": "Polygon"}, "coordinates", None),
        ({"type": "Polygon", "coordinates": 7}, "coordinates", None),
        ({"type": "FeatureCollection", "features": None}, "features", None),
        ({"type": "Topology"}, "no GeoJSON type", "Polygon"),
        ({"type": "Feature", "geometry": {"type": "Circle"}}, "GeoJSON type", None),
        ([1, 2], "'type'", "longitude before latitude"),
        (None, "'type'", "longitude before latitude"),
        (collection(*[feature(polygon(SQUARE), type="region", region_id=n) for n in "ab"]), "2 regions: a, b", "own"),
    ],
)  # fmt: skip
def test_what_is_no_region_is_refused_with_a_reason(document, fact, hint):
    before = copy.deepcopy(document)
    with pytest.raises(RegionError, match=fact) as caught:
        parse_region(document)
    assert hint is None or hint in caught.value.hint
    assert repr(document) == repr(before)


plain = st.none() | st.booleans() | st.integers(-400, 400) | st.floats() | st.sampled_from(["Polygon", "x", ""])
kinds = ["Polygon", "MultiPolygon", "Feature", "FeatureCollection", "GeometryCollection", "Point"]
wild = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(kinds)},
            optional={"coordinates": inner, "geometry": inner, "features": inner, "geometries": inner, "crs": inner},
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(wild)
def test_no_document_breaks_the_reader(document):
    try:
        region = parse_region(document)
    except RegionError:
        return
    assert region.geometry.is_valid


def test_a_shape_of_another_library_reads_as_it_is():
    assert parse_region(mapping(shapely.box(0, 0, 1, 1))).geometry.area == 1
