"""Decoded pixels in memory: how stored rasters are cut into pieces, and which pieces are kept.

Files are decoded in whole pieces, each made of whole stored blocks, and pieces are kept while they fit: reads
that follow each other down an image then decode every stored block once, wherever the reads are cut.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geowatch.read.geometry import SourceWindow

__all__ = ["BlockCache", "Pieces"]

#: Pieces are at least this long and wide, so that small blocks cost few steps (pixels).
MIN_PIECE_PX = 256
#: Blocks as wide as an image are put together to no more than this (pixels).
MAX_PIECE_AREA_PX = 1 << 20


class BlockCache:
    """Arrays by key, the least recently used dropped first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._blocks: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._spare: NDArray[Any] | None = None

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return an array if it is still there."""
        found = self._blocks.get(key)
        if found is not None:
            self._blocks.move_to_end(key)
        return found

    def put(self, key: Hashable, block: NDArray[Any]) -> None:
        """Keep an array, if it fits at all."""
        if block.nbytes > self.max_bytes or key in self._blocks:
            return
        self.make_room(block.nbytes)
        self._blocks[key] = block
        self._bytes += block.nbytes

    def make_room(self, size_bytes: int) -> None:
        """Drop what was not used for the longest time until ``size_bytes`` more fit."""
        while self._blocks and self._bytes + size_bytes > self.max_bytes:
            _, dropped = self._blocks.popitem(last=False)
            self._bytes -= dropped.nbytes
            # Two references, this name and the argument, mean that nobody looks at the array any more.
            self._spare = dropped if sys.getrefcount(dropped) == 2 else None

    def blank(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array to write to, with room made for it: the one dropped last, where it has the same form.

        Fresh memory costs as much as a tenth of decoding into it: the system hands it out page by page.
        """
        self.make_room(math.prod(shape) * dtype.itemsize)
        spare, self._spare = self._spare, None
        fits = spare is not None and (spare.shape, spare.dtype) == (shape, dtype)
        return spare if spare is not None and fits else np.empty(shape, dtype)

    def clear(self) -> None:
        """Forget all."""
        self._blocks.clear()
        self._bytes, self._spare = 0, None


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a stored raster is cut.

    Blocks of 512 px are pieces as they are, blocks of 128 px are taken 2 x 2 at a time, and rows of a raster that
    is stored row by row are put together::

        >>> Pieces.of((1000, 9000), (512, 512)).piece, Pieces.of((1000, 9000), (128, 128)).piece
        ((512, 512), (256, 256))
        >>> Pieces.of((1000, 9000), (1, 9000)).piece
        (116, 9000)
    """

    shape: tuple[int, int]
    """(rows, columns) of the raster."""
    block: tuple[int, int]
    """(rows, columns) of a stored block."""
    piece: tuple[int, int]
    """(rows, columns) of a piece: whole blocks."""

    @classmethod
    def of(cls, shape: tuple[int, int], block: tuple[int, int]) -> Pieces:
        """Return the cut of a raster that is stored in blocks of the size ``block``."""
        high, wide = (min(max(1, b), n) for b, n in zip(block, shape, strict=True))
        cols = wide * math.ceil(MIN_PIECE_PX / wide)
        least = min(MIN_PIECE_PX, max(1, MAX_PIECE_AREA_PX // cols))
        return cls(shape, (high, wide), (high * max(1, least // high), cols))

    def touching(self, window: SourceWindow) -> tuple[range, range]:
        """Return (rows, columns) of the pieces that a window touches."""
        (high, wide) = self.piece
        return (
            range(window.y0 // high, -(-window.y1 // high)),
            range(window.x0 // wide, -(-window.x1 // wide)),
        )

    def hull(self, rows: range, cols: range) -> SourceWindow:
        """Return the pixels of pieces that lie side by side."""
        (high, wide), (height, width) = self.piece, self.shape
        return SourceWindow(
            rows.start * high, cols.start * wide, min(height, rows.stop * high), min(width, cols.stop * wide)
        )

    def blocks_in(self, window: SourceWindow) -> int:
        """Return how many stored blocks a window of whole pieces holds."""
        return math.prod(-(-n // b) for n, b in zip(window.shape, self.block, strict=True))
