"""Plans in a run folder: ``plan/plan.json``, and the tiles of each grid as GeoParquet.

Tiles are written first and the plan last, so that a plan that can be read is whole. Tiles stand in sweep
order, one row group after another, and are written in parts: a million of them never exist as objects.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray

from geowatch.errors import ConfigError, DamagedError, PlanError
from geowatch.grid.counts import windows_per_tile
from geowatch.grid.crs import to_lonlat
from geowatch.grid.document import PlanDocument
from geowatch.grid.plan import Grid, Plan
from geowatch.grid.rings import polygon_of_rings
from geowatch.grid.tiles import TileTable, tile_rings

if TYPE_CHECKING:
    from shapely.geometry import MultiPolygon, Polygon

    from geowatch.store.base import Store

__all__ = ["PLAN", "check_geojson", "has_plan", "read_plan", "read_tiles", "tiles_key", "write_geojson", "write_plan"]

PLAN = "plan/plan.json"
#: A GeoJSON of more tiles than this is refused: no viewer opens it.
MAX_GEOJSON_TILES = 100_000
_ROWS_AT_ONCE = 1 << 16
_WKB = np.dtype(
    [("order", "u1"), ("type", "<u4"), ("rings", "<u4"), ("points", "<u4"), ("corners", "<f8", (5, 2))]
)  # packed: 93 bytes, a polygon of one ring of five points


def tiles_key(plan: Plan, grid: str) -> str:
    """Return the key of a grid's tiles: ``plan/tiles.parquet``; ``plan/tiles-<grid>.parquet`` of several."""
    return "plan/tiles.parquet" if len(plan.grids) == 1 else f"plan/tiles-{grid}.parquet"


def write_plan(store: Store, plan: Plan, tables: Mapping[str, TileTable]) -> None:
    """Publish a plan. Raises StoreError where the store cannot be written."""
    for grid in plan.grids:
        with store.stage(tiles_key(plan, grid.id)) as path:
            _write_parquet(str(path), plan, grid, tables[grid.id])
    store.put(PLAN, PlanDocument.of(plan).to_json())


def has_plan(store: Store) -> bool:
    """Whether the run folder holds a plan."""
    return store.size(PLAN) is not None


def read_plan(store: Store) -> Plan:
    """Read the plan of a run.

    Raises:
        PlanError: If there is none, or one of another version.
        DamagedError: If it is not what was written.
    """
    if not has_plan(store):
        raise PlanError(f"{store.url} holds no plan", hint="make one with: gw tile REGION --run DIR")
    return PlanDocument.from_json(store.get(PLAN)).to_plan()


def read_tiles(store: Store, plan: Plan, grid: str) -> TileTable:
    """Read the tiles of a grid, in sweep order. Raises DamagedError where they are not the plan's."""
    at = plan.grids.index(plan.grid(grid))
    key = tiles_key(plan, grid)
    try:
        # Not `pq.read_table` and `to_numpy`, which import pandas where it is installed: half a second of each start.
        with pq.ParquetFile(pa.PythonFile(_Reader(store, key), mode="r")) as file:
            table = file.read(columns=["iy", "ix"])
        found = TileTable(
            grid, *(np.from_dlpack(table.column(name).combine_chunks()).astype(np.int32) for name in ("iy", "ix"))
        )
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DamagedError(f"'{key}' in {store.url} is damaged: {error}", hint="make it again with gw tile") from error
    if (len(found), found.digest) != (plan.tiles[at].count, plan.tiles[at].digest):
        raise DamagedError(
            f"'{key}' in {store.url} holds {len(found)} tiles that are not the plan's {plan.tiles[at].count}",
            hint="make the plan again with gw tile",
        )
    return found


def write_geojson(store: Store, plan: Plan, tables: Mapping[str, TileTable]) -> None:
    """Publish ``plan/tiles.geojson``: tiles as polygons in longitude and latitude.

    Raises:
        ConfigError: If there are too many tiles, or they have no place on the globe.
    """
    check_geojson(plan)
    features = [feature for grid in plan.grids for feature in _features(plan, grid, tables[grid.id])]
    document = {"type": "FeatureCollection", "features": features}
    store.put("plan/tiles.geojson", (json.dumps(document, separators=(",", ":")) + "\n").encode())


