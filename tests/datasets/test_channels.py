"""Channel specs mean what the field's own package says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.channels import channel_names, sensor_channels
from geowatch.errors import ConfigError

NAMES = st.text("abcdefxyzB", min_size=1, max_size=4)
CODES = st.one_of(
    NAMES,
    st.sampled_from(["rgb", "B8A", "swir16"]),
    st.builds("{}.{}:{}".format, NAMES, st.integers(0, 3), st.integers(4, 6)),
    st.builds("{}.{}".format, NAMES, st.integers(0, 9)),
)


@settings(deadline=None)
@given(st.lists(CODES, min_size=1, max_size=4, unique=True))
def test_fused_channels_are_those_of_the_package(codes):
    delayed = pytest.importorskip("delayed_image")
    spec = "|".join(codes)
    theirs = delayed.FusedChannelSpec.coerce(spec).normalize().as_list()
    if len(set(theirs)) == len(theirs):
        assert channel_names(spec) == tuple(theirs)
    else:
        with pytest.raises(ConfigError, match="twice"):
            channel_names(spec)


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("S2:red|green", [("S2", "red green")]),
        ("(S2,L8):(red|nir,pan)", [("S2", "red nir"), ("S2", "pan"), ("L8", "red nir"), ("L8", "pan")]),
        ("S2:x.0:2,L8:blue", [("S2", "x.0 x.1"), ("L8", "blue")]),
        ("*:red", [("*", "red")]),
        ("red|x:2,pan", [("*", "red x.0 x.1"), ("*", "pan")]),
    ],
)
def test_sensors_share_out_channels_as_the_documentation_says(spec, meant):
    assert [(s.sensor, " ".join(s.channels)) for s in sensor_channels(spec)] == meant


@pytest.mark.parametrize("spec", ["", "red||blue", "red|(blue", "red|red", "x:0|"])
def test_a_spec_that_cannot_be_read_is_named(spec):
    with pytest.raises(ConfigError) as caught:
        channel_names(spec)
    assert caught.value.hint
    assert f"'{spec}'" in caught.value.fact


def test_brackets_that_do_not_close_are_refused():
    with pytest.raises(ConfigError, match="cannot be read"):
        sensor_channels("(S2,L8:red")
