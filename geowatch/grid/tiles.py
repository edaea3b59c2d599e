"""Tiles: the unit that is stored and committed, as names and as columns.

A tile is an absolute block of the lattice: tile (iy, ix) owns the rows from ``iy * tile_px`` and the columns
from ``ix * tile_px`` on. A million tiles are two int32 columns (`TileTable`), made without an object per
tile; `cover` finds which tiles a region needs, and `sweeps` groups them for work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import PlanError
from geowatch.grid.lattice import Lattice, PixelBox

__all__ = ["Tile", "TileTable", "tile_rings"]

_NAME = re.compile(r"(?P<grid>[A-Za-z0-9_]+)/(?P<iy>-?\d+)_(?P<ix>-?\d+)")

Column = NDArray[np.int32]


@dataclass(frozen=True, order=True, slots=True)
class Tile:
    """One tile of a grid.

    >>> Tile("utm18n", 12, -3).name
    'utm18n/12_-3'
    """

    grid: str
    """Id of its grid."""
    iy: int
    """Row of tiles, counted from lattice row 0."""
    ix: int
    """Column of tiles, counted from lattice column 0."""

    @property
    def name(self) -> str:
        """Name in files and messages: ``grid/iy_ix``."""
        return f"{self.grid}/{self.iy}_{self.ix}"

    @classmethod
    def parse(cls, name: str) -> Tile:
        """Return the tile with this name. Raises PlanError for anything else."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise PlanError(f"'{name:.80}' is no tile name", hint="names look like utm18n/12_-3")
        return cls(match["grid"], int(match["iy"]), int(match["ix"]))

    def core(self, tile_px: int) -> PixelBox:
        """Pixels that this tile owns."""
        y, x = self.iy * tile_px, self.ix * tile_px
        return PixelBox(y, x, y + tile_px, x + tile_px)


@dataclass(frozen=True, eq=False)
class TileTable:
    """The tiles of one grid, in sweep order."""

    grid: str
    """Id of the grid."""
    iy: Column
    """Rows of tiles, int32."""
    ix: Column
    """Columns of tiles, int32."""

    def __post_init__(self) -> None:
        if self.iy.shape != self.ix.shape or self.iy.ndim != 1 or self.iy.dtype != np.int32 != self.ix.dtype:
            raise PlanError(f"tile columns of shapes {self.iy.shape} and {self.ix.shape} do not fit")

    def __len__(self) -> int:
        return len(self.iy)

    def __iter__(self) -> Iterator[Tile]:
        for iy, ix in zip(self.iy.tolist(), self.ix.tolist(), strict=True):
            yield Tile(self.grid, iy, ix)

    @overload
    def __getitem__(self, at: int) -> Tile: ...
    @overload
    def __getitem__(self, at: slice | NDArray[np.intp] | NDArray[np.bool_]) -> TileTable: ...
    def __getitem__(self, at: int | slice | NDArray[np.intp] | NDArray[np.bool_]) -> Tile | TileTable:
        if isinstance(at, int | np.integer):
            return Tile(self.grid, int(self.iy[at]), int(self.ix[at]))
        return TileTable(self.grid, self.iy[at], self.ix[at])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TileTable)
            and self.grid == other.grid
            and np.array_equal(self.iy, other.iy)
            and np.array_equal(self.ix, other.ix)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def digest(self) -> str:
        """Sha256 over the rows, whatever their order in memory."""
        order = np.lexsort((self.ix, self.iy))
        rows = np.stack([self.iy[order], self.ix[order]], axis=1).astype("<i4")
        return hashlib.sha256(rows.tobytes()).hexdigest()


def tile_rings(table: TileTable, lattice: Lattice, tile_px: int) -> NDArray[np.float64]:
    """Return the outlines of the cores, (n, 5, 2) as closed counter-clockwise (x, y) in CRS units."""
    x0 = lattice.phase_x + table.ix.astype(np.float64) * (tile_px * lattice.step_x)
    y0 = lattice.phase_y + table.iy.astype(np.float64) * (tile_px * lattice.step_y)
    x1, y1 = x0 + tile_px * lattice.step_x, y0 + tile_px * lattice.step_y
    south, north = (y0, y1) if lattice.step_y > 0 else (y1, y0)
    corners = [(x0, south), (x1, south), (x1, north), (x0, north), (x0, south)]
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
