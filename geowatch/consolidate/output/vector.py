"""Sites as FlatGeobuf and GeoPackage, written by GDAL batch by batch.

Both hold MultiPolygons throughout, since programs take a layer's kind of geometry from its head. The time of writing,
which a GeoPackage keeps for each layer, is fixed: the same sites are the same bytes.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Layer", "add_dates_layer", "several", "write_flatgeobuf", "write_geopackage"]

_DATES_LAYER = (
    "CREATE INDEX sites_by_id ON sites (site_id)",
    # GDAL takes a view's column OGC_FID for the feature's number.
    """CREATE VIEW sites_by_date AS
    SELECT o.fid AS OGC_FID, o.site_id, o.date, o.phase, o.score, o.seen_share, s.class, s.status, s.start, s."end",
    COALESCE(o.geom, s.geom) AS geom FROM observations o JOIN sites s ON s.site_id = o.site_id""",
    """INSERT INTO gpkg_contents
    (table_name, data_type, identifier, description, last_change, min_x, min_y, max_x, max_y, srs_id)
    SELECT 'sites_by_date', 'features', 'sites_by_date', 'Sites on each of their dates', last_change,
    min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents WHERE table_name = 'sites'""",
    """INSERT INTO gpkg_geometry_columns SELECT 'sites_by_date', 'geom', geometry_type_name, srs_id, z, m
    FROM gpkg_geometry_columns WHERE table_name = 'sites'""",
)
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


def add_dates_layer(path: Path) -> None:
    """Add a layer that shows each site on each of its dates to a GeoPackage with layers sites and observations.

    It is a view: an observation's outline, or its site's where it has none of its own, at no cost in bytes. Programs
    that play time (such as QGIS with its temporal controller) take its ``date``.
    """
    try:
        with closing(sqlite3.connect(path)) as opened, opened:
            for statement in _DATES_LAYER:
                opened.execute(statement)
    except sqlite3.Error as error:
        raise OSError(f"{path.name} cannot be written: {error}") from error


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
