"""Sites as GeoParquet 1.1: geometry as well-known binary, a box for each row that readers filter by.

Source: GeoParquet 1.1.0 (geoparquet.org), metadata key ``geo`` and ``covering``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["write_geoparquet"]

_SIDES = ("xmin", "ymin", "xmax", "ymax")


class _Extent:
    """What the file says of all geometries; it grows while batches go by."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.low = np.full(2, np.inf)
        self.high = np.full(2, -np.inf)

    def add(self, shapes: NDArray[np.object_], boxes: NDArray[np.float64]) -> None:
        there = ~shapely.is_missing(shapes)
        self.types |= {shape.geom_type for shape in shapes[there].tolist()}
        if there.any():
            self.low = np.minimum(self.low, boxes[there, :2].min(axis=0))
            self.high = np.maximum(self.high, boxes[there, 2:].max(axis=0))

    def document(self, crs: str | None) -> bytes:
        from pyproj import CRS

        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self.types),
            "crs": None if crs is None else CRS.from_user_input(crs).to_json_dict(),
            "edges": "planar",
            "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
        }
        if np.isfinite(self.low).all():
            column["bbox"] = [*self.low.tolist(), *self.high.tolist()]
        document = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def write_geoparquet(table: Batches, path: Path) -> None:
    """Write a table with a geometry column; memory follows one batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    box_type = pa.struct([pa.field(side, pa.float64()) for side in _SIDES])
    schema = table.schema.remove_metadata().append(pa.field("bbox", box_type))
    extent = _Extent()
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        for batch in table:
            writer.write_batch(_with_boxes(batch, schema, extent))
        writer.add_key_value_metadata({"geo": extent.document(table.crs)})


def _with_boxes(batch: pa.RecordBatch, schema: pa.Schema, extent: _Extent) -> pa.RecordBatch:
    import pyarrow as pa

    shapes = geometries(batch)
    boxes = shapely.bounds(shapes)
    extent.add(shapes, boxes)
    sides = [pa.array(boxes[:, k]) for k in range(4)]
    absent = pa.array(shapely.is_missing(shapes))
    column = pa.StructArray.from_arrays(sides, fields=list(schema.field("bbox").type), mask=absent)
    return pa.RecordBatch.from_arrays([*batch.columns, column], schema=schema)
