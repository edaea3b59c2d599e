"""Reading a heatmap back, tile by tile, with what is missing said rather than left as fill."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from geowatch.errors import DamagedError
from geowatch.stitch.shard import decode_shard, decode_window, inner_chunk_px
from geowatch.store.markers import MarkerPlace, read_marker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
    from geowatch.store import Store
    from geowatch.store.markers import Marker

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
        """Whether the tile is finished at the plane ``time`` of the time axis and its objects are in place."""
        marker = read_marker(self.store, self._place(tile, time))
        return marker is not None and all(self.store.size(o.key) == o.size_bytes for o in marker.objects)

    def _place(self, tile: Tile, time: int) -> MarkerPlace:
        return MarkerPlace(self.recipe, tile, time // self.layout.block)

    def core(self, tile: Tile, time: int, head: HeadLayout) -> NDArray[np.generic]:
        """Return stored values of a tile's core at plane ``time``, shape (K, side, side); absent shards are fill.

        The side is that of a tile, over the head's reduction.

        Raises:
            DamagedError: where the bytes are not those that the marker lists.
        """
        size = self.layout.grid.tile_px // head.reduction
        core = head.quantiser.empty((1, len(head.classes), size, size))
        content = self._content(read_marker(self.store, self._place(tile, time)), tile, time, head)
        if content is not None:
            block = self.layout.block
            decode_shard(content, core, inner_chunk_px(size), block=block, first=time % block)
        first: NDArray[np.generic] = core[0]
        return first

    def window(
        self, tile: Tile, time: int, head: HeadLayout, at: tuple[slice, slice], classes: tuple[int, ...]
    ) -> NDArray[np.generic] | None:
        """Return stored values of some rows, columns and classes of a tile's core, shape (classes, rows, columns).

        Costs what the window takes, not the core. None where the tile is not finished; absent shards of one that is
        are fill.

        Raises:
            DamagedError: as `core` does.
        """
        marker = read_marker(self.store, self._place(tile, time))
        if marker is None:
            return None
        size = self.layout.grid.tile_px // head.reduction
        out = head.quantiser.empty((len(classes), at[0].stop - at[0].start, at[1].stop - at[1].start))
        content = self._content(marker, tile, time, head)
        if content is not None:
            block = self.layout.block
            decode_window(content, out, (time % block, *at), classes, (block, len(head.classes), size, size))
        return out

    def _content(self, marker: Marker | None, tile: Tile, time: int, head: HeadLayout) -> bytes | None:
        """Return the bytes of the shard that holds a tile's plane, checked against its marker; None for no shard."""
        key = self.layout.shard_key(head, tile, time // self.layout.block)
        listed = {} if marker is None else {o.key: o for o in marker.objects}
        if key not in listed:
            return None
        content = self.store.get(key)
        if sha256(content).hexdigest() != listed[key].sha256:
            raise DamagedError(
                f"the bytes of '{key}' are not those that were written",
                hint="gw verify --repair, then gw predict, make the tile again",
            )
        return content