def check_geojson(plan: Plan) -> None:
    """Raise ConfigError where a plan's tiles cannot be GeoJSON: too many, or without a place on the globe."""
    if any(grid.lattice.crs is None for grid in plan.grids):
        raise ConfigError("the images have no georeference, so tiles have no GeoJSON", hint="leave --geojson out")
    if plan.tile_count > MAX_GEOJSON_TILES:
        raise ConfigError(
            f"{plan.tile_count:,} tiles are too many for GeoJSON (at most {MAX_GEOJSON_TILES:,})",
            hint="use plan/tiles.parquet, which GDAL and QGIS open",
        )


def _features(plan: Plan, grid: Grid, table: TileTable) -> Iterator[dict[str, object]]:
    rings = tile_rings(table, grid.lattice, grid.tile_px)
    lonlat = to_lonlat(rings.reshape(-1, 2), str(grid.lattice.crs)).reshape(rings.shape)
    windows = _windows(plan, grid, table)
    for at, tile in enumerate(table):
        area = _outline(lonlat[at])
        properties: dict[str, object] = {"tile": tile.name, "iy": tile.iy, "ix": tile.ix}
        if windows is not None:
            properties["windows"] = int(windows[at])
        geometry = None if area is None else shapely.orient_polygons(area, exterior_cw=False).__geo_interface__
        yield {"type": "Feature", "id": tile.name, "properties": properties, "geometry": geometry}


def _outline(lonlat: NDArray[np.float64]) -> Polygon | MultiPolygon | None:
    # A tile may reach over a pole, or beyond the edge of the map, where nothing is.
    if not np.isfinite(lonlat).all() or np.abs(lonlat[:, 0]).max() > 360:
        return None
    return polygon_of_rings([np.clip(lonlat, (-360, -90), (360, 90)).tolist()], [])


def _write_parquet(path: str, plan: Plan, grid: Grid, table: TileTable) -> None:
    schema = _schema(grid, with_windows=plan.load.windows is not None)
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=["iy", "ix"],
    ) as writer:
        for first in range(0, len(table), _ROWS_AT_ONCE):
            part = table[first : first + _ROWS_AT_ONCE]
            columns: list[Any] = [pa.array(part.iy), pa.array(part.ix)]
            if (windows := _windows(plan, grid, part)) is not None:
                columns.append(pa.array(windows))
            columns.append(_polygons(tile_rings(part, grid.lattice, grid.tile_px)))
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _windows(plan: Plan, grid: Grid, table: TileTable) -> NDArray[np.int32] | None:
    if plan.load.windows is None:
        return None
    return windows_per_tile(table, grid.bounds, grid.tile_px, plan.load.windows)


def _polygons(rings: NDArray[np.float64]) -> pa.Array:
    """Outlines (n, 5, 2) as an arrow column of well-known binary."""
    wkb = np.zeros(len(rings), dtype=_WKB)
    wkb["order"], wkb["type"], wkb["rings"], wkb["points"] = 1, 3, 1, 5
    wkb["corners"] = rings
    offsets = np.arange(len(rings) + 1, dtype=np.int32) * _WKB.itemsize
    return pa.Array.from_buffers(pa.binary(), len(rings), [None, pa.py_buffer(offsets), pa.py_buffer(wkb)])


def _schema(grid: Grid, *, with_windows: bool) -> pa.Schema:
    # GeoParquet 1.1, https://geoparquet.org/releases/v1.1.0/
    crs = None if grid.lattice.crs is None else pyproj.CRS.from_user_input(grid.lattice.crs).to_json_dict()
    geometry = {
        "encoding": "WKB", "geometry_types": ["Polygon"], "crs": crs, "orientation": "counterclockwise",
        "bbox": list(grid.lattice.bounds(grid.array_box)),
    }  # fmt: skip
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
    metadata = {"geo": json.dumps(geo), "gw:grid": grid.id, "gw:tile_px": str(grid.tile_px)}
    counts = [pa.field("windows", pa.int32(), nullable=False)] if with_windows else []
    indices = [pa.field(name, pa.int32(), nullable=False) for name in ("iy", "ix")]
    return pa.schema([*indices, *counts, pa.field("geometry", pa.binary(), nullable=False)], metadata=metadata)


class _Reader(io.RawIOBase):
    """An object of a store as a file that is read in parts."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._size = store.size(key) or 0
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        length = self._size - self._at if size < 0 else min(size, self._size - self._at)
        content = self._store.get(self._key, self._at, length) if length > 0 else b""
        self._at += len(content)
        return content
