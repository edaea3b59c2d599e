"""Channel specs mean what the field's own package says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.channels import channel_names
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


@pytest.mark.parametrize(("spec", "meant"), [("S2:red|green", "red green"), ("S2:x.0:2", "x.0 x.1"), ("*:red", "red")])
def test_a_sensor_before_the_channels_is_none_of_them(spec, meant):
    assert " ".join(channel_names(spec)) == meant


@pytest.mark.parametrize("spec", ["", "red||blue", "red|(blue", "red|red", "x:0|", "S2:", "(S2,L8):red,nir"])
def test_a_spec_that_cannot_be_read_is_named(spec):
    with pytest.raises(ConfigError) as caught:
        channel_names(spec)
    assert caught.value.hint
    assert f"'{spec}'" in caught.value.fact
