"""A site on both sides of a UTM zone's edge is one site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyproj import Geod
from support.tracked import ArrayPlanes

from geowatch.grid.choice import LatticeChoice
from geowatch.grid.crs import to_lonlat
from geowatch.grid.plan import Grid, PlanRequest, make_plan
from geowatch.grid.region import parse_region
from geowatch.sites.fragment import fragment_key
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites.tables import OBSERVATIONS, SITES
from geowatch.stitch.cover import Cover
from geowatch.store import LocalStore
from geowatch.store.plans import write_plan
from geowatch.track.document import TRACKING, GridPlanes, Tracking
from geowatch.track.finding import find

EDGE, LAT = -72.0, 45.0
METRE = 1 / (111_320 * np.cos(np.radians(LAT)))
REGION = {
    "type": "Polygon",
    "coordinates": [[
        [EDGE - 0.02, LAT - 0.01], [EDGE + 0.02, LAT - 0.01], [EDGE + 0.02, LAT + 0.01], [EDGE - 0.02, LAT + 0.01],
        [EDGE - 0.02, LAT - 0.01],
    ]],
}  # fmt: skip
DISCS = {"across": (0.0, 0.0, 200.0), "west": (-500.0, 500.0, 100.0), "east": (500.0, 500.0, 100.0)}
"""Metres east and north of the edge, and radius."""
DAYS = {"utm18n": (17000, 17016, 17032), "utm19n": (17000, 17032, 17048)}


def planes_of(grid: Grid, times: int) -> ArrayPlanes:
    box = grid.bounds
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1] + 0.5
    step = grid.lattice
    xy = np.stack([step.phase_x + x.ravel() * step.step_x, step.phase_y + y.ravel() * step.step_y], axis=1)
    lon, lat = to_lonlat(xy, step.crs).T
    geod = Geod(ellps="WGS84")
    inside = np.zeros(len(lon), bool)
    for east, north, radius in DISCS.values():
        here = (EDGE + east * METRE, LAT + north / 111_320)
        inside |= geod.inv(lon, lat, np.full(len(lon), here[0]), np.full(len(lon), here[1]))[2] < radius
    plane = np.where(inside, 254, 0).reshape(box.shape).astype(np.uint8)
    plane[~Cover(grid).mask(box)] = 255
    return ArrayPlanes(np.repeat(plane[None, None], times, axis=0), box)


def run_over_the_edge(folder: Path, tile_px: int, mode: str) -> LocalStore:
    store = LocalStore(folder)
    region = parse_region({"type": "Feature", "properties": {}, "geometry": REGION})
    plan, tables = make_plan(PlanRequest(region=region, lattice=LatticeChoice(resolution=20.0), tile_px=tile_px))
    assert [grid.id for grid in plan.grids] == ["utm18n", "utm19n"]
    write_plan(store, plan, tables)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    tracking = Tracking(
        plan=plan.id, scores="recipe:0", head="scores", classes=("thing",), salient=("thing",), mode=mode, low=0.5,
        high=0.5, grids=tuple(
            GridPlanes(grid=name, times=tuple(start + timedelta(days=d) for d in days), planes=tuple(range(len(days))))
            for name, days in DAYS.items()
        ),
    )  # fmt: skip
    store.put(TRACKING, tracking.to_json())
    for grid, looked in zip(plan.grids, tracking.grids, strict=True):
        planes = planes_of(grid, len(looked.times))
        for tile in tables[grid.id]:
            fragment = find(tracking.search(looked), planes, tile, grid.work(tile))
            store.put(fragment_key(tracking.digest, tile), fragment.to_bytes())
    return store


@pytest.mark.parametrize("mode", ["footprint", "linked"])
def test_a_site_across_the_edge_is_one_and_others_stay_apart(tmp_path, mode):
    made = []
    for tile_px in (16, 512):
        store = run_over_the_edge(tmp_path / str(tile_px), tile_px, mode)
        consolidate(ConsolidateConfig(run=str(store.root), deliver=False, min_area=25_000))
        made.append([store.get(key) for key in (SITES, OBSERVATIONS)])
    assert made[0] == made[1]
    sites = pa.ipc.open_file(made[0][0]).read_all()
    assert sites.schema.metadata[b"crs"] == b"EPSG:4326"
    rows = sorted(sites.to_pylist(), key=lambda row: row["area_m2"])
    # Each half of the large disc alone would do too; the small discs are 31,400 m2.
    assert [round(row["area_m2"] / 1000) for row in rows] == pytest.approx([31, 31, 126], abs=2)
    across = shapely.from_wkb(rows[2]["geometry"])
    assert across.is_valid
    assert across.bounds[0] < EDGE < across.bounds[2]
    m2 = abs(Geod(ellps="WGS84").geometry_area_perimeter(across)[0])
    assert m2 == pytest.approx(np.pi * 200**2, rel=0.03)
    seen = [
        (row["date"].toordinal() - 719163, row["time"], round(row["seen_share"], 1))
        for row in pa.ipc.open_file(made[0][1]).read_all().to_pylist()
        if row["site_id"] == rows[2]["site_id"]
    ]
    half = 0.5 if mode == "footprint" else 1.0
    assert seen == [(17000, 0, 1.0), (17016, 1, half), (17032, 2, 1.0), (17048, -1, half)]


def test_halves_below_the_least_area_are_one_site_above_it(tmp_path):
    store = run_over_the_edge(tmp_path, 64, "footprint")
    consolidate(ConsolidateConfig(run=str(store.root), deliver=False, min_area=100_000))
    (row,) = pa.ipc.open_file(store.get(SITES)).read_all().to_pylist()
    assert row["area_m2"] > 100_000
