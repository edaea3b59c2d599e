"""The planes of a run's heatmap: which grid, at which time, of which frames, and how they are laid out on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.errors import CoverageError
from geowatch.predict.strips import overlap
from geowatch.stitch.heatmap import HEATMAP, HeadLayout, HeatmapLayout
from geowatch.stitch.quantise import Quantiser

if TYPE_CHECKING:
    from datetime import datetime

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Grid, Plan
    from geowatch.predict.recipe import Recipe
    from geowatch.read.plan import FramePlan
    from geowatch.read.remote import Remote
    from geowatch.stages.imagery import Bound

__all__ = ["Part", "layout_of", "parts_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """One plane of the heatmap: a grid at a time."""

    grid: Grid
    """Where."""
    time: int
    """Place on the heatmap's time axis."""
    frames: tuple[FramePlan, ...]
    """What the network sees there, oldest first."""
    remote: Remote
    """How remote imagery is reached."""

    @property
    def extent(self) -> PixelBox:
        """Pixels where all of its frames have imagery."""
        return overlap([frame.extent for frame in self.frames])


def parts_of(plan: Plan, bound: Bound, dates: int) -> tuple[Part, ...]:
    """Return the planes of the heatmap: each run of ``dates`` consecutive frames of each grid."""
    parts = tuple(
        Part(grid, time, frames[time : time + dates], bound.remote)
        for grid in plan.grids
        for frames in [bound.frames.get(grid.id, ())]
        for time in range(len(frames) - dates + 1)
    )
    if not parts:
        raise CoverageError(
            f"the network looks at {dates} dates at once, the imagery has {max(map(len, bound.frames.values()))}",
            hint="give imagery of more dates with --images and --date",
        )
    return parts


def layout_of(plan: Plan, bound: Bound, recipe: Recipe, grid: Grid) -> HeatmapLayout:
    """Return the layout of a grid's heatmap; several grids are groups of one Zarr hierarchy."""
    heads = tuple(
        HeadLayout(
            h.name, h.classes, Quantiser(h.stored), h.activation, h.colors, h.kind, h.reduction  # type: ignore[arg-type]
        )
        for h in recipe.heads
    )  # fmt: skip
    frames = bound.frames.get(grid.id, ())
    times: tuple[datetime | None, ...] = tuple(f.scenes[0].scene.time for f in frames[recipe.dates - 1 :])
    group = HEATMAP if len(plan.grids) == 1 else f"{HEATMAP}/{grid.id}"
    return HeatmapLayout(grid, heads, times, group)
