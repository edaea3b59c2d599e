"""The cube on disk: which arrays a frame has, how their numbers are stored, and where each block lies.

A cube folder holds one Zarr v3 group a frame, named by the frame's content key. The group has an array for each band
and one for validity, axes (time, y, x), on the absolute lattice: an array begins at the block in which the frame's
extent begins, so that a frame lies in the same bytes whoever aligns it, whatever region asked for it. A block of
`BLOCK_PX` is one object an array, written whole, made of chunks of `CHUNK_PX`.

A band whose pixels are copies of stored integers is stored as these integers, and its factors stand beside it; what
was computed is stored as float32. Either way a reader gives the very bits that reading the images gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.read.frameplan import FramePlan, ScenePlan
from geowatch.read.numbers import Numbers
from geowatch.read.scene import BandSource

__all__ = ["BLOCK_PX", "CHUNK_PX", "VALID", "Block", "CubeLayout", "Plane", "blocks_touching"]

#: Side of a block, the unit that is written and committed. Part of the format.
BLOCK_PX = 1024
#: Side of a chunk, the unit that is read. Measured by benchmarks/codecs_of_cubes.py: of windows of 256 px at random
#: places a band takes 0.21 ms at 128, 0.27 at 256 and 0.36 at 64.
CHUNK_PX = 128
#: Name of the array of validity.
VALID = "valid"
#: Integers of more bytes do not fit a float32, through which pixels come.
_EXACT_ITEMSIZE = 2
_TAKEN = frozenset({VALID, "time", "y", "x", "spatial_ref"})


@dataclass(frozen=True, slots=True)
class Plane:
    """One array of a frame."""

    name: str
    """Its name in the group."""
    dtype: np.dtype[Any]
    """Stored type."""
    fill: float | int
    """Stored number where there is no pixel; NaN for computed bands."""
    numbers: Numbers | None = None
    """What stored integers mean; None where physical values are stored."""
    factors: tuple[float, float] = (1.0, 0.0)
    """Scale and offset of stored integers, for other readers of the array."""


@dataclass(frozen=True, order=True, slots=True)
class Block:
    """A block of the lattice.

    >>> Block(2, -1).box
    PixelBox(y0=2048, x0=-1024, y1=3072, x1=0)
    """

    iy: int
    """Row of blocks, counted from lattice row 0."""
    ix: int
    """Column of blocks, counted from lattice column 0."""

    @property
    def box(self) -> PixelBox:
        """Its pixels."""
        y, x = self.iy * BLOCK_PX, self.ix * BLOCK_PX
        return PixelBox(y, x, y + BLOCK_PX, x + BLOCK_PX)


def blocks_touching(box: PixelBox) -> list[Block]:
    """Return the blocks that a box touches, row by row."""
    return [Block(b.y0 // BLOCK_PX, b.x0 // BLOCK_PX) for b in box.blocks(BLOCK_PX)]


@dataclass(frozen=True)
class CubeLayout:
    """Where the pixels of one frame lie in a cube folder: a function of its plan and key alone."""

    plan: FramePlan
    """How the frame is read."""
    key: str
    """Its content key, 64 hex digits."""

    @cached_property
    def name(self) -> str:
        """Name of its group: day and sensor for people, the key for truth."""
        day = self.plan.day.isoformat() if self.plan.day else "undated"
        sensor = re.sub(r"[^A-Za-z0-9.-]+", "-", self.plan.sensor)[:40]
        return f"{day}_{sensor}_{self.key[:20]}"

    @property
    def group(self) -> str:
        """Key of the Zarr group."""
        return f"frames/{self.name}.zarr"

    @cached_property
    def box(self) -> PixelBox:
        """Pixels of the arrays: whole blocks."""
        return self.plan.extent.snap(BLOCK_PX)

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """One for each band, in the plan's order."""
        names = [_array_name(band, at, self.plan.bands) for at, band in enumerate(self.plan.bands)]
        return tuple(_plane(self.plan, at, name) for at, name in enumerate(names))

    @cached_property
    def valid(self) -> Plane:
        """The array of validity."""
        return Plane(VALID, np.dtype(bool), 0)

    @cached_property
    def stored_plan(self) -> FramePlan:
        """The plan whose reader gives what is stored: integers as they are, everything else in physical values."""
        return replace(self.plan, scenes=tuple(map(self._stored_scene, self.plan.scenes)))

    def _stored_scene(self, plan: ScenePlan) -> ScenePlan:
        bands = zip(plan.scene.bands, self.planes, strict=True)
        kept = tuple(b if p.numbers is None else replace(b, scale=1.0, offset=0.0) for b, p in bands)
        return replace(plan, scene=replace(plan.scene, bands=kept))

    @property
    def block_bytes(self) -> int:
        """Bytes of a block before compression, over all arrays."""
        return BLOCK_PX**2 * sum(plane.dtype.itemsize for plane in (*self.planes, self.valid))

    def shard_key(self, plane: Plane, block: Block) -> str:
        """Key of the object that holds a block of an array."""
        row, column = block.iy - self.box.y0 // BLOCK_PX, block.ix - self.box.x0 // BLOCK_PX
        return f"{self.group}/{plane.name}/c/0/{row}/{column}"

    def marker_key(self, block: Block) -> str:
        """Key of the marker that says that a block is done."""
        return f"markers/{self.name}/{block.iy}_{block.ix}.json"

    def blocks(self, box: PixelBox) -> list[Block]:
        """Return the blocks of the frame that a box touches, row by row."""
        return blocks_touching(box & self.plan.extent)


def _array_name(band: str, at: int, bands: tuple[str, ...]) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", band) and band not in _TAKEN and bands.count(band) == 1
    return band if plain else f"band_{at + 1}"


def _plane(plan: FramePlan, at: int, name: str) -> Plane:
    band = _common(plan, at)
    if band is None:
        return Plane(name, np.dtype(np.float32), float("nan"))
    dtype = np.dtype(band.dtype)
    numbers = Numbers.of(band, dtype)
    fill = 0 if numbers.nodata is None else int(numbers.nodata)
    return Plane(name, dtype, fill, numbers, (band.scale, band.offset))


def _common(plan: FramePlan, at: int) -> BandSource | None:
    """Return a band whose stored integers are the pixels of the frame, in all scenes alike; None if there is none."""
    bands = [scene.scene.bands[at] for scene in plan.scenes]
    alike = {(b.dtype, b.scale, b.offset, b.nodata) for b in bands}
    copied = plan.resampling == "nearest" or all(scene.bands[at].offset is not None for scene in plan.scenes)
    averaged = plan.composite == "median" and len(plan.scenes) > 1
    if len(alike) != 1 or not copied or averaged:
        return None
    dtype = np.dtype(bands[0].dtype)
    exact = dtype.kind in "iu" and dtype.itemsize <= _EXACT_ITEMSIZE and Numbers.of(bands[0], dtype).bounded
    return bands[0] if exact else None
