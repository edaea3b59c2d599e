"""Values with a unit or a form of their own."""

from __future__ import annotations

import click
import pytest

from gw_cli.values import BYTES, COUNT, DATE, FLOATS, NAMES, OVERLAP, PAIR, SETTING, SHARD, SHARE, SIZE_PX


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BYTES, "2GB", 2 * 10**9),
        (BYTES, "512MiB", 512 * 2**20),
        (BYTES, "1.5 g", 1_500_000_000),
        (BYTES, "4096", 4096),
        (OVERLAP, "64", 64.0),
        (OVERLAP, "0.25", 0.25),
        (OVERLAP, "25%", 0.25),
        (OVERLAP, "0", 0.0),
        (COUNT, "8", 8),
        (SIZE_PX, "256", (256, 256)),
        (SIZE_PX, "256x320", (256, 320)),
        (PAIR, "0,1.5", (0.0, 1.5)),
        (SETTING, "width=16", ("width", 16)),
        (SETTING, "radii_px=2,4.5", ("radii_px", [2, 4.5])),
        (SETTING, "polarity=both", ("polarity", "both")),
        (SHARD, "1/4", (1, 4)),
        (SHARD, "4/4", (4, 4)),
        (SHARE, "0.9", 0.9),
        (SHARE, "90%", 0.9),
        (SHARE, "1", 1.0),
        (DATE, "2020-06-01", "2020-06-01"),
        (NAMES, "blue, green", ("blue", "green")),
        (FLOATS, "0.1,2", (0.1, 2.0)),
    ],
)
def test_reads(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BYTES, "2 elephants"),
        (BYTES, "-1GB"),
        (OVERLAP, "-1"),
        (OVERLAP, "64.5"),
        (OVERLAP, "100%"),
        (COUNT, "0"),
        (SIZE_PX, "0"),
        (SIZE_PX, "-3"),
        (PAIR, "1"),
        (PAIR, "1,2,3"),
        (COUNT, "-1"),
        (SETTING, "width"),
        (SETTING, "width="),
        (SETTING, "=16"),
        (SHARD, "5/4"),
        (SHARE, "101%"),
        (SHARE, "-0.1"),
        (SHARE, "all"),
        (SHARD, "0/4"),
        (DATE, "2020-13-01"),
        (DATE, "june"),
        (SHARD, "1"),
        (SHARD, "a/b"),
        (NAMES, "blue,,green"),
        (FLOATS, "x"),
    ],
)
def test_refuses_and_names_the_value_that_it_got(kind, text):
    with pytest.raises(click.BadParameter, match=text):
        kind.convert(text, None, None)
