"""Stitch: from the finished tiles of a heatmap to maps, pictures and an account of what they cover.

Predict has stitched the scores already; this stage joins parts that were made in different places, refuses holes
that nobody allowed, and writes what people open: COGs, a quicklook, ``coverage.json`` and a STAC item.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from geowatch.errors import CoverageError, DamagedError, InputError
from geowatch.lineage import Source
from geowatch.predict.recipe import read_recipe
from geowatch.sites.detections import DETECTIONS
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.binding.parts import layout_of, parts_of
from geowatch.stages.mapping.deliverables import Names, Plane, Wanted, deliver
from geowatch.stages.mapping.doubts import deliver_doubts
from geowatch.stages.mapping.joining import join_parts
from geowatch.stages.mapping.object_files import WrittenObjects, write_objects
from geowatch.stages.predicting.recipes import package_name
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.stitch.cover import Cover
from geowatch.stitch.mosaic import Mosaic
from geowatch.store import open_store
from geowatch.store.plans import read_plan, read_tiles

if TYPE_CHECKING:
    from geowatch.predict.recipe import Recipe
    from geowatch.stages.binding.parts import Part
    from geowatch.stages.mapping.deliverables import Delivered
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.store import Store

__all__ = ["COVERAGE", "StitchConfig", "Stitched", "nothing_scored", "planes_of", "stitch"]

#: Key of the account of coverage in a run folder.
COVERAGE = "coverage.json"


@dataclass(frozen=True)
class StitchConfig:
    """What stitch is asked for."""

    run: str = "gw-run"
    """Run folder with a heatmap; parts are joined into it."""
    parts: tuple[str, ...] = ()
    """Further run folders that hold tiles of the same plan and recipe."""
    allow_gaps: bool = False
    """Write maps although tiles are missing."""
    require_coverage: float | None = None
    """Smallest share of the region (0 to 1) that must have scores."""
    probability: bool = True
    """Write the scores of each class as a COG beside the map."""
    quicklook: bool = True
    """Draw the quicklook."""
    fsync: bool = False
    """Results survive a loss of power."""


@dataclass(frozen=True, slots=True)
class Stitched:
    """What stitch made."""

    run: str
    """Run folder."""
    files: tuple[str, ...]
    """Keys of what was written."""
    coverage: float
    """Share of the region that has scores."""
    missing: int
    """Tiles that are missing."""
    maps: int
    """Maps: one for each date, grid and head; a network that gives boxes alone has none, but what it saw counts."""
    classes: dict[str, float]
    """Share of each class of the first map among the pixels with scores."""


def stitch(config: StitchConfig, events: Events | None = None) -> Stitched:
    """Join parts, check coverage, write maps and pictures.

    Raises:
        CoverageError: for missing tiles without ``allow_gaps``, or less coverage than required.
        PlanMismatchError: for parts of another plan or recipe.
    """
    events = events or Silent()
    store = open_store(config.run, fsync=config.fsync)
    join_parts(store, [open_store(part) for part in config.parts], events)
    recipe = read_recipe(store)
    if recipe is None:
        raise InputError(f"the run in {store.url} has no heatmap yet", hint="gw predict makes it")
    everything = planes_of(store, recipe)
    planes = [plane for plane in everything if plane.head.kind in {"scores", "seen"}]
    doubts = [plane for plane in everything if plane.head.kind == "uncertainty"]
    missing = {p.name: [t.name for t in p.tiles if not p.mosaic.is_there(t, p.time)] for p in planes}
    _refuse_gaps(config, missing)
    wanted = Wanted(config.probability, config.quicklook)
    objects = _objects(store, recipe)
    planes = [replace(plane, marks=objects.marks.get((plane.grid.id, plane.time))) for plane in planes]
    delivered = [deliver(store, plane, wanted, events) for plane in planes]
    share = _account(store, list(zip(planes, delivered, strict=True)), missing)
    digests = [files.digests for files in delivered]
    digests += [deliver_doubts(store, plane, quicklook=config.quicklook) for plane in doubts]
    for files, plane in zip(digests, (*planes, *doubts), strict=True):
        for key, digest in files.items():
            heatmap = Source(plane.mosaic.layout.group, version=f"recipe:{plane.mosaic.recipe}", role="heatmap")
            record(store, made("stitch", key, config, sources=[heatmap], recipe=plane.mosaic.recipe, sha256=digest))
    for key, digest in objects.digests.items():
        found = Source(DETECTIONS, version=f"recipe:{recipe.digest}", role="objects")
        record(store, made("stitch", key, config, sources=[found], recipe=recipe.digest, sha256=digest))
    _require(config, share)
    keys = (*(key for files in digests for key in files), *objects.digests)
    gaps = sum(map(len, missing.values()))
    return Stitched(store.url, (*keys, COVERAGE), share, gaps, len(planes), delivered[0].shares)


def _objects(store: Store, recipe: Recipe) -> WrittenObjects:
    """Write the table of objects, where the network gives any."""
    bound = read_bound(store)
    return WrittenObjects() if bound is None else write_objects(store, read_plan(store), bound, recipe)


def planes_of(store: Store, recipe: Recipe) -> list[Plane]:
    """Return the planes of the heatmap, each with the names of what is made of it."""
    plan, bound = read_plan(store), read_bound(store)
    if bound is None:
        raise InputError(f"the run in {store.url} has no imagery", hint="gw predict --images binds it")
    parts = parts_of(plan, bound, recipe.dates, recipe.series)
    tables = {grid.id: list(read_tiles(store, plan, grid.id)) for grid in plan.grids}
    layouts = {grid.id: layout_of(plan, bound, recipe, grid) for grid in plan.grids}
    several = sum(pin.kind == "scores" for pin in recipe.heads) > 1

    def names(part: Part, head: HeadLayout) -> Names:
        alike = [p for p in parts if p.grid == part.grid]
        if head.kind == "uncertainty":
            return Names.of_doubts(plan, alike, part, head.name)
        return Names.of(plan, alike, part, head.name if several else None)

    return [
        Plane(
            names=names(part, head),
            region=plan.region.id if plan.region else "all of the images",
            model=package_name(store),
            mosaic=Mosaic(store, layouts[part.grid.id], recipe.digest),
            head=head,
            tiles=tables[part.grid.id],
            time=part.time,
            frame=part.shown,
            remote=part.remote,
        )
        for part in parts
        for head in layouts[part.grid.id].heads
    ]


def _refuse_gaps(config: StitchConfig, missing: dict[str, list[str]]) -> None:
    names = [name for tiles in missing.values() for name in tiles]
    if names and not config.allow_gaps:
        raise CoverageError(
            f"{len(names)} tiles are missing, such as {', '.join(names[:3])}",
            hint="run gw predict again to make them, or accept the gaps with --allow-gaps",
        )


def _account(store: Store, made_of: list[tuple[Plane, Delivered]], missing: dict[str, list[str]]) -> float:
    """Write coverage.json; return the share of the region that has scores."""
    bare = _without_imagery(store, {plane.grid.id for plane, _ in made_of})
    region = sum(files.coverage.region_px for _, files in made_of) + sum(bare.values())
    share = sum(files.coverage.scored_px for _, files in made_of) / max(1, region)
    document = {
        "schema_version": "1",
        "coverage": share,
        "grids_without_imagery": bare,
        "planes": [
            {
                "map": plane.names.map, "grid": plane.grid.id, "frame": plane.frame.frame_id, "tiles": len(plane.tiles),
                "missing_tiles": missing[plane.name], **asdict(files.coverage), "classes": files.shares,
            }
            for plane, files in made_of
        ],
    }  # fmt: skip
    store.put(COVERAGE, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    return share


def nothing_scored(store: Store) -> bool:
    """Whether maps were made of the run's heatmap, whole, and no pixel of them has a score."""
    if store.size(COVERAGE) is None:
        return False
    try:
        planes = json.loads(store.get(COVERAGE))["planes"]
        return bool(planes) and not any(plane["scored_px"] or plane["gap_px"] for plane in planes)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{COVERAGE} in {store.url} is damaged: {error}", hint="gw stitch makes it again") from error


def _without_imagery(store: Store, mapped: set[str]) -> dict[str, int]:
    """Return the region's pixels on grids that no imagery meets, by grid: they have no map, but they count."""
    plan = read_plan(store)
    bare = [grid for grid in plan.grids if grid.id not in mapped]
    return {
        grid.id: sum(int(cover.mask(grid.work(tile)).sum()) for tile in read_tiles(store, plan, grid.id))
        for grid in bare
        for cover in [Cover(grid)]
    }


def _require(config: StitchConfig, share: float) -> None:
    if config.require_coverage is not None and share < config.require_coverage:
        raise CoverageError(
            f"{share:.2%} of the region has scores, {config.require_coverage:.2%} are required",
            hint="coverage.json says what is missing; add imagery, or lower --require-coverage",
        )
