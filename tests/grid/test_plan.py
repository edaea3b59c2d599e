"""Plans: grids, ids, and that overlapping plans share tiles and windows."""

import json
from dataclasses import replace

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError, MemoryBudgetError, PlanError, RegionError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.estimate import Workload
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import PlanRequest, make_plan, plan_id
from geowatch.grid.region import Region, parse_region
from geowatch.grid.sweeps import cut_sweeps
from geowatch.grid.tiles import Tile
from geowatch.grid.windows import WindowLattice

LOAD = Workload(windows=WindowLattice.of((256, 256), 0.25), bands=6, classes=3, gflop_per_window=20.0)


def planned(*bounds, resolution=10, tile_px=256, **more):
    region = Region("r", shapely.box(*bounds))
    return make_plan(PlanRequest(region, LatticeChoice(resolution=resolution), tile_px=tile_px, **more))


def test_bounds_are_the_region_s_snapped_outward_to_pixels():
    plan, _ = planned(-72.5, 40, -72.4, 40.1)
    (grid,) = plan.grids
    left, bottom, right, top = grid.lattice.bounds(grid.bounds)
    x0, y0, x1, y1 = grid.cover.bounds
    assert 0 <= x0 - left < 10 and 0 <= y0 - bottom < 10 and 0 <= right - x1 < 10 and 0 <= top - y1 < 10  # noqa: PT018
    assert grid.array_box.covers(grid.bounds)
    assert grid.array_box.height % 256 == 0


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0.03, 0.2), st.floats(0.03, 0.2)),
    st.tuples(st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0.03, 0.2), st.floats(0.03, 0.2)),
    st.sampled_from([64, 100, 256]),
    st.tuples(st.floats(0, 9), st.floats(0, 9)),
)
def test_overlapping_regions_share_tiles_and_windows(one, other, tile_px, origin):
    """Over the meridian of zones 18 and 19: what lies in both has one name, one core, the same windows."""
    choice = LatticeChoice(resolution=10, origin=origin)
    regions = [shapely.box(-72.2 + x, 40 + y, -72.2 + x + w, 40 + y + h) for x, y, w, h in (one, other)]
    plans = [make_plan(PlanRequest(Region("r", area), choice, tile_px=tile_px, load=LOAD)) for area in regions]
    (first, tables), (second, others) = plans
    windows = LOAD.windows
    for grid in first.grids:
        if grid.id not in others:
            continue
        twin = second.grid(grid.id)
        assert grid.lattice == twin.lattice
        common = shapely.intersection(grid.cover, twin.cover)
        for tile in set(tables[grid.id]) & set(others[grid.id]):
            assert grid.core(tile) == twin.core(tile)
            both = grid.work(tile) & twin.work(tile)
            for here, there in zip(windows.touching(grid.work(tile)), windows.touching(both), strict=True):
                assert set(there) <= set(here)
        shared = {tile for tile in tables[grid.id] if _area(common, grid, tile) > 1}
        assert shared <= set(others[grid.id])


def _area(area, grid, tile):
    return shapely.intersection(area, shapely.box(*grid.lattice.bounds(grid.core(tile)))).area


def test_a_region_over_a_zone_meridian_is_planned_in_both_zones():
    plan, tables = planned(-72.1, 40, -71.9, 40.1)
    assert [grid.id for grid in plan.grids] == ["utm18n", "utm19n"]
    assert all(len(table) for table in tables.values())
    assert any("2 zones" in note for note in plan.notes)
    assert plan.tile_count == sum(map(len, tables.values()))


def test_the_antimeridian_is_planned_in_both_zones():
    document = {
        "type": "Polygon",
        "coordinates": [[[179.9, -17], [-179.9, -17], [-179.9, -16.9], [179.9, -16.9]]],
    }
    plan, tables = make_plan(PlanRequest(parse_region(document), LatticeChoice(resolution=10), tile_px=256))
    assert [grid.id for grid in plan.grids] == ["utm01s", "utm60s"]
    assert all(grid.bounds.width < 1200 for grid in plan.grids)
    assert all(len(table) > 20 for table in tables.values())


