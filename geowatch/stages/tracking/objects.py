"""Detected objects from a table: read at the edge, put on the run's grids, kept in the run as columns.

A table has a geometry a row (its bounds are the box), a time, and as far as it tells them a class and a score.
GeoParquet, whatever else GDAL reads as vectors (GeoJSON, GeoPackage, FlatGeobuf), and the annotations of a kwcoco
bundle whose images know where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geowatch.datasets.bundle import is_bundle, read_bundle
from geowatch.datasets.labels_out import geojson_features
from geowatch.errors import InputError
from geowatch.read.options import SceneOptions
from geowatch.sites.fragment import FULL_SCORE, SHARED_NUMBERS
from geowatch.stages.tracking.stored_boxes import packed
from geowatch.track.boxes import Boxes, snapped

if TYPE_CHECKING:
    import geopandas
    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid


__all__ = ["Objects", "read_objects"]

_TIME = ("time", "datetime", "date", "timestamp", "observation_date", "date_captured")
_CLASS = ("class", "category", "label", "class_name", "category_name")
_SCORE = ("score", "confidence", "probability", "prob")


@dataclass(frozen=True, eq=False, slots=True)
class Objects:
    """The boxes of a table on the grids of a plan."""

    times: tuple[datetime, ...]
    """Their times, each once, oldest first."""
    classes: tuple[str, ...]
    """Their classes, each once, by name."""
    content: bytes
    """The boxes by grid and plane, as `stored_boxes.packed` has them."""

    @property
    def digest(self) -> str:
        """Sha256 of the boxes, hex."""
        return sha256(self.content).hexdigest()


def read_objects(path: str, grids: Sequence[Grid]) -> Objects:
    """Read a table of objects and snap its boxes to the pixels of each grid.

    Raises:
        InputError: for a table that cannot be read, or without times.
    """
    table = _table(path)
    times, plane = _times(path, table)
    classes, kind = _classes(table)
    score = _scores(path, table)
    # On several grids a box may have pixels on both sides of a zone's edge: these are one object, and no others are.
    number = None if len(grids) == 1 else SHARED_NUMBERS + np.arange(len(table), dtype=np.int32)
    planes: list[tuple[int, int, Boxes]] = []
    for place, grid in enumerate(grids):
        corners = snapped(grid.lattice, _bounds(path, table, grid))
        inside = _meets(corners, grid)
        for each in np.unique(plane[inside]).tolist():
            here = inside & (plane == each)
            name = None if number is None else number[here]
            planes.append((place, each, Boxes.ordered(corners[here], kind[here], score[here], name)))
    return Objects(times, classes, packed(planes))


def _table(path: str) -> geopandas.GeoDataFrame:
    import geopandas

    if is_bundle(Path(path)):
        features = geojson_features(read_bundle(path), SceneOptions())
        if not features:
            raise InputError(f"no annotation of {path} has a place on the globe", hint="give images a georeference")
        found = geopandas.GeoDataFrame.from_features(features, crs="EPSG:4326")
    else:
        found = _vectors(path)
    return found[~(found.geometry.is_empty | found.geometry.isna())].reset_index(drop=True)


def _vectors(path: str) -> geopandas.GeoDataFrame:
    import geopandas
    from pyogrio.errors import DataSourceError

    kinds = "give GeoParquet, GeoJSON, GeoPackage, FlatGeobuf or kwcoco"
    try:
        if Path(path).suffix in {".parquet", ".geoparquet"}:
            found = geopandas.read_parquet(path)
        else:
            found = geopandas.read_file(path)
    except (DataSourceError, OSError, ValueError, shapely.errors.ShapelyError) as error:
        raise InputError(f"no table of objects can be read from {path}: {error}", hint=kinds) from error
    if not isinstance(found, geopandas.GeoDataFrame):  # a table of GDAL's that has no places, such as CSV
        raise InputError(f"the objects in {path} have no geometry", hint=kinds)
    return found


def _column(table: geopandas.GeoDataFrame, names: Sequence[str]) -> str | None:
    by_name = {str(name).casefold(): str(name) for name in table.columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _times(path: str, table: geopandas.GeoDataFrame) -> tuple[tuple[datetime, ...], NDArray[np.int32]]:
    """Return all times, and the place of each row's among them."""
    import pandas as pd

    name = _column(table, _TIME)
    if name is None:
        raise InputError(f"the objects in {path} have no time", hint=f"name a column one of {', '.join(_TIME)}")
    try:
        stamps = pd.to_datetime(table[name], utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise InputError(f"column {name} of {path} holds no times: {error}", hint="write them as 2020-06-01") from error
    if stamps.isna().any():
        raise InputError(f"{int(stamps.isna().sum())} objects in {path} have no time", hint=f"fill the column {name}")
    seconds = (stamps - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    every, plane = np.unique(seconds.to_numpy(np.int64), return_inverse=True)
    return tuple(datetime.fromtimestamp(int(each), UTC) for each in every), plane.astype(np.int32)


def _classes(table: geopandas.GeoDataFrame) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    name = _column(table, _CLASS)
    if name is None:
        return ("object",), np.zeros(len(table), np.int16)
    every, kind = np.unique(table[name].astype(str).to_numpy(dtype=object), return_inverse=True)
    return tuple(map(str, every)), kind.astype(np.int16)


def _scores(path: str, table: geopandas.GeoDataFrame) -> NDArray[np.uint16]:
    name = _column(table, _SCORE)
    try:
        scores: Any = np.ones(len(table)) if name is None else table[name].fillna(1.0).to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"column {name} of {path} holds no scores: {error}", hint="write numbers, 0 to 1") from error
    return np.asarray(np.rint(np.clip(scores, 0, 1) * FULL_SCORE), np.uint16)


def _bounds(path: str, table: geopandas.GeoDataFrame, grid: Grid) -> NDArray[np.float64]:
    """Return (left, bottom, right, top) in the grid's CRS; of plain pixels as they stand."""
    if grid.lattice.crs is None:
        return np.asarray(table.geometry.bounds.to_numpy(np.float64))
    if table.crs is None:
        raise InputError(
            f"the objects in {path} have no CRS", hint="write one into the file; GeoJSON has longitude and latitude"
        )
    return np.asarray(table.geometry.to_crs(grid.lattice.crs).bounds.to_numpy(np.float64))


def _meets(corners: NDArray[np.int32], grid: Grid) -> NDArray[np.bool_]:
    y0, x0, y1, x1 = corners.T
    box = grid.bounds
    return np.asarray((y1 > box.y0) & (y0 < box.y1) & (x1 > box.x0) & (x0 < box.x1))
