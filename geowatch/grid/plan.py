"""The plan: where a region's pixels, tiles and sweeps are, and what they cost, as data.

`make_plan` is the one way to a plan: region and choices in, grids, tiles and an estimate out. Nothing runs
that was not planned, and everything that runs reads the same plan, so its id names where every pixel is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from geowatch.errors import ConfigError, PlanError, RegionError
from geowatch.grid.choice import LatticeChoice, choose_lattice, no_resolution
from geowatch.grid.counts import sweep_figures
from geowatch.grid.cover import refuse_too_many, tiles_of_bounds, tiles_of_cover
from geowatch.grid.crs import Area, grid_id, project, utm_zones
from geowatch.grid.estimate import (
    Estimate,
    Rates,
    Reach,
    Workload,
    cut_batch,
    cut_to_memory,
    estimate,
    memory_per_worker,
    packaged_rates,
)
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.region import Region
from geowatch.grid.sweeps import sweep_order
from geowatch.grid.tiles import Tile, TileTable

__all__ = ["Grid", "GridTiles", "Plan", "PlanRequest", "make_plan", "plan_id"]

#: Side of a tile that is not asked for.
DEFAULT_TILE_PX = 2048
MAX_TILE_PX = 1 << 15


@dataclass(frozen=True)
class Grid:
    """One pixel grid of a plan."""

    id: str
    """Name, such as ``utm18n``, ``ups_n``, ``epsg3857`` or ``pixels``."""
    lattice: Lattice
    """Where pixels are."""
    tile_px: int
    """Side of a tile."""
    bounds: PixelBox
    """The region's bounds, snapped outward to pixels."""
    cover: Area | None = None
    """The region's outline in the grid's CRS; None for all of bounds."""

    def core(self, tile: Tile) -> PixelBox:
        """Pixels that a tile owns."""
        return tile.core(self.tile_px)

    def work(self, tile: Tile) -> PixelBox:
        """Pixels of a tile that lie within bounds."""
        return tile.core(self.tile_px) & self.bounds

    @property
    def array_box(self) -> PixelBox:
        """Pixels that a stored array holds: bounds in whole tiles."""
        return self.bounds.snap(self.tile_px)


@dataclass(frozen=True)
class GridTiles:
    """What a plan says of one grid's tiles; the tiles themselves are in a `TileTable`."""

    count: int
    """Tiles."""
    digest: str
    """Sha256 over their indices."""


