"""The consolidated tables: decided sites as Arrow record batches, with ids, keys and names in place of numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geowatch.consolidate.decided import SPLIT
from geowatch.consolidate.outlines import crs_of
from geowatch.consolidate.terms import NO_DAY
from geowatch.errors import InputError
from geowatch.grid.areas import dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.decided import Decided
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints

__all__ = [
    "Naming", "footprint_batch", "footprint_schema", "keys_of", "observation_batch", "observation_schema", "site_batch",
    "site_ids", "site_schema", "twins_of",
]  # fmt: skip


@dataclass(frozen=True)
class Naming:
    """Words that go into the tables."""

    terms: Terms
    """Grids, classes and the CRS of outlines."""
    region: str
    """Region that site ids begin with."""
    status: str
    """Status of each site."""
    phases: tuple[str, ...] = ()
    """Phases by number."""

    @property
    def metadata(self) -> dict[str, str]:
        """What stands in a table's schema beside its columns."""
        crs = crs_of(self.terms)
        return {"schema_version": "1", "region": self.region} | ({} if crs is None else {"crs": crs})


def site_schema(naming: Naming) -> pa.Schema:
    """Return the columns of the table of sites."""
    columns = {
        "site_id": pa.string(), "key": pa.string(), "number": pa.int32(), "grid": pa.string(), "class": pa.string(),
        "start": pa.date32(), "end": pa.date32(), "area_m2": pa.float64(), "area_px": pa.int64(),
        "score": pa.float32(), "peak": pa.float32(), "n_observations": pa.int32(), "status": pa.string(),
        "events": pa.string(), "geometry": pa.binary(),
    }  # fmt: skip
    return _schema(columns, ("class", "start", "end", "events"), naming)


def observation_schema(naming: Naming) -> pa.Schema:
    """Return the columns of the table of observations."""
    columns = {
        "site_id": pa.string(), "date": pa.date32(), "time": pa.int32(), "phase": pa.string(), "score": pa.float32(),
        "scores": pa.list_(pa.field("item", pa.float32(), nullable=False)), "seen_share": pa.float32(),
        "geometry": pa.binary(),
    }  # fmt: skip
    return _schema(columns, ("date", "phase", "geometry"), naming)


def _schema(columns: dict[str, pa.DataType], optional: tuple[str, ...], naming: Naming) -> pa.Schema:
    fields = [pa.field(name, kind, nullable=name in optional) for name, kind in columns.items()]
    return pa.schema(fields, metadata=naming.metadata)


def site_batch(sites: Decided, number: Ints, keys: pa.Array, naming: Naming) -> pa.RecordBatch:
    """Return sites as rows."""
    rows, terms = sites.rows, naming.terms
    columns = [
        site_ids(number, naming.region), keys, pa.array(number.astype(np.int32)),
        _words(rows["grid"], terms.grids), _words(rows["kind"], terms.kinds), _days(rows["start"]), _days(rows["end"]),
        pa.array(rows["area_m2"]), pa.array(rows["area_px"]), pa.array(rows["score"]), pa.array(rows["peak"]),
        pa.array(np.diff(sites.seen_start).astype(np.int32)), _words(np.zeros(len(rows), np.int64), (naming.status,)),
        _events(sites), _binary(sites.outlines.content, sites.outlines.start),
    ]  # fmt: skip
    return pa.record_batch(columns, schema=site_schema(naming))


def observation_batch(sites: Decided, number: Ints, naming: Naming) -> pa.RecordBatch:
    """Return the observations of sites as rows."""
    seen = sites.seen
    ids = site_ids(number, naming.region).take(pa.array(np.repeat(np.arange(len(sites)), np.diff(sites.seen_start))))
    classes = seen["scores"].shape[1]
    offsets = pa.array(np.arange(len(seen) + 1, dtype=np.int32) * classes)
    item = pa.field("item", pa.float32(), nullable=False)
    values = pa.array(np.ascontiguousarray(seen["scores"]).ravel())
    scores = pa.ListArray.from_arrays(offsets, values, type=pa.list_(item))
    shape_start = np.concatenate([[0], np.cumsum(seen["shape_bytes"], dtype=np.int64)])
    columns = [
        ids, _days(seen["day"]), _column(seen["time"]), _words(seen["phase"], naming.phases), _column(seen["score"]),
        scores, _column(seen["seen_share"]), _binary(sites.shapes, shape_start, empty_is_null=True),
    ]  # fmt: skip
    return pa.record_batch(columns, schema=observation_schema(naming))


