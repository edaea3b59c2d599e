"""Sites counted."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pyarrow as pa
import pytest
import shapely
from support.made_sites import made_tables

from geowatch.consolidate.output.earlier import BECAME, EarlierRun
from geowatch.consolidate.output.summary import counted, summary_csv, total, write_sites_csv

SITES, _ = made_tables(30)
ROWS = pa.Table.from_batches(SITES).to_pylist()


def test_counts_add_up_to_the_table():
    counts = counted(SITES)
    assert [count.status for count in counts] == ["system_confirmed", "system_proposed"]
    for count in counts:
        mine = [row for row in ROWS if row["status"] == count.status]
        assert count.sites == len(mine)
        assert count.ongoing == sum(row["end"] is None for row in mine)
        assert count.area_m2 == pytest.approx(sum(row["area_m2"] for row in mine))
        assert count.mean_score == pytest.approx(sum(row["score"] for row in mine) / len(mine), rel=1e-6)
        assert count.first_start == min(row["start"] for row in mine)
        assert count.last_end == max(row["end"] for row in mine if row["end"])
    assert total(counts).sites == 30


def test_the_summary_has_a_line_for_each_class_and_status_and_one_for_all():
    lines = list(csv.DictReader(io.StringIO(summary_csv(counted(SITES)).decode())))
    assert [line["status"] for line in lines] == ["system_confirmed", "system_proposed", "all"]
    assert int(lines[2]["sites"]) == 30
    assert float(lines[2]["area_km2"]) == pytest.approx(sum(row["area_m2"] for row in ROWS) / 1e6, abs=1e-6)


def test_a_region_without_sites_has_a_summary_of_nothing():
    empty = type(SITES).of_table(pa.Table.from_batches([], SITES.schema))
    assert summary_csv(counted(empty)).decode().splitlines()[1] == "all,all,0,0,0.000000,0.0,0.0000,,,,,,,,0"


def test_the_summary_says_what_became_of_an_earlier_runs_sites():
    ends = sorted(row["end"] for row in ROWS if row["end"])
    earlier = EarlierRun(ends[len(ends) // 2], 20, "")
    told = list(csv.DictReader(io.StringIO(summary_csv(counted(SITES, earlier), goes_on=True).decode())))
    for line in told:
        mine = [row for row in ROWS if line["status"] in ("all", row["status"])]
        became = Counter(earlier.became(row["number"], row["end"]) for row in mine)
        assert {name: int(line[name.replace(" ", "_")]) for name in BECAME} == {name: became[name] for name in BECAME}
    assert all(int(told[-1][name.replace(" ", "_")]) for name in BECAME)
    assert sum(int(told[-1][name.replace(" ", "_")]) for name in BECAME) == 30


def test_without_an_earlier_run_the_summary_does_not_say_that_sites_are_new():
    for line in csv.DictReader(io.StringIO(summary_csv(counted(SITES)).decode())):
        assert [line[name] for name in ("goes_on", "ended_since", "had_ended", "new")] == [""] * 4


def test_the_list_of_sites_has_a_point_inside_each(tmp_path):
    write_sites_csv(SITES, tmp_path / "sites.csv")
    with (tmp_path / "sites.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["site_id"] for line in lines] == [row["site_id"] for row in ROWS]
    from pyproj import Transformer

    back = Transformer.from_crs("OGC:CRS84", "EPSG:32618", always_xy=True)
    for line, row in zip(lines, ROWS, strict=True):
        point = shapely.Point(back.transform(float(line["lon"]), float(line["lat"])))
        assert shapely.from_wkb(row["geometry"]).buffer(0.2).contains(point)
        assert line["end"] == ("" if row["end"] is None else row["end"].isoformat())
