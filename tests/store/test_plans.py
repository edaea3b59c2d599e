"""Plans in a run folder: GeoParquet that others open, and damage that is found."""

import json
from contextlib import suppress

import numpy as np
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from geowatch.errors import ConfigError, DamagedError, PlanError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.estimate import Workload
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.region import Region
from geowatch.grid.windows import WindowLattice
from geowatch.store import LocalStore, plans
from geowatch.store.plans import read_plan, read_tiles, tiles_key, write_geojson, write_plan


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def planned(*bounds, **load):
    region = Region("r", shapely.box(*bounds))
    return make_plan(PlanRequest(region, LatticeChoice(resolution=10), tile_px=128, load=Workload(**load)))


@pytest.fixture
def one():
    return planned(-72.5, 40, -72.4, 40.1, windows=WindowLattice.of((64, 64), 0.25))


def test_a_plan_comes_back_from_its_folder(store, one):
    plan, tables = one
    write_plan(store, plan, tables)
    assert sorted(store.list()) == ["plan/plan.json", "plan/tiles.parquet"]
    assert read_plan(store) == plan
    assert read_tiles(store, plan, "utm18n") == tables["utm18n"]


def test_each_grid_of_several_has_its_file(store):
    plan, tables = planned(-72.1, 40, -71.9, 40.1)
    write_plan(store, plan, tables)
    assert sorted(store.list()) == [
        "plan/plan.json",
        "plan/tiles-utm18n.parquet",
        "plan/tiles-utm19n.parquet",
    ]
    for grid in plan.grids:
        assert read_tiles(store, read_plan(store), grid.id) == tables[grid.id]


def test_tiles_are_geoparquet(store, one, tmp_path):
    plan, tables = one
    write_plan(store, plan, tables)
    file = pq.ParquetFile(tmp_path / "plan/tiles.parquet")
    assert file.schema_arrow.names == ["iy", "ix", "windows", "geometry"]
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["Polygon"])
    assert pyproj.CRS.from_json_dict(column["crs"]).to_epsg() == 32618
    content = file.read()
    outlines = shapely.from_wkb(content["geometry"].to_numpy(zero_copy_only=False))
    grid = plan.grids[0]
    expected = [grid.lattice.bounds(grid.core(tile)) for tile in tables["utm18n"]]
    assert shapely.bounds(outlines) == pytest.approx(np.array(expected))
    assert shapely.is_ccw(shapely.get_exterior_ring(outlines)).all()
    windows = plan.load.windows
    assert content["windows"].to_pylist() == [windows.count(grid.work(tile)) for tile in tables["utm18n"]]
    assert column["bbox"] == pytest.approx(list(grid.lattice.bounds(grid.array_box)))


def test_geopandas_opens_the_tiles(store, one, tmp_path):
    geopandas = pytest.importorskip("geopandas")
    write_plan(store, *one)
    frame = geopandas.read_parquet(tmp_path / "plan/tiles.parquet")
    assert frame.crs.to_epsg() == 32618
    assert len(frame) == one[0].tile_count


def test_the_same_plan_is_the_same_bytes(tmp_path, one):
    stores = [LocalStore(tmp_path / name) for name in "ab"]
    for store in stores:
        write_plan(store, *one)
    for key in ("plan/plan.json", "plan/tiles.parquet"):
        assert stores[0].get(key) == stores[1].get(key)


