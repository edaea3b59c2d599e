"""Open image files, each opened once, and the reads that go through them.

`Handles` counts the bytes and the requests that pass, and turns whatever breaks into an error that names the file
and its bands. A partial array is never returned.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geowatch.errors import CorruptImageError
from geowatch.read.asking import Head, check_same, look
from geowatch.read.closing import Closing
from geowatch.read.gdal import GDAL_FAILURES, Opening, gdal_env, message_of, open_image
from geowatch.read.geometry import SourceWindow
from geowatch.read.remote import Remote, is_remote
from geowatch.read.scene import Fingerprint

__all__ = ["Access", "Counts", "Handles", "Stored"]

#: Files held open at once; a process may have 1,024 by default.
MAX_OPEN = 128
#: How often a remote file that breaks is opened again, from scratch: connections are cut, files rarely damaged.
_OPENED_AGAIN = 2


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


@dataclass(frozen=True, slots=True)
class Access:
    """How files are reached."""

    remote: Remote = field(default_factory=Remote)
    """How remote ones are."""
    threads: int = 1
    """Threads that decode the blocks of one read."""
    pinned: Mapping[str, Fingerprint] = field(default_factory=dict)
    """What remote files were when they were planned, by address."""


class Handles(Closing):
    """Image files opened on first use; the least recently used is closed when there are too many."""

    def __init__(self, access: Access | None = None) -> None:
        self.counts = Counts()
        self._access = access or Access()
        self._open: OrderedDict[tuple[str, int | None], DatasetReader] = OrderedDict()
        self._heads: dict[str, Head] = {}

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
            ImageryError: a remote file is gone, closed to you, or another one than was planned.
        """
        for left in reversed(range(_OPENED_AGAIN + 1)):
            # A remote file: is it there, open, and the same? If not, this says so.
            self._head(stored.uri)
            try:
                self._read(stored, window, out)
                break
            except (*GDAL_FAILURES, MemoryError) as error:
                if not is_remote(stored.uri):
                    raise self._named_failure(stored, window, error) from error
                # If so, a connection may have been cut.
                self._forget(stored.uri)
                if left == 0:
                    self._head(stored.uri)
                    raise self._named_failure(stored, window, error) from None
        self.counts.bytes_read += out.nbytes
        self.counts.requests += 1

    def _read(self, stored: Stored, window: SourceWindow, out: NDArray[Any]) -> None:
        dataset = self._dataset(stored.uri, stored.overview)
        rect = Window(window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0)
        read = dataset.read_masks if stored.mask else dataset.read
        with gdal_env(str(dataset.name), self._access.remote, self._access.threads):
            read(list(stored.indexes), window=rect, out=out)

    def _named_failure(self, stored: Stored, window: SourceWindow, error: Exception) -> CorruptImageError:
        hint = "the file is truncated or damaged; fetch it again, or leave the scene out"
        if is_remote(stored.uri):
            hint = f"it was tried {_OPENED_AGAIN + 1} times, and its server says that it is unchanged: {hint}"
        why = message_of(error, self._access.remote)
        return CorruptImageError(f"{_named(stored)} breaks at rows {window.y0} to {window.y1}: {why}", hint=hint)

    def _dataset(self, uri: str, overview: int | None) -> DatasetReader:
        key = uri, overview
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = self._opened(uri, overview)
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return found

    def _opened(self, uri: str, overview: int | None) -> DatasetReader:
        for left in reversed(range(_OPENED_AGAIN + 1)):
            opening = Opening(overview, self._access.threads, self._head(uri))
            try:
                return open_image(uri, opening, self._access.remote)
            except CorruptImageError:
                if left == 0 or not is_remote(uri):
                    raise
                self._forget(uri)
        raise AssertionError  # the loop returns or raises

    def _head(self, uri: str) -> Head | None:
        """Return what the server says of a remote file; asked once, and compared with what was planned."""
        if not is_remote(uri):
            return None
        if uri not in self._heads:
            head = look(self._access.remote.full(uri), self._access.remote)
            check_same(self._access.pinned.get(uri), head.fingerprint)
            self._heads[uri] = head
        return self._heads[uri]

    def _forget(self, uri: str) -> None:
        """Close a remote file and forget what is known of it; looked at anew, it is another one to GDAL."""
        for key in [key for key in self._open if key[0] == uri]:
            self._open.pop(key).close()
        self._heads.pop(uri, None)


def _named(stored: Stored) -> str:
    several = "band" if len(stored.indexes) == 1 else "bands"
    return f"{several} {', '.join(map(str, stored.indexes))} of '{stored.uri}'"
