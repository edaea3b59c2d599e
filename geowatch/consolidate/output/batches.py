"""The consolidated tables as they stream by: record batches of a fixed size, as often as a writer asks.

Two tables come in. ``sites`` has a row for each site, by number; ``observations`` has a row for each site and time, by
number and time. Batches always hold `BATCH_ROWS` rows (the last one less), however they were cut before, so that what
is written of them does not depend on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import shapely

from geowatch.errors import DamagedError
from geowatch.grid.antimeridian import cut
from geowatch.grid.crs import to_lonlat

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BATCH_ROWS", "OBSERVATION_COLUMNS", "SITE_COLUMNS", "Batches", "geometries", "groups", "lonlat"]

#: Rows of a batch; a constant of the files' form, since row groups follow it.
BATCH_ROWS = 16_384

SITE_COLUMNS = ("site_id", "key", "number", "grid", "class", "start", "end", "area_m2", "area_px", "score", "peak",
                "n_observations", "status", "events", "geometry")  # fmt: skip
"""What the table of sites has."""
OBSERVATION_COLUMNS = ("site_id", "date", "time", "phase", "score", "scores", "seen_share", "geometry")
"""What the table of observations has."""

_FILE_MAGIC = b"ARROW1"


@dataclass(frozen=True)
class Batches:
    """A table that can be gone through as often as one likes, a batch at a time."""

    schema: pa.Schema
    """Its columns; the entry ``crs`` of the metadata names the geometry's CRS, nothing stands for plain pixels."""
    opened: Callable[[], Iterable[pa.RecordBatch]]
    """Starts from the first row; batches of any size."""

    @property
    def crs(self) -> str | None:
        """CRS of the geometry, or None."""
        named = (self.schema.metadata or {}).get(b"crs", b"")
        return named.decode() or None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return _even(self.opened())

    @classmethod
    def of_table(cls, table: pa.Table) -> Batches:
        """Return the batches of a table in memory."""
        return cls(table.schema, table.to_batches)

    @classmethod
    def of_file(cls, opened: Callable[[], BinaryIO]) -> Batches:
        """Return the batches of an Arrow IPC file or stream that ``opened`` opens, each time anew."""
        with opened() as file:
            schema = _reader(file).schema
        return cls(schema, lambda: _of_file(opened))

    def require(self, columns: tuple[str, ...], what: str) -> None:
        """Raise DamagedError where a column is absent."""
        absent = [name for name in columns if name not in self.schema.names]
        if absent:
            raise DamagedError(
                f"the table of {what} has no {', '.join(absent)}", hint="make it again with gw consolidate"
            )


def _reader(file: BinaryIO) -> Any:  # noqa: ANN401  # pyarrow has no types
    import pyarrow as pa

    magic = file.read(len(_FILE_MAGIC))
    file.seek(0)
    try:
        return pa.ipc.open_file(file) if magic == _FILE_MAGIC else pa.ipc.open_stream(file)
    except pa.ArrowInvalid as error:
        raise DamagedError(f"no Arrow table: {error!s:.120}", hint="make it again with gw consolidate") from error


def _of_file(opened: Callable[[], BinaryIO]) -> Iterator[pa.RecordBatch]:
    with opened() as file:
        reader = _reader(file)
        if hasattr(reader, "get_batch"):
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place)
        else:
            yield from reader


def _even(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches anew into `BATCH_ROWS` rows each."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= BATCH_ROWS:
            share = BATCH_ROWS - rows
            yield pa.concat_batches([*held, batch.slice(0, share)])
            held, rows, batch = [], 0, batch.slice(share)  # noqa: PLW2901  # what is left of it
        if batch.num_rows:
            held.append(batch)
            rows += batch.num_rows
    if held:
        yield pa.concat_batches(held)


def geometries(batch: pa.RecordBatch) -> NDArray[np.object_]:
    """Return the shapes of a batch, None where there is none."""
    wkb = batch.column(batch.schema.get_field_index("geometry")).to_numpy(zero_copy_only=False)
    shapes: NDArray[np.object_] = shapely.from_wkb(wkb)
    return shapes


def lonlat(shapes: NDArray[np.object_], crs: str) -> NDArray[np.object_]:
    """Return shapes in (longitude, latitude); corners move, edges stay straight between them.

    Those that cross the antimeridian are cut there.
    """
    moved: NDArray[np.object_] = shapely.transform(shapes, lambda points: to_lonlat(points, crs))
    return cut(moved)


def groups(observations: Batches) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of each site, in the table's order, as (site id, rows)."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    current: str | None = None
    for batch in observations:
        for site, part in _runs(batch):
            if site != current and current is not None:
                yield current, pa.concat_batches(held)
                held = []
            current = site
            held.append(part)
    if current is not None:
        yield current, pa.concat_batches(held)


def _runs(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield stretches of rows that belong to one site."""
    import pyarrow.compute as pc

    runs = pc.run_end_encode(batch.column(batch.schema.get_field_index("site_id")))
    start = 0
    for end, site in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
        yield site, batch.slice(start, end - start)
        start = end
