"""Read plans as records: how each band of a frame reaches the lattice, fixed once and written down.

A `Sampling` says for one stored raster and one lattice: straight copy (with its offset), or resampling with
one kernel scale and one overview level. Both are functions of the two grids alone. GDAL would choose them
anew for each piece that is read, and a window would then differ from the same part of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.blocks import Pieces
from geowatch.read.frames import Composite
from geowatch.read.scene import BandSource, MaskSource, Scene

__all__ = ["RESAMPLE_BLOCK_PX", "RESAMPLINGS", "FramePlan", "Resampling", "Sampling", "ScenePlan"]

#: Resampled pixels are computed in whole blocks of this side, counted from lattice index 0. Part of the
#: format.
RESAMPLE_BLOCK_PX = 512
#: (rows, columns) of a stored block of a mask, for estimates: plans do not say it.
_MASK_BLOCK = (512, 512)

Resampling = Literal["nearest", "bilinear", "cubic", "average", "lanczos"]
RESAMPLINGS: tuple[Resampling, ...] = ("nearest", "bilinear", "cubic", "average", "lanczos")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one stored raster reaches the lattice."""

    extent: PixelBox
    """Lattice pixels whose centres lie within its bounds."""
    offset: tuple[int, int] | None
    """Lattice (row, column) of its first pixel where its pixels are lattice pixels; None: it is resampled."""
    straight: bool = False
    """Whether it has the lattice's CRS and directions: then each pixel is computed by itself, else in blocks."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Kernel scale (x, y): lattice pixels per source pixel, at most 1."""
    overview: int | None = None
    """Overview level that is read, 0 for the first; None for full resolution."""
    factor: int = 1
    """Factor of that overview."""
    block_px: int = RESAMPLE_BLOCK_PX
    """Side of the blocks that are computed as one, less what lies outside ``extent``."""


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """One scene of a frame: the bands that are asked for, and how each reaches the lattice."""

    scene: Scene
    """The scene with these bands only, in their order."""
    extent: PixelBox
    """Lattice pixels whose centres lie within the bounds of all its bands."""
    bands: tuple[Sampling, ...]
    """One for each band."""
    masks: tuple[Sampling, ...]
    """One for each mask."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """How a frame is read. Picklable; `documents` writes it to disk and back."""

    frame_id: str
    """Id of the frame."""
    sensor: str
    """Its sensor."""
    day: date | None
    """Its solar day."""
    composite: Composite
    """How overlapping scenes combine."""
    bands: tuple[str, ...]
    """Bands, in the order of the channels read."""
    resampling: Resampling
    """Kernel for bands that are not on the lattice."""
    lattice: Lattice
    """Where the pixels read are."""
    extent: PixelBox
    """Smallest box that holds all scenes' extents: where reads may go."""
    scenes: tuple[ScenePlan, ...]
    """In the order in which they cover each other."""

    @property
    def domain(self) -> str:
        """Whose statistics normalise it: what its scenes say, else its sensor."""
        return next((s.scene.domain for s in self.scenes if s.scene.domain is not None), self.sensor)

    @property
    def resampled(self) -> bool:
        """Whether any band is resampled."""
        return any(s.offset is None for scene in self.scenes for s in scene.bands)

    def pass_bytes(self, width_px: int) -> int:
        """Return how many bytes of cache a reader needs to decode each stored block once, and compute each block once.

        That holds for reads that follow each other down the frame, each ``width_px`` wide: of every layer those rows
        of blocks are kept that a read ends in and that the next read begins in.
        """
        layers = [each for scene in self.scenes for each in _layers(scene)]
        return sum(_stored_bytes(*each, width_px) + _computed_bytes(each[0], width_px) for each in layers)


def _layers(plan: ScenePlan) -> Iterator[tuple[Sampling, BandSource | MaskSource]]:
    yield from zip(plan.bands, plan.scene.bands, strict=True)
    yield from zip(plan.masks, plan.scene.masks, strict=True)


def _stored_bytes(sampling: Sampling, layer: BandSource | MaskSource, width_px: int) -> int:
    """Return the bytes of the rows of stored pieces that matter to reads of that width at once."""
    band = layer if isinstance(layer, BandSource) else None
    rows, cols = layer.grid.shape
    high, wide = Pieces.of((rows, cols), band.block if band else _MASK_BLOCK).piece
    across = min(cols, math.ceil(width_px / sampling.scale[0]) + 2 * wide)
    down = 2 * high
    if sampling.offset is None:
        # A block of the lattice begins anywhere in a piece, and in another CRS its rows run aslant.
        down = (math.ceil(sampling.block_px / sampling.scale[1] / high) + 2) * high
    return min(rows, down) * across * (np.dtype(band.dtype).itemsize if band else 2)


def _computed_bytes(sampling: Sampling, width_px: int) -> int:
    """Return the bytes of two rows of computed blocks, for layers that are kept computed."""
    if sampling.offset is not None or sampling.straight:
        return 0
    return 2 * 4 * sampling.block_px * (width_px + 2 * sampling.block_px)
