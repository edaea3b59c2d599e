"""Files of sites, opened with what people open them with."""

from __future__ import annotations

import json
import sqlite3
import time

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from support.made_sites import made_tables, many_sites

from geowatch.consolidate.output.batches import Batches, geometries
from geowatch.consolidate.output.geojson import write_geojson
from geowatch.consolidate.output.geoparquet import write_geoparquet
from geowatch.consolidate.output.scores import spread_scores
from geowatch.consolidate.output.vector import Layer, add_dates_layer, write_flatgeobuf, write_geopackage
from geowatch.errors import ConfigError

SITES, OBSERVATIONS = made_tables(24)


def write_gpkg(sites, observations, path):
    layers = [Layer("sites", sites, "Sites"), Layer("observations", spread_scores(observations), "Sites by date")]
    write_geopackage(layers, path)
    add_dates_layer(path)


WRITERS = {
    "sites.parquet": lambda sites, observations, path: write_geoparquet(sites, path),
    "observations.parquet": lambda sites, observations, path: write_geoparquet(observations, path),
    "sites.fgb": lambda sites, observations, path: write_flatgeobuf(Layer("sites", sites, "Sites"), path),
    "sites.gpkg": write_gpkg,
    "sites.geojson": lambda sites, observations, path: write_geojson(sites, path, 10**8),
}