def footprint_schema(naming: Naming) -> pa.Schema:
    """Return the columns of the table of pixels; the metadata says where pixels are."""
    terms = naming.terms
    lattices = {
        name: [each.crs, each.step_y, each.step_x, each.phase_y, each.phase_x]
        for name, each in zip(terms.grids, terms.lattices, strict=True)
    }
    about = {
        "grids": json.dumps(lattices, sort_keys=True), "order": json.dumps(terms.grids),
        "classes": json.dumps(terms.classes), "mode": terms.mode,
    }  # fmt: skip
    columns = {"number": pa.int32(), "grid": pa.int16(), "y": pa.int32(), "x0": pa.int32(), "x1": pa.int32()}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()], naming.metadata | about)


def footprint_batch(sites: Decided, number: Ints, naming: Naming) -> pa.RecordBatch:
    """Return the pixels of sites as rows: what a later run compares its own with."""
    runs = sites.runs
    owner = np.repeat(number.astype(np.int32), np.diff(sites.runs_start))
    columns = [pa.array(owner), *(_column(runs[name]) for name in ("grid", "y", "x0", "x1"))]
    return pa.record_batch(columns, schema=footprint_schema(naming))


def site_ids(number: Ints, region: str) -> pa.Array:
    """Return ids such as ``KR_R001_0012``."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), 4, "0")
    return pc.binary_join_element_wise(region, digits, "_")


def twins_of(rows: NDArray[Any], number: Ints) -> Ints:
    """Return of each site how many of lower number are born on the same day, at the same first pixel, of one class.

    There are some where two images are of one day or none has a date, and where a site that goes on leaves the
    pixel of its birth to another.
    """
    same = dense(*(rows[name] for name in ("grid", "birth", "y", "x", "kind")))
    order = np.lexsort((number, same))
    first = np.searchsorted(same[order], same[order])
    twins = np.empty(len(rows), dtype=np.int64)
    twins[order] = np.arange(len(rows)) - first
    return twins


def keys_of(rows: NDArray[Any], terms: Terms, twins: Ints) -> pa.Array:
    """Return the names that sites keep whatever their numbers: grid, birth, row and column of the first pixel.

    Where classes are searched one by one, the class is part of it, since two may share a pixel. The second of
    ``twins`` (see `twins_of`) ends in ``-2``, and so on.
    """
    birth = pc.fill_null(pc.strftime(_days(rows["birth"]).cast(pa.timestamp("s")), format="%Y%m%d"), "undated")
    parts = [_words(rows["grid"], terms.grids), birth]
    parts += [pc.binary_join_element_wise(sign, _column(rows[name]).cast(pa.string()), "") for sign, name in
              (("r", "y"), ("c", "x"))]  # fmt: skip
    if len(terms.kinds) > 1:
        parts.append(pc.binary_join_element_wise("k", _column(rows["kind"]).cast(pa.string()), ""))
    parts.append(pa.array(twins + 1, mask=twins == 0).cast(pa.string()))
    return pc.binary_join_element_wise(*parts, "-", null_handling="skip")


def _column(values: NDArray[Any]) -> pa.Array:
    return pa.array(np.ascontiguousarray(values))


def _days(days: NDArray[np.integer]) -> pa.Array:
    days = days.astype(np.int32)
    return pa.array(days, mask=days == NO_DAY).cast(pa.date32())


def _words(numbers: NDArray[np.integer], words: tuple[str | None, ...]) -> pa.Array:
    """Return a word for each number; nothing where it is negative."""
    at = pa.array(numbers.astype(np.int64), mask=numbers < 0)
    return pa.array(words, pa.string()).take(at)


def _binary(content: NDArray[np.uint8], start: Ints, *, empty_is_null: bool = False) -> pa.Array:
    size = int(start[-1] - start[0])
    if size > np.iinfo(np.int32).max:
        raise InputError(
            f"the outlines of one site take {size} bytes, and a table holds {np.iinfo(np.int32).max} at once",
            hint="draw fewer corners: --simplify 1, or gw track with --open-px or --smooth-px",
        )
    offsets = pa.py_buffer((start - start[0]).astype(np.int32))
    count = len(start) - 1
    if not empty_is_null:
        return pa.Array.from_buffers(pa.binary(), count, [None, offsets, pa.py_buffer(content)])
    there = np.packbits(np.diff(start) > 0, bitorder="little")
    return pa.Array.from_buffers(pa.binary(), count, [pa.py_buffer(there), offsets, pa.py_buffer(content)])


def _events(sites: Decided) -> pa.Array:
    """Return what happened to each site: ``split:2020-05-01;merge:2020-07-01``."""
    text = np.full(len(sites), None, dtype=object)
    for site in np.flatnonzero(np.diff(sites.events_start)).tolist():
        events = sites.events[sites.events_start[site] : sites.events_start[site + 1]]
        days = events["day"].astype("datetime64[D]").astype(str).tolist()
        names = ("split" if what == SPLIT else "merge" for what in events["what"].tolist())
        text[site] = ";".join(f"{name}:{day}" for name, day in zip(names, days, strict=True))
    return pa.array(text, pa.string())
