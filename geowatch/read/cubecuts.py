"""Which chunks of a block a box of it touches, and where their pixels go. Pure; the same for all arrays and frames."""

from __future__ import annotations

from functools import lru_cache
from types import EllipsisType
from typing import NamedTuple

from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX

__all__ = ["Cut", "Row", "rows_of"]

#: Chunks along a side of a block.
_SIDE = BLOCK_PX // CHUNK_PX
Part = tuple[EllipsisType, slice, slice]
"""Rows and columns of each array of a stack (..., H, W)."""


class Cut(NamedTuple):
    """The part of a chunk that lies in a box."""

    of: Part
    """Rows and columns of the chunk."""
    to: Part
    """Rows and columns of the box."""


class Row(NamedTuple):
    """Chunks side by side: their bytes follow each other in the object that holds them."""

    places: tuple[int, ...]
    """Where the index of that object has the offset of each; its length follows."""
    cuts: tuple[Cut, ...]
    """What is taken of each."""
    nothing: tuple[None, ...]
    """As many times None: such a row where all is fill."""


@lru_cache(maxsize=256)
def rows_of(rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Row, ...]:
    """Return the chunks under a box of a block, row by row.

    Args:
        rows: first row of the box and the one after its last, counted from the block's corner.
        columns: the same of its columns.
    """
    across = _pieces(columns)
    return tuple(
        Row(
            tuple(2 * (iy * _SIDE + ix) for ix, _, _ in across),
            tuple(Cut((..., of_y, of_x), (..., to_y, to_x)) for _, of_x, to_x in across),
            (None,) * len(across),
        )
        for iy, of_y, to_y in _pieces(rows)
    )


def _pieces(span: tuple[int, int]) -> list[tuple[int, slice, slice]]:
    """Return for each chunk along one axis of a block its index, its part under ``span``, and where that goes.

    >>> _pieces((100, 200))
    [(0, slice(100, 128, None), slice(0, 28, None)), (1, slice(0, 72, None), slice(28, 100, None))]
    """
    pieces = []
    for index in range(span[0] // CHUNK_PX, -(-span[1] // CHUNK_PX)):
        start = index * CHUNK_PX
        first, stop = max(start, span[0]), min(start + CHUNK_PX, span[1])
        pieces.append((index, slice(first - start, stop - start), slice(first - span[0], stop - span[0])))
    return pieces
