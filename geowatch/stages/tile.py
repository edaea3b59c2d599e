"""Tile: from a region to a plan.

Region, imagery and model -> lattice -> tiles and estimate -> ``run.json`` and ``plan/``. Imagery and model
may be bound here or at predict; what needs them is unknown until then.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError, ImageryError, PlanMismatchError
from geowatch.grid.choice import LatticeChoice, choose_lattice
from geowatch.grid.estimate import Rates, Workload, packaged_rates, read_rates
from geowatch.grid.plan import DEFAULT_TILE_PX, Plan, PlanRequest, make_plan
from geowatch.grid.windows import WindowLattice
from geowatch.read.remote import public
from geowatch.stages.binding.asked import Asked, claim, merged, read_asked
from geowatch.stages.binding.imagery import ImageryConfig, asked_imagery, bind, choose_scenes, reading_of, usable
from geowatch.stages.binding.regions import read_region_file
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store
from geowatch.store.plans import PLAN, check_geojson, has_plan, read_plan, write_geojson, write_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geowatch.grid.lattice import Lattice, PixelBox
    from geowatch.grid.region import Region
    from geowatch.grid.tiles import TileTable
    from geowatch.package import Package
    from geowatch.package.manifest import Manifest
    from geowatch.read.frames import Frame
    from geowatch.read.scene import Scene
    from geowatch.store import Store

__all__ = ["TileConfig", "tile"]


@dataclass(frozen=True)
class TileConfig:
    """What tile is asked for. None leaves it to the run folder, then the imagery, then the default."""

    region: str | None = None
    """GeoJSON file; None plans all of the images."""
    run: str = "gw-run"
    """Run folder."""
    resolution: float | None = None
    """Side of a pixel in units of the CRS (metres in UTM)."""
    crs: str | None = None
    """CRS of the grid, such as EPSG:32618; without it that of the imagery, else UTM."""
    origin: tuple[float, float] | None = None
    """A corner of some pixel, y then x, in units of the CRS."""
    tile_size: int | None = None
    """Side of a tile in pixels; 2048 by default."""
    imagery: ImageryConfig = field(default_factory=ImageryConfig)
    """Imagery to bind."""
    model: str | None = None
    """Package folder to bind."""
    window: int | None = None
    """Side of a window in pixels, for networks that take several."""
    overlap: float | None = None
    """Overlap of windows: pixels, or a share of the window below 1."""
    batch: int | None = None
    """Most windows at once, for the memory that a worker needs; None: as predict, 4 or fewer large ones."""
    memory_bytes: int | None = None
    """Memory that one worker may take."""
    rates: str | None = None
    """File with speeds and prices of machines."""
    machine: str | None = None
    """Machine of the rates that seconds and price are for."""
    geojson: bool = False
    """Write plan/tiles.geojson as well."""
    dry_run: bool = False
    """Plan, and write nothing."""


@dataclass(frozen=True)
class _Given:
    """What the configuration names, opened."""

    region: Region | None
    imagery: ImageryConfig
    scenes: tuple[Scene, ...]
    package: Package | None

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that are read: the model's, else all that every scene has."""
        if self.package is not None:
            return self.package.manifest.bands
        first, *others = [[band.name for band in scene.bands] for scene in self.scenes]
        return tuple(name for name in first if all(name in other for other in others))


def tile(config: TileConfig, events: Events | None = None) -> Plan:
    """Plan a region and leave the plan in the run folder.

    Raises:
        RegionError, ImageryError, PackageError, ConfigError: for what cannot be planned; nothing was changed.
        MemoryBudgetError: where not even one tile fits the memory.
        PlanMismatchError: where the run was planned with other options.
    """
    events = events or Silent()
    store = open_store(config.run)
    before = read_asked(store)
    region = None if config.region is None else read_region_file(config.region)
    asked = merged(before, _asked(config, region), store.url)
    given = _open(config, asked, region, store, events)
    plan, tables = make_plan(_request(config, asked, given))
    plan = _with_passes(plan, config, given)
    for note in plan.notes:
        events.note(note)
    _refuse_another(store, plan)
    if config.geojson:
        check_geojson(plan)
    if not config.dry_run:
        _write(config, asked, given, (plan, tables), events)
    return plan


