"""Open image files, each opened once, and the reads that go through them.

`Handles` counts the bytes and the requests that pass, and turns whatever breaks into an error that names the file
and its bands. A partial array is never returned.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geowatch.errors import CorruptImageError
from geowatch.read.gdal import GDAL_FAILURES, gdal_env, open_image
from geowatch.read.geometry import SourceWindow

__all__ = ["Counts", "Handles", "Stored"]

#: Files held open at once; a process may have 1,024 by default.
MAX_OPEN = 128


class Stored(NamedTuple):
    """Layers of a file that are decoded together."""

    uri: str
    """The file."""
    indexes: tuple[int, ...]
    """Band numbers, from 1."""
    overview: int | None = None
    """Overview level, 0 for the first; None for full resolution."""
    mask: bool = False
    """Whether the file's own mask of these bands is meant, which is not 0 where they are valid."""


@dataclass(slots=True)
class Counts:
    """What was asked of files."""

    bytes_read: int = 0
    """Bytes of stored numbers, decoded."""
    requests: int = 0
    """Reads; one takes all that is missing side by side."""
    blocks: int = 0
    """Stored blocks that were decoded; one of all layers counts once."""


class Handles:
    """Image files opened on first use; the least recently used is closed when there are too many."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._open: OrderedDict[tuple[str, int | None], DatasetReader] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def shape(self, uri: str, overview: int | None) -> tuple[int, int]:
        """Return (rows, columns) of a file at a level."""
        rows, cols = self._dataset(uri, overview).shape
        return rows, cols

    def block(self, stored: Stored) -> tuple[int, int]:
        """Return (rows, columns) of the blocks that layers are stored in."""
        rows, cols = self._dataset(stored.uri, stored.overview).block_shapes[stored.indexes[0] - 1]
        return rows, cols

    def dtype(self, stored: Stored) -> np.dtype[Any]:
        """Return the type of stored numbers."""
        name: str = self._dataset(stored.uri, stored.overview).dtypes[stored.indexes[0] - 1]
        return np.dtype("uint8" if stored.mask else name)

    def read(self, stored: Stored, window: SourceWindow, out: NDArray[Any]) -> None:
        """Write stored numbers (layers, H, W) to ``out``.

        Raises:
            CorruptImageError: the file breaks; the message names it and the bands.
        """
        dataset = self._dataset(stored.uri, stored.overview)
        rect = Window(window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0)
        read = dataset.read_masks if stored.mask else dataset.read
        try:
            with gdal_env():
                read(list(stored.indexes), window=rect, out=out)
        except (*GDAL_FAILURES, MemoryError) as error:
            raise CorruptImageError(
                f"{_named(stored)} breaks at rows {window.y0} to {window.y1}: {error}",
                hint="the file is truncated or damaged; fetch it again, or leave the scene out",
            ) from error
        self.counts.bytes_read += out.nbytes
        self.counts.requests += 1

    def _dataset(self, uri: str, overview: int | None) -> DatasetReader:
        key = uri, overview
        found = self._open.get(key)
        if found is None:
            with gdal_env():
                found = self._open[key] = open_image(uri, overview=overview)
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return found


def _named(stored: Stored) -> str:
    several = "band" if len(stored.indexes) == 1 else "bands"
    return f"{several} {', '.join(map(str, stored.indexes))} of '{stored.uri}'"
