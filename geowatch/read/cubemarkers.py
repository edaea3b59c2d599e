"""Markers of a cube: a block is done when its marker says so.

A marker is made only after the block's objects are published, and lists each with size and digest. A damaged marker is
none; a block whose objects are not there in their size is not done.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import StoreError
from geowatch.read.cubeformat import Block, CubeLayout
from geowatch.store.base import Store
from geowatch.store.markers import StoredObject

__all__ = ["BlockMarker", "damage_of", "is_done", "read_marker", "write_marker"]


class BlockMarker(BaseModel):
    """What is known of a finished block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    frame: str
    """Content key of the frame."""
    block: tuple[int, int]
    """(row, column) of the block, counted from the lattice's origin."""
    valid_px: int
    """Pixels that are valid."""
    objects: tuple[StoredObject, ...]
    """What was published; an array that is all fill there has none."""


def write_marker(store: Store, layout: CubeLayout, block: Block, marker: BlockMarker) -> None:
    """Publish a marker unless there is an equal one; any other is replaced."""
    content = (marker.model_dump_json(indent=1) + "\n").encode()
    key = layout.marker_key(block)
    if not store.put_if_absent(key, content) and store.get(key) != content:
        store.put(key, content)


def read_marker(store: Store, layout: CubeLayout, block: Block) -> BlockMarker | None:
    """Return the marker, or None where it is absent, damaged or another block's."""
    key = layout.marker_key(block)
    if store.size(key) is None:
        return None
    try:
        marker = BlockMarker.model_validate_json(store.get(key))
    except (ValidationError, StoreError):
        return None
    return marker if (marker.frame, marker.block) == (layout.key, (block.iy, block.ix)) else None


def is_done(store: Store, layout: CubeLayout, block: Block) -> bool:
    """Whether the marker is valid and each object that it lists is there with its size."""
    marker = read_marker(store, layout, block)
    return marker is not None and all(store.size(o.key) == o.size_bytes for o in marker.objects)


def damage_of(store: Store, layout: CubeLayout, block: Block) -> str | None:
    """Return what is wrong with a block that has a marker, by the digests of its objects; None if nothing is."""
    marker = read_marker(store, layout, block)
    if marker is None:
        return "its marker is damaged"
    for listed in marker.objects:
        if store.size(listed.key) is None:
            return f"'{listed.key}' is gone"
        if sha256(store.get(listed.key)).hexdigest() != listed.sha256:
            return f"'{listed.key}' has other bytes than were written"
    return None
