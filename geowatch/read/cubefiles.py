"""Shards of a cube, opened: where the chunks of each are, and their bytes.

Windows at random places come back to the same shards again and again: indexes are read once and kept, and of a local
cube also files, the least recently used closed when there are too many.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence

from geowatch.errors import DamagedError, StoreError
from geowatch.read.cubecodec import HINT
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX
from geowatch.store.base import Store
from geowatch.store.local import LocalStore
from geowatch.store.shards import index_bytes, parse_index

__all__ = ["COUNTS", "Shards"]

#: Chunks of a shard along (time, y, x).
COUNTS = (1, BLOCK_PX // CHUNK_PX, BLOCK_PX // CHUNK_PX)
#: Files held open by one reader, of the 1,024 that a process may have by default, and indexes kept, 1 kB each.
MAX_FILES, MAX_INDEXES = 48, 2048
_INDEX_BYTES = index_bytes(COUNTS)


class Shards:
    """The shards of a cube folder, opened on first use. For one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = str(store.root) if isinstance(store, LocalStore) and hasattr(os, "pread") else None
        self._files: OrderedDict[str, int] = OrderedDict()
        self._indexes: OrderedDict[str, Sequence[int]] = OrderedDict()
        self.requests = 0

    def close(self) -> None:
        """Close all files and forget all indexes."""
        self._indexes.clear()
        while self._files:
            os.close(self._files.popitem()[1])

    def index(self, key: str, size_bytes: int) -> Sequence[int]:
        """Return offset and length of each chunk of a shard, one after the other, row by row.

        Raises:
            DamagedError: where it is gone, or its index is not what was written.
        """
        found = self._indexes.get(key)
        if found is None:
            try:
                table = parse_index(self.read(key, size_bytes - _INDEX_BYTES, _INDEX_BYTES), COUNTS)
            except (StoreError, ValueError) as error:
                raise DamagedError(f"'{key}' in {self._store.url} is gone or damaged: {error}", hint=HINT) from error
            found = self._indexes[key] = memoryview(table.tobytes()).cast("Q")
            if len(self._indexes) > MAX_INDEXES:
                self._indexes.popitem(last=False)
        return found

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return a part of a shard.

        Raises:
            StoreError: where it is gone.
        """
        self.requests += 1
        if self._root is None:
            return self._store.get(key, start, length)
        try:
            return os.pread(self._file(key), length, start)
        except OSError as error:
            raise StoreError(f"'{key}' cannot be read: {error.strerror}") from error

    def _file(self, key: str) -> int:
        found = self._files.get(key)
        if found is None:
            found = self._files[key] = os.open(f"{self._root}/{key}", os.O_RDONLY)
            if len(self._files) > MAX_FILES:
                os.close(self._files.popitem(last=False)[1])
        else:
            self._files.move_to_end(key)
        return found
