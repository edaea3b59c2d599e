"""Planning reads: from a frame and a lattice to a `FramePlan`. Pure: no file is opened.

Kernel scale and overview level of each band are chosen here, from its grid and the lattice alone, and stand
in the plan from then on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from geowatch.errors import ConfigError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs
from geowatch.read.documents import check_fingerprints, frames_from_json, frames_to_json
from geowatch.read.frameplan import (
    RESAMPLE_BLOCK_PX,
    RESAMPLINGS,
    FramePlan,
    Resampling,
    Sampling,
    ScenePlan,
)
from geowatch.read.frames import Frame
from geowatch.read.geometry import aligned_offset, extent_on, sampling_ratio
from geowatch.read.scene import BandSource, MaskSource, RasterGrid, Scene

__all__ = [
    "RESAMPLE_BLOCK_PX",
    "RESAMPLINGS",
    "FramePlan",
    "Resampling",
    "Sampling",
    "ScenePlan",
    "check_fingerprints",
    "footprint",
    "frames_from_json",
    "frames_to_json",
    "lattice_of",
    "plan_frame",
]

#: A block is computed in smaller parts where it would need more source pixels than this on a side.
MAX_SOURCE_PX = 2048
MIN_PART_PX = 8


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
            hint="--resolution alone makes a grid in each UTM zone of a region, with --crs one grid",
        )
    if grids[0].crs is None:
        return Lattice.of_pixels()  # of the video, where files of several resolutions are placed in one
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
    """Return how a frame is read on a lattice; with an empty extent where it has no pixels there.

    Args:
        frame: the scenes.
        bands: common or native names; the channels of what is read, in this order.
        lattice: where the pixels are.
        resampling: kernel for bands that are not on the lattice.
        bounds: scenes that do not touch this box are left out; it changes nothing else.

    Raises:
        ConfigError: no bands, or no such resampling.
        ImageryError: a scene lacks a band, or an image would be shrunk beyond measure.
    """
    if resampling not in RESAMPLINGS:
        raise ConfigError(f"'{resampling}' is no resampling", hint=f"choose from {', '.join(RESAMPLINGS)}")
    if not bands:
        raise ConfigError("no bands are asked for", hint="name at least one, such as --bands red")
    plans = [_plan_scene(s.with_bands(tuple(bands)), lattice, resampling) for s in frame.scenes]
    kept = tuple(p for p in plans if p.extent and (bounds is None or p.extent & bounds))
    extent = PixelBox(0, 0, 0, 0)
    for plan in kept:
        extent |= plan.extent
    return FramePlan(
        frame.id, frame.sensor, frame.day, frame.composite, tuple(bands), resampling, lattice, extent, kept
    )


def _plan_scene(scene: Scene, lattice: Lattice, resampling: Resampling) -> ScenePlan:
    for mask in scene.masks:
        _check_mask(mask, scene.bands)
    return ScenePlan(
        scene=scene,
        extent=_scene_extent(scene.bands, lattice),
        bands=tuple(_sampling(b.grid, b.overviews, lattice, resampling) for b in scene.bands),
        masks=tuple(_sampling(m.grid, (), lattice, "nearest") for m in scene.masks),
    )


def _check_mask(mask: MaskSource, bands: Sequence[BandSource]) -> None:
    if not all(g.is_straight for g in (mask.grid, *(b.grid for b in bands))):
        raise ImageryError(
            f"mask '{mask.uri}' or a band of its scene has a rotated transform", hint="rectify them with gdalwarp"
        )
    odd = next((b for b in bands if not same_crs(b.grid.crs, mask.grid.crs)), None)
    if odd is not None:
        raise ImageryError(
            f"mask '{mask.uri}' has CRS {_short(mask.grid.crs)}, band '{odd.name}' has {_short(odd.grid.crs)}",
            hint="store the mask in the CRS of its scene",
        )


def _sampling(grid: RasterGrid, overviews: Sequence[int], lattice: Lattice, resampling: Resampling) -> Sampling:
    extent = extent_on(grid, lattice)
    offset = aligned_offset(grid, lattice)
    if offset is not None:
        return Sampling(extent, offset, straight=True)
    ratio = sampling_ratio(grid, lattice)
    # Overviews are averages as a rule: a class map read by nearest neighbour would not survive them.
    level = None if resampling == "nearest" else _overview(overviews, min(ratio))
    factor = 1 if level is None else overviews[level]
    left = max(ratio) / factor
    scale = min(1.0, factor / ratio[0]), min(1.0, factor / ratio[1])
    straight = grid.is_straight and same_crs(grid.crs, lattice.crs)
    return Sampling(extent, None, straight, scale, level, factor, _part_px(left))


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