def test_a_polar_cap_is_planned_on_a_polar_grid():
    document = {"type": "Polygon", "coordinates": [[[0, 89], [120, 89], [-120, 89], [0, 89]]]}
    plan, tables = make_plan(PlanRequest(parse_region(document), LatticeChoice(resolution=100), tile_px=256))
    (grid,) = plan.grids
    assert grid.id == "ups_n"
    pole = grid.lattice.box_covering((2_000_001, 2_000_001, 2_000_002, 2_000_002))
    assert Tile("ups_n", pole.y0 // 256, pole.x0 // 256) in set(tables["ups_n"])


def test_the_whole_world_is_planned_in_zones():
    world = Region("world", shapely.box(-180, -90, 180, 90))
    plan, _ = make_plan(PlanRequest(world, LatticeChoice(resolution=1000), tile_px=256))
    assert len(plan.grids) == 62
    covered = plan.estimate.output_px * 1e6
    assert 0.98 < covered / 5.1e14 < 1.35  # snapped outward to bounds and pixels of 1 km


def test_all_smart_regions_plan(shared_data):
    for file in sorted(shared_data("smart/region_models").glob("*.geojson")):
        region = parse_region(json.loads(file.read_text("utf-8")))
        plan, tables = make_plan(PlanRequest(region, LatticeChoice(resolution=10), tile_px=512, load=LOAD))
        assert plan.tile_count == sum(map(len, tables.values())) > 0
        assert plan.estimate.windows > 0
        assert plan.estimate.redundancy >= 1


def test_the_imagery_s_lattice_places_the_grid():
    lattice = Lattice("EPSG:32618", -30, 30, 15, 15)
    region = Region("r", shapely.box(-73.5, 40, -73.4, 40.1))
    plan, _ = make_plan(PlanRequest(region, LatticeChoice(imagery=lattice)))
    assert plan.grids[0].lattice == lattice
    assert plan.grids[0].id == "utm18n"


def test_degrees_are_planned_in_degrees():
    region = Region("r", shapely.box(10, 50, 10.1, 50.1))
    plan, _ = make_plan(PlanRequest(region, LatticeChoice(crs="EPSG:4326", resolution=0.001), tile_px=64))
    assert plan.grids[0].bounds.shape == (100, 100)
    assert plan.grids[0].id == "epsg4326"


def test_images_without_a_region_are_planned_whole():
    plan, tables = make_plan(
        PlanRequest(None, LatticeChoice(imagery=Lattice.of_pixels()), PixelBox(0, 0, 700, 300), tile_px=256, load=LOAD)
    )
    (grid,) = plan.grids
    assert (grid.id, grid.cover, grid.bounds) == ("pixels", None, PixelBox(0, 0, 700, 300))
    assert len(tables["pixels"]) == 6
    assert plan.estimate.output_px == 700 * 300
    assert grid.work(Tile("pixels", 2, 1)) == PixelBox(512, 256, 700, 300)


@pytest.mark.parametrize(
    ("request_", "error", "fact"),
    [
        (PlanRequest(), ConfigError, "neither a region nor images"),
        (PlanRequest(Region("r", shapely.box(0, 0, 1, 1))), RegionError, "how large a pixel"),
        (
            PlanRequest(Region("r", shapely.box(0, 0, 1, 1)), LatticeChoice(imagery=Lattice.of_pixels())),
            RegionError,
            "no georeference",
        ),
        (
            PlanRequest(Region("r", shapely.box(-180, -80, 180, 80)), LatticeChoice(resolution=0.3), tile_px=256),
            PlanError,
            "at most",
        ),
        (
            PlanRequest(Region("r", shapely.box(0, 0, 1, 1)), LatticeChoice(resolution=10), load=LOAD, memory_bytes=1),
            MemoryBudgetError,
            "may take",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused_before_any_work(request_, error, fact):
    with pytest.raises(error, match=fact) as caught:
        make_plan(request_)
    assert caught.value.hint


@pytest.mark.parametrize("tile_px", [0, -1, 1 << 16])
def test_a_tile_size_that_is_none_is_refused(tile_px):
    with pytest.raises(ConfigError, match="tiles of"):
        PlanRequest(tile_px=tile_px)


def test_an_id_names_region_grids_and_tiles_and_nothing_else():
    base, _ = planned(-72.5, 40, -72.4, 40.1)
    assert planned(-72.5, 40, -72.4, 40.1)[0].id == base.id
    assert planned(-72.5, 40, -72.4, 40.1, load=LOAD, memory_bytes=10**10)[0].id == base.id
    others = [
        planned(-72.5, 40, -72.4, 40.11)[0],
        planned(-72.5, 40, -72.4, 40.1, tile_px=512)[0],
        planned(-72.5, 40, -72.4, 40.1, resolution=20)[0],
    ]
    assert len({base.id, *(plan.id for plan in others)}) == 4
    assert len(base.id) == 16
    assert plan_id(base.region, base.grids, base.tiles) == base.id
    assert plan_id(base.region, base.grids, (replace(base.tiles[0], digest="0" * 64),)) != base.id


def test_memory_narrows_sweeps_and_moves_no_tile():
    one_by_one = replace(LOAD, batch=1)  # or fewer windows would run at once
    wide, tables = planned(-72.5, 40, -72.0, 40.5, load=one_by_one)
    narrow, others = planned(-72.5, 40, -72.0, 40.5, load=one_by_one, memory_bytes=wide.estimate.memory_bytes - 1)
    assert narrow.sweep_tiles == (wide.sweep_tiles[0], wide.sweep_tiles[1] // 2)
    assert narrow.estimate.memory_bytes < wide.estimate.memory_bytes
    assert narrow.estimate.windows > wide.estimate.windows
    assert narrow.id == wide.id
    assert set(tables["utm18n"]) == set(others["utm18n"])


def test_rows_of_a_table_stand_in_sweep_order():
    plan, tables = planned(-72.5, 40, -72.0, 40.5, load=LOAD)
    for table in tables.values():
        assert list(table) == [tile for sweep in cut_sweeps([table], plan.sweep_tiles) for tile in sweep.tiles]


def test_a_grid_is_found_by_its_name():
    plan, _ = planned(-72.5, 40, -72.4, 40.1)
    assert plan.grid("utm18n") is plan.grids[0]
    with pytest.raises(PlanError, match="no grid 'x'"):
        plan.grid("x")
    assert replace(plan, notes=("n",)) != plan
