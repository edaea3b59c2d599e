"""Boxes in a run folder, plane by plane: whoever tracks a plane reads that plane's alone.

A file is one compressed Arrow stream after another, one for each plane with boxes; then JSON that says where each of
them is, and the length of that in 8 bytes. Memory follows the planes that are in use, not the file.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geowatch.errors import DamagedError
from geowatch.track.boxes import Boxes, objects_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from geowatch.store import Store

__all__ = ["StoredBoxes", "packed"]

_COLUMNS = {"y0": "i4", "x0": "i4", "y1": "i4", "x1": "i4", "kind": "i2", "score": "u2"}
#: Boxes that stay in memory, of the planes that were used last; those of one plane always do.
_HELD = 1 << 20
#: Bytes that are looked at together when a file is checked.
_STEP_BYTES = 8 << 20
_TAIL_BYTES = 8


def packed(planes: Iterable[tuple[int, int, Boxes]]) -> bytes:
    """Return the file of (place of the grid in the plan, place on the time axis, boxes); what is empty is left out."""
    parts: list[bytes] = []
    index: list[tuple[int, int, int, int]] = []
    place = 0
    for grid, plane, boxes in planes:
        if len(boxes):
            parts.append(_stream(boxes))
            index.append((grid, plane, place, len(parts[-1])))
            place += len(parts[-1])
    said = json.dumps(index).encode()
    return b"".join([*parts, said, len(said).to_bytes(_TAIL_BYTES, "little")])


def _stream(boxes: Boxes) -> bytes:
    names = [*_COLUMNS] if boxes.number is None else [*_COLUMNS, "number"]
    batch = pa.record_batch([pa.array(getattr(boxes, name)) for name in names], names=names)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


@dataclass(frozen=True, eq=False, slots=True)
class StoredBoxes:
    """The boxes of one grid; called with a plane, it returns that plane's."""

    store: Store
    """Where they are."""
    key: str
    """Which file."""
    index: dict[int, tuple[int, int]]
    """First byte and length of each plane that has boxes."""
    wanted: Callable[[Boxes], NDArray[np.bool_]] | None = None
    """Which of them count; None for all."""
    _held: OrderedDict[int, Boxes] = field(init=False, repr=False, default_factory=OrderedDict)
    """Planes in memory, the one that was used last at the end."""

    @classmethod
    def open(
        cls, store: Store, digest: str, grid: int, wanted: Callable[[Boxes], NDArray[np.bool_]] | None = None
    ) -> StoredBoxes:
        """Open the boxes on the grid at a place of the plan. Raises DamagedError where they are not what was kept."""
        key = objects_key(digest)
        size = store.size(key) or 0
        seen = sha256()
        for start in range(0, size, _STEP_BYTES):
            seen.update(store.get(key, start, min(_STEP_BYTES, size - start)))
        if seen.hexdigest() != digest:
            raise DamagedError(f"'{key}' is damaged", hint="run gw track --objects again")
        length = int.from_bytes(store.get(key, size - _TAIL_BYTES, _TAIL_BYTES), "little")
        index = json.loads(store.get(key, size - _TAIL_BYTES - length, length))
        return cls(store, key, {plane: (start, count) for of, plane, start, count in index if of == grid}, wanted)

    def __call__(self, plane: int) -> Boxes:
        """Return the boxes of a plane."""
        if plane not in self._held:
            self._held[plane] = self._read(plane)
            while len(self._held) > 1 and sum(map(len, self._held.values())) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(plane)
        return self._held[plane]

    def _read(self, plane: int) -> Boxes:
        if plane not in self.index:
            return Boxes.none()
        with pa.ipc.open_stream(pa.py_buffer(self.store.get(self.key, *self.index[plane]))) as reader:
            batch = reader.read_next_batch()
        columns: dict[str, Any] = {name: batch.column(name).to_numpy().astype(kind) for name, kind in _COLUMNS.items()}
        if "number" in batch.schema.names:
            columns["number"] = batch.column("number").to_numpy().astype(np.int32)
        boxes = Boxes(**columns)
        return boxes if self.wanted is None else boxes.where(self.wanted(boxes))
