"""SMART documents: read tolerantly, written strictly, the same after both."""

import copy
import dataclasses
import json

import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box, mapping, shape
from support.smart_case import AC, SP, cells, day, region, seen, site

from geowatch.errors import InputError
from geowatch.sites.schema import problems
from geowatch.sites.smart import (
    dump,
    parse_region_model,
    parse_site,
    region_document,
    site_document,
    smart_region_id,
    smart_sensor,
)

PLACE = cells(0, 0, 2, 2)


def example(**more):
    return site(1, "system_confirmed", ("2016-01-01", "2017-01-01"), seen("2016-01-01", PLACE), **more)


def test_real_documents_come_back_as_they_were(shared_data):
    folder = shared_data("smart")
    for path in sorted((folder / "site_models").glob("*R002_00*")):
        document = json.loads(path.read_text())
        assert site_document(parse_site(document))["features"] == turned(document["features"]), path.name
    for path in sorted((folder / "region_models").glob("[BLZ]*")):
        document = json.loads(path.read_text())
        assert region_document(parse_region_model(document))["features"] == turned(document["features"]), path.name


def turned(features):
    """Return features with outer rings against the clock, as RFC 7946 wants them and real documents have them not."""
    for feature in features:
        outline = shapely.orient_polygons(shape(feature["geometry"]), exterior_cw=False)
        feature["geometry"] = json.loads(json.dumps(mapping(outline)))
    return features


def test_outer_rings_run_against_the_clock_whatever_came_in():
    holed = box(0, 0, 4, 4).difference(box(1, 1, 2, 2))
    for outline in (box(0, 0, 1, 1, ccw=False), holed.reverse(), MultiPolygon([box(0, 0, 1, 1, ccw=False), holed])):
        at = seen("2016-01-01", outline)
        made = site_document(site(1, "system_confirmed", ("2016-01-01", "2017-01-01"), at))
        for feature in made["features"]:
            for part in shapely.get_parts(shape(feature["geometry"])):
                assert part.exterior.is_ccw
                assert not any(ring.is_ccw for ring in part.interiors)


def test_what_crosses_the_antimeridian_is_one_polygon_in_one_square():
    outline = MultiPolygon([box(179.9, -16.1, 180, -16), box(-180, -16.1, -179.95, -16)])
    made = site_document(site(1, "system_confirmed", ("2016-01-01", "2017-01-01"), seen("2016-01-01", outline)))
    head, observation = made["features"]
    assert shape(head["geometry"]).equals(box(179.9, -16.1, 180.05, -16))
    assert shape(observation["geometry"]).geom_type == "MultiPolygon"
    assert head["properties"]["mgrs"].startswith("60K")


def test_proposals_that_break_the_schema_are_read_and_written_right(shared_data):
    path = shared_data("smart") / "proposals/BR_R002_7001.geojson"
    assert problems(json.loads(path.read_text()))
    read = parse_site(path.read_bytes())
    assert (read.originator, read.region_id, read.validated) == ("test", "BR_R002", False)
    assert read.observations[0].is_boundary == (True,)
    with pytest.raises(InputError, match="originator is 'test'"):
        site_document(read)
    document = site_document(dataclasses.replace(read, originator="kit"))
    assert not problems(document)
    back = parse_site(dump(document))
    assert back.geometry.equals(read.geometry)
    same = {"geometry": read.geometry, "observations": read.observations}
    assert dataclasses.replace(back, **same) == dataclasses.replace(read, originator="kit")


def test_null_and_missing_are_the_same_and_unknown_keys_are_passed_over():
    document = site_document(example())
    bare = copy.deepcopy(document)
    for feature in document["features"]:
        feature["properties"] |= {"colour": "red", "mgrs": feature["properties"].get("mgrs"), "score": None}
    del bare["features"][1]["properties"]["is_occluded"]
    document["features"].append({"type": "Feature", "properties": {"type": "note"}, "geometry": None})
    assert parse_site(document) == parse_site(bare)


def test_words_are_split_and_joined_again():
    parts = MultiPolygon([cells(0, 0), cells(5, 0)])
    given = seen("2016-01-01", parts, f"{SP}, {AC}", sensors=("Landsat 8", "Planet"), is_boundary=(True, False),
                 is_occluded=(False, False), source="S2A", score=0.25)  # fmt: skip
    document = site_document(dataclasses.replace(example(), observations=(given,)))
    properties = document["features"][1]["properties"]
    assert properties["current_phase"] == "Site Preparation, Active Construction"
    assert properties["is_site_boundary"] == "True, False"
    assert properties["sensor_name"] == "Landsat 8, Planet"
    assert parse_site(document).observations == (given,)


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        (None, ()), ("", ()), ("None", ()), ("true", ()), ("True", (True,)), (True, (True,)), ("False", (False,)),
        ("True,False", (True, False)), ("False, None", (False, True)),
    ],
)  # fmt: skip
def test_a_lone_word_is_a_flag_only_where_it_is_true_or_false(word, flags):
    document = site_document(example())
    document["features"][1]["properties"]["is_site_boundary"] = word
    assert parse_site(document).observations[0].is_boundary == flags


@pytest.mark.parametrize(
    ("given", "score"), [(0.4, 0.4), ("0.4", 0.4), (1, 1.0), ("high", None), (float("nan"), None), ([1], None)]
)
def test_scores_are_finite_numbers(given, score):
    document = site_document(example())
    document["features"][0]["properties"]["score"] = given
    assert parse_site(document).score == score


