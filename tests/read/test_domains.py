"""What tells imagery apart that is normalised by statistics of its own."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.documents import scenes_from_json, scenes_to_json
from geowatch.read.domains import domain_of
from geowatch.read.frames import make_frames
from geowatch.read.scene import BandSource, RasterGrid, Scene

GRID = RasterGrid((4, 4), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32633")
BAND = BandSource("red", "B04", "a.tif", 1, "uint16", GRID)
# Half past eleven at night in UTC, and the next morning by the sun far in the east.
SCENE = Scene("a", "s2", datetime(2020, 5, 31, 23, 30, tzinfo=UTC), (BAND,), center_lon=150.0)


def test_months_are_of_the_day_by_the_sun():
    assert domain_of(SCENE, "month", {}) == "s2/06"
    assert domain_of(SCENE, "channels", {}) == "s2:red"


@given(st.one_of(st.none(), st.just(""), st.lists(st.integers()), st.dictionaries(st.text(), st.text())))
def test_fields_that_name_nothing_are_refused(value):
    with pytest.raises(ConfigError, match="has no region"):
        domain_of(SCENE, "region", {"region": value})
    assert domain_of(SCENE, "region", {"region": 7}) == "7"


def test_documents_of_scenes_without_a_domain_are_as_they_were_before_there_were_any():
    assert "domain" not in json.loads(scenes_to_json([SCENE]))["scenes"][0]
    for scene in (SCENE, replace(SCENE, domain="alps")):
        assert scenes_from_json(scenes_to_json([scene])) == (scene,)


def test_one_frame_has_one_domain():
    pair = [replace(SCENE, domain="alps"), replace(SCENE, id="b", domain="coast")]
    with pytest.raises(ImageryError, match="alps, coast"):
        make_frames(pair)
    assert make_frames([replace(scene, domain="alps") for scene in pair])[0].scenes[0].domain == "alps"
