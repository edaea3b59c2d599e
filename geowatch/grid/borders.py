"""Where the zones of a plan meet: lines along which a grid ends and another one goes on.

Each place belongs to one zone, so what touches its border may go on beyond. Zone 60 meets zone 1 at the antimeridian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.grid.crs import grid_id, moved, utm_zones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.crs import Area
    from geowatch.grid.lattice import Lattice
    from geowatch.grid.plan import Grid, Plan

__all__ = ["NEAR_PX", "Border", "borders_of", "boxes_of"]

#: What lies this near to a border may go on beyond it.
NEAR_PX = 3.0
#: A border is cut into pieces of this many degrees before it is bent into a grid's CRS: within 0.2 m of the truth.
_EDGE_DEG = 0.005
_TURN_DEG = 360.0


@dataclass(frozen=True, eq=False, slots=True)
class Border:
    """Where a grid ends and others go on."""

    line: shapely.Geometry
    """The border in the grid's CRS."""
    lattice: Lattice
    """Where the grid's pixels are."""

    def near(
        self, y: NDArray[np.integer], x0: NDArray[np.integer], x1: NDArray[np.integer], reach_px: float = NEAR_PX
    ) -> NDArray[np.bool_]:
        """Return which runs of pixels (row, first column, column after the last) lie within reach of it."""
        shapely.prepare(self.line)
        return np.asarray(
            shapely.dwithin(self.line, boxes_of(y, x0, x1, self.lattice), reach_px * self.lattice.resolution)
        )


def boxes_of(
    y: NDArray[np.integer], x0: NDArray[np.integer], x1: NDArray[np.integer], lattice: Lattice
) -> NDArray[np.object_]:
    """Return the outlines of runs of pixels in the lattice's CRS."""
    x = [lattice.phase_x + edge * lattice.step_x for edge in (x0, x1)]
    north_south = [lattice.phase_y + (y + down) * lattice.step_y for down in (0, 1)]
    boxes: NDArray[np.object_] = shapely.box(x[0], np.minimum(*north_south), x[1], np.maximum(*north_south))
    return boxes


def borders_of(plan: Plan) -> tuple[Border | None, ...]:
    """Return where each grid's zone meets those of other grids of the plan; None where nowhere."""
    if len(plan.grids) == 1 or plan.region is None:
        return (None,) * len(plan.grids)
    parts = {grid_id(zone.crs): zone.part for zone in utm_zones(plan.region.geometry)}
    return tuple(_border(grid, parts) for grid in plan.grids)


def _border(grid: Grid, parts: dict[str, Area]) -> Border | None:
    others = [part for name, part in parts.items() if name != grid.id]
    around = [shapely.affinity.translate(part, turn) for part in others for turn in (-_TURN_DEG, 0.0, _TURN_DEG)]
    shared = shapely.union_all([shapely.intersection(parts[grid.id], part) for part in around])
    edge = shapely.segmentize(shared, _EDGE_DEG)
    if edge.is_empty or grid.lattice.crs is None:
        return None
    crs = grid.lattice.crs
    return Border(shapely.transform(edge, lambda points: moved(points, "OGC:CRS84", crs)), grid.lattice)
