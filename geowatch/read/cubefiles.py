"""Shards of a cube: where the chunks of each are, and their bytes.

Windows at random places come back to the same shards again and again: their indexes are read once and kept. Files are
not: a series has thousands of them, a process may hold a thousand, and opening one costs less than a chunk.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from geowatch.errors import DamagedError, StoreError
from geowatch.read.cubecodec import HINT
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX
from geowatch.store.base import Store
from geowatch.store.local import LocalStore
from geowatch.store.shards import index_bytes, parse_index

__all__ = ["COUNTS", "Shard", "Shards"]

#: Chunks of a shard along (time, y, x).
COUNTS = (1, BLOCK_PX // CHUNK_PX, BLOCK_PX // CHUNK_PX)
#: Indexes kept by one reader, 1 kB each.
MAX_INDEXES = 2048
_INDEX_BYTES = index_bytes(COUNTS)


class Shard:
    """A shard that is open; a context.

    Args:
        store: the cube folder.
        key: the shard's key.

    Raises:
        StoreError: where it is gone.
    """

    def __init__(self, store: Store, key: str) -> None:
        self.key = key
        self._store = store
        self._file: int | None = None
        if isinstance(store, LocalStore) and hasattr(os, "pread"):
            try:
                self._file = os.open(f"{store.root}/{key}", os.O_RDONLY)
            except OSError as error:
                raise StoreError(f"'{key}' in {store.url} cannot be read: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)

    def read(self, start: int, length: int) -> bytes:
        """Return a part of it. Raises StoreError where it cannot be read."""
        if self._file is None:
            return self._store.get(self.key, start, length)
        try:
            return os.pread(self._file, length, start)
        except OSError as error:
            raise StoreError(f"'{self.key}' in {self._store.url} cannot be read: {error.strerror}") from error


class Shards:
    """The shards of a cube folder. For one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._indexes: OrderedDict[str, Sequence[int]] = OrderedDict()

    @property
    def are_files(self) -> bool:
        """Whether shards are files, and not objects of a store elsewhere."""
        return isinstance(self._store, LocalStore)

    def clear(self) -> None:
        """Forget all indexes."""
        self._indexes.clear()

    def open(self, key: str, size_bytes: int) -> tuple[Shard, Sequence[int]]:
        """Open a shard; return it with offset and length of each chunk, one after the other, row by row.

        Raises:
            DamagedError: where it is gone, or its index is not what was written.
        """
        try:
            shard = Shard(self._store, key)
        except StoreError as error:
            raise DamagedError(error.fact, hint=HINT) from error
        index = self._indexes.get(key)
        if index is None:
            try:
                index = self._indexes[key] = _index(shard, size_bytes)
            except DamagedError:
                shard.__exit__(None, None, None)
                raise
            if len(self._indexes) > MAX_INDEXES:
                self._indexes.popitem(last=False)
        return shard, index


def _index(shard: Shard, size_bytes: int) -> Sequence[int]:
    try:
        table = parse_index(shard.read(size_bytes - _INDEX_BYTES, _INDEX_BYTES), COUNTS)
    except (StoreError, ValueError) as error:
        raise DamagedError(f"'{shard.key}' is damaged: {error}", hint=HINT) from error
    return memoryview(table.tobytes()).cast("Q")
