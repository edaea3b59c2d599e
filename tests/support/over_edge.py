"""Made scenes over the edge of two UTM zones: discs in metres around a place on the edge, seen on one grid or two."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pyproj import Geod

from geowatch.consolidate.decided import Decided
from geowatch.consolidate.shelf import Shelf
from geowatch.consolidate.terms import Rules
from geowatch.consolidate.whole_region import Consolidation, order_of
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.crs import to_lonlat
from geowatch.grid.plan import Grid, Plan, PlanRequest, make_plan
from geowatch.grid.region import parse_region
from geowatch.grid.tiles import TileTable
from geowatch.sites.fragment import fragment_key
from geowatch.stages.tracking.tracked import TrackedRun
from geowatch.stitch.cover import Cover
from geowatch.store import LocalStore
from geowatch.store.plans import write_plan
from geowatch.track.document import TRACKING, GridPlanes, Tracking
from geowatch.track.finding import find
from support.tracked import ArrayPlanes

GEOD = Geod(ellps="WGS84")
START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Disc:
    """A disc: metres east and north of the place, radius, score, and the days on which it is there."""

    east: float
    north: float
    radius: float
    score: float = 1.0
    days: tuple[int, ...] | None = None
    hole: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A square over an edge."""

    lon: float = -72.0
    lat: float = 45.0
    half_m: float = 900.0
    resolution: float = 20.0
    tracking: dict[str, object] = field(default_factory=dict)
    days: dict[str, tuple[int, ...]] | tuple[int, ...] = (16,)

    @property
    def degrees(self) -> tuple[float, float]:
        """Degrees of longitude and of latitude in a metre."""
        return 1 / (111_320 * np.cos(np.radians(self.lat))), 1 / 111_132

    def region(self) -> dict[str, object]:
        across, along = (self.half_m * each for each in self.degrees)
        west, east, south, north = self.lon - across, self.lon + across, self.lat - along, self.lat + along
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    def plan(self, tile_px: int, crs: str | None = None) -> tuple[Plan, dict[str, TileTable]]:
        lattice = LatticeChoice(resolution=self.resolution, crs=crs)
        return make_plan(PlanRequest(region=parse_region(self.region()), lattice=lattice, tile_px=tile_px))

    def days_of(self, grid: str) -> tuple[int, ...]:
        return self.days[grid] if isinstance(self.days, dict) else self.days

    def tracked(self, discs: Sequence[Disc], tile_px: int, crs: str | None = None) -> TrackedRun:
        """Return a run without a store; its fragments are made by `consolidated`."""
        plan, tables = self.plan(tile_px, crs)
        looked = tuple(
            GridPlanes(
                grid=grid.id,
                times=tuple(START + timedelta(days=day) for day in self.days_of(grid.id)),
                planes=tuple(range(len(self.days_of(grid.id)))),
            )
            for grid in plan.grids
        )
        given = {"mode": "footprint", "low": 0.3, "high": 0.3, "head": "scores"} | self.tracking
        tracking = Tracking(
            plan=plan.id, scores="recipe:0", classes=("thing",), salient=("thing",), grids=looked, **given
        )
        rows = tuple(table[np.lexsort((table.ix, table.iy))] for table in (tables[grid.id] for grid in plan.grids))
        return TrackedRun(None, plan, tracking, rows, ())

    def stored(self, discs: Sequence[Disc], folder: Path, tile_px: int) -> tuple[LocalStore, dict[str, ArrayPlanes]]:
        """Return a run folder that was tracked, and the planes of each grid."""
        store, run = LocalStore(folder), self.tracked(discs, tile_px)
        plan, tables = self.plan(tile_px)
        write_plan(store, plan, tables)
        store.put(TRACKING, run.tracking.to_json())
        planes = {grid.id: self.planes(grid, discs) for grid in plan.grids}
        for grid, border in zip(plan.grids, run.terms.borders, strict=True):
            search = replace(run.tracking.search(run.tracking.of_grid(grid.id)), border=border)
            for tile in tables[grid.id]:
                fragment = find(search, planes[grid.id], tile, grid.work(tile))
                store.put(fragment_key(run.tracking.digest, tile), fragment.to_bytes())
        return store, planes

    def planes(self, grid: Grid, discs: Sequence[Disc]) -> ArrayPlanes:
        box, step, days = grid.bounds, grid.lattice, self.days_of(grid.id)
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1] + 0.5
        xy = np.stack([step.phase_x + x.ravel() * step.step_x, step.phase_y + y.ravel() * step.step_y], axis=1)
        lon, lat = to_lonlat(xy, step.crs).T
        scores = np.zeros((len(days), len(lon)))
        for disc in discs:
            here = self.place(disc)
            far = GEOD.inv(lon, lat, np.full(len(lon), here[0]), np.full(len(lon), here[1]))[2]
            there = np.array([disc.days is None or day in disc.days for day in days])
            inside = (far < disc.radius) & (far >= disc.hole)
            scores = np.maximum(scores, disc.score * inside * there[:, None])
        stored = np.rint(scores * 254).astype(np.uint8).reshape(len(days), 1, *box.shape)
        stored[..., ~Cover(grid).mask(box)] = 255
        return ArrayPlanes(stored, box)

    def place(self, disc: Disc) -> tuple[float, float]:
        """Return a disc's centre in degrees."""
        across, along = self.degrees
        lon = self.lon + disc.east * across
        return (lon + 180) % 360 - 180, self.lat + disc.north * along

    def consolidated(
        self,
        discs: Sequence[Disc],
        tile_px: int = 512,
        crs: str | None = None,
        rules: Rules | None = None,
        order: Sequence[int] | None = None,
    ) -> Decided:
        """Return the sites of a scene, in the order of their numbers; with ``crs`` on one grid."""
        run = self.tracked(discs, tile_px, crs)
        terms = run.terms
        work = Consolidation(terms, rules or Rules())
        with tempfile.TemporaryDirectory() as folder:
            shelf = Shelf(Path(folder), 1)
            for number in order or range(len(run.plan.grids)):
                grid = run.plan.grids[number]
                looked = run.tracking.of_grid(grid.id)
                planes = self.planes(grid, discs)
                search = replace(run.tracking.search(looked), border=terms.borders[number])
                found = (
                    (at, find(search, planes, tile, grid.work(tile))) for at, tile in enumerate(run.tables[number])
                )
                for sites in work.sites(number, run.seams(number), found):
                    shelf.add(sites)
            for sites in work.rest():
                shelf.add(sites)
            taken = shelf.take(order_of(shelf.rows))
            shelf.close()
        return taken


__all__ = ["GEOD", "Disc", "Scene"]
