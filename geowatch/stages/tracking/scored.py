"""The planes of a run's heatmap as tracking reads them: any box of pixels, whatever tiles it lies in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.errors import CoverageError
from geowatch.grid.tiles import Tile
from geowatch.track.scores import Scale

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Grid
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.stitch.mosaic import Mosaic

__all__ = ["HeatmapPlanes", "scale_of"]


def scale_of(head: HeadLayout) -> Scale:
    """Return how a head's stored values stand for scores."""
    return Scale(head.quantiser.stored, head.quantiser.top, head.quantiser.fill)


@dataclass(frozen=True, slots=True)
class HeatmapPlanes:
    """The planes of one head on one grid."""

    mosaic: Mosaic
    """The heatmap."""
    head: HeadLayout
    """Which array of it."""
    planned: frozenset[tuple[int, int]]
    """Tiles of the plan, as (iy, ix); elsewhere is nothing."""
    gaps: Mapping[str, tuple[int, ...]]
    """Tiles that may be missing, by name, with the planes where they are; they read as fill."""

    @property
    def scale(self) -> Scale:
        """How stored values stand for scores."""
        return scale_of(self.head)

    @property
    def class_count(self) -> int:
        """Classes K of the head."""
        return len(self.head.classes)

    @property
    def _grid(self) -> Grid:
        return self.mosaic.layout.grid

    def looked_at(self, plane: int, box: PixelBox) -> NDArray[np.bool_]:
        """Return which pixels of a box have a score, shape (height, width). Raises what `read` does."""
        return ~self.head.quantiser.is_fill(self.read(plane, box, (0,))[0])

    def box_numbers(self, plane: int, box: PixelBox) -> None:
        """Scores of pixels are of no box."""

    def read(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[np.generic]:
        """Return stored values of some classes, (classes, height, width); fill beyond the region.

        Raises:
            CoverageError: where a tile is missing that was there when tracking began.
            DamagedError: where stored bytes are not those that were written.
        """
        grid = self._grid
        out = self.head.quantiser.empty((len(classes), *box.shape))
        inside = box & grid.bounds
        for core in inside.blocks(grid.tile_px):
            tile = Tile(grid.id, core.y0 // grid.tile_px, core.x0 // grid.tile_px)
            if (tile.iy, tile.ix) not in self.planned or plane in self.gaps.get(tile.name, ()):
                continue
            part = core & inside
            values = self.mosaic.window(tile, plane, self.head, part.within(core), classes)
            if values is None:
                raise CoverageError(
                    f"tile {tile.name} of plane {plane} is missing from the heatmap",
                    hint="run gw predict again to make it, then gw track",
                )
            out[(slice(None), *part.within(box))] = values
        return out
