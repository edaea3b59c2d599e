"""A finished core becomes durable: encode in memory, publish each object, then the marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.sites.detections import detections_key
from geowatch.stitch.shard import encode_shard, inner_chunk_px
from geowatch.store.markers import Marker, MarkerPlace, StoredObject, write_marker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.stitch.cores import Core
    from geowatch.stitch.heatmap import HeatmapLayout
    from geowatch.store import Store

__all__ = ["publish_core"]


def publish_core(store: Store, layout: HeatmapLayout, core: Core, block: int, recipe: str) -> Marker:
    """Publish a core of a time block under the recipe with digest ``recipe``; doing it twice does no harm."""
    objects: list[StoredObject] = []
    for number, (head, stored) in enumerate(zip(layout.heads, core.heads, strict=True)):
        side = layout.grid.tile_px // head.reduction
        at = (core.parts[number].y0, core.parts[number].x0) if core.parts else (0, 0)
        content = encode_shard(stored, head.quantiser.is_fill, inner_chunk_px(side), side_px=side, at=at)
        key = layout.shard_key(head, core.tile, block)
        if content is None:
            store.delete(key)  # what a damaged run may have left there
            continue
        store.put(key, content)
        objects.append(StoredObject.of(key, content))
    objects += _published_boxes(store, layout, core, block, recipe)
    marker = Marker(tile=core.tile.name, time=block, recipe=recipe, valid_px=core.valid_px, objects=tuple(objects))
    write_marker(store, MarkerPlace(recipe, core.tile, block), marker)
    return marker


def _published_boxes(
    store: Store, layout: HeatmapLayout, core: Core, block: int, recipe: str
) -> Iterator[StoredObject]:
    """Publish the boxes of each head; a tile without any has no object, as one that is all fill."""
    for name, boxes in zip(layout.boxes, core.objects or [None] * len(layout.boxes), strict=True):
        key = detections_key(recipe, name, block, core.tile)
        if boxes is None or not len(boxes):
            store.delete(key)
            continue
        content = boxes.to_bytes()
        store.put(key, content)
        yield StoredObject.of(key, content)