def shapes_of(table: Batches) -> np.ndarray:
    return np.concatenate([geometries(batch) for batch in table])


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_sites_are_the_same_bytes_at_any_time_and_in_any_batches(name, tmp_path):
    sites, observations = many_sites(17_000 if name == "sites.parquet" else 400)
    write = WRITERS[name]
    whole = [Batches(t.schema, lambda t=t: whole_table(t)) for t in (sites, observations)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(sites, observations, tmp_path / "a" / name)
    time.sleep(1.1 if name.endswith("gpkg") else 0)  # a GeoPackage would keep the second
    write(*whole, tmp_path / "b" / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def whole_table(table):
    import pyarrow as pa

    return [pa.Table.from_batches(table, table.schema).combine_chunks().to_batches()[0]]


def test_geopandas_reads_the_geoparquet_with_its_crs_dates_and_outlines(tmp_path):
    write_geoparquet(SITES, tmp_path / "sites.parquet")
    frame = geopandas.read_parquet(tmp_path / "sites.parquet")
    assert frame.crs.to_epsg() == 32618
    assert frame.number.tolist() == list(range(24))
    assert shapely.equals_exact(frame.geometry.to_numpy(), shapes_of(SITES), 0).all()
    assert set(frame.geom_type) == {"Polygon", "MultiPolygon"}
    assert "bbox" not in frame  # it is the cover of the geometry, not a column of people's


def test_the_geoparquet_says_what_the_standard_asks_for(tmp_path):
    write_geoparquet(SITES, tmp_path / "sites.parquet")
    about = json.loads(pq.read_schema(tmp_path / "sites.parquet").metadata[b"geo"])
    column = about["columns"]["geometry"]
    assert (about["version"], about["primary_column"]) == ("1.1.0", "geometry")
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32618}
    assert column["bbox"] == list(shapely.total_bounds(shapes_of(SITES)))
    assert column["covering"]["bbox"]["xmax"] == ["bbox", "xmax"]
    boxes = pq.read_table(tmp_path / "sites.parquet", columns=["bbox"])["bbox"].to_pylist()
    assert [tuple(box.values()) for box in boxes] == [shape.bounds for shape in shapes_of(SITES)]


def test_a_box_reads_only_the_sites_in_it(tmp_path):
    write_geoparquet(SITES, tmp_path / "sites.parquet")
    some = shapes_of(SITES)[7]
    found = geopandas.read_parquet(tmp_path / "sites.parquet", bbox=some.bounds)
    assert 7 in found.number.tolist()
    assert len(found) < 24


def test_observations_without_an_outline_have_none_in_geoparquet(tmp_path):
    write_geoparquet(OBSERVATIONS, tmp_path / "observations.parquet")
    frame = geopandas.read_parquet(tmp_path / "observations.parquet")
    assert frame.geometry.isna().any()
    assert not frame.geometry.isna().all()
    assert len(frame.scores.iloc[0]) == 4


@pytest.mark.parametrize("name", ["sites.fgb", "sites.gpkg"])
def test_gdal_reads_every_site_as_a_multipolygon_with_its_columns(name, tmp_path):
    WRITERS[name](SITES, OBSERVATIONS, tmp_path / name)
    about = pyogrio.read_info(tmp_path / name, layer="sites")
    assert (about["features"], about["crs"], about["geometry_type"]) == (24, "EPSG:32618", "MultiPolygon")
    assert about["capabilities"]["fast_spatial_filter"]
    frame = geopandas.read_file(tmp_path / name, layer="sites").sort_values("number")
    assert set(frame.geom_type) == {"MultiPolygon"}
    assert shapely.equals(frame.geometry.to_numpy(), shapes_of(SITES)).all()
    first = next(iter(SITES)).to_pylist()[0]
    assert frame.start.iloc[0].date() == first["start"]
    assert frame.area_m2.iloc[0] == first["area_m2"]


def test_a_geopackage_shows_every_site_on_each_of_its_dates(tmp_path):
    write_gpkg(SITES, OBSERVATIONS, tmp_path / "sites.gpkg")
    frame = geopandas.read_file(tmp_path / "sites.gpkg", layer="sites_by_date")
    rows = [row for batch in OBSERVATIONS for row in batch.to_pylist()]
    sites = {row["site_id"]: row["geometry"] for batch in SITES for row in batch.to_pylist()}
    expected = shapely.from_wkb([row["geometry"] or sites[row["site_id"]] for row in rows])
    assert frame.crs.to_epsg() == 32618
    assert frame.site_id.tolist() == [row["site_id"] for row in rows]
    assert shapely.equals(frame.geometry.to_numpy(), expected).all()
    assert pyogrio.read_info(tmp_path / "sites.gpkg", layer="sites_by_date")["geometry_type"] == "MultiPolygon"
    some = geopandas.read_file(tmp_path / "sites.gpkg", layer="sites_by_date", where="date = '2016-05-11'")
    assert len(some) == sum(row["date"].isoformat() == "2016-05-11" for row in rows) > 0


def test_the_geopackage_has_both_tables_and_no_time_of_writing(tmp_path):
    write_gpkg(SITES, OBSERVATIONS, tmp_path / "sites.gpkg")
    assert pyogrio.list_layers(tmp_path / "sites.gpkg")[:, 0].tolist() == ["sites", "observations", "sites_by_date"]
    assert geopandas.read_file(tmp_path / "sites.gpkg", layer="observations").score_3.between(0, 1).all()
    with sqlite3.connect(tmp_path / "sites.gpkg") as opened:
        times = opened.execute("select distinct last_change from gpkg_contents").fetchall()
    assert times == [("2000-01-01T00:00:00.000Z",)]
    opened.close()


def test_the_clock_of_gdal_is_left_as_it_was(tmp_path):
    write_gpkg(SITES, OBSERVATIONS, tmp_path / "sites.gpkg")
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_geojson_is_lon_lat_of_a_centimetre_with_outer_rings_against_the_clock(tmp_path):
    write_geojson(SITES, tmp_path / "sites.geojson", 10**8)
    document = json.loads((tmp_path / "sites.geojson").read_text())
    frame = geopandas.read_file(tmp_path / "sites.geojson").to_crs(32618)
    assert shapely.hausdorff_distance(frame.geometry.to_numpy(), shapes_of(SITES)).max() < 0.02
    holes = 0
    for feature in document["features"]:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        for part in shapely.get_parts(shape):
            assert part.exterior.is_ccw
            assert not any(ring.is_ccw for ring in part.interiors)
            holes += len(part.interiors)
        assert all(len(repr(v).partition(".")[2]) <= 7 for v in shapely.get_coordinates(shape).ravel().tolist())
    assert holes
    assert document["features"][3]["properties"]["start"] == next(iter(SITES)).to_pylist()[3]["start"].isoformat()


def test_geojson_that_no_browser_opens_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"larger than 0\.002 MB") as refused:
        write_geojson(SITES, tmp_path / "sites.geojson", 2000)
    assert "--geojson-bytes" in refused.value.hint
    nowhere, _ = made_tables(2, crs=None)
    with pytest.raises(ConfigError, match="no CRS"):
        write_geojson(nowhere, tmp_path / "sites.geojson", 10**8)


def test_sites_of_plain_pixels_are_files_without_a_crs(tmp_path):
    sites, observations = made_tables(4, crs=None)
    write_geoparquet(sites, tmp_path / "sites.parquet")
    write_gpkg(sites, observations, tmp_path / "sites.gpkg")
    assert geopandas.read_parquet(tmp_path / "sites.parquet").crs is None
    assert len(geopandas.read_file(tmp_path / "sites.gpkg", layer="sites")) == 4


@pytest.mark.parametrize("name", WRITERS)
def test_a_region_without_sites_has_files_without_rows(name, tmp_path):
    import pyarrow as pa

    sites, observations = (Batches.of_table(pa.Table.from_batches([], t.schema)) for t in (SITES, OBSERVATIONS))
    WRITERS[name](sites, observations, tmp_path / name)
    path = tmp_path / name
    read = geopandas.read_parquet(path) if name.endswith("parquet") else geopandas.read_file(path, layer=0)
    assert len(read) == 0
