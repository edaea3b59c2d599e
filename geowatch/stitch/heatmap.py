"""The heatmap: a Zarr group that xarray, rioxarray and any Zarr v3 library open as it is.

One array a head, axes (time, class, y, x), one shard for a tile and a block of planes. All metadata is a function of
the plan and the recipe, so that any worker may publish it, once, before the first shard. The arrays cover whole tiles;
deliverables crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from affine import Affine

from geowatch.stitch.codec import compressor
from geowatch.stitch.quantise import Quantiser
from geowatch.stitch.shard import inner_chunk_px
from geowatch.store.zarr_objects import add_place, add_times, publish_group, zarr_objects

if TYPE_CHECKING:
    import zarr

    from geowatch.grid.plan import Grid
    from geowatch.grid.tiles import Tile
    from geowatch.store import Store

__all__ = ["HEATMAP", "HeadLayout", "HeatmapLayout", "is_shard"]

#: Key of the heatmap in a run folder.
HEATMAP = "heatmap.zarr"


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """One array of the heatmap."""

    name: str
    """Name of the head, and of the array."""
    classes: tuple[str, ...]
    """What its planes mean."""
    quantiser: Quantiser
    """How scores are stored."""
    activation: str = "softmax"
    """What raw output went through; it decides how classes are told."""
    colors: tuple[str, ...] = ()
    """Colour of each class, #rrggbb or #rrggbbaa."""
    kind: Literal["scores", "uncertainty", "features", "seen"] = "scores"
    """What the values are; maps are made of scores."""
    reduction: int = 1
    """Pixels of the lattice along a side of one of its own."""

    @property
    def independent(self) -> bool:
        """Whether a pixel may be of no class: classes do not exclude each other, or there is one that may be absent."""
        return self.activation == "sigmoid" or (self.activation == "none" and len(self.classes) == 1)

    @property
    def suffix(self) -> str:
        """What the names of its axes y and x end with."""
        return "" if self.reduction == 1 else f"_{self.reduction}"


@dataclass(frozen=True, slots=True)
class HeatmapLayout:
    """Where each tile's scores lie in the store, and the metadata that says so."""

    grid: Grid
    """Where the pixels are."""
    heads: tuple[HeadLayout, ...]
    """The arrays."""
    times: tuple[datetime | None, ...]
    """One entry a plane of the time axis; None where the imagery is undated."""
    group: str = HEATMAP
    """Key of the Zarr group."""
    block: int = 1
    """Planes of the time axis that one shard holds."""
    boxes: tuple[str, ...] = ()
    """Heads of boxes: their objects lie beside the group."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the arrays: whole tiles."""
        return self.grid.array_box.shape

    def shard_key(self, head: HeadLayout, tile: Tile, block: int) -> str:
        """Key of the object that holds a tile's core for the planes of a time block."""
        box = self.grid.array_box
        row = tile.iy - box.y0 // self.grid.tile_px
        column = tile.ix - box.x0 // self.grid.tile_px
        return f"{self.group}/{head.name}/c/{block}/0/{row}/{column}"

    def publish(self, store: Store) -> None:
        """Publish the metadata and coordinates, unless they are there already; the group's own entry comes last."""
        publish_group(store, self.metadata())

    def metadata(self) -> dict[str, bytes]:
        """Return metadata and coordinate objects by key."""
        made = zarr_objects({"Conventions": "CF-1.11", "title": "gw heatmap"}, self._fill)
        return {f"{self.group}/{key}": content for key, content in made.items()}

    def _fill(self, group: zarr.Group) -> None:
        for head in self.heads:
            self._add_head(group, head)
        self._add_coordinates(group)

    def _add_head(self, group: zarr.Group, head: HeadLayout) -> None:
        tile, stored = self.grid.tile_px // head.reduction, head.quantiser
        chunk = inner_chunk_px(tile)
        planes = len(head.classes)
        attributes: dict[str, Any] = {
            "long_name": f"scores of {head.name}",
            "grid_mapping": f"spatial_ref{head.suffix}",
            "coordinates": f"spatial_ref{head.suffix}",
            "activation": head.activation,
            "kind": head.kind,
            "class_names": list(head.classes),
            "class_colors": list(head.colors),
        }
        if stored.stored in {"uint8", "uint16"}:
            attributes |= {"scale_factor": stored.scale, "_FillValue": int(stored.fill)}
        group.create_array(
            head.name,
            shape=(len(self.times), planes, *(side // head.reduction for side in self.shape)),
            shards=(self.block, planes, tile, tile),
            chunks=(1, 1, chunk, chunk),
            dtype=stored.stored,
            fill_value=stored.fill,
            compressors=compressor(stored.dtype),
            dimension_names=["time", _class_axis(head, self.heads), f"y{head.suffix}", f"x{head.suffix}"],
            attributes=attributes,
        )

    def _add_coordinates(self, group: zarr.Group) -> None:
        for reduction, suffix in {h.reduction: h.suffix for h in self.heads}.items():
            self._add_pixels(group, reduction, suffix)
        add_times(group, self.times)
        for head in self.heads:
            axis = _class_axis(head, self.heads)
            if axis not in group:
                names = group.create_array(axis, shape=(len(head.classes),), dtype="str", dimension_names=[axis])
                names[:] = np.array(head.classes, dtype=object)

    def _add_pixels(self, group: zarr.Group, reduction: int, suffix: str) -> None:
        """Add the coordinates of pixel centres and the georeference of a lattice, whole or reduced."""
        box, lattice = self.grid.array_box, self.grid.lattice
        rows, columns = (side // reduction for side in box.shape)
        affine = lattice.affine_of(box) @ Affine.scale(reduction)
        add_place(group, affine, (rows, columns), lattice.crs, suffix)


def is_shard(key: str) -> bool:
    """Whether a key of a heatmap is a tile's shard: four indices stand behind ``/c/``, coordinates have one."""
    return "/c/" in key and key.rpartition("/c/")[2].count("/") == 3


def _class_axis(head: HeadLayout, heads: tuple[HeadLayout, ...]) -> str:
    # One head has the axis `class`; further heads with other classes, and what is no score, need axes of their own.
    scores = [h for h in heads if h.kind == "scores"]
    shared = head in scores and all(h.classes == head.classes for h in scores)
    return "class" if shared else f"class_{head.name}"
