"""Objects that a run's own network found: read from its tiles, each once, and as tracking takes them.

Tiles hold what windows told. Neighbouring windows may both tell of an object between them, and which of its boxes
stays can hang on boxes far away; so that is decided here, for all boxes of a plane at once. Memory follows the boxes
of a time block, not the pixels.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError, DamagedError
from geowatch.sites.detections import SUB_PX, Detections, detections_key
from geowatch.sites.suppression import suppressed
from geowatch.stages.tracking.objects import Objects
from geowatch.stages.tracking.stored_boxes import packed
from geowatch.store.markers import MarkerPlace, markers_in, read_marker
from geowatch.track.boxes import Boxes, pixels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.grid.plan import Grid, Plan
    from geowatch.predict.recipe import BoxesPin, Recipe
    from geowatch.store import Store

__all__ = ["chosen_boxes", "detected", "own_objects"]


def chosen_boxes(recipe: Recipe, head: str | None) -> BoxesPin | None:
    """Return the head of boxes that is asked for, or the only one of a run without scores; None where scores are meant.

    Raises:
        ConfigError: where there are several and none is named.
    """
    boxes = {pin.name: pin for pin in recipe.boxes}
    if head is not None:
        return boxes.get(head)
    if not boxes or any(pin.kind == "scores" for pin in recipe.heads):
        return None
    if len(boxes) > 1:
        raise ConfigError(f"no head is named; the run has {', '.join(boxes)}", hint=f"give --head {next(iter(boxes))}")
    return next(iter(boxes.values()))


def detected(store: Store, recipe: Recipe, pin: BoxesPin, grid: Grid) -> Iterator[tuple[int, Detections]]:
    """Yield (place on the time axis, objects) of each plane with any on a grid, oldest first, each object once.

    Raises:
        DamagedError: where a tile's boxes are not those that its marker lists.
    """
    places = [place for place in markers_in(store, recipe.digest) if place.tile.grid == grid.id]
    for block in sorted({place.time for place in places}):
        tiles = [_tile(store, pin, place) for place in places if place.time == block]
        found = Detections.joined(tiles)
        for time in np.unique(found.time).tolist():
            yield time, suppressed(found.where(found.time == time), pin.max_overlap)


def _tile(store: Store, pin: BoxesPin, place: MarkerPlace) -> Detections:
    """Return what windows told of one tile and time block."""
    key = detections_key(place.recipe, pin.name, place.time, place.tile)
    marker = read_marker(store, place)
    listed = {stored.key: stored.sha256 for stored in marker.objects} if marker else {}
    if key not in listed:
        return Detections.empty()
    content = store.get(key)
    if sha256(content).hexdigest() != listed[key]:
        raise DamagedError(
            f"the bytes of '{key}' are not those that were written",
            hint="gw verify --repair, then gw predict, make the tile again",
        )
    return Detections.from_bytes(content, f"'{key}'")


def own_objects(store: Store, plan: Plan, recipe: Recipe, pin: BoxesPin) -> Objects:
    """Return all objects of a run as tracking takes them, on the grids of its plan."""
    found = (
        (number, plane, _pixels(boxes))
        for number, grid in enumerate(plan.grids)
        for plane, boxes in detected(store, recipe, pin, grid)
    )
    return Objects((), pin.classes, packed(found))


def _pixels(found: Detections) -> Boxes:
    """Return the pixels that objects of a plane cover."""
    corners = np.stack([found.y0, found.x0, found.y1, found.x1], axis=1) / SUB_PX
    return Boxes.ordered(pixels_of(corners), found.kind, found.score)
