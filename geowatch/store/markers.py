"""Markers: a tile is done when its marker says so.

A marker is named by recipe, grid, time block and tile, made only if absent and only after the tile's objects are
published; it lists each of them with size and digest, or says that the tile is all fill. Resuming is the plan less
the valid markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import StoreError
from geowatch.grid.tiles import Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.store.base import Store

__all__ = ["Marker", "MarkerPlace", "StoredObject", "is_done", "markers_in", "read_marker", "write_marker"]

FOLDER = "markers"


class StoredObject(BaseModel):
    """One published object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    """Key in the run's store."""
    size_bytes: int
    """Size."""
    sha256: str
    """Digest of the content, hex."""

    @classmethod
    def of(cls, key: str, content: bytes) -> StoredObject:
        """Describe ``content``."""
        return cls(key=key, size_bytes=len(content), sha256=sha256(content).hexdigest())


class Marker(BaseModel):
    """What is known of a finished tile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    tile: str
    """Name of the tile."""
    time: int
    """Time block: with blocks of one plane, the plane's place on the heatmap's time axis."""
    recipe: str
    """Digest of the recipe."""
    valid_px: int
    """Pixels that have scores."""
    objects: tuple[StoredObject, ...]
    """What was published; empty where the tile is all fill."""


@dataclass(frozen=True, order=True, slots=True)
class MarkerPlace:
    """What a marker is named by."""

    recipe: str
    """Digest of the recipe."""
    tile: Tile
    """The tile."""
    time: int
    """Time block: with blocks of one plane, the plane's place on the heatmap's time axis."""

    @property
    def key(self) -> str:
        """Key in the run's store."""
        return f"{FOLDER}/{self.recipe[:12]}/{self.time}/{self.tile.name}.json"


def write_marker(store: Store, place: MarkerPlace, marker: Marker) -> None:
    """Publish a marker unless there is a valid one; a damaged one is replaced."""
    content = (marker.model_dump_json(indent=1) + "\n").encode()
    if not store.put_if_absent(place.key, content) and read_marker(store, place) is None:
        store.put(place.key, content)


def read_marker(store: Store, place: MarkerPlace) -> Marker | None:
    """Return the marker, or None where it is absent, damaged or another tile's."""
    if store.size(place.key) is None:
        return None
    try:
        marker = Marker.model_validate_json(store.get(place.key))
    except (ValidationError, StoreError):
        return None
    same = (marker.tile, marker.time, marker.recipe) == (place.tile.name, place.time, place.recipe)
    return marker if same else None


def is_done(store: Store, place: MarkerPlace) -> bool:
    """Whether the marker is valid and each object that it lists is there with its size."""
    marker = read_marker(store, place)
    return marker is not None and all(store.size(o.key) == o.size_bytes for o in marker.objects)


def markers_in(store: Store, recipe: str) -> Iterator[MarkerPlace]:
    """Yield the places of all markers of a recipe, valid or not."""
    prefix = f"{FOLDER}/{recipe[:12]}/"
    for key in store.list(prefix):
        time, _, name = key.removeprefix(prefix).removesuffix(".json").partition("/")
        yield MarkerPlace(recipe, Tile.parse(name), int(time))