def _with_passes(plan: Plan, config: TileConfig, given: _Given) -> Plan:
    """Return the plan with the memory of a series whose planes predict computes together as far as memory goes."""
    if plan.load.held_bands is None or plan.estimate.memory_bytes is None:
        return plan
    from geowatch.stages.predicting.passes import pass_bytes

    least = plan.estimate.memory_bytes
    most = max(least, pass_bytes(plan, _frame_count(config, given.scenes), config.memory_bytes) or 0)
    if most == least:
        return plan
    return replace(plan, estimate=replace(plan.estimate, memory_bytes=most, least_memory_bytes=least))


def _asked(config: TileConfig, region: Region | None) -> Asked:
    reading = reading_of(config.imagery)
    digest = None
    if region is not None:
        canonical = json.dumps(region.to_feature(), sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Asked(
        region=config.region,
        region_digest=digest,
        crs=config.crs,
        resolution=config.resolution,
        origin=config.origin,
        tile_size=config.tile_size,
        # What follows "?" in an address may be a secret: it is written nowhere.
        images=tuple(map(public, config.imagery.images)) or None,
        reading=json.loads(json.dumps(reading)) if config.imagery.images else None,
        model=config.model,
        window=config.window,
        overlap=config.overlap,
    )


def _open(config: TileConfig, asked: Asked, region: Region | None, store: Store, events: Events) -> _Given:
    if region is None and asked.region_digest is not None and has_plan(store):
        region = read_plan(store).region
    imagery = config.imagery if config.imagery.images else asked_imagery(asked)
    scenes = choose_scenes(imagery, region, events) if imagery.images else ()
    return _Given(region, imagery, scenes, _package(asked.model))


def _package(path: str | None) -> Package | None:
    if path is None:
        return None
    from geowatch.package import load_package  # a plan without a model needs no network runtime

    return load_package(path)


def _request(config: TileConfig, asked: Asked, given: _Given) -> PlanRequest:
    choice = LatticeChoice(asked.crs, asked.resolution, asked.origin, _lattice_of(given, asked))
    lattice = choose_lattice(choice)
    footprint = None
    if given.region is None and given.scenes and lattice is not None:
        footprint = _footprint(given.scenes, lattice)
    return PlanRequest(
        region=given.region,
        lattice=choice,
        footprint=footprint,
        tile_px=asked.tile_size or DEFAULT_TILE_PX,
        load=_load(config, asked, given),
        memory_bytes=config.memory_bytes,
        rates=_rates(config.rates),
        machine=config.machine,
    )


def _lattice_of(given: _Given, asked: Asked) -> Lattice | None:
    if not given.scenes:
        return None
    from geowatch.read.plan import lattice_of

    try:
        return _finest(given) if given.package is not None else lattice_of(given.scenes, given.bands)
    except ImageryError:
        # Scenes of several CRSs have no common lattice; none is needed where the options place the grid.
        if asked.resolution is None or (given.region is None and asked.crs is None):
            raise
        return None


def _finest(given: _Given) -> Lattice:
    """Return the finest lattice of the scenes that the network can use, sensor by sensor; else what is missing."""
    from geowatch.read.plan import lattice_of

    manifest = given.package.manifest if given.package is not None else None
    scenes = usable(given.scenes, manifest) if manifest is not None else []
    if manifest is None or not scenes:
        return lattice_of(given.scenes, given.bands)
    sensors = dict.fromkeys(scene.sensor for scene in scenes)
    every = [lattice_of([s for s in scenes if s.sensor == n], manifest.bands_of(n)) for n in sensors]
    if len({lattice.crs for lattice in every}) > 1:
        raise ImageryError(
            "the sensors' scenes have several CRSs",
            hint="--resolution alone makes a grid in each UTM zone of a region, with --crs one grid",
        )
    return min(every, key=lambda lattice: max(abs(lattice.step_y), abs(lattice.step_x)))


def _footprint(scenes: Sequence[Scene], lattice: Lattice) -> PixelBox:
    from geowatch.read.plan import footprint

    return footprint(scenes, lattice)


def _load(config: TileConfig, asked: Asked, given: _Given) -> Workload:
    load = Workload(windows=_windows(asked, given.package))
    if given.scenes:
        stored = max(np.dtype(band.dtype).itemsize for scene in given.scenes for band in scene.bands)
        load = replace(load, read_itemsize=stored)
    if given.package is None or load.windows is None:
        return load
    manifest = given.package.manifest
    dates = manifest.dates
    area = load.windows.size[0] * load.windows.size[1] / (manifest.window.size[0] * manifest.window.size[1])
    load = replace(
        load,
        bands=sum(len(each.bands) for each in manifest.inputs),
        dates=dates,
        classes=sum(len(head.classes) for head in manifest.heads) or 1,
        write_itemsize=max((4 if head.activation == "none" else 1 for head in manifest.heads), default=1),
        times=max(1, _frame_count(config, given.scenes) - dates + 1),
        gflop_per_window=None if manifest.gflop_per_window is None else manifest.gflop_per_window * area,
    )
    load = _with_network(config, load, given.package)
    return _load_in_time(config, load, manifest, given.scenes, asked.tile_size or DEFAULT_TILE_PX)


def _with_network(config: TileConfig, load: Workload, package: Package) -> Workload:
    """Return the workload with what the network takes that predict runs where nobody says how."""
    from geowatch.package.choose import usual_batch
    from geowatch.package.footprint import Running
    from geowatch.predict.scoring import Looks
    from geowatch.stages.predicting.needing import with_network

    size = load.windows.size if load.windows is not None else package.manifest.window.size
    load = replace(load, batch=config.batch or usual_batch(size))
    return with_network(load, [package], Looks(), [Running(threads=cores())])


def _load_in_time(
    config: TileConfig, load: Workload, manifest: Manifest, scenes: tuple[Scene, ...], tile_px: int
) -> Workload:
    """Return the workload with the planes and blocks of a series, where the package has one."""
    from geowatch.stages.predicting.timing import TimeConfig, series_load, settle_series

    pin = settle_series(TimeConfig(), None, manifest)
    dated = [frame for frame in _frames(config, scenes) if frame.day is not None]
    return load if pin is None or not dated else series_load(load, pin, dated, (tile_px, config.memory_bytes))


def _frame_count(config: TileConfig, scenes: tuple[Scene, ...]) -> int:
    return len(_frames(config, scenes)) if scenes else 1


def _frames(config: TileConfig, scenes: tuple[Scene, ...]) -> tuple[Frame, ...]:
    from geowatch.read.frames import make_frames

    return make_frames(scenes, order=config.imagery.composite)


def _windows(asked: Asked, package: Package | None) -> WindowLattice | None:
    if package is None:
        overlap = 0.25 if asked.overlap is None else asked.overlap
        return None if asked.window is None else WindowLattice.of((asked.window, asked.window), overlap)
    rule = package.manifest.window
    size = rule.size if asked.window is None else (asked.window, asked.window)
    if not rule.accepts(size):
        sizes = "only" if rule.fixed else f"multiples of {rule.multiple_of}, such as"
        raise ConfigError(f"the network takes no windows of {size[0]} px", hint=f"{sizes} {rule.size[0]} px")
    return WindowLattice.of(size, rule.overlap if asked.overlap is None else asked.overlap)


def _rates(path: str | None) -> Rates:
    if path is None:
        return packaged_rates()
    try:
        return read_rates(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"the rates file {path} cannot be read: {error.strerror}", hint="check --rates") from error


def _refuse_another(store: Store, plan: Plan) -> None:
    if not has_plan(store):
        return
    before = read_plan(store)
    if before.id == plan.id:
        return
    old, new = _traits(before), _traits(plan)
    differences = [f"{name} {old[name]} there, {new[name]} now" for name in old if old[name] != new[name]]
    raise PlanMismatchError(
        f"the run in {store.url} holds another plan: {'; '.join(differences) or 'the region has changed'}",
        hint="give the options it was made with, or start another run with --run DIR",
    )


def _traits(plan: Plan) -> dict[str, str]:
    first = plan.grids[0].lattice
    return {
        "region": plan.region.id if plan.region else "all of the images",
        "grids": ", ".join(grid.id for grid in plan.grids),
        "pixel": f"{first.step_x:g} x {abs(first.step_y):g}",
        "phase": f"{first.phase_x:g}, {first.phase_y:g}",
        "tile size": f"{plan.tile_px} px",
        "tiles": f"{plan.tile_count:,}",
        "bounds": "; ".join(str(grid.bounds.to_list()) for grid in plan.grids),
    }


def _write(
    config: TileConfig,
    asked: Asked,
    given: _Given,
    planned: tuple[Plan, Mapping[str, TileTable]],
    events: Events,
) -> None:
    store = open_store(config.run)
    plan, tables = planned
    claim(store, asked)
    write_plan(store, plan, tables)
    if config.geojson:
        write_geojson(store, plan, tables)
    if given.package is not None and asked.model is not None:
        from geowatch.stages.predicting.recipes import find_package

        find_package(store, asked.model)
        if given.scenes:
            bind(store, given.imagery, plan.grids, given.region, given.package.manifest, events)
    record(store, made("tile", PLAN, config, figures={"plan": plan.id, "tiles": plan.tile_count}))
