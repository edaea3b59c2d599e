"""Read plans: how each band of a frame reaches the lattice, fixed once and written down.

A `Sampling` says for one stored raster and one lattice: straight copy (with its offset), or resampling with
one kernel scale and one overview level. Both are functions of the two grids alone. GDAL would choose them
anew for each piece that is read, and a window would then differ from the same part of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from geowatch.errors import ConfigError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs
from geowatch.read.frames import Composite, Frame
from geowatch.read.geometry import aligned_offset, extent_on, sampling_ratio
from geowatch.read.scene import BandSource, RasterGrid, Scene

__all__ = ["RESAMPLE_BLOCK_PX", "RESAMPLINGS", "FramePlan", "Resampling", "Sampling", "ScenePlan",
"footprint",
    "lattice_of", "plan_frame"]  # fmt: skip

#: Resampled pixels are computed in whole blocks of this side, counted from lattice index 0. Part of the
#: format.
RESAMPLE_BLOCK_PX = 512
#: A block is computed in smaller parts where it would need more source pixels than this on a side.
MAX_SOURCE_PX = 2048
MIN_PART_PX = 8

Resampling = Literal["nearest", "bilinear", "cubic", "average", "lanczos"]
RESAMPLINGS: tuple[Resampling, ...] = ("nearest", "bilinear", "cubic", "average", "lanczos")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one stored raster reaches the lattice."""

    extent: PixelBox
    """Lattice pixels whose centres lie within its bounds."""
    offset: tuple[int, int] | None
    """Lattice (row, column) of its first pixel where its pixels are lattice pixels; None: it is resampled."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Kernel scale (x, y): lattice pixels per source pixel, at most 1."""
    overview: int | None = None
    """Overview level that is read, 0 for the first; None for full resolution."""
    factor: int = 1
    """Factor of that overview."""
    block_px: int = RESAMPLE_BLOCK_PX
    """Side of the blocks that are computed whole, less what lies outside ``extent``."""


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


def lattice_of(scenes: Sequence[Scene], bands: Sequence[str]) -> Lattice:
    """Return the lattice on which the finest of these bands lies.

    Raises:
        ImageryError: there are no scenes, they have several CRSs, or their rows and columns are rotated.
    """
    grids = [scene.band(name).grid for scene in scenes for name in bands]
    if not grids:
        raise ImageryError("there is no band to take a grid from", hint="give images and at least one band")
    others = [g.crs for g in grids if not same_crs(g.crs, grids[0].crs)]
    if others:
        raise ImageryError(
            f"the scenes have several CRSs, such as {_short(grids[0].crs)} and {_short(others[0])}",
            hint="choose one grid with --crs and --resolution",
        )
    finest = min(grids, key=lambda g: max(g.steps))
    if not finest.is_straight:
        raise ImageryError(
            f"the finest band has a rotated transform {finest.affine}",
            hint="choose a grid with --crs and --resolution",
        )
    return Lattice.of_affine(finest.crs, finest.transform)


def _short(crs: str | None) -> str:
    return "none" if crs is None else crs[:60]


def footprint(scenes: Sequence[Scene], lattice: Lattice) -> PixelBox:
    """Return the smallest box that holds all lattice pixels whose centres lie within a scene's bands."""
    box = PixelBox(0, 0, 0, 0)
    for scene in scenes:
        box |= _scene_extent(scene.bands, lattice)
    return box


def _scene_extent(bands: Sequence[BandSource], lattice: Lattice) -> PixelBox:
    boxes = [extent_on(grid, lattice) for grid in {b.grid for b in bands}]
    box = boxes[0]
    for other in boxes[1:]:
        box &= other
    return box or PixelBox(0, 0, 0, 0)


def plan_frame(
    frame: Frame,
    bands: Sequence[str],
    lattice: Lattice,
    *,
    resampling: Resampling = "bilinear",
    bounds: PixelBox | None = None,
) -> FramePlan:
    """Return how a frame is read on a lattice. No file is opened.

    Args:
        frame: the scenes.
        bands: common or native names; the channels of what is read, in this order.
        lattice: where the pixels are.
        resampling: kernel for bands that are not on the lattice.
        bounds: scenes that do not touch this box are left out; it changes nothing else.

    Raises:
        ConfigError: no bands, or no such resampling.
        ImageryError: a scene lacks a band, or no scene touches the bounds.
    """
    if resampling not in RESAMPLINGS:
        raise ConfigError(f"'{resampling}' is no resampling", hint=f"choose from {', '.join(RESAMPLINGS)}")
    if not bands:
        raise ConfigError("no bands are asked for", hint="name at least one, such as --bands red")
    plans = [_plan_scene(s.with_bands(tuple(bands)), lattice, resampling) for s in frame.scenes]
    kept = tuple(p for p in plans if p.extent and (bounds is None or p.extent & bounds))
    if not kept:
        raise ImageryError(
            f"no scene of frame '{frame.id}' touches the region's grid",
            hint="check that images and region are of one place, and the order of lon, lat",
        )
    extent = kept[0].extent
    for plan in kept[1:]:
        extent |= plan.extent
    return FramePlan(
        frame.id, frame.sensor, frame.day, frame.composite, tuple(bands), resampling, lattice, extent, kept
    )


def _plan_scene(scene: Scene, lattice: Lattice, resampling: Resampling) -> ScenePlan:
    for mask in scene.masks:
        odd = next((b for b in scene.bands if not same_crs(b.grid.crs, mask.grid.crs)), None)
        if odd is not None:
            raise ImageryError(
                f"mask '{mask.uri}' has CRS {_short(mask.grid.crs)}, "
                f"and band '{odd.name}' has {_short(odd.grid.crs)}",
                hint="store the mask in the CRS of its scene",
            )
    return ScenePlan(
        scene=scene,
        extent=_scene_extent(scene.bands, lattice),
        bands=tuple(_sampling(b.grid, b.overviews, lattice, resampling) for b in scene.bands),
        masks=tuple(_sampling(m.grid, (), lattice, "nearest") for m in scene.masks),
    )


def _sampling(
    grid: RasterGrid, overviews: Sequence[int], lattice: Lattice, resampling: Resampling
) -> Sampling:
    extent = extent_on(grid, lattice)
    offset = aligned_offset(grid, lattice)
    if offset is not None:
        return Sampling(extent, offset)
    ratio = sampling_ratio(grid, lattice)
    # Overviews are averages as a rule: a class map read by nearest neighbour would not survive them.
    level = None if resampling == "nearest" else _overview(overviews, min(ratio))
    factor = 1 if level is None else overviews[level]
    left = max(ratio) / factor
    scale = min(1.0, factor / ratio[0]), min(1.0, factor / ratio[1])
    return Sampling(extent, None, scale, level, factor, _part_px(left))


def _overview(factors: Sequence[int], ratio: float) -> int | None:
    """Return the level of the coarsest overview that is still as fine as the lattice."""
    fit = [i for i, f in enumerate(factors) if f <= ratio * (1 + 1e-6)]
    return max(fit, key=lambda i: factors[i]) if fit else None


def _part_px(ratio: float) -> int:
    size = RESAMPLE_BLOCK_PX
    while size * ratio > MAX_SOURCE_PX * 1.01 and size > 1:
        size //= 2
    if size < MIN_PART_PX:
        raise ImageryError(
            f"a lattice pixel would take in {math.ceil(ratio)} x {math.ceil(ratio)} stored pixels",
            hint="add overviews to the images (gdaladdo), or ask for a finer --resolution",
        )
    return size
