"""One map of several grids: each place takes the pixel of the grid that owns it, nothing is mixed.

Zones meet at their meridians (and at the polar parallels). A pixel of the joined map belongs to the zone that its
centre lies in, and takes the value of that zone's pixel under its centre. Pixels of a zone whose own centre lies
beyond the meridian hold nothing, so along the meridian a place may have to look one pixel further: first at the same
place on the other grids, then at the neighbours on its own. So no place is empty at a seam, and none is counted twice.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pyproj import Transformer

from geowatch.grid import crs
from geowatch.grid.crs import to_lonlat
from geowatch.stitch.maps import NO_CLASS, class_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.lattice import Lattice, PixelBox
    from geowatch.grid.plan import Grid
    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.stitch.mosaic import Mosaic

__all__ = ["Core", "Form", "Joined", "Layer", "OfPlane", "owner_of", "salience"]

#: Tiles of a grid that are kept in memory.
_KEPT = 4
#: Steps to the eight neighbours, nearest first.
_AROUND = sorted(
    (step for step in product((-1, 0, 1), repeat=2) if step != (0, 0)), key=lambda s: abs(s[0]) + abs(s[1])
)


@dataclass(frozen=True, slots=True)
class Form:
    """How salient scores are stored."""

    stored: str
    """NumPy type."""
    none: float
    """What stands where there is none."""
    scale: float
    """Score that one stored unit stands for."""


class Core(Protocol):
    """What a tile shows."""

    @property
    def form(self) -> Form:
        """How its salient scores are stored."""

    def __call__(self, tile: Tile) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Return class and salient score of a tile's core, (side, side) each."""


@dataclass(frozen=True, slots=True)
class OfPlane:
    """Shows one plane of a heatmap."""

    mosaic: Mosaic
    """The heatmap."""
    head: HeadLayout
    """Which head."""
    time: int
    """Place on the time axis."""
    salient: tuple[int, ...]
    """Classes whose scores are added."""

    @property
    def form(self) -> Form:
        """How its salient scores are stored: as those of classes."""
        stored = self.head.quantiser
        return Form(stored.stored, stored.fill, stored.scale)

    def __call__(self, tile: Tile) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Return class and salient score of a tile's core."""
        values = self.mosaic.core(tile, self.time, self.head)
        return class_map(self.head, values), salience(self.head, values, self.salient)


class Layer:
    """What a grid's tiles show, as classes and salient score, read pixel by pixel."""

    def __init__(self, grid: Grid, head: HeadLayout, tiles: Iterable[Tile], core: Core) -> None:
        self.grid = grid
        self.head = head
        self.shows = core
        self._tiles = {(tile.iy, tile.ix): tile for tile in tiles}
        self._side = self.grid.tile_px // head.reduction
        self._held: OrderedDict[tuple[int, int], tuple[NDArray[np.uint8], NDArray[np.generic]]] = OrderedDict()

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Return class and salient score (as stored) of lattice pixels (n,); `NO_CLASS` and fill for none."""
        classes = np.full(len(rows), NO_CLASS, np.uint8)
        scores = self.no_scores(len(rows))
        rows, columns = rows // self.head.reduction, columns // self.head.reduction
        tiles = np.stack([rows // self._side, columns // self._side], axis=1)
        for iy, ix in np.unique(tiles, axis=0).tolist():
            if (iy, ix) in self._tiles:
                here = (tiles == (iy, ix)).all(axis=1)
                place = rows[here] - iy * self._side, columns[here] - ix * self._side
                kinds, values = self._core(iy, ix)
                classes[here], scores[here] = kinds[place], values[place]
        return classes, scores

    def no_scores(self, count: int) -> NDArray[np.generic]:
        """Return salient scores of pixels that have none, (count,)."""
        form = self.shows.form
        return np.full(count, form.none, form.stored)

    def _core(self, iy: int, ix: int) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        if (iy, ix) not in self._held:
            self._held[iy, ix] = self.shows(self._tiles[iy, ix])
        self._held.move_to_end((iy, ix))
        while len(self._held) > _KEPT:
            self._held.popitem(last=False)
        return self._held[iy, ix]


def salience(head: HeadLayout, stored: NDArray[np.generic], salient: Sequence[int]) -> NDArray[np.generic]:
    """Return the sum of the salient classes' scores, at most 1, as it is stored: shape (H, W) from (K, H, W)."""
    empty = head.quantiser.is_fill(stored[0])
    top = head.quantiser.top
    chosen = stored[list(salient)]
    summed = chosen.astype(np.int64).sum(axis=0) if top is not None else chosen.astype(np.float32).sum(axis=0)
    values = np.minimum(summed, 1 if top is None else top).astype(stored.dtype)
    values[empty] = head.quantiser.fill
    return np.asarray(values)


