"""Parts of a dataset never share what hangs together, and a seed says which is which."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.splits import Unit, block_of, grouped, parse_shares, split_groups, split_time
from geowatch.errors import ConfigError

THREE = parse_shares(["train=0.6", "validation=0.2", "test=20%"])
UNITS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 40), st.integers(0, 40), st.integers(1, 4)), min_size=1, max_size=25
)


def units_of(rows):
    return [
        Unit(f"image{i:02}", (f"video {video}",), shapely.box(x, y, x + size, y + size))
        for i, (video, x, y, size) in enumerate(rows)
    ]


@settings(deadline=None)
@given(UNITS, st.randoms(), st.integers(0, 5))
def test_nothing_leaks_and_nothing_is_lost_in_any_order(rows, random, seed):
    units = units_of(rows)
    groups = grouped(units)
    if len(groups) < 3:
        with pytest.raises(ConfigError, match="images that stay together make"):
            split_groups(groups, THREE, seed)
        return
    parts = split_groups(groups, THREE, seed)
    assert sorted(u.name for members in parts.values() for u in members) == sorted(u.name for u in units)
    assert all(parts.values())
    for name, members in parts.items():
        for other, others in parts.items():
            if name < other:
                assert not {k for u in members for k in u.keys} & {k for u in others for k in u.keys}
                assert all(a.outline.intersection(b.outline).area == 0 for a in members for b in others)
    again = split_groups(grouped(random.sample(units, len(units))), THREE, seed)
    assert {k: sorted(u.name for u in v) for k, v in again.items()} == {
        k: sorted(u.name for u in v) for k, v in parts.items()
    }


def test_shares_are_met_and_seeds_differ():
    units = [Unit(f"i{n}", (f"v{n}",)) for n in range(100)]
    parts = split_groups(grouped(units), THREE, 0)
    assert {name: len(members) for name, members in parts.items()} == {"train": 60, "validation": 20, "test": 20}
    assert parts["test"] != split_groups(grouped(units), THREE, 1)["test"]


def test_images_that_share_a_border_are_not_kept_together():
    apart = [Unit(n, (), shapely.box(x, 0, x + 1, 1)) for n, x in (("a", 0), ("b", 1), ("c", 1.5))]
    assert {name: [u.name for u in members] for name, members in grouped(apart).items()} == {
        "a": ["a"], "b": ["b", "c"],
    }  # fmt: skip


def test_blocks_are_as_wide_as_they_are_high():
    for lat in (0, 45, 70):
        names = {block_of(shapely.Point(10 + i * 0.001, lat + 0.001), 10_000) for i in range(1000)}
        width_m = 111_320 * abs(math.cos(math.radians(lat)))
        assert abs(len(names) - width_m / 10_000) <= 2
    assert block_of(shapely.Point(10, 45), 10_000) == block_of(shapely.Point(10.0001, 45.0001), 10_000)


@given(st.lists(st.integers(0, 60), min_size=3, max_size=60, unique=True), st.integers(0, 10))
def test_parts_follow_each_other_in_time_with_a_gap(offsets, gap):
    start = date(2020, 1, 1)
    units = [Unit(f"{n}-{twin}", (), day=start + timedelta(days=n)) for n in offsets for twin in "ab"]
    try:
        parts = split_time(units, THREE, gap)
    except ConfigError:
        assert gap or len(offsets) < 6
        return
    days = {name: sorted(u.day for u in members) for name, members in parts.items()}
    order = [days[name] for name in ("train", "validation", "test")]
    for earlier, later in pairwise(order):
        assert (later[0] - earlier[-1]).days > gap
    assert gap or sum(map(len, order)) == len(units)


def test_an_image_without_a_date_cannot_be_split_in_time():
    with pytest.raises(ConfigError, match="1 of 2 images have no date, such as 'b'"):
        split_time([Unit("a", (), day=date(2020, 1, 1)), Unit("b", ())], THREE, 0)


@pytest.mark.parametrize("texts", [["train"], ["train=1"], ["a=0.5", "a=0.5"], ["a=0.5", "b=0.6"], ["a/b=0.5", "c=0.5"],
                                   ["a=x", "b=0.5"], ["a=-1", "b=2"]])  # fmt: skip
def test_parts_that_make_no_whole_are_refused(texts):
    with pytest.raises(ConfigError) as caught:
        parse_shares(texts)
    assert caught.value.hint
