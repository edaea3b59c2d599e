"""Sites counted."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
import shapely
from support.made_sites import made_tables

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
    assert summary_csv(counted(empty)).decode().splitlines()[1] == "all,all,0,0,0.000000,0.0,0.0000,,,,0"


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
