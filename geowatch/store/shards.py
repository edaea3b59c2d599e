"""The bytes of a Zarr v3 shard: chunks one after another, and at the end where each of them is.

Small enough to be written down here, and doing so keeps what a general library does not promise: the bytes are a
function of the chunks alone, and nothing but finished bytes ever meets a store.
Source: Zarr v3 specification, "sharding_indexed" codec, version 1.0, index at the end with crc32c.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import google_crc32c
import numpy as np

from geowatch.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["ABSENT", "index_bytes", "join_shard", "parse_index", "sealed", "unsealed"]

Sealed = TypeVar("Sealed", bytes, "NDArray[np.uint8]")
#: Offset and length of a chunk that is all fill and takes no bytes.
ABSENT = 2**64 - 1
_CRC_BYTES = 4
#: The sum of anything with its own sum behind it.
_SUM_OF_SEALED = 0x48674BC7


def index_bytes(counts: tuple[int, ...]) -> int:
    """Return how many bytes at the end of a shard say where its chunks are.

    >>> index_bytes((1, 8, 8))
    1028
    """
    return 16 * math.prod(counts) + _CRC_BYTES


def join_shard(counts: tuple[int, ...], chunks: Iterable[tuple[tuple[int, ...], bytes]]) -> bytes | None:
    """Return the bytes of a shard, or None where it has no chunk: all of it is fill then.

    Args:
        counts: Chunks along each axis.
        chunks: (place, encoded bytes) of those that are not all fill, in the order in which they are to lie.
    """
    index = np.full((*counts, 2), ABSENT, "<u8")
    parts: list[bytes] = []
    offset = 0
    for place, encoded in chunks:
        index[place] = offset, len(encoded)
        offset += len(encoded)
        parts.append(encoded)
    return b"".join([*parts, sealed(index.tobytes())]) if parts else None


def parse_index(content: bytes, counts: tuple[int, ...], hint: str | None = None) -> NDArray[np.uint64]:
    """Return (offset, length) of each chunk, shape (*counts, 2), from the last `index_bytes` of a shard.

    Raises:
        DamagedError: where these are not what was written.
    """
    return np.frombuffer(unsealed(content, "a shard's index", hint), "<u8").reshape(*counts, 2)


def sealed(content: bytes) -> bytes:
    """Return bytes with their crc32c behind them, as Zarr's codec ``crc32c`` has it."""
    checksum: int = google_crc32c.value(content)
    return content + checksum.to_bytes(_CRC_BYTES, "little")


def unsealed(content: Sealed, what: str, hint: str | None = None) -> Sealed:
    """Return what `sealed` was given: of an array a view.

    Raises:
        DamagedError: where the sum does not fit; the message names ``what``, and has the ``hint``.
    """
    if google_crc32c.value(content) != _SUM_OF_SEALED:
        raise DamagedError(f"{what} is damaged: it has another checksum than was written", hint=hint)
    return content[:-_CRC_BYTES]
