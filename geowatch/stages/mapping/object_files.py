"""What is made of a run's objects: one table for the region, and marks on its pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import shapely

from geowatch.consolidate.output.batches import Batches, lonlat
from geowatch.consolidate.output.geoparquet import write_geoparquet
from geowatch.sites.detections import SUB_PX, Detections
from geowatch.sites.fragment import FULL_SCORE
from geowatch.stages.binding.parts import layout_of
from geowatch.stages.mapping.deliverables import OBJECTS_TABLE, file_digest
from geowatch.stages.tracking.detected import detected
from geowatch.stitch.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from geowatch.grid.lattice import Lattice
    from geowatch.grid.plan import Grid, Plan
    from geowatch.predict.recipe import BoxesPin, Recipe
    from geowatch.stages.binding.imagery import Bound
    from geowatch.store import Store

__all__ = ["WrittenObjects", "write_objects"]

#: Objects that a picture shows at most, the best of a plane: more would hide it.
_SHOWN = 4000

_SCHEMA = pa.schema(
    [
        ("head", pa.string()), ("class", pa.string()), ("score", pa.float32()), ("time", pa.timestamp("ms", "UTC")),
        ("plane", pa.int32()), ("grid", pa.string()), ("cut", pa.bool_()), ("geometry", pa.binary()),
    ]
)  # fmt: skip


@dataclass(slots=True)
class WrittenObjects:
    """What was written, and what pictures show of it."""

    digests: dict[str, str] = field(default_factory=dict)
    """sha256 by key."""
    count: int = 0
    """Objects of all planes."""
    marks: dict[tuple[str, int], Marks] = field(default_factory=dict)
    """Marks by grid and place on the time axis."""


def write_objects(store: Store, plan: Plan, bound: Bound, recipe: Recipe) -> WrittenObjects:
    """Write ``objects.parquet``: each object of the region once, with head, class, score, time and outline.

    Outlines are in the grid's CRS; where the region has several grids, in longitude and latitude.

    Raises:
        DamagedError: where a tile's boxes are not those that its marker lists.
    """
    written = WrittenObjects()
    if not recipe.boxes:
        return written
    several = len(plan.grids) > 1
    crs = "EPSG:4326" if several else plan.grids[0].lattice.crs
    schema = _SCHEMA.with_metadata({"crs": crs or ""})

    def opened() -> Iterator[pa.RecordBatch]:
        for pin in recipe.boxes:
            for grid in plan.grids:
                times = layout_of(plan, bound, recipe, grid).times
                for place, boxes in detected(store, recipe, pin, grid):
                    written.count += len(boxes)
                    _mark(written, pin, grid, place, boxes)
                    yield _batch(pin, grid, (place, times[place]), boxes, lonlat_=several)

    with store.stage(OBJECTS_TABLE) as path:
        write_geoparquet(Batches(schema, opened), path)
        written.digests[OBJECTS_TABLE] = file_digest(path)
    return written


def _batch(
    pin: BoxesPin, grid: Grid, at: tuple[int, datetime | None], boxes: Detections, *, lonlat_: bool
) -> pa.RecordBatch:
    n, (place, time) = len(boxes), at
    shapes = outlines(grid.lattice, boxes)
    if lonlat_ and grid.lattice.crs is not None:
        shapes = lonlat(shapes, grid.lattice.crs)
    columns = [
        pa.array([pin.name] * n, pa.string()),
        pa.array([pin.classes[kind] for kind in boxes.kind.tolist()], pa.string()),
        pa.array((boxes.score / np.float32(FULL_SCORE)).astype(np.float32)),
        pa.array([time] * n, _SCHEMA.field("time").type),
        pa.array(np.full(n, place, np.int32)),
        pa.array([grid.id] * n, pa.string()),
        pa.array(boxes.cut.astype(bool)),
        pa.array(shapely.to_wkb(shapes).tolist(), pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, names=_SCHEMA.names)


def outlines(lattice: Lattice, boxes: Detections) -> NDArray[np.object_]:
    """Return the boxes as polygons in CRS units."""
    x0, x1 = (lattice.phase_x + each / SUB_PX * lattice.step_x for each in (boxes.x0, boxes.x1))
    y0, y1 = (lattice.phase_y + each / SUB_PX * lattice.step_y for each in (boxes.y0, boxes.y1))
    low, high = (np.minimum(x0, x1), np.minimum(y0, y1)), (np.maximum(x0, x1), np.maximum(y0, y1))
    found: NDArray[np.object_] = shapely.box(*low, *high)
    return found


def _mark(written: WrittenObjects, pin: BoxesPin, grid: Grid, place: int, boxes: Detections) -> None:
    """Note what a picture shows of a plane; of several heads, all."""
    best = boxes.where(np.sort(np.argsort(-boxes.score.astype(np.int32), kind="stable")[:_SHOWN]))
    corners = np.stack([best.y0, best.x0, best.y1, best.x1], axis=1) / SUB_PX
    corners -= np.array([grid.bounds.y0, grid.bounds.x0] * 2)
    before = written.marks.get((grid.id, place))
    marks = Marks(corners, best.kind, pin.classes, pin.colors)
    written.marks[grid.id, place] = marks if before is None else before.with_(marks)