def owner_of(grids: Sequence[Grid], lonlat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of the grid that owns each (longitude, latitude), -1 where none does."""
    return crs.owner_of([grid.id for grid in grids], lonlat)


@dataclass(frozen=True)
class Joined:
    """The grids' planes as one map on a lattice of its own."""

    lattice: Lattice
    """Where the joined map's pixels are; it has a CRS."""
    layers: tuple[Layer, ...]
    """One for each grid."""

    def block(self, box: PixelBox) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        """Return classes and salient scores of a block, each of its shape."""
        xy = _centres(self.lattice, box)
        lonlat = to_lonlat(xy, str(self.lattice.crs))
        owner = owner_of([layer.grid for layer in self.layers], lonlat)
        classes = np.full(len(xy), NO_CLASS, np.uint8)
        scores = self.layers[0].no_scores(len(xy))
        for place in range(len(self.layers)):
            here = np.flatnonzero(owner == place)
            if len(here):
                classes[here], scores[here] = self._owned(place, xy[here])
        return classes.reshape(box.shape), scores.reshape(box.shape)

    def _owned(self, place: int, xy: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        layer = self.layers[place]
        rows, columns = _pixels(layer.grid, str(self.lattice.crs), xy)
        classes, scores = layer.at(rows, columns)
        if len(self.layers) > 1:
            self._fill_seam(layer, (rows, columns), xy, (classes, scores))
        return classes, scores

    def _fill_seam(
        self,
        layer: Layer,
        at: tuple[NDArray[np.int64], NDArray[np.int64]],
        xy: NDArray[np.float64],
        found: tuple[NDArray[np.uint8], NDArray[np.generic]],
    ) -> None:
        """Give a value to places whose pixel's centre lies beyond their zone."""
        classes, scores = found
        seam = np.flatnonzero((classes == NO_CLASS) & self._beyond(layer, at))
        for other in (each for each in self.layers if each is not layer):
            if len(seam):
                rows, columns = _pixels(other.grid, str(self.lattice.crs), xy[seam])
                classes[seam], scores[seam] = other.at(rows, columns)
                seam = seam[classes[seam] == NO_CLASS]
        for down, right in _AROUND:
            if len(seam):
                classes[seam], scores[seam] = layer.at(at[0][seam] + down, at[1][seam] + right)
                seam = seam[classes[seam] == NO_CLASS]

    def _beyond(self, layer: Layer, at: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.bool_]:
        """Return which pixels of a grid have their centre in another zone."""
        lattice = layer.grid.lattice
        x, y = lattice.affine @ (at[1] + 0.5, at[0] + 0.5)
        lonlat = to_lonlat(np.stack([x, y], axis=1), str(lattice.crs))
        grids = [each.grid for each in self.layers]
        mine = next(place for place, grid in enumerate(grids) if grid is layer.grid)
        return np.asarray(owner_of(grids, lonlat) != mine)


def _centres(lattice: Lattice, box: PixelBox) -> NDArray[np.float64]:
    """Return the pixels' centres (n, 2) as (x, y), row by row."""
    columns, rows = np.meshgrid(np.arange(box.x0, box.x1) + 0.5, np.arange(box.y0, box.y1) + 0.5)
    x, y = lattice.affine @ (columns.ravel(), rows.ravel())
    return np.stack([x, y], axis=1)


def _pixels(grid: Grid, crs: str, xy: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the grid's lattice (rows, columns) under places of another CRS."""
    x, y = Transformer.from_crs(crs, grid.lattice.crs, always_xy=True).transform(xy[:, 0], xy[:, 1])
    columns, rows = ~grid.lattice.affine @ (np.asarray(x), np.asarray(y))
    return np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
