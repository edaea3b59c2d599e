"""Sites as FlatGeobuf and GeoPackage, written by GDAL batch by batch.

Both hold MultiPolygons throughout, since programs take a layer's kind of geometry from its head. The time of writing,
which a GeoPackage keeps for each layer, is fixed: the same sites are the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Layer", "several", "write_flatgeobuf", "write_geopackage"]

#: What a GeoPackage says of when it was written.
_WRITTEN = "2000-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Layer:
    """One table of a file."""

    name: str
    """Its name."""
    table: Batches
    """Its rows."""
    description: str
    """One sentence for people."""


def write_flatgeobuf(layer: Layer, path: Path) -> None:
    """Write one layer with a spatial index."""
    _write(layer, path, "FlatGeobuf", layer_options={"SPATIAL_INDEX": "YES", "TITLE": layer.description})


def write_geopackage(layers: list[Layer], path: Path) -> None:
    """Write layers into one file, each with a spatial index."""
    with _fixed_clock():
        for layer in layers:
            options = {"SPATIAL_INDEX": "YES", "DESCRIPTION": layer.description, "FID": "fid"}
            _write(layer, path, "GPKG", layer_options=options)


def several(table: Batches) -> Batches:
    """Return the table with every polygon as a MultiPolygon."""
    return Batches(table.schema, lambda: (_promoted(batch) for batch in table))


def _write(layer: Layer, path: Path, driver: str, **options: Any) -> None:  # noqa: ANN401  # pyogrio has no types
    import pyarrow as pa
    from pyogrio.raw import write_arrow

    table = several(layer.table)
    schema = table.schema.remove_metadata()
    reader = pa.RecordBatchReader.from_batches(schema, (batch.replace_schema_metadata(None) for batch in table))
    with warnings.catch_warnings():
        # Sites of plain pixels have no CRS, and their readers know it.
        warnings.filterwarnings("ignore", message="'crs' was not provided", category=UserWarning)
        write_arrow(
            reader, path, layer=layer.name, driver=driver, geometry_name="geometry", geometry_type="MultiPolygon",
            crs=layer.table.crs, **options,
        )  # fmt: skip


def _promoted(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    shapes = geometries(batch)
    single = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    promoted: NDArray[np.object_] = shapes.copy()
    promoted[single] = shapely.multipolygons(shapes[single], indices=np.arange(int(single.sum())))
    place = batch.schema.get_field_index("geometry")
    column = pa.array(shapely.to_wkb(promoted), type=batch.schema.field(place).type)
    return batch.set_column(place, batch.schema.field(place), column)


@contextmanager
def _fixed_clock() -> Iterator[None]:
    """Let GDAL take `_WRITTEN` for now while it writes; it has no option of the file for that."""
    import pyogrio

    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _WRITTEN})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
