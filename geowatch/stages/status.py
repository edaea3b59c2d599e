"""Status: how far a run is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.binding.parts import blocks_of, parts_of
from geowatch.stages.sites.record import fragments_in, read_record
from geowatch.stages.sites.tables import SITES
from geowatch.stages.sites.verify import outdated, planned_fragments
from geowatch.stages.stitch import COVERAGE
from geowatch.store import open_store
from geowatch.store.markers import MarkerPlace, is_done, markers_in
from geowatch.store.plans import read_plan, read_tiles
from geowatch.track.document import TRACKING, Tracking

if TYPE_CHECKING:
    from geowatch.grid.plan import Plan
    from geowatch.predict.recipe import Recipe
    from geowatch.store import Store

__all__ = ["PartStatus", "SitesStatus", "Status", "TrackStatus", "status"]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One plane of the heatmap, or the planes of a time block."""

    grid: str
    """Grid."""
    frame: str
    """Frame that it shows; days from the first plane to the last of a time block."""
    tiles: int
    """Tiles planned."""
    done: int
    """Tiles finished."""
    write_bytes: int
    """Bytes of finished tiles."""


@dataclass(frozen=True, slots=True)
class TrackStatus:
    """How far tracking is."""

    digest: str
    """Digest of what was looked for last."""
    mode: str
    """How planes become pieces."""
    salient: tuple[str, ...]
    """Classes that are looked for."""
    tiles: int
    """Tiles to track."""
    done: int
    """Tiles that have their fragment."""
    outdated: str | None
    """Why it is not what would be tracked now; None where it is."""


@dataclass(frozen=True, slots=True)
class SitesStatus:
    """What became of what was tracked."""

    sites: int | None
    """Sites; None where consolidate did not finish."""
    observations: int | None
    """Observations of them."""
    missing_tiles: int
    """Tiles that were allowed to be missing."""
    outdated: str | None
    """Why they are not the sites of what was tracked last; None where they are."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is."""

    run: str
    """Run folder."""
    plan: str
    """Id of the plan."""
    recipe: str | None
    """Digest of the recipe; None before the first predict."""
    planned_tiles: int
    """Tiles of the plan, for one time."""
    parts: tuple[PartStatus, ...]
    """Planes of the heatmap; empty before the first predict."""
    stitched: bool
    """Whether maps were made."""
    tracked: TrackStatus | None = None
    """How far tracking is; None before the first track."""
    sites: SitesStatus | None = None
    """What sites there are; None before the first consolidate."""

    @property
    def finished(self) -> bool:
        """Whether every tile is done."""
        return bool(self.parts) and all(part.done == part.tiles for part in self.parts)


def status(run: str = "gw-run") -> Status:
    """Return how far the run is. Reads markers, records and the ends of fragments only.

    Raises:
        GwError: where there is no run.
    """
    store = open_store(run)
    plan = read_plan(store)
    tables = {grid.id: read_tiles(store, plan, grid.id) for grid in plan.grids}
    recipe, bound = read_recipe(store), read_bound(store)
    parts: tuple[PartStatus, ...] = ()
    if recipe is not None and bound is not None:
        done = _done(store, recipe)
        parts = tuple(
            PartStatus(b.grid.id, b.label, len(tables[b.grid.id]), *done.get((b.grid.id, b.number), (0, 0)))
            for b in blocks_of(parts_of(plan, bound, recipe.dates, recipe.series), recipe.time_block)
        )
    return Status(
        store.url, plan.id, recipe.digest if recipe else None, sum(map(len, tables.values())), parts,
        store.size(COVERAGE) is not None, _tracked(store, plan, recipe), _sites(store),
    )  # fmt: skip


def _tracked(store: Store, plan: Plan, recipe: Recipe | None) -> TrackStatus | None:
    if store.size(TRACKING) is None:
        return None
    tracking = Tracking.from_json(store.get(TRACKING))
    planned = planned_fragments(store, tracking) if tracking.plan == plan.id else []
    done = len(set(planned) & set(fragments_in(store, tracking.digest)))
    why = _why_not_tracked(store, plan, recipe, tracking)
    return TrackStatus(tracking.digest, tracking.mode, tracking.salient, len(planned), done, why)


def _why_not_tracked(store: Store, plan: Plan, recipe: Recipe | None, tracking: Tracking) -> str | None:
    """Return what has changed since a tracking."""
    if tracking.plan != plan.id:
        return "the plan is another since"
    if tracking.recipe is None or recipe is None:
        return None
    if tracking.recipe != recipe.digest:
        return "the heatmap is another since"
    marked = {(place.tile.name, place.time) for place in markers_in(store, recipe.digest)} if tracking.gaps else set()
    filled = [
        name for name, planes in tracking.gaps.items() if any((name, p // recipe.time_block) in marked for p in planes)
    ]
    return f"{len(filled)} tiles that were missing have scores since" if filled else None


def _sites(store: Store) -> SitesStatus | None:
    record = read_record(store)
    if record is not None:
        return SitesStatus(record.sites, record.observations, len(record.missing), outdated(store, record))
    return None if store.size(SITES) is None else SitesStatus(None, None, 0, "they were not finished")


def _done(store: Store, recipe: Recipe) -> dict[tuple[str, int], tuple[int, int]]:
    """Return finished tiles and their bytes by (grid, time)."""
    from geowatch.store.markers import read_marker

    found: dict[tuple[str, int], tuple[int, int]] = {}
    for place in markers_in(store, recipe.digest):
        marker = read_marker(store, MarkerPlace(recipe.digest, place.tile, place.time))
        if marker is not None and is_done(store, place):
            tiles, size = found.get((place.tile.grid, place.time), (0, 0))
            found[place.tile.grid, place.time] = tiles + 1, size + sum(o.size_bytes for o in marker.objects)
    return found
