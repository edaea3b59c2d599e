"""What names of files and folders say about times."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from geowatch.read.names import time_in, time_of_file


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("img_2020-06-01", "2020-06-01"),
        ("20200601_103031_12_2417_3B_AnalyticMS", "2020-06-01"),
        ("2020_06_01_scene", "2020-06-01"),
        ("ndvi_2020.06.01", "2020-06-01"),
        ("2020-06-01T10-30-31Z", "2020-06-01T10:30:31+00:00"),
        ("2020-06-01 10:30:31", "2020-06-01T10:30:31+00:00"),
        ("20200601103031", "2020-06-01T10:30:31+00:00"),
        ("20200601T993031", "2020-06-01"),
        ("2020153_ndvi", "2020-06-01"),
        ("2020-153", "2020-06-01"),
        ("MOD13Q1.A2020153.h18v04", "2020-06-01"),
        ("HLS.S30.T32TQM.2020153T103031.v2.0", "2020-06-01T10:30:31+00:00"),
        ("orbit_2012153_20200601", "2020-06-01"),
        ("leap_2020366", "2020-12-31"),
    ],
)
def test_usual_forms_of_dates_are_understood(name, when):
    assert time_in(name).isoformat() == when


@pytest.mark.parametrize(
    "name",
    [
        "2020_06-01",
        "01-06-2020",
        "20201301",
        "2019366",
        "2019000",
        "mosaic_2020_06",
        "1200601",
        "id_120200601",
        "x_200601",
    ],
)
def test_what_is_no_date_or_may_be_another_one_is_none(name):
    assert time_in(name) is None


def test_folders_date_their_files_where_names_do_not():
    assert time_of_file("B04", PurePath("series/20200601")).isoformat() == "2020-06-01"
    assert time_of_file("img", PurePath("/series/2020/06/01")).isoformat() == "2020-06-01"
    assert time_of_file("img_2020-06-02", PurePath("/series/2020/06/01")).isoformat() == "2020-06-02"
    assert time_of_file("img", PurePath("/series/2020/6")) is None
    assert time_of_file("img", PurePath("/2020-06-01/series")) is None
