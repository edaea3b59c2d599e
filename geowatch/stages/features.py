"""Features: the stitched activations of a layer as one vector for each window or polygon.

Leaves ``features/vectors.npy``, float32 (N, D), which ``numpy.load(..., mmap_mode="r")`` opens without reading it and
any nearest-neighbour index takes, and ``features/places.parquet``, whose n-th row says where and when the n-th
vector is from. What is the same place at another time has the same id.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from rasterio.features import rasterize

from geowatch.errors import ConfigError, InputError
from geowatch.grid.crs import to_lonlat
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.lineage import Source
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.binding.parts import layout_of, parts_of
from geowatch.stages.evaluate.truth import read_shapes
from geowatch.stages.mapping.deliverables import file_digest
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.stitch.descriptors import Patches, Pool, pool_cells, pool_place
from geowatch.stitch.mosaic import Mosaic
from geowatch.store import open_store
from geowatch.store.plans import read_plan, read_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from io import BufferedWriter

    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid
    from geowatch.predict.recipe import Recipe
    from geowatch.stages.binding.parts import Part
    from geowatch.store import Store

__all__ = ["PLACES", "VECTORS", "Featured", "FeaturesConfig", "features"]

#: Keys of what is made, in a run folder.
VECTORS, PLACES = "features/vectors.npy", "features/places.parquet"
#: Cells of a row that are pooled at once, and side of the blocks in which polygons are read.
_CELLS, _BLOCK_PX = 64, 256


@dataclass(frozen=True)
class FeaturesConfig:
    """What features is asked for."""

    run: str = "gw-run"
    """Run folder whose predict was given a layer with ``features``."""
    cells: int | None = None
    """Side in pixels of the squares that get a vector each; left out: the stride of the windows."""
    polygons: str | None = None
    """GeoJSON file; each of its polygons gets a vector instead."""
    pool: str = "mean+std"
    """What becomes of a place's activations: mean, or mean+std (twice as many numbers)."""
    min_valid: float = 0.5
    """Least share of a square that must have activations."""


@dataclass(frozen=True, slots=True)
class Featured:
    """What features made."""

    run: str
    """Run folder."""
    count: int
    """Vectors, N."""
    size: int
    """Numbers of each, D."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Vectors of some places."""

    vectors: NDArray[np.float32]
    ids: list[str]
    shares: NDArray[np.float32]
    outlines: NDArray[Any]
    """shapely polygons."""
    time: datetime | None = None


def features(config: FeaturesConfig, events: Events | None = None) -> Featured:
    """Write one vector for each place and time.

    Raises:
        InputError: where the run has no features, or no place has any.
        ConfigError: for squares that do not fit the layer's lattice.
    """
    events = events or Silent()
    pool = _pool(config.pool)
    store = open_store(config.run)
    recipe = read_recipe(store)
    if recipe is None or recipe.features is None:
        raise InputError(f"the run in {store.url} has no features", hint="gw predict --features LAYER stores them")
    with ExitStack() as stack:
        paths = [stack.enter_context(store.stage(key)) for key in (VECTORS, PLACES)]
        file = stack.enter_context(paths[0].open("wb"))
        places = stack.enter_context(pq.ParquetWriter(paths[1], _schema(store), compression="zstd"))
        size = len(recipe.heads[-1].classes) * (1 if pool == "mean" else 2)
        count = _fill(file, places, size, _batches(config, pool, store, recipe, events))
        if not count:
            raise InputError("no place has features", hint="check --cells, --min-valid and the polygons' place")
        places.close()
        file.flush()
        digests = [file_digest(path) for path in paths]
    source = Source("heatmap.zarr/features", version=f"recipe:{recipe.digest}", role="heatmap")
    for key, digest in zip((VECTORS, PLACES), digests, strict=True):
        record(store, made("features", key, config, sources=[source], recipe=recipe.digest, sha256=digest))
    return Featured(store.url, count, size)


def _pool(name: str) -> Pool:
    if name not in get_args(Pool):
        raise ConfigError(f"--pool got '{name}'", hint=f"choose from {', '.join(get_args(Pool))}")
    return name  # type: ignore[return-value]


def _fill(file: BufferedWriter, places: pq.ParquetWriter, size: int, batches: Iterator[tuple[Part, _Batch]]) -> int:
    """Write vectors and places as they come; the header is written again when their number is known."""
    head: dict[str, Any] = {"descr": "<f4", "fortran_order": False}
    np.lib.format.write_array_header_1_0(file, {**head, "shape": (0, size)})
    count = 0
    for part, batch in batches:
        file.write(np.ascontiguousarray(batch.vectors, "<f4").tobytes())
        places.write_table(_rows(part, batch, places.schema))
        count += len(batch.vectors)
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {**head, "shape": (count, size)})
    return count


def _schema(store: Store) -> pa.Schema:
    """Return the columns of a places table, GeoParquet 1.1: longitude and latitude, or pixels where there are none."""
    placed = all(grid.lattice.crs is not None for grid in read_plan(store).grids)
    geometry: dict[str, Any] = {"encoding": "WKB", "geometry_types": []}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
    if not placed:
        geometry["crs"] = None
    fields = {
        "id": pa.string(), "grid": pa.string(), "time_index": pa.int32(), "time": pa.timestamp("s", "UTC"),
        "valid_share": pa.float32(), "geometry": pa.binary(),
    }  # fmt: skip
    return pa.schema(list(fields.items()), metadata={"geo": json.dumps(geo)})


