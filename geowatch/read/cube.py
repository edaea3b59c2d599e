"""Reading aligned frames: the same bytes as from the images, many times faster where windows lie at random.

A `CubeReader` has the interface of a `FrameReader` and gives the very same bits. Blocks that the cube does not hold are
read from the images; a reader without images refuses them. What is damaged is refused in either case, by the checksum
of each chunk: a cube that is silently wrong in one place is worse than none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import ImageryError
from geowatch.grid.lattice import PixelBox
from geowatch.read.closing import Closing
from geowatch.read.cubecodec import decode, encode
from geowatch.read.cubefiles import COUNTS, Shard, Shards
from geowatch.read.cubeformat import CHUNK_PX, Block, CubeLayout, Plane, blocks_touching
from geowatch.read.cubemarkers import read_marker
from geowatch.read.frameplan import FramePlan
from geowatch.read.reader import BoxReader, Patch, patch_of
from geowatch.store.base import Store
from geowatch.store.shards import ABSENT

__all__ = ["CubeReader"]


class CubeReader(Closing):
    """Reads boxes of one aligned frame. For one reading thread at a time; others wait.

    Args:
        store: the cube folder.
        layout: where the frame lies in it.
        images: opens a reader of the images, for blocks that are not there; None refuses them.
    """

    def __init__(self, store: Store, layout: CubeLayout, images: Callable[[], BoxReader] | None = None) -> None:
        self.layout = layout
        self._store = store
        self._open_images = images
        self._images: BoxReader | None = None
        self._lock = threading.Lock()
        self._shards = Shards(store)
        self._there: dict[Block, dict[str, int] | None] = {}
        kinds = {plane.dtype for plane in (*layout.planes, layout.valid)}
        self._spare = {dtype: np.empty((CHUNK_PX, CHUNK_PX), dtype) for dtype in kinds}
        self._decoded = self._requests = 0

    def close(self) -> None:
        """Close the images, and forget which blocks are there."""
        with self._lock:
            self._shards.clear()
            self._there.clear()
            if self._images is not None:
                self._images.close()
                self._images = None

    @property
    def plan(self) -> FramePlan:
        """The frame."""
        return self.layout.plan

    @property
    def bytes_read(self) -> int:
        """Bytes of stored pixels that were decoded so far, of the cube and of images."""
        return self._decoded + (0 if self._images is None else self._images.bytes_read)

    @property
    def requests(self) -> int:
        """Reads that were asked of files so far."""
        return self._requests + (0 if self._images is None else self._images.requests)

    def holds(self, box: PixelBox) -> bool:
        """Whether the cube has all blocks of the frame that a box touches."""
        with self._lock:
            return all(self._sizes(block) is not None for block in self.layout.blocks(box))

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``; the same as `FrameReader.read` gives.

        Raises:
            ImageryError: the box is empty or reaches beyond the extent, or the cube lacks a block of it and there are
                no images to read instead.
            DamagedError: what is in the cube is not what was written.
        """
        out = patch_of(self.plan, box, out)
        with self._lock:
            for part, block in self._parts(box):
                rows, cols = part.within(box)
                here = Patch(out.values[:, rows, cols], out.valid[rows, cols])
                if block is None:
                    self._from_images(part, here)
                else:
                    self._from_cube(block, part, here)
        return out

    def _parts(self, box: PixelBox) -> Iterator[tuple[PixelBox, Block | None]]:
        """Yield the parts of a box with the block that each is in; None for what the cube does not hold."""
        blocks = blocks_touching(box)
        if all(self._sizes(block) is None for block in blocks):
            yield box, None
            return
        for block in blocks:
            yield block.box & box, None if self._sizes(block) is None else block

    def _sizes(self, block: Block) -> dict[str, int] | None:
        """Return the objects of a block with their sizes; None where it is not done."""
        if block not in self._there:
            marker = read_marker(self._store, self.layout, block)
            self._there[block] = None if marker is None else {o.key: o.size_bytes for o in marker.objects}
        return self._there[block]

    def _from_images(self, box: PixelBox, out: Patch) -> None:
        if self._images is None:
            if self._open_images is None:
                raise ImageryError(
                    f"the cube in {self._store.url} has no pixels of box {box.to_list()} of frame "
                    f"'{self.plan.frame_id}'",
                    hint="gw dataset align makes them",
                )
            self._images = self._open_images()
        self._images.read(box, out)

    def _from_cube(self, block: Block, box: PixelBox, out: Patch) -> None:
        y, x = block.box.y0, block.box.x0
        rows = _rows((box.y0 - y, box.y1 - y), (box.x0 - x, box.x1 - x))
        for plane, values in zip(self.layout.planes, out.values, strict=True):
            self._fill(self._place(block, plane), plane, rows, values)
            if plane.numbers is not None:
                plane.numbers.to_physical(values)
        self._fill(self._place(block, self.layout.valid), self.layout.valid, rows, out.valid)
        if not out.valid.all():
            np.copyto(out.values, np.float32(0), where=~out.valid)

    def _place(self, block: Block, plane: Plane) -> tuple[str, int] | None:
        """Return key and size of the object that holds a block of an array; None where all of it is fill."""
        key = self.layout.shard_key(plane, block)
        size_bytes = (self._sizes(block) or {}).get(key)
        return None if size_bytes is None else (key, size_bytes)

    def _fill(self, place: tuple[str, int] | None, plane: Plane, rows: tuple[_Row, ...], out: NDArray[Any]) -> None:
        """Write the stored numbers of some rows of chunks to ``out`` (H, W)."""
        if place is None:
            out[...] = plane.fill
            return
        shard, index = self._shards.open(*place)
        with shard:
            for row in rows:
                for cut, content in self._row(shard, index, row):
                    out[cut.to] = plane.fill if content is None else self._chunk(plane, content, shard.key)[cut.of]

    def _row(self, shard: Shard, index: Sequence[int], row: _Row) -> Iterator[tuple[_Cut, bytes | None]]:
        """Yield encoded chunks, None for those that are all fill. Those of a row lie side by side: one read."""
        places = [(index[2 * cut.chunk], index[2 * cut.chunk + 1]) for cut in row]
        there = [(offset, offset + length) for offset, length in places if offset != ABSENT]
        start = min((first for first, _ in there), default=0)
        content = shard.read(start, max(last for _, last in there) - start) if there else b""
        self._requests += bool(there)
        for cut, (offset, length) in zip(row, places, strict=True):
            at = offset - start
            yield cut, None if offset == ABSENT else content[at : at + length]

    def _chunk(self, plane: Plane, content: bytes, key: str) -> NDArray[Any]:
        """Return a decoded chunk, to be used before the next one is decoded."""
        if plane.dtype == np.bool_ and content == _all_valid():
            return _ALL
        out = self._spare[plane.dtype]
        decode(content, out, key)
        self._decoded += out.nbytes
        return out


