"""Reading a heatmap back, tile by tile, with what is missing said rather than left as fill."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from geowatch.errors import DamagedError
from geowatch.stitch.shard import decode_shard, inner_chunk_px
from geowatch.store.markers import MarkerPlace, read_marker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
    from geowatch.store import Store

__all__ = ["Mosaic"]


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The finished tiles of a heatmap."""

    store: Store
    """Where it is."""
    layout: HeatmapLayout
    """How it lies there."""
    recipe: str
    """Digest of the recipe."""

    def is_there(self, tile: Tile, time: int) -> bool:
        """Whether the tile is finished and its objects are in place."""
        marker = read_marker(self.store, MarkerPlace(self.recipe, tile, time))
        return marker is not None and all(self.store.size(o.key) == o.size_bytes for o in marker.objects)

    def core(self, tile: Tile, time: int, head: HeadLayout) -> NDArray[np.generic]:
        """Return stored values of a tile's core, shape (K, side, side); absent shards are fill.

        The side is that of a tile, over the head's reduction.

        Raises:
            DamagedError: where the bytes are not those that the marker lists.
        """
        size = self.layout.grid.tile_px // head.reduction
        core = head.quantiser.empty((1, len(head.classes), size, size))
        key = self.layout.shard_key(head, tile, time)
        marker = read_marker(self.store, MarkerPlace(self.recipe, tile, time))
        listed = {} if marker is None else {o.key: o for o in marker.objects}
        if key in listed:
            content = self.store.get(key)
            if sha256(content).hexdigest() != listed[key].sha256:
                raise DamagedError(
                    f"the bytes of '{key}' are not those that were written",
                    hint="gw verify --repair, then gw predict, make the tile again",
                )
            decode_shard(content, core, inner_chunk_px(size))
        first: NDArray[np.generic] = core[0]
        return first