def test_polygons_are_found_in_collections_of_collections():
    one, two = mapping(PLACE), mapping(box(3, 3, 4, 4))
    several = {"type": "MultiPolygon", "coordinates": [two["coordinates"]]}
    inner = {"type": "GeometryCollection", "geometries": [one, {"type": "Point", "coordinates": [0, 0]}]}
    document = site_document(example())
    document["features"][0]["geometry"] = {"type": "GeometryCollection", "geometries": [inner, several]}
    assert parse_site(document).geometry.area == pytest.approx(PLACE.area + 1)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_coordinates_are_finite(wrong):
    document = site_document(example())
    document["features"][0]["geometry"]["coordinates"][0][1][0] = wrong
    with pytest.raises(InputError, match="a coordinate that is not finite"):
        parse_site(document)


def test_coordinates_are_two_and_heights_are_dropped():
    high = Polygon([(*point, 7.0) for point in PLACE.exterior.coords])
    document = site_document(dataclasses.replace(example(), geometry=high))
    assert all(len(point) == 2 for point in document["features"][0]["geometry"]["coordinates"][0])
    document["features"][1]["geometry"]["coordinates"][0] = [list(point) for point in high.exterior.coords]
    assert not parse_site(document).observations[0].geometry.has_z


def test_a_boundary_of_parts_is_written_as_their_hull_and_observations_keep_theirs():
    parts = MultiPolygon([cells(0, 0), cells(5, 0)])
    document = site_document(dataclasses.replace(example(), geometry=parts, observations=(seen("2016-01-01", parts),)))
    assert document["features"][0]["geometry"]["type"] == "Polygon"
    assert document["features"][1]["geometry"]["type"] == "MultiPolygon"
    one = MultiPolygon([PLACE])
    assert (
        site_document(dataclasses.replace(example(), geometry=one))["features"][0]
        == site_document(example())["features"][0]
    )


def test_the_square_is_found_where_none_is_given():
    assert site_document(example())["features"][0]["properties"]["mgrs"] == "31NAA"
    assert site_document(example(mgrs="23KPR"))["features"][0]["properties"]["mgrs"] == "23KPR"


def test_region_models_hold_summaries_without_observations():
    document = region_document(region(sites=(example(), example())))
    assert [feature["properties"]["type"] for feature in document["features"]] == ["region", *["site_summary"] * 2]
    assert not problems(document)
    read = parse_region_model(dump(document))
    assert (read.id, read.start, read.end) == ("ZZ_R001", day("2015-01-01"), day("2020-12-31"))
    assert read.sites[0].observations == ()
    assert read.sites[0].id == "ZZ_R001_0001"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": day("2018-01-01")}, "ends on 2017-01-01, before it starts on 2018-01-01"),
        ({"observations": ()}, "without observations"),
        ({"status": "positive"}, "status is 'positive'"),
        ({"status": "negative"}, "of model_content proposed"),
        ({"originator": "te"}, "originator is 'te'"),
        ({"version": "1"}, "version is '1'"),
        ({"id": "ZZ_R001_12345"}, "site_id is 'ZZ_R001_12345'"),
        ({"id": "harbour_0001"}, "site_id is 'harbour_0001'"),
        ({"score": 1.5}, "score is 1.5"),
        ({"geometry": Polygon()}, "outline of features"),
        ({"predicted_phase": AC + "s"}, "predicted_phase_transition is"),
        ({"observations": (seen("2016-01-01", PLACE, "Building"),)}, "current_phase is 'Building'"),
        ({"observations": (seen("2016-01-01", PLACE, sensors=("sentinel-2",)),)}, "sensor_name is 'sentinel-2'"),
    ],
)
def test_what_the_programme_would_refuse_is_not_written(change, said):
    with pytest.raises(InputError, match="makes no SMART model") as caught:
        site_document(dataclasses.replace(example(), **change))
    assert said in caught.value.fact
    assert caught.value.hint


def test_a_region_that_ends_before_it_starts_is_not_written():
    with pytest.raises(InputError, match="before it starts"):
        region_document(region("2020-01-01", "2019-01-01"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no JSON"),
        (b"[]", "no list of features"),
        ({"type": "FeatureCollection"}, "no list of features"),
        ({"features": []}, "0 features of type site"),
        ({"features": [{"properties": {"type": "site"}, "geometry": {"type": "Polygon"}}]}, "cannot be read"),
        (
            {"features": [{"properties": {"type": "site", "start_date": "soon"}, "geometry": None}]},
            "'soon', not a date",
        ),
    ],
)
def test_what_cannot_be_read_says_what_and_where(content, said):
    with pytest.raises(InputError, match=r"a\.geojson") as caught:
        parse_site(content, "a.geojson")
    assert said in caught.value.fact
    assert caught.value.hint


def test_a_region_needs_both_days():
    document = region_document(region())
    document["features"][0]["properties"]["end_date"] = None
    with pytest.raises(InputError, match="no start_date or no end_date"):
        parse_region_model(document)


def test_days_with_a_time_are_days():
    document = site_document(example())
    document["features"][0]["properties"]["start_date"] = "2016-02-03T04:05:06Z"
    assert parse_site(document).start == day("2016-02-03")


def test_bytes_are_the_same_for_the_same_site():
    assert dump(site_document(example())) == dump(site_document(example()))


def test_names_are_given_the_programmes_form():
    assert smart_region_id("KR_R002") == "KR_R002"
    made = smart_region_id("my harbour")
    assert not problems(region_document(dataclasses.replace(region(), id=made)))
    assert made == smart_region_id("my harbour")
    assert [smart_sensor(name) for name in ("S2", "sentinel-2a", "landsat-8", "Planet", "landsat-9")] == [
        None, "Sentinel-2", "Landsat 8", "Planet", None,
    ]  # fmt: skip
