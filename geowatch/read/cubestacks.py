"""Reading a part of one block of a cube, all arrays of its frame together.

A window is hundreds of chunks, and decoding one takes no longer than some calls from Python. So arrays that are stored
alike are a stack: a chunk of each is decoded, and then all of them are cut, and later scaled, at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geowatch.read.cubecodec import decode, encode
from geowatch.read.cubecuts import Row, rows_of
from geowatch.read.cubefiles import Shard, Shards
from geowatch.read.cubeformat import CHUNK_PX, CubeLayout, Plane
from geowatch.read.reader import Patch
from geowatch.store.shards import ABSENT

__all__ = ["StackReader", "StoredBlock"]

Place = tuple[str, int]
"""Key and size of an object."""
Chunk = NDArray[np.uint8]
"""The bytes of a chunk, as they are stored."""
#: Arrays of a stack at most: as many files are open at a time, and a chunk of each is in memory.
_ARRAYS = 4


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Where a block is stored."""

    objects: tuple[Place | None, ...]
    """The object of each array, validity last; None where all of it is fill."""
    all_valid: bool
    """Whether all pixels of it that lie in the frame are valid."""


@dataclass(frozen=True, slots=True)
class _Stack:
    """Arrays of bands that follow each other and are stored alike."""

    bands: slice
    """Their places among the bands."""
    plane: Plane
    """The first of them."""


class StackReader:
    """Reads parts of the blocks of one frame. For one thread at a time; it keeps no pixels."""

    def __init__(self, shards: Shards, layout: CubeLayout) -> None:
        self._shards = shards
        self._stacks = tuple(_stacks(layout.planes))
        self._valid = layout.valid
        self.bytes_decoded = 0
        self.requests = 0

    def read(self, part: tuple[slice, slice], block: StoredBlock, out: Patch) -> None:
        """Write the pixels of a part of a block to ``out``, 0 where they are invalid.

        Args:
            part: rows and columns of the block, within the frame.
            block: where it is stored.
            out: arrays of the part's shape.

        Raises:
            DamagedError: what is stored is not what was written.
        """
        rows = rows_of(*((each.start, each.stop) for each in part))
        for stack in self._stacks:
            values = out.values[stack.bands]
            self._fill(stack.plane, block.objects[stack.bands], rows, values)
            if stack.plane.numbers is not None:
                stack.plane.numbers.to_physical(values)
        if block.all_valid:
            out.valid[...] = True
            return
        self._fill(self._valid, block.objects[-1:], rows, out.valid[None])
        if not out.valid.all():
            np.copyto(out.values, np.float32(0), where=~out.valid)

    def _fill(self, plane: Plane, places: Sequence[Place | None], rows: Sequence[Row], out: NDArray[Any]) -> None:
        """Write the stored numbers of arrays that are stored alike to ``out`` (N, H, W)."""
        if not any(places):
            out[...] = plane.fill
            return
        decoded = np.empty((len(places), CHUNK_PX, CHUNK_PX), plane.dtype)
        with ExitStack() as opened:
            shards = [place and self._open(place, opened) for place in places]
            for row in rows:
                contents = [self._row(shard, row) for shard in shards]
                for cut, *chunks in zip(row.cuts, *contents, strict=True):
                    for content, shard, chunk in zip(chunks, shards, decoded, strict=True):
                        if content is None or shard is None:
                            chunk.fill(plane.fill)
                        else:
                            self._decode(content, chunk, shard[0].key)
                    out[cut.to] = decoded[cut.of]

    def _open(self, place: Place, opened: ExitStack) -> tuple[Shard, Sequence[int]]:
        shard, index = self._shards.open(*place)
        return opened.enter_context(shard), index

    def _row(self, shard: tuple[Shard, Sequence[int]] | None, row: Row) -> Sequence[Chunk | None]:
        """Return the chunks of a row, None for those that are all fill. They lie side by side: one read."""
        if shard is None:
            return row.nothing
        file, index = shard
        spans = [(index[at], index[at + 1]) for at in row.places]
        there = [span for span in spans if span[0] != ABSENT]
        if not there:
            return row.nothing
        start = there[0][0]
        content = np.frombuffer(file.read(start, sum(there[-1]) - start), np.uint8)
        self.requests += 1
        return [None if at == ABSENT else content[at - start : at - start + length] for at, length in spans]

    def _decode(self, content: Chunk, out: NDArray[Any], key: str) -> None:
        if out.dtype == np.bool_ and content.tobytes() == _all_valid():
            out.fill(True)
            return
        decode(content, out, key)
        self.bytes_decoded += out.nbytes


def _stacks(planes: Sequence[Plane]) -> Iterator[_Stack]:
    first = 0
    for _, group in groupby(planes, lambda plane: (plane.dtype, plane.numbers, str(plane.fill))):
        alike = list(group)
        for at in range(0, len(alike), _ARRAYS):
            yield _Stack(slice(first + at, first + min(at + _ARRAYS, len(alike))), alike[at])
        first += len(alike)


@cache
def _all_valid() -> bytes:
    """Return the chunk of validity that most chunks are: it need not be decoded."""
    return encode(np.ones((CHUNK_PX, CHUNK_PX), bool))