def test_tiles_are_written_in_parts_that_change_nothing(store, one, monkeypatch):
    monkeypatch.setattr(plans, "_ROWS_AT_ONCE", 7)
    plan, tables = one
    write_plan(store, plan, tables)
    assert read_tiles(store, plan, "utm18n") == tables["utm18n"]
    assert pq.ParquetFile(store.path("plan/tiles.parquet")).num_row_groups == -(-plan.tile_count // 7)


def test_images_without_georeference_have_tiles_without_a_crs(store):
    request = PlanRequest(None, LatticeChoice(imagery=Lattice.of_pixels()), PixelBox(0, 0, 70, 30), tile_px=16)
    plan, tables = make_plan(request)
    write_plan(store, plan, tables)
    geo = json.loads(pq.ParquetFile(store.path("plan/tiles.parquet")).schema_arrow.metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"] is None
    assert read_plan(store) == plan
    with pytest.raises(ConfigError, match="no georeference"):
        write_geojson(store, plan, tables)


def test_a_folder_without_a_plan_says_how_to_make_one(store):
    with pytest.raises(PlanError, match="no plan") as caught:
        read_plan(store)
    assert "gw tile" in caught.value.hint


def test_a_crash_before_the_end_leaves_no_plan(store, one, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalStore, "put", crash)
    with pytest.raises(KeyboardInterrupt):
        write_plan(store, *one)
    assert not plans.has_plan(store)


def test_damaged_tiles_are_found(store, one):
    plan, tables = one
    write_plan(store, plan, tables)
    whole = store.get("plan/tiles.parquet")
    for content in (
        whole[:-5],
        whole[:200],
        b"",
        whole[: len(whole) // 2] + bytes(8) + whole[len(whole) // 2 + 8 :],
    ):
        store.put("plan/tiles.parquet", content)
        with suppress(DamagedError):  # or the damage lies in outlines, which are not read
            assert read_tiles(store, plan, "utm18n") == tables["utm18n"]
    other, others = planned(-72.5, 40, -72.4, 40.2)
    write_plan(store, other, others)
    with pytest.raises(DamagedError, match="not the plan's"):
        read_tiles(store, plan, "utm18n")
    store.put("plan/tiles.parquet", whole[:-5])
    with pytest.raises(DamagedError, match="damaged"):
        read_tiles(store, plan, "utm18n")
    store.delete("plan/tiles.parquet")
    with pytest.raises(DamagedError):
        read_tiles(store, plan, "utm18n")


def test_geojson_is_longitude_and_latitude_with_names(store, one):
    plan, tables = one
    write_geojson(store, plan, tables)
    features = json.loads(store.get("plan/tiles.geojson"))["features"]
    assert [feature["id"] for feature in features] == [tile.name for tile in tables["utm18n"]]
    outlines = shapely.union_all([shapely.geometry.shape(feature["geometry"]) for feature in features])
    assert outlines.buffer(1e-6).contains(plan.region.geometry)
    assert features[0]["properties"]["windows"] > 0


def test_geojson_over_the_antimeridian_is_cut(store):
    region = Region("r", shapely.union(shapely.box(179.98, 10, 180, 10.02), shapely.box(-180, 10, -179.98, 10.02)))
    plan, tables = make_plan(PlanRequest(region, LatticeChoice(resolution=10), tile_px=128))
    write_geojson(store, plan, tables)
    for feature in json.loads(store.get("plan/tiles.geojson"))["features"]:
        area = shapely.geometry.shape(feature["geometry"])
        assert area.area == pytest.approx(0.0116 * 0.0117, rel=0.05)


def test_geojson_of_tiles_that_reach_over_the_pole_ends_there(store):
    choice = LatticeChoice(crs="EPSG:4326", resolution=0.01)
    plan, tables = make_plan(PlanRequest(Region("r", shapely.box(170, 89, 180, 90)), choice, tile_px=128))
    write_geojson(store, plan, tables)
    for feature in json.loads(store.get("plan/tiles.geojson"))["features"]:
        bounds = shapely.geometry.shape(feature["geometry"]).bounds
        assert bounds[3] <= 90
        assert bounds[2] <= 180


def test_a_geojson_that_no_viewer_opens_is_refused(store, one, monkeypatch):
    monkeypatch.setattr(plans, "MAX_GEOJSON_TILES", 3)
    with pytest.raises(ConfigError, match="too many for GeoJSON") as caught:
        write_geojson(store, *one)
    assert "parquet" in caught.value.hint
    assert tiles_key(one[0], "utm18n") == "plan/tiles.parquet"