class _Cut(NamedTuple):
    """The part of a chunk that lies in a box."""

    chunk: int
    """Place of the chunk in its block, row by row."""
    of: tuple[slice, slice]
    """Rows and columns of the chunk."""
    to: tuple[slice, slice]
    """Rows and columns of the box."""


_Row = tuple[_Cut, ...]


@lru_cache(maxsize=256)
def _rows(rows: tuple[int, int], columns: tuple[int, int]) -> tuple[_Row, ...]:
    """Return the chunks of a block under a box of it, row by row; the same for all bands and dates of a window."""
    return tuple(
        tuple(_Cut(iy * COUNTS[2] + ix, (of_y, of_x), (to_y, to_x)) for ix, of_x, to_x in _pieces(columns))
        for iy, of_y, to_y in _pieces(rows)
    )


def _pieces(span: tuple[int, int]) -> list[tuple[int, slice, slice]]:
    """Return for each chunk along one axis of a block its index, its part under ``span``, and where that goes.

    >>> _pieces((100, 200))
    [(0, slice(100, 128, None), slice(0, 28, None)), (1, slice(0, 72, None), slice(28, 100, None))]
    """
    pieces = []
    for index in range(span[0] // CHUNK_PX, -(-span[1] // CHUNK_PX)):
        start = index * CHUNK_PX
        first, stop = max(start, span[0]), min(start + CHUNK_PX, span[1])
        pieces.append((index, slice(first - start, stop - start), slice(first - span[0], stop - span[0])))
    return pieces


_ALL = np.ones((CHUNK_PX, CHUNK_PX), bool)


@cache
def _all_valid() -> bytes:
    """Return the chunk of validity that most chunks are: it need not be decoded."""
    return encode(_ALL)