@dataclass(frozen=True)
class Plan:
    """Grids, tiles and sweeps of a region."""

    id: str
    """Names region, grids and tiles: plans with one id put every pixel into the same place and tile."""
    region: Region | None
    """What was asked for; None for all of the images."""
    grids: tuple[Grid, ...]
    """At least one."""
    tiles: tuple[GridTiles, ...]
    """For each grid."""
    sweep_tiles: tuple[int, int]
    """Greatest (rows, columns) of tiles in a sweep."""
    load: Workload
    """What is done at each place, as far as it is known."""
    estimate: Estimate
    """What it costs."""
    notes: tuple[str, ...] = ()
    """What was repaired or decided, one sentence each."""

    def grid(self, name: str) -> Grid:
        """Return the grid with this id. Raises PlanError where there is none."""
        for grid in self.grids:
            if grid.id == name:
                return grid
        raise PlanError(f"the plan has no grid '{name}', only {', '.join(g.id for g in self.grids)}")

    @property
    def reach(self) -> Reach:
        """Pixels that a sweep can have at most."""
        return Reach.of([grid.bounds.shape for grid in self.grids])

    @property
    def tile_count(self) -> int:
        """Tiles of all grids."""
        return sum(each.count for each in self.tiles)

    @property
    def tile_px(self) -> int:
        """Side of a tile, equal on all grids."""
        return self.grids[0].tile_px


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is made from."""

    region: Region | None = None
    """What to cover; None for all of ``footprint``."""
    lattice: LatticeChoice = field(default_factory=LatticeChoice)
    """CRS, resolution and phase."""
    footprint: PixelBox | None = None
    """Pixels of the imagery on its lattice, for a plan without a region."""
    tile_px: int = DEFAULT_TILE_PX
    """Side of a tile."""
    load: Workload = field(default_factory=Workload)
    """What is done at each place."""
    memory_bytes: int | None = None
    """Memory that one worker may take; None for no limit."""
    rates: Rates | None = None
    """Speed and price; None for those of the package."""
    machine: str | None = None
    """Machine of the rates; None for their default."""

    def __post_init__(self) -> None:
        if not 0 < self.tile_px <= MAX_TILE_PX:
            raise ConfigError(f"tiles of {self.tile_px} px", hint=f"give --tile-size from 1 to {MAX_TILE_PX}")


def make_plan(request: PlanRequest) -> tuple[Plan, dict[str, TileTable]]:
    """Plan a region.

    Returns:
        The plan, and the tiles of each grid in sweep order.

    Raises:
        RegionError: If the region cannot be planned.
        ConfigError, PlanError: If the choices do not fit each other.
        MemoryBudgetError: If not even one tile fits the memory.
    """
    grids = _grids(request)
    reach = Reach.of([grid.bounds.shape for grid in grids])
    sweep_tiles = cut_to_memory(request.load, request.tile_px, request.memory_bytes, reach)
    refuse_too_many(sum(_least_tiles(grid) for grid in grids), request.tile_px)
    tables = {grid.id: _table(grid, sweep_tiles) for grid in grids}
    tables = {name: table for name, table in tables.items() if len(table)}
    grids = tuple(grid for grid in grids if grid.id in tables)
    if not grids:
        raise RegionError("the region holds no pixel", hint="give a finer --resolution")
    counts = tuple(GridTiles(len(tables[grid.id]), tables[grid.id].digest) for grid in grids)
    plan = Plan(
        id=plan_id(request.region, grids, counts),
        region=request.region,
        grids=grids,
        tiles=counts,
        sweep_tiles=sweep_tiles,
        load=request.load,
        estimate=Estimate(tiles=sum(each.count for each in counts)),
        notes=_notes(request, grids),
    )
    return replace(plan, estimate=_cost(request, plan, tables)), tables


def plan_id(region: Region | None, grids: tuple[Grid, ...], tiles: tuple[GridTiles, ...]) -> str:
    """Return the name of what is planned: sha256 over region, grids and tiles, 16 hexadecimal digits."""
    document = {
        "region": None if region is None else region.to_feature(),
        "grids": [
            {
                "lattice": [grid.lattice.crs, *_numbers(grid.lattice)],
                "tile_px": grid.tile_px,
                "bounds": grid.bounds.to_list(),
                "tiles": held.digest,
            }
            for grid, held in zip(grids, tiles, strict=True)
        ],
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _numbers(lattice: Lattice) -> list[float]:
    return [float(v) for v in (lattice.step_y, lattice.step_x, lattice.phase_y, lattice.phase_x)]


def _grids(request: PlanRequest) -> tuple[Grid, ...]:
    lattice = choose_lattice(request.lattice)
    if request.region is None:
        if lattice is None or not request.footprint:
            raise ConfigError("neither a region nor images to plan", hint="give a region file or --images")
        return (Grid(grid_id(lattice.crs), lattice, request.tile_px, request.footprint),)
    if lattice is not None:
        return (_covering(request.region.geometry, lattice, request.tile_px),)
    if request.lattice.resolution is None:
        raise no_resolution()
    origin = request.lattice.origin or (0.0, 0.0)
    return tuple(
        _covering(zone.part, Lattice.at(zone.crs, request.lattice.resolution, origin), request.tile_px)
        for zone in utm_zones(request.region.geometry)
    )


def _covering(area: Area, lattice: Lattice, tile_px: int) -> Grid:
    if lattice.crs is None:
        raise RegionError(
            "the images have no georeference, so a region has no place in them",
            hint="leave the region out to plan all of the images",
        )
    cover = project(area, lattice.crs, lattice.resolution)
    return Grid(grid_id(lattice.crs), lattice, tile_px, lattice.box_covering(cover.bounds), cover)


def _least_tiles(grid: Grid) -> float:
    step_x, step_y = grid.lattice.step_x, abs(grid.lattice.step_y)
    area_px = grid.bounds.area_px if grid.cover is None else grid.cover.area / step_x / step_y
    return float(area_px / grid.tile_px**2)


def _table(grid: Grid, sweep_tiles: tuple[int, int]) -> TileTable:
    if grid.cover is None:
        iy, ix = tiles_of_bounds(grid.bounds, grid.tile_px)
    else:
        iy, ix = tiles_of_cover(grid.cover, grid.lattice, grid.bounds, grid.tile_px)
    order = sweep_order(iy, ix, sweep_tiles)
    return TileTable(grid.id, iy[order], ix[order])


def _cost(request: PlanRequest, plan: Plan, tables: Mapping[str, TileTable]) -> Estimate:
    load = request.load
    figures = [
        sweep_figures(tables[grid.id], grid.bounds, grid.tile_px, plan.sweep_tiles, load.windows) for grid in plan.grids
    ]
    given = cut_batch(load, plan.tile_px, request.memory_bytes, plan.reach)
    memory = memory_per_worker(given, plan.tile_px, plan.sweep_tiles[1], plan.reach)
    return estimate(figures, load, memory, request.rates or packaged_rates(), request.machine)


def _notes(request: PlanRequest, grids: tuple[Grid, ...]) -> tuple[str, ...]:
    notes = () if request.region is None else request.region.notes
    if len(grids) > 1:
        names = ", ".join(grid.id for grid in grids[:6]) + (", ..." if len(grids) > 6 else "")
        notes = (*notes, f"the region spans {len(grids)} zones and is planned on a grid in each: {names}")
    return notes
