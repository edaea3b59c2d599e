"""Reading aligned frames: the same bytes as from the images, many times faster where windows lie at random.

A `CubeReader` has the interface of a `FrameReader` and gives the very same bits. Blocks that the cube does not hold are
read from the images; a reader without images refuses them. What is damaged is refused in either case, by the checksum
of each chunk: a cube that is silently wrong in one place is worse than none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import ImageryError
from geowatch.grid.lattice import PixelBox
from geowatch.read.cubecodec import decode, encode
from geowatch.read.cubefiles import Shard, Shards
from geowatch.read.cubeformat import CHUNK_PX, Block, CubeLayout, Plane, blocks_touching
from geowatch.read.cubemarkers import read_marker
from geowatch.read.frameplan import FramePlan
from geowatch.read.reader import BoxReader, Patch
from geowatch.store.base import Store
from geowatch.store.shards import ABSENT

__all__ = ["CubeReader"]


class CubeReader:
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
        self._decoded = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files, and forget which blocks are there."""
        with self._lock:
            self._shards.close()
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
        return self._shards.requests + (0 if self._images is None else self._images.requests)

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
        if not box or not self.plan.extent.covers(box):
            raise ImageryError(
                f"box {box.to_list()} is not within the extent {self.plan.extent.to_list()} of frame "
                f"'{self.plan.frame_id}'",
                hint="read the part that lies within, and fill the rest by rule",
            )
        if out is None:
            out = Patch(np.empty((len(self.plan.bands), *box.shape), np.float32), np.empty(box.shape, bool))
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
        for plane, values in zip(self.layout.planes, out.values, strict=True):
            self._fill(block, plane, box, values)
            if plane.numbers is not None:
                plane.numbers.to_physical(values)
        self._fill(block, self.layout.valid, box, out.valid)
        if not out.valid.all():
            np.copyto(out.values, np.float32(0), where=~out.valid)

    def _fill(self, block: Block, plane: Plane, box: PixelBox, out: NDArray[Any]) -> None:
        """Write the stored numbers of a box, which lies in the block, to ``out`` (H, W)."""
        key = self.layout.shard_key(plane, block)
        size_bytes = (self._sizes(block) or {}).get(key)
        if size_bytes is None:
            out[...] = plane.fill
            return
        shard = self._shards.shard(key, size_bytes)
        inner = PixelBox(box.y0 - block.box.y0, box.x0 - block.box.x0, box.y1 - block.box.y0, box.x1 - block.box.x0)
        for row in range(inner.y0 // CHUNK_PX, -(-inner.y1 // CHUNK_PX)):
            for column, content in self._row(shard, row, range(inner.x0 // CHUNK_PX, -(-inner.x1 // CHUNK_PX))):
                y, x = row * CHUNK_PX, column * CHUNK_PX
                part = PixelBox(y, x, y + CHUNK_PX, x + CHUNK_PX) & inner
                to = part.within(inner)
                if content is None:
                    out[to] = plane.fill
                else:
                    out[to] = self._chunk(plane, content, key)[part.y0 - y : part.y1 - y, part.x0 - x : part.x1 - x]

    def _row(self, shard: Shard, row: int, columns: range) -> Iterator[tuple[int, bytes | None]]:
        """Yield the encoded chunks of a row, None for those that are all fill; they lie side by side: one read."""
        places = shard.index[row][columns.start : columns.stop]
        there = [(offset, offset + length) for offset, length in places if offset != ABSENT]
        start = min((first for first, _ in there), default=0)
        stop = max((last for _, last in there), default=0)
        content = self._shards.read(shard, start, stop - start) if there else b""
        for column, (offset, length) in zip(columns, places, strict=True):
            at = offset - start
            yield column, None if offset == ABSENT else content[at : at + length]

    def _chunk(self, plane: Plane, content: bytes, key: str) -> NDArray[Any]:
        """Return a decoded chunk, to be used before the next one is decoded."""
        if plane.dtype == np.bool_ and content == _all_valid():
            return _ALL
        out = self._spare[plane.dtype]
        decode(content, out, key)
        self._decoded += out.nbytes
        return out


_ALL = np.ones((CHUNK_PX, CHUNK_PX), bool)


@cache
def _all_valid() -> bytes:
    """Return the chunk of validity that most chunks are: it need not be decoded."""
    return encode(_ALL)
