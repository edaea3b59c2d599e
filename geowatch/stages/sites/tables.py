"""The consolidated tables where a run keeps them."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO

from geowatch.consolidate.output.batches import Batches

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["FOOTPRINTS", "GAPS", "HISTORY", "OBSERVATIONS", "ONGOING", "SITES", "stored_batches", "stored_digest"]

#: Keys of the tables that deliverables are made of.
SITES, OBSERVATIONS = "sites/sites.arrow", "sites/observations.arrow"
#: Key of the pixels of sites, which a later run compares its own with.
FOOTPRINTS = "sites/footprints.arrow"
#: Key of the account of what is missing, and of what became no site.
GAPS = "sites/gaps.json"
#: Key of what a later run goes on with.
ONGOING = "sites/ongoing.arrow"
#: Key of what it must know beside them.
HISTORY = "sites/history.json"


_AT_ONCE = 1 << 22


def stored_digest(store: Store, key: str) -> str:
    """Return the sha256 of an object, hex; memory does not follow its size. Raises StoreError where there is none."""
    digest = hashlib.sha256()
    for start in range(0, store.size(key) or 1, _AT_ONCE):
        digest.update(store.get(key, start, _AT_ONCE))
    return digest.hexdigest()


def stored_batches(store: Store, key: str) -> Batches:
    """Return an Arrow file of a store as batches; it is read as they are asked for.

    Raises:
        StoreError: where there is none.
        DamagedError: for what is no Arrow file.
    """
    return Batches.of_file(lambda: _opened(store, key))


def _opened(store: Store, key: str) -> BinaryIO:
    return io.BufferedReader(_StoredFile(store, key), 1 << 20)


class _StoredFile(io.RawIOBase):
    """An object of a store as a file to read from."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key, self._at = store, key, 0
        size = store.size(key)
        self._size = len(store.get(key)) if size is None else size  # get says what is missing

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._store.get(self._key, self._at, len(buffer))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
