"""The STAC collection, read as pystac and the extensions' rules read it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pystac
import pytest
import shapely
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.table import TableExtension

from geowatch.consolidate.output.stac import CatalogFacts, collection, dumped, in_collection, sites_item

FACTS = CatalogFacts(
    region_id="KR_R001",
    outline=shapely.box(128.6, 35.0, 128.7, 35.1),
    start=date(2016, 1, 1),
    end=date(2020, 12, 31),
    crs="EPSG:32652",
    columns=(("site_id", "string"), ("geometry", "binary")),
    rows=12,
    files=("sites/sites.parquet", "sites/sites.gpkg", "sites/sites.png", "sites/site_models/KR_R001_0000.geojson"),
)


def written(tmp_path):
    item = sites_item(FACTS)
    (tmp_path / "sites.json").write_bytes(dumped(item))
    (tmp_path / "collection.json").write_bytes(dumped(collection(FACTS, {"sites.json": item})))
    return pystac.Collection.from_file(str(tmp_path / "collection.json"))


def test_pystac_reads_the_collection_and_finds_its_items(tmp_path):
    read = written(tmp_path)
    assert (read.id, read.license) == ("KR_R001", "other")
    assert read.extent.spatial.bboxes == [[128.6, 35.0, 128.7, 35.1]]
    first, last = read.extent.temporal.intervals[0]
    assert (first.date(), last.date()) == (FACTS.start, FACTS.end)
    items = list(read.get_items())
    assert [item.id for item in items] == ["KR_R001-sites"]
    assert items[0].collection_id == "KR_R001"
    assert items[0].get_collection().id == "KR_R001"
    assert items[0].get_root().id == "KR_R001"


def test_the_item_says_its_projection_and_its_table(tmp_path):
    item = next(iter(written(tmp_path).get_items()))
    assert ProjectionExtension.ext(item).code == "EPSG:32652"
    table = TableExtension.ext(item)
    assert (table.row_count, table.primary_geometry) == (12, "geometry")
    assert [(column.name, column.col_type) for column in table.columns] == list(FACTS.columns)
    assert item.datetime is None
    assert item.common_metadata.start_datetime.date() == FACTS.start


def test_assets_are_the_files_that_were_made_and_lie_where_they_say(tmp_path):
    item = next(iter(written(tmp_path).get_items()))
    assert {name: asset.href for name, asset in item.assets.items()} == {
        "parquet": "../sites.parquet", "geopackage": "../sites.gpkg", "thumbnail": "../sites.png",
    }  # fmt: skip
    assert item.assets["thumbnail"].roles == ["thumbnail"]


def test_a_region_without_days_still_has_a_valid_item():
    item = sites_item(replace(FACTS, start=None, end=None))
    assert item["properties"]["start_datetime"] < item["properties"]["end_datetime"]
    assert collection(replace(FACTS, start=None), {})["extent"]["temporal"]["interval"][0][0] is None


def test_the_extent_holds_maps_of_other_days_and_pixels_over_the_edge():
    def item(day, west):
        shape = json.loads(shapely.to_geojson(shapely.box(west, 35.0, west + 0.1, 35.1)))
        return {"geometry": shape, "properties": {"datetime": f"{day}T10:00:00Z"}}

    items = {"a.json": item("2015-12-02", 128.5999), "b.json": item("2021-02-03", 128.6)}
    extent = collection(FACTS, items)["extent"]
    assert extent["spatial"]["bbox"] == [[128.5999, 35.0, 128.7, 35.1]]
    assert extent["temporal"]["interval"] == [["2015-12-02T10:00:00Z", "2021-02-03T10:00:00Z"]]
    undated = collection(replace(FACTS, start=None, end=None), items)
    assert undated["extent"]["temporal"]["interval"] == [[None, None]]


def test_a_map_over_the_antimeridian_does_not_widen_the_extent_around_the_world():
    both = shapely.MultiPolygon([shapely.box(179.9, 0, 180, 1), shapely.box(-180, 0, -179.9, 1)])
    facts = replace(FACTS, outline=both)
    item = {"geometry": json.loads(shapely.to_geojson(both)), "properties": {"datetime": "2016-05-01T00:00:00Z"}}
    assert collection(facts, {"a.json": item})["extent"]["spatial"]["bbox"] == [[179.9, 0.0, -179.9, 1.0]]


@pytest.mark.parametrize("name", ["my field", "Kyōto/2"])
def test_ids_can_be_file_names(name):
    item = {"id": "map", "assets": {"map": {"href": "./map.tif"}}, "links": [{"rel": "self"}]}
    made = in_collection(item, name, "../../")
    assert "/" not in made["collection"]
    assert " " not in made["collection"]
    assert made["assets"]["map"]["href"] == "../../map.tif"
    assert {link["rel"] for link in made["links"]} == {"root", "parent", "collection"}
    json.dumps(made)
