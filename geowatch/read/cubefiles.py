"""Shards of a cube, opened: where the chunks of each are, and their bytes.

Windows at random places come back to the same shards again and again: indexes are read once and kept, and so are the
files of a local cube, the least recently used closed when there are too many.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass

from geowatch.errors import DamagedError, StoreError
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX
from geowatch.store.base import Store
from geowatch.store.local import LocalStore
from geowatch.store.shards import index_bytes, parse_index

__all__ = ["COUNTS", "Shard", "Shards"]

#: Chunks of a shard along (time, y, x).
COUNTS = (1, BLOCK_PX // CHUNK_PX, BLOCK_PX // CHUNK_PX)
#: Shards held open at once by one reader, a file each.
MAX_OPEN = 64
_HINT = "gw dataset align --check makes damaged blocks again"


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """One shard."""

    key: str
    """Its key."""
    index: list[list[tuple[int, int]]]
    """(offset, length) of each chunk, row by row."""
    file: int | None
    """Its open file, where it is a local one."""


class Shards:
    """The shards of a cube folder, opened on first use. For one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self.requests = 0

    def close(self) -> None:
        """Close all files."""
        while self._open:
            _shut(self._open.popitem()[1])

    def shard(self, key: str, size_bytes: int) -> Shard:
        """Return a shard.

        Raises:
            DamagedError: where it is gone, or its index is not what was written.
        """
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = self._opened(key, size_bytes)
            if len(self._open) > MAX_OPEN:
                _shut(self._open.popitem(last=False)[1])
        self._open.move_to_end(key)
        return found

    def read(self, shard: Shard, start: int, length: int) -> bytes:
        """Return a part of a shard."""
        self.requests += 1
        if shard.file is not None:
            return os.pread(shard.file, length, start)
        return self._store.get(shard.key, start, length)

    def _opened(self, key: str, size_bytes: int) -> Shard:
        length = index_bytes(COUNTS)
        file = None
        try:
            if isinstance(self._store, LocalStore) and hasattr(os, "pread"):
                file = os.open(self._store.path(key), os.O_RDONLY)
            tail = self.read(Shard(key, [], file), size_bytes - length, length)
            index = parse_index(tail, COUNTS)[0].tolist()
        except (OSError, StoreError, ValueError) as error:
            if file is not None:
                os.close(file)
            raise DamagedError(f"'{key}' in {self._store.url} is gone or damaged: {error}", hint=_HINT) from error
        return Shard(key, index, file)


def _shut(shard: Shard) -> None:
    if shard.file is not None:
        os.close(shard.file)
