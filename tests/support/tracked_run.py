"""Run folders that were tracked, made of planes in memory: without imagery and heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from geowatch.grid.choice import LatticeChoice
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.sites.fragment import FULL_SCORE, Fragment, fragment_key
from geowatch.store import LocalStore
from geowatch.store.plans import write_plan
from geowatch.track.document import TRACKING, GridPlanes, Tracking
from geowatch.track.finding import find
from support.tracked import ArrayPlanes


def tracked_run(
    folder: Path,
    planes: ArrayPlanes,
    days: Sequence[int | None],
    tile_px: int,
    classes: Sequence[str] | None = None,
    **asked: object,
) -> LocalStore:
    """Write plan, tracking document and fragments of planes; rows run south at 10 m in EPSG:32618."""
    store = LocalStore(folder)
    choice = asked.pop("lattice", LatticeChoice(crs="EPSG:32618", resolution=10.0))
    plan, tables = make_plan(PlanRequest(lattice=choice, footprint=planes.box, tile_px=tile_px))
    write_plan(store, plan, tables)
    names = tuple(classes or (f"class {number}" for number in range(planes.class_count)))
    times = tuple(None if day is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in days)
    tracking = Tracking(
        plan=plan.id,
        scores="recipe:0",
        head="scores",
        classes=names,
        **({"mode": "footprint", "low": 0.5, "high": 0.5, "salient": names[:1]} | asked),
        grids=(GridPlanes(grid=plan.grids[0].id, times=times, planes=tuple(range(len(days)))),),
    )
    store.put(TRACKING, tracking.to_json())
    search = tracking.search(tracking.grids[0])
    for tile in tables[plan.grids[0].id]:
        fragment = find(search, planes, tile, plan.grids[0].work(tile))
        store.put(fragment_key(tracking.digest, tile), fragment.to_bytes())
    return store


__all__ = ["FULL_SCORE", "Fragment", "tracked_run"]
