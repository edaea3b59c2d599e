"""One tile's core as the bytes of one Zarr shard.

Encoding it here (the format is in `store.shards`) keeps three promises that a general library does not make: the bytes
are a function of the values alone, nothing but finished bytes ever meets the store, and memory is what the core takes.
Reading is left to any Zarr library.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import DamagedError
from geowatch.stitch.codec import compress, decompress
from geowatch.store.shards import ABSENT, index_bytes, join_shard, parse_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["decode_shard", "decode_window", "encode_shard", "inner_chunk_px"]

_HINT = "gw verify names the tile; gw predict makes it again"


def inner_chunk_px(tile_px: int) -> int:
    """Return the side of the chunks inside a shard: the largest of 512, 256, ... that divides the tile.

    >>> inner_chunk_px(2048), inner_chunk_px(768), inner_chunk_px(100)
    (512, 256, 100)
    """
    side = 512
    while side >= 64:
        if tile_px % side == 0:
            return side
        side //= 2
    return tile_px


def encode_shard(
    core: NDArray[np.generic],
    is_fill: Callable[[NDArray[np.generic]], NDArray[np.bool_]],
    chunk_px: int,
    *,
    side_px: int | None = None,
    at: tuple[int, int] = (0, 0),
) -> bytes | None:
    """Return the bytes of a shard with chunks (1, 1, chunk_px, chunk_px), or None where all of it is fill.

    Args:
        core: Stored values, shape (T, K, H, W), little endian.
        is_fill: Tells where stored values are fill; chunks that are all fill take no bytes.
        chunk_px: Side of a chunk; it divides H and W.
        side_px: Side of the shard where ``core`` is a part of it; the rest is fill.
        at: First row and column of that part in the shard, multiples of ``chunk_px``.
    """
    here = (core.shape[0], core.shape[1], core.shape[2] // chunk_px, core.shape[3] // chunk_px)
    counts = here if side_px is None else (*here[:2], side_px // chunk_px, side_px // chunk_px)
    first = (0, 0, at[0] // chunk_px, at[1] // chunk_px)
    chunks = _encoded(core, here, is_fill, chunk_px)
    return join_shard(counts, ((tuple(np.add(first, place).tolist()), content) for place, content in chunks))


def _encoded(
    core: NDArray[np.generic],
    counts: tuple[int, int, int, int],
    is_fill: Callable[[NDArray[np.generic]], NDArray[np.bool_]],
    chunk_px: int,
) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield the chunks that are not all fill."""
    step = max(1, chunk_px - 1)
    for place, chunk in _chunks(counts, chunk_px):
        values = core[chunk]
        # Most chunks begin or end with a score, which settles it.
        if not is_fill(values[::step, ::step]).all() or not is_fill(values).all():
            yield place, compress(np.ascontiguousarray(values))


def decode_shard(
    content: bytes, core: NDArray[np.generic], chunk_px: int, *, block: int | None = None, first: int = 0
) -> None:
    """Fill ``core`` (T, K, H, W; preset to fill) from the bytes of its shard.

    Args:
        content: The shard.
        core: Gets its T planes, or those of them from ``first`` on.
        chunk_px: Side of a chunk.
        block: Planes of the shard where they are not those of ``core``.
        first: The first of them that is wanted.

    Raises:
        DamagedError: where the index or a chunk is not what it should be.
    """
    counts = (core.shape[0], core.shape[1], core.shape[2] // chunk_px, core.shape[3] // chunk_px)
    index = _index(content, (block or counts[0], *counts[1:]))
    for (t, *place), where in _chunks(counts, chunk_px):
        chunk = _chunk(content, index[(first + t, *place)], core.dtype, chunk_px)
        if chunk is not None:
            core[where] = chunk


def decode_window(
    content: bytes,
    window: NDArray[np.generic],
    at: tuple[int, slice, slice],
    classes: tuple[int, ...],
    shape: tuple[int, ...],
) -> None:
    """Fill ``window`` (classes, h, w; preset to fill) with some rows and columns of one of a shard's planes.

    Only chunks that the window meets are decoded.

    Args:
        content: Bytes of the shard.
        window: Array to fill.
        at: Plane of the shard, rows and columns that it shows.
        classes: Which of the shard's classes it has.
        shape: (T, K, H, W) of the whole shard.

    Raises:
        DamagedError: where the index or a chunk is not what it should be.
    """
    px = inner_chunk_px(shape[-1])
    index = _index(content, (shape[0], shape[1], shape[2] // px, shape[3] // px))
    plane, rows, columns = at
    for out, k in enumerate(classes):
        for y, x in product(
            range(rows.start // px, -(-rows.stop // px)), range(columns.start // px, -(-columns.stop // px))
        ):
            if (chunk := _chunk(content, index[plane, k, y, x], window.dtype, px)) is None:
                continue
            (to_y, from_y), (to_x, from_x) = _shared(rows, y, px), _shared(columns, x, px)
            window[out, to_y, to_x] = chunk[from_y, from_x]


def _shared(span: slice, at: int, px: int) -> tuple[slice, slice]:
    """Return what a span of pixels and chunk ``at`` share, as a slice of the span and one of the chunk."""
    start, stop = max(span.start, at * px), min(span.stop, (at + 1) * px)
    return slice(start - span.start, stop - span.start), slice(start - at * px, stop - at * px)


def _index(content: bytes, counts: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return (offset, length) of each chunk. Raises DamagedError where they are not what was written."""
    return parse_index(content[-index_bytes(counts) :], counts, _HINT)


def _chunk(content: bytes, place: NDArray[np.uint64], dtype: np.dtype[np.generic], px: int) -> NDArray[Any] | None:
    """Return a chunk (px, px), or None where all of it is fill."""
    offset, length = place
    if offset == ABSENT:
        return None
    try:
        plain = decompress(content[int(offset) : int(offset + length)], dtype)
        return np.frombuffer(plain, dtype).reshape(px, px)
    except (RuntimeError, ValueError) as error:
        raise DamagedError(f"a shard's chunk is damaged: {error}", hint=_HINT) from error


def _chunks(counts: tuple[int, int, int, int], px: int) -> Iterator[tuple[tuple[int, ...], tuple[int | slice, ...]]]:
    for t, k, y, x in product(*(range(n) for n in counts)):
        yield (t, k, y, x), (t, k, slice(y * px, (y + 1) * px), slice(x * px, (x + 1) * px))
