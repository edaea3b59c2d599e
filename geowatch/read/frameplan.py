"""Read plans as records: how each band of a frame reaches the lattice, fixed once and written down.

A `Sampling` says for one stored raster and one lattice: straight copy (with its offset), or resampling with
one kernel scale and one overview level. Both are functions of the two grids alone. GDAL would choose them
anew for each piece that is read, and a window would then differ from the same part of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.frames import Composite
from geowatch.read.scene import Scene

__all__ = ["RESAMPLE_BLOCK_PX", "RESAMPLINGS", "FramePlan", "Resampling", "Sampling", "ScenePlan"]

#: Resampled pixels are computed in whole blocks of this side, counted from lattice index 0. Part of the
#: format.
RESAMPLE_BLOCK_PX = 512

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
    def resampled(self) -> bool:
        """Whether any band is resampled."""
        return any(s.offset is None for scene in self.scenes for s in scene.bands)
