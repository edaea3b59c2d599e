"""Fragments: what tracking found in one tile, in a form that adds up with its neighbours'.

A piece is a set of connected pixels of one plane (and kind) inside one tile. Nothing here is decided on a whole
site: pieces that touch across a seam are one component, and every figure of a component is the sum (or the
maximum) of its pieces' figures. All scores are integers in units of `SCORE_UNIT`, so that sums are exact whatever
the cut. In: columns made by ``track``. Out: the same columns, read by ``consolidate``; between them Arrow bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geowatch.errors import DamagedError, PlanError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.sites.pieces import Pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AGGREGATED",
    "BOTTOM",
    "FRAGMENTS",
    "FULL_SCORE",
    "HALF_SHARE",
    "LEFT",
    "NEVER",
    "RIGHT",
    "SCORE_UNIT",
    "SEAL_BYTES",
    "SHARED_NUMBERS",
    "TOP",
    "Fragment",
    "fragment_key",
    "listed",
    "unlisted",
]

#: Folder of fragments in a run.
FRAGMENTS = "fragments"
#: Score that one unit stands for; a score of 1.0 is `FULL_SCORE` units.
SCORE_UNIT = 1 / 32768
FULL_SCORE = 32768
#: Plane of pieces that were found in scores aggregated over time.
AGGREGATED = -1
#: Day after all others: of what never comes.
NEVER = 2**31 - 1
#: Box numbers from here on name an object on all grids of a plan; smaller ones count the boxes of one grid's plane.
SHARED_NUMBERS = 1 << 24
#: Sides of a pixel, as ``edge_side`` has them.
TOP, RIGHT, BOTTOM, LEFT = 0, 1, 2, 3
#: ``edge_share`` of an edge that lies where pixels meet: half-way between two centres.
HALF_SHARE = 32768

#: Version of fragments, and of those that have columns of links over days: what does not know them must not read them.
_SCHEMA_VERSION, _GAP_VERSION = "4", "5"
#: Columns that stand only in fragments of links over days, of boxes, and of footprints that may be split.
_GAPS = ("link_gap_px", "begun_", "left_")
_SOMETIMES = (*_GAPS, "box_number", "day_sum")
_GROUPS = ("run_", "series_", "link_", "first_", "begun_", "last_", "left_", "dark_", "edge_")


#: What a fragment ends with: these letters, then the sha256 of all that is before them. A fragment is its own marker.
_SEAL = b"gw-sha256"
_DIGEST_BYTES = 32
SEAL_BYTES = len(_SEAL) + _DIGEST_BYTES


def sealed_digest(end: bytes) -> str | None:
    """Return the digest that the last `SEAL_BYTES` of a fragment state, hex; None where they are no seal."""
    stated = end[-SEAL_BYTES:]
    return stated[len(_SEAL) :].hex() if len(stated) == SEAL_BYTES and stated.startswith(_SEAL) else None


def fragment_key(digest: str, tile: Tile) -> str:
    """Return the key of a tile's fragment: ``fragments/<12 digits>/<grid>/<iy>_<ix>.arrow``."""
    return f"{FRAGMENTS}/{digest[:12]}/{tile.name}.arrow"