def _rows(part: Part, batch: _Batch, schema: pa.Schema) -> pa.Table:
    count = len(batch.ids)
    time = batch.time
    columns = {
        "id": batch.ids, "grid": [part.grid.id] * count, "time_index": [part.time] * count, "time": [time] * count,
        "valid_share": batch.shares, "geometry": list(shapely.to_wkb(batch.outlines)),
    }  # fmt: skip
    return pa.table(columns, schema=schema)


def _batches(
    config: FeaturesConfig, pool: Pool, store: Store, recipe: Recipe, events: Events
) -> Iterator[tuple[Part, _Batch]]:
    plan, bound = read_plan(store), read_bound(store)
    if bound is None:
        raise InputError(f"the run in {store.url} has no imagery", hint="gw predict --images binds it")
    parts = parts_of(plan, bound, recipe.dates, recipe.series)
    for number, part in enumerate(parts):
        layout = layout_of(plan, bound, recipe, part.grid)
        head = next(head for head in layout.heads if head.kind == "features")
        tiles = list(read_tiles(store, plan, part.grid.id))
        patches = Patches(Mosaic(store, layout, recipe.digest), head, part.time, tiles)
        if config.polygons is not None:
            found = _of_polygons(config.polygons, pool, part.grid, patches, head.reduction)
        else:
            side = config.cells or recipe.stride_px[0]
            found = _of_cells(_steps(side, head.reduction), config.min_valid, pool, part.grid, patches)
        yield from ((part, replace(batch, time=layout.times[part.time])) for batch in found)
        events.progress("features", number + 1, len(parts))


@dataclass(frozen=True, slots=True)
class _Steps:
    """A side in pixels of the grid, and of the layer."""

    fine: int
    coarse: int


def _steps(side: int, reduction: int) -> _Steps:
    if side % reduction:
        raise ConfigError(
            f"squares of {side} px do not fit a layer with one place every {reduction} px",
            hint=f"choose --cells in multiples of {reduction}",
        )
    return _Steps(side, side // reduction)


def _of_cells(side: _Steps, min_valid: float, pool: Pool, grid: Grid, patches: Patches) -> Iterator[_Batch]:
    """Yield squares of the lattice, counted from its origin, row by row."""
    whole = grid.bounds.snap(side.fine)
    rows, columns = (range(a // side.fine, b // side.fine) for a, b in ((whole.y0, whole.y1), (whole.x0, whole.x1)))
    for y in rows:
        for x in range(columns.start, columns.stop, _CELLS):
            count = min(_CELLS, columns.stop - x)
            step = side.coarse
            box = PixelBox(y * step, x * step, (y + 1) * step, (x + count) * step)
            vectors, shares = pool_cells(patches.read(box), step, pool)
            kept = np.flatnonzero(shares >= max(min_valid, 1e-9))
            if kept.size:
                outlines = np.array([_outline(grid.lattice, (y, x + int(k)), side.fine) for k in kept])
                yield _Batch(vectors[kept], [f"{grid.id}/{y}_{x + k}" for k in kept], shares[kept], outlines)


def _outline(lattice: Lattice, cell: tuple[int, int], side: int) -> shapely.Polygon:
    y, x = cell
    left, bottom, right, top = lattice.bounds(PixelBox(y * side, x * side, (y + 1) * side, (x + 1) * side))
    corners = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
    return shapely.Polygon(corners if lattice.crs is None else to_lonlat(corners, lattice.crs))


def _of_polygons(path: str, pool: Pool, grid: Grid, patches: Patches, reduction: int) -> Iterator[_Batch]:
    """Yield polygons one by one: the places of the layer whose centres lie in it, or the one around its middle."""
    if grid.lattice.crs is None:
        raise ConfigError("the images have no place on the earth, polygons have", hint="leave out --polygons")
    fine = grid.lattice
    lattice = Lattice(
        fine.crs, fine.step_y * reduction, fine.step_x * reduction, fine.phase_y, fine.phase_x
    )  # fmt: skip
    for region, shape in read_shapes(path, fine.crs):
        box = lattice.box_covering(shapely.geometry.shape(shape).bounds)
        parts = (_inside(shape, lattice, block & box, patches) for block in box.blocks(_BLOCK_PX))
        vector, count = pool_place(parts, pool)
        if not count:
            vector, count = pool_place([_around(shape, lattice, patches)], pool)
        if count:
            share = np.ones(1, np.float32)
            yield _Batch(vector[np.newaxis], [region.id], share, np.array([region.geometry], object))


def _around(shape: dict[str, object], lattice: Lattice, patches: Patches) -> NDArray[np.float32]:
    """Return the activations (D, 1) of the place that holds a point of a polygon too small for any centre."""
    middle = shapely.geometry.shape(shape).representative_point()
    box = lattice.box_covering((middle.x, middle.y, middle.x, middle.y))
    one = PixelBox(box.y0, box.x0, box.y0 + 1, box.x0 + 1)
    return patches.read(one).reshape(-1, 1)


def _inside(shape: dict[str, object], lattice: Lattice, box: PixelBox, patches: Patches) -> NDArray[np.float32]:
    """Return the activations (D, n) of a box that lie in a polygon."""
    mask = rasterize([(shape, 1)], out_shape=box.shape, transform=lattice.affine_of(box), dtype="uint8") != 0
    found: NDArray[np.float32] = patches.read(box)[:, mask]
    return found
