"""Sites as GeoJSON for the web: longitude and latitude, seven decimals (a centimetre), outer rings against the clock.

Source: RFC 7946.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries, lonlat
from geowatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DECIMALS", "for_web", "write_geojson"]

#: Decimals of a degree: 11 mm.
DECIMALS = 7
#: Decimals of scores and areas in documents for people.
_FIGURES = {"score": 4, "peak": 4, "area_m2": 1}


def write_geojson(table: Batches, path: Path, limit_bytes: int) -> None:
    """Write a FeatureCollection.

    Raises:
        ConfigError: for a table without a CRS, or one that makes a larger file.
    """
    if table.crs is None:
        raise ConfigError("the sites have no CRS, and GeoJSON is longitude and latitude", hint="leave geojson out")
    with path.open("wb") as file:
        written = file.write(b'{"type":"FeatureCollection","features":[')
        between = b"\n"
        for batch in table:
            for feature in _features(batch, table.crs):
                written += file.write(between + feature)
                between = b",\n"
            _refuse_large(written, limit_bytes)
        file.write(b"\n]}\n")


def _refuse_large(written: int, limit_bytes: int) -> None:
    if written > limit_bytes:
        raise ConfigError(
            f"the GeoJSON would be larger than {limit_bytes / 1e6:g} MB, too large for a browser",
            hint="open sites.fgb or sites.parquet, or allow more with --geojson-bytes",
        )


def for_web(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return shapes in degrees, rounded, rings in the order of the right-hand rule."""
    rounded = shapely.transform(shapes, lambda points: np.round(points, DECIMALS))
    turned: NDArray[np.object_] = shapely.orient_polygons(rounded, exterior_cw=False)
    return turned


def _features(batch: pa.RecordBatch, crs: str) -> list[bytes]:
    shapes = shapely.to_geojson(for_web(lonlat(geometries(batch), crs)))
    rows = batch.drop_columns(["geometry"]).to_pylist()
    return [
        f'{{"type":"Feature","id":{row["number"]},"properties":{_properties(row)},"geometry":{shape}}}'.encode()
        for row, shape in zip(rows, shapes.tolist(), strict=True)
    ]


def _properties(row: dict[str, Any]) -> str:
    return json.dumps({key: _plain(key, value) for key, value in row.items()}, separators=(",", ":"))


def _plain(key: str, value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, _FIGURES.get(key, 6)) if np.isfinite(value) else None
    return value