@dataclass(frozen=True, eq=False, kw_only=True)
class Fragment(Pieces):
    """The pieces of one tile.

    Pieces are sorted by (plane, kind, y, x), runs by (piece, y, x0), series by (piece, plane), links by (a, b),
    edges by (piece, y, x, side).
    """

    tile: Tile
    """The tile."""
    box: PixelBox
    """Pixels that were searched: the tile's core within the region's bounds."""

    box_number: NDArray[np.int32]
    """Of each piece: which detected box of its plane it shows, from 1; 0 where pixels are of no box. Pieces of two
    boxes are never one, even where they touch."""
    dark_y: NDArray[np.int32]
    """Of each run of pixels that no plane saw: its row."""
    dark_x0: NDArray[np.int32]
    """First column."""
    dark_x1: NDArray[np.int32]
    """Column after the last."""

    def __post_init__(self) -> None:
        for name, dtype in _columns().items():
            values = getattr(self, name)
            if values.dtype != dtype or values.ndim != (2 if name == "series_sums" else 1):
                raise DamagedError(f"column {name} of {self.tile.name} is {values.dtype} of {values.ndim} axes")
            if len(values) != len(getattr(self, _first(name))):
                raise DamagedError(f"column {name} of {self.tile.name} has {len(values)} rows")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fragment) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]

    @property
    def piece_count(self) -> int:
        """Pieces."""
        return len(self.plane)

    @property
    def classes(self) -> int:
        """Classes K of the series."""
        return int(self.series_sums.shape[1])

    @property
    def run_starts(self) -> NDArray[np.intp]:
        """Where each piece's runs begin, and where the last one's end: (pieces + 1,)."""
        return np.searchsorted(self.run_piece, np.arange(self.piece_count + 1))

    @classmethod
    def empty(cls, tile: Tile, box: PixelBox, classes: int) -> Fragment:
        """Return a fragment without any piece."""
        columns: dict[str, Any] = {name: np.zeros(0, dtype) for name, dtype in _columns().items()}
        columns["series_sums"] = np.zeros((0, classes), np.int64)
        return cls(tile=tile, box=box, **columns)

    def to_bytes(self) -> bytes:
        """Return Arrow IPC bytes (zstd) and their seal, a function of the columns alone: one row, one list a column."""
        names = [name for name in _columns() if not name.startswith(_SOMETIMES) or self._says(name)]
        arrays = [listed(getattr(self, name)) for name in names]
        over_days = any(name.startswith(_GAPS) for name in names)
        about = {
            "schema_version": _GAP_VERSION if over_days else _SCHEMA_VERSION, "tile": self.tile.name,
            "box": json.dumps(self.box.to_list()), "classes": str(self.classes), "score_unit": f"1/{FULL_SCORE}",
        }  # fmt: skip
        schema = pa.schema(
            [pa.field(name, array.type, nullable=False) for name, array in zip(names, arrays, strict=True)],
            metadata=about,
        )
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 3), use_threads=False)
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            writer.write_batch(pa.record_batch(arrays, schema=schema))
        content = bytes(sink.getvalue())
        return content + _SEAL + sha256(content).digest()

    def _says(self, name: str) -> bool:
        """Return whether a column says something: what is for all of a table by a value, what is a table by a row."""
        values = getattr(self, name)
        return bool(values.any() if name in ("link_gap_px", "box_number", "day_sum") else len(values))

    @classmethod
    def from_bytes(cls, content: bytes) -> Fragment:
        """Read a fragment. Raises DamagedError for what is none, has other bytes than were written, or another form."""
        stated = sealed_digest(content)
        if stated is None or sha256(memoryview(content)[:-SEAL_BYTES]).hexdigest() != stated:
            raise DamagedError(
                "a fragment has other bytes than were written" if stated else "a fragment has no seal at its end",
                hint="remove it, and gw track makes it again",
            )
        try:
            # Threads cost more than they decompress: columns are small.
            alone = pa.ipc.IpcReadOptions(use_threads=False)
            with pa.ipc.open_stream(pa.py_buffer(content), options=alone) as reader:
                about = {key.decode(): value.decode() for key, value in (reader.schema.metadata or {}).items()}
                if about.get("schema_version") not in (_SCHEMA_VERSION, _GAP_VERSION):
                    raise DamagedError(
                        f"a fragment has version {about.get('schema_version')}, this gw reads {_SCHEMA_VERSION}"
                        f" and {_GAP_VERSION}",
                        hint="make it again with gw track",
                    )
                batch = reader.read_next_batch()
            batch.validate(full=True)  # a list that ends beyond its values would end the process
            there = batch.schema.names
            columns: dict[str, NDArray[Any]] = {}
            for name, dtype in _columns().items():
                silent = name.startswith(_SOMETIMES) and name not in there
                rows = len(columns.get(_first(name), ()))
                columns[name] = np.zeros(rows, dtype) if silent else unlisted(batch.column(name), dtype)
            columns["series_sums"] = columns["series_sums"].reshape(-1, int(about["classes"]))
            tile, box = Tile.parse(about["tile"]), PixelBox(*json.loads(about["box"]))
        except (pa.ArrowException, PlanError, OSError, StopIteration, KeyError, ValueError, TypeError) as error:
            raise DamagedError(
                f"a fragment is damaged: {error}", hint="remove it, and gw track makes it again"
            ) from error
        return cls(tile=tile, box=box, **columns)


@cache
def _columns() -> dict[str, np.dtype[Any]]:
    """Return the columns in their order, with their types as the annotations have them."""
    return {
        each.name: np.dtype(str(each.type).partition("np.")[2].rstrip("]"))
        for each in fields(Fragment)
        if str(each.type).startswith("NDArray")
    }


@cache
def _first(name: str) -> str:
    """Return the column whose length a column must have: the first of its table."""
    group = next((group for group in _GROUPS if name.startswith(group)), "")
    return next(other for other in _columns() if other.startswith(group))


def listed(values: NDArray[Any]) -> pa.Array:
    """Return values as one row that holds a list of them."""
    flat = np.ascontiguousarray(values).reshape(-1)
    offsets = pa.array([0, len(flat)], pa.int64())
    return pa.LargeListArray.from_arrays(offsets, pa.array(flat))


def unlisted(column: pa.Array, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the values of such a row. Raises ValueError where they are of another type."""
    # Not `to_numpy`, which imports pandas where it is installed.
    values = column.flatten()
    if str(values.type) != str(dtype):
        raise ValueError(f"{values.type} where {dtype} belongs")
    return np.frombuffer(values.buffers()[1] or b"", dtype, len(values), values.offset * dtype.itemsize)
