"""Status: how far a run is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.predict.recipe import read_recipe
from geowatch.stages.imagery import read_bound
from geowatch.stages.parts import blocks_of, parts_of
from geowatch.stages.stitch import COVERAGE
from geowatch.store import open_store
from geowatch.store.markers import MarkerPlace, is_done, markers_in
from geowatch.store.plans import read_plan, read_tiles

if TYPE_CHECKING:
    from geowatch.predict.recipe import Recipe
    from geowatch.store import Store

__all__ = ["PartStatus", "Status", "status"]


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

    @property
    def finished(self) -> bool:
        """Whether every tile is done."""
        return bool(self.parts) and all(part.done == part.tiles for part in self.parts)


def status(run: str = "gw-run") -> Status:
    """Return how far the run is. Reads markers only.

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
        store.size(COVERAGE) is not None,
    )  # fmt: skip


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
