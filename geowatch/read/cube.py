"""Reading aligned frames: the same bytes as from the images, many times faster where windows lie at random.

A `CubeReader` has the interface of a `FrameReader` and gives the very same bits. Blocks that the cube does not hold are
read from the images; a reader without images refuses them. What is damaged is refused in either case, by the checksum
of each chunk: a cube that is silently wrong in one place is worse than none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from geowatch.errors import ImageryError
from geowatch.grid.lattice import PixelBox
from geowatch.read.closing import Closing
from geowatch.read.cubefiles import Shards
from geowatch.read.cubeformat import Block, CubeLayout, blocks_touching
from geowatch.read.cubemarkers import BlockMarker, read_marker
from geowatch.read.cubestacks import StackReader, StoredBlock
from geowatch.read.frameplan import FramePlan
from geowatch.read.reader import BoxReader, Patch, patch_of
from geowatch.store.base import Store

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
        self._there: dict[Block, StoredBlock | None] = {}
        self._stacks = StackReader(self._shards, layout)

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
        return self._stacks.bytes_decoded + (0 if self._images is None else self._images.bytes_read)

    @property
    def requests(self) -> int:
        """Reads that were asked of files so far."""
        return self._stacks.requests + (0 if self._images is None else self._images.requests)

    def holds(self, box: PixelBox) -> bool:
        """Whether the cube has all blocks of the frame that a box touches."""
        with self._lock:
            return all(self._stored(block) is not None for block in self.layout.blocks(box))

    def at_hand(self, box: PixelBox) -> bool:
        """Whether the cube has all of a box, in files.

        A chunk takes some microseconds without Python's lock. Two threads spend more than that on handing the lock to
        each other: they take longer than one.
        """
        return self._shards.are_files and self.holds(box)

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``; the same as `FrameReader.read` gives.

        Raises:
            ImageryError: the box is empty or reaches beyond the extent, or the cube lacks a block of it and there are
                no images to read instead.
            DamagedError: what is in the cube is not what was written.
        """
        out = patch_of(self.plan, box, out)
        with self._lock:
            blocks = [(block.box, self._stored(block)) for block in blocks_touching(box)]
            if not any(stored for _, stored in blocks):
                blocks = [(box, None)]
            for whole, stored in blocks:
                part = whole & box
                rows, cols = part.within(box)
                here = Patch(out.values[:, rows, cols], out.valid[rows, cols])
                if stored is None:
                    self._from_images(part, here)
                else:
                    self._stacks.read(part.within(whole), stored, here)
        return out

    def _stored(self, block: Block) -> StoredBlock | None:
        """Return where a block is stored; None where it is not done."""
        if block not in self._there:
            marker = read_marker(self._store, self.layout, block)
            self._there[block] = None if marker is None else self._block(block, marker)
        return self._there[block]

    def _block(self, block: Block, marker: BlockMarker) -> StoredBlock:
        listed = {each.key: (each.key, each.size_bytes) for each in marker.objects}
        arrays = (*self.layout.planes, self.layout.valid)
        objects = tuple(listed.get(self.layout.shard_key(plane, block)) for plane in arrays)
        return StoredBlock(objects, marker.valid_px == (block.box & self.plan.extent).area_px)

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
