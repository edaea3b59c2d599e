"""Our own check of SMART documents, against the programme's JSON schema where it is at hand."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.smart_case import cells, region, seen, site

from geowatch.sites.model import ANNOTATED_STATUSES, ORIGINATORS, PHASES, SYSTEM_STATUSES
from geowatch.sites.schema import problems
from geowatch.sites.smart import region_document, site_document


@pytest.fixture(scope="module")
def schema(shared_data):
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(json.loads((shared_data("smart") / "smart.schema.json").read_text()))


def documents(folder):
    # The schema takes a while: of the many alike every third.
    paths = [path for path in sorted(folder.rglob("*.geojson")) if path.stat().st_size < 12_000][::3]
    return {path.name: json.loads(path.read_text()) for path in paths}


def test_the_verdict_on_given_documents_is_the_schemas(schema, shared_data):
    for name, document in documents(shared_data("smart")).items():
        assert bool(problems(document)) != schema.is_valid(document), name


def bases():
    """Return documents that are right, with every key that a document may have."""
    place = cells(0, 0)
    full = site(
        1, "system_confirmed", ("2016-01-01", "2017-01-01"),
        seen("2016-01-01", place, f"{PHASES[1]}, Unknown", source="S2A", sensors=("Sentinel-2", "WorldView"),
             is_occluded=(True, False), is_boundary=(True, True), score=0.5),
        seen(None, place, None),
        originator="kit", mgrs="31NAA", score=1, validated=False, predicted_phase=PHASES[3], predicted_date=None,
        cache={"made": 1},
    )  # fmt: skip
    transient = site(2, "transient_positive", ("2016-01-01", None), seen("2016-01-01", place), comments="a word")
    found = region(sites=(full, transient), comments="none", mgrs="31NAA")
    summed = region_document(found)
    event = {"event_name": "a", "location_name": "b", "event_url": "c", "event_type": "d"}
    summed["features"][2]["properties"]["annotation_cache"] = event
    return [site_document(full), site_document(transient), summed]


BASES = bases()
WORDS = [
    *ANNOTATED_STATUSES[:3], "transient_ignore", *SYSTEM_STATUSES[:2], *ORIGINATORS[:2], "te", "test", "annotation",
    "proposed", "update", "empty", "True", "False", "true", "True, False", "True,False", "True, ", "", "Unknown",
    PHASES[0], f"{PHASES[0]}, {PHASES[2]}", "Sentinel-2, Planet", "Sentinel-3", "2016-01-01", "2016-01-01T00:00:00Z",
    "2016-1-1", "16-01-01", "2016-13-99", "1.0.0", "1.0", "1.0.0a", "v1.0.0", "23KPR", "3KPR", "61KPR", "23IPR", "ZAH",
    "AJA", "YRP", "YRQ", "ZZ_R001", "ZZ_Rxxx", "ZZ_CXXX", "ZZ_C801", "ZZ_C701", "ZZ_Sxxx", "zz_R001", "ZZ_R01",
    "ZZ_R001_0001", "ZZ_R001_001", "ZZ_Rxxx_0001", "ZZ_Sxxx_0001", "ZZ_RXXX_0001", "ZZ_R001_00001", "region", "site",
    "site_summary", "observation", "Feature", "Polygon", "MultiPolygon", "Point",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.sampled_from([0, 1, 0.5, -0.1, 1.1, 2]),
    st.sampled_from([[], {}, [[]], {"a": 1}, [[0, 0]], [[[0, 0]] * 4], [[[0, 0, 0]] * 4], [[[[0, 0]] * 4]], [0, "a"]]),
).map(copy.deepcopy)  # fmt: skip
KEYS = [
    *sorted({key for base in BASES for each in base["features"] for key in each["properties"]}),
    "misc_info", "performer_cache", "annotation_cache", "cache", "note", "region_id", "predicted_phase_transition_date",
]  # fmt: skip


@st.composite
def mutated(draw):
    """Return a document that was right, with a few things changed, dropped, doubled or added."""
    document = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from([change_property, drop_property, change_feature, change_list, change_geometry]))(
            draw, document
        )
    return document


def some_feature(draw, document):
    features = document.get("features")
    chosen = draw(st.sampled_from(features)) if isinstance(features, list) and features else None
    return chosen if isinstance(chosen, dict) else None


def change_property(draw, document):
    feature = some_feature(draw, document)
    if feature and isinstance(feature.get("properties"), dict):
        feature["properties"][draw(st.sampled_from(KEYS))] = draw(VALUES)


def drop_property(draw, document):
    feature = some_feature(draw, document)
    if feature and isinstance(feature.get("properties"), dict) and feature["properties"]:
        del feature["properties"][draw(st.sampled_from(sorted(feature["properties"])))]


def change_feature(draw, document):
    feature = some_feature(draw, document)
    if feature is not None:
        key = draw(st.sampled_from(["type", "properties", "geometry", "id"]))
        if draw(st.booleans()):
            feature.pop(key, None)
        else:
            feature[key] = draw(VALUES)


def change_list(draw, document):
    features = document.get("features")
    what = draw(st.sampled_from(["drop", "double", "other", "value", "all", "type"]))
    if what == "type":
        document.pop("type", None)
    elif what == "all":
        document["features"] = draw(VALUES)
    elif isinstance(features, list) and features:
        place = draw(st.integers(0, len(features) - 1))
        if what == "drop":
            del features[place]
        elif what == "value":
            features[place] = draw(VALUES)
        else:
            base = features if what == "double" else draw(st.sampled_from(BASES))["features"]
            features.insert(place, copy.deepcopy(base[min(place, len(base) - 1)]))


def change_geometry(draw, document):
    feature = some_feature(draw, document)
    geometry = feature.get("geometry") if feature else None
    if isinstance(geometry, dict):
        rings = [[[0, 0], [1, 0], [1, 1], [0, 0]]]
        shapes = [rings, [rings], [], [[]], [[[0, 0], [1, 0], [0, 0]]], [[[0, 0], [1, "a"], [1, 1], [0, 0]]],
                  [[[0, 0], [], [1, 1], [0, 0]]], [[[0, 0], [True, 0], [1, 1], [0, 0]]]]  # fmt: skip
        geometry["coordinates"] = copy.deepcopy(draw(st.sampled_from(shapes)))
        geometry["type"] = draw(st.sampled_from(["Polygon", "MultiPolygon", "Point", geometry.get("type")]))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(document=mutated())
def test_the_verdict_on_changed_documents_is_the_schemas(schema, document):
    found = problems(document)
    assert bool(found) != schema.is_valid(document), found


def test_what_is_right_has_no_problem():
    assert [problems(base) for base in BASES] == [[], [], []]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("features", 0, "properties", "status"), "positive", "status is 'positive'; it should be one of positive_ann"),
        (("features", 0, "properties", "originator"), "test", "originator is 'test'; of what is proposed it is one of"),
        (("features", 0, "properties", "colour"), "red", "colour is 'red'; it should be left out"),
        (("features", 0, "properties", "mgrs"), "3KPR", "mgrs is '3KPR'; it should be a 100 km square such as 23KPR"),
        (("features", 1, "properties", "current_phase"), "Building", "it should be null or a list, joined by a comma"),
        (("features", 1, "properties", "is_occluded"), "false", "it should be null or a list"),
        (("features", 1, "geometry", "coordinates", 0, 0), [1, 2, 3], "a point is longitude and latitude, two"),
        (("features", 0, "properties", "score"), 2, "it should be a number from 0 to 1"),
        (("features",), [], "features is empty"),
        (("features",), None, "features is missing"),
    ],
)
def test_a_problem_says_where_what_and_what_should_be(path, value, said):
    document = copy.deepcopy(BASES[0])
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert any(said in problem for problem in problems(document))


def test_what_is_no_object_is_said():
    assert problems([]) == ["the document is [], not an object"]
