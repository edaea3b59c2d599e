"""Joining parts: tiles of one plan and recipe that were made in different places."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from geowatch.errors import DamagedError, PlanMismatchError
from geowatch.predict.recipe import RECIPE, read_recipe
from geowatch.stages.binding.imagery import IMAGERY
from geowatch.stages.predicting.recipes import PACKAGE
from geowatch.stitch.heatmap import HEATMAP, is_shard
from geowatch.store.markers import is_done, markers_in, read_marker, write_marker
from geowatch.store.plans import read_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.stages.working.events import Events
    from geowatch.store import Store
    from geowatch.store.markers import MarkerPlace

__all__ = ["join_parts"]


def join_parts(store: Store, parts: Sequence[Store], events: Events) -> int:
    """Copy into ``store`` the finished tiles of ``parts`` that it lacks; return how many.

    Objects are checked against their marker on the way; a damaged tile of one part may still come from another.

    Raises:
        PlanMismatchError: for a part of another plan or recipe.
    """
    copied = 0
    for number, part in enumerate(parts):
        _check_same(store, part)
        for place in markers_in(part, _digest(part)):
            if not is_done(store, place):
                copied += _copy_tile(part, store, place, events)
        events.progress("join", number + 1, len(parts), tiles=copied)
    return copied


def _digest(part: Store) -> str:
    recipe = read_recipe(part)
    if recipe is None:
        raise PlanMismatchError(f"{part.url} is no part of a heatmap: it has no recipe", hint="give run folders")
    return recipe.digest


def _check_same(store: Store, part: Store) -> None:
    if read_plan(store).id != read_plan(part).id:
        raise PlanMismatchError(f"{part.url} was planned otherwise than {store.url}", hint="join parts of one plan")
    mine, theirs = read_recipe(store), _digest(part)
    if mine is None:
        _adopt(store, part)
    elif mine.digest != theirs:
        raise PlanMismatchError(
            f"{part.url} was made with recipe {theirs[:12]}, {store.url} with {mine.digest[:12]}",
            hint="join parts of one recipe: the same package, imagery and options on machines of one kind",
        )


def _adopt(store: Store, part: Store) -> None:
    """Take over a part's documents where this run has none of its own."""
    metadata = [key for key in part.list(f"{HEATMAP}/") if not is_shard(key)]
    for key in (*metadata, IMAGERY, PACKAGE, RECIPE):
        store.put_if_absent(key, part.get(key))


def _copy_tile(part: Store, store: Store, place: MarkerPlace, events: Events) -> int:
    marker = read_marker(part, place)
    if marker is None:
        events.note(f"{part.url}: the marker of tile {place.tile.name} is damaged; left out")
        return 0
    for listed in marker.objects:
        content = part.get(listed.key)
        if sha256(content).hexdigest() != listed.sha256:
            raise DamagedError(
                f"'{listed.key}' in {part.url} is not what was written",
                hint=f"gw verify --run {part.url} --repair, then gw predict there, make it again",
            )
        store.put(listed.key, content)
    write_marker(store, place, marker)
    return 1
