"""Detections: objects that a network found, as columns on the lattice, and their form on disk.

Corners are whole sixteenths of a pixel and scores whole units, so that who owns a box, and which of two boxes is
better, are questions of integers: the answers are the same on every machine and in every order. A box belongs to the
pixel that holds its centre, and to the tile whose core holds that pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geowatch.errors import DamagedError
from geowatch.sites.fragment import FULL_SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.tiles import Tile

__all__ = ["DETECTIONS", "SUB_PX", "Detections", "detections_key"]

#: Folder of detections in a run.
DETECTIONS = "detections"
#: Parts of a pixel's side in which corners are told.
SUB_PX = 16

_SCHEMA_VERSION = "1"
_TYPES = {"time": "i4", "y0": "i4", "x0": "i4", "y1": "i4", "x1": "i4", "kind": "i2", "score": "u2", "cut": "u1"}


def detections_key(recipe: str, head: str, block: int, tile: Tile) -> str:
    """Return the key of a tile's boxes: ``detections/<12 digits>/<head>/<time block>/<grid>/<iy>_<ix>.arrow``."""
    return f"{DETECTIONS}/{recipe[:12]}/{head}/{block}/{tile.name}.arrow"


@dataclass(frozen=True, eq=False, slots=True)
class Detections:
    """Boxes on the lattice of one grid, one a row."""

    time: NDArray[np.int32]
    """Places on the time axis."""
    y0: NDArray[np.int32]
    """Upper edges, in sixteenths of a pixel from lattice row 0."""
    x0: NDArray[np.int32]
    """Left edges."""
    y1: NDArray[np.int32]
    """Lower edges."""
    x1: NDArray[np.int32]
    """Right edges."""
    kind: NDArray[np.int16]
    """Places among the head's objects."""
    score: NDArray[np.uint16]
    """Scores in units: 32768 is 1."""
    cut: NDArray[np.uint8]
    """1 where the box ends at the border of the window that showed it."""

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls) -> Detections:
        """Return no boxes."""
        return cls(**{name: np.zeros(0, kind) for name, kind in _TYPES.items()})

    @classmethod
    def of(
        cls, corners: NDArray[np.float64], kind: NDArray[np.int16], score: NDArray[np.float32],
        origin: tuple[int, int] = (0, 0),
    ) -> Detections:  # fmt: skip
        """Return boxes of plane 0 from (y0, x0, y1, x1) in pixels, shape (n, 4), that count from ``origin`` (y, x).

        What has no area after rounding to sixteenths is left out.
        """
        place = np.array([*origin, *origin], np.int64) * SUB_PX
        y0, x0, y1, x1 = (np.rint(corners * SUB_PX).astype(np.int64) + place).astype(np.int32).T
        units = np.rint(np.clip(score.astype(np.float64), 0, 1) * FULL_SCORE).astype(np.uint16)
        none = np.zeros(len(score), np.int32)
        found = cls(none, y0, x0, y1, x1, kind.astype(np.int16), units, none.astype(np.uint8))
        return found.where((y1 > y0) & (x1 > x0))

    @classmethod
    def joined(cls, parts: Sequence[Detections]) -> Detections:
        """Return the boxes of all parts, one after the other."""
        if not parts:
            return cls.empty()
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _TYPES})

    def where(self, rows: NDArray[Any]) -> Detections:
        """Return some of the boxes, by a mask or by their places."""
        return Detections(**{name: getattr(self, name)[rows] for name in _TYPES})

    def at(self, time: int) -> Detections:
        """Return the boxes with another place on the time axis."""
        columns = {name: getattr(self, name) for name in _TYPES}
        return Detections(**{**columns, "time": np.full(len(self), time, np.int32)})

    @property
    def row(self) -> NDArray[np.int64]:
        """Lattice rows of the pixels that hold the centres."""
        return (self.y0.astype(np.int64) + self.y1) // (2 * SUB_PX)

    @property
    def column(self) -> NDArray[np.int64]:
        """Lattice columns of the pixels that hold the centres."""
        return (self.x0.astype(np.int64) + self.x1) // (2 * SUB_PX)

    def centred_in(self, box: PixelBox) -> NDArray[np.bool_]:
        """Return which boxes have their centre in a pixel of ``box``."""
        y, x = self.row, self.column
        return np.asarray((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))

    def ordered(self) -> Detections:
        """Return the boxes in the order of files: by time, centre pixel, class, best score, corners."""
        keys = (self.cut, self.x1, self.y1, self.x0, self.y0, -self.score.astype(np.int32), self.kind)
        return self.where(np.lexsort((*keys, self.column, self.row, self.time)))

    def to_bytes(self) -> bytes:
        """Return the bytes of a file: Arrow IPC, the same for the same boxes in the same order."""
        columns = [pa.array(np.ascontiguousarray(getattr(self, name))) for name in _TYPES]
        schema = pa.schema(
            [(name, column.type) for name, column in zip(_TYPES, columns, strict=True)],
            metadata={"gw.detections": _SCHEMA_VERSION, "gw.parts_of_a_pixel": str(SUB_PX)},
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "a file of detections") -> Detections:
        """Read a file. Raises DamagedError for what is none; it names the file."""
        try:
            with pa.ipc.open_file(pa.py_buffer(content)) as reader:
                table = reader.read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedError(f"{name} is damaged: {error}", hint="gw verify --repair, then gw predict") from error
        known = (table.schema.metadata or {}).get(b"gw.detections")
        if known != _SCHEMA_VERSION.encode() or table.column_names != [field.name for field in fields(cls)]:
            raise DamagedError(f"{name} holds no detections of this version", hint="gw predict makes them")
        return cls(**{each: table.column(each).to_numpy().astype(kind) for each, kind in _TYPES.items()})
