"""Decoded pixels of files, piece by piece: what is missing is read, what is there is not read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import CorruptImageError
from geowatch.grid.lattice import PixelBox
from geowatch.read.blocks import BlockCache, Pieces
from geowatch.read.geometry import SourceWindow
from geowatch.read.handles import Handles, Stored

__all__ = ["Decoded", "Part"]

#: (row, column) of a piece.
Place = tuple[int, int]


class Part(NamedTuple):
    """Stored numbers of a part of a window."""

    place: tuple[slice, slice]
    """Rows and columns within the window."""
    pixels: NDArray[Any]
    """(layers, rows, columns), to be read only."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Pieces that were decoded in one call."""

    window: SourceWindow
    pixels: NDArray[Any]


class Decoded:
    """The decoded pixels of files.

    Args:
        handles: the files.
        cache: where decoded pieces are kept.
    """

    def __init__(self, handles: Handles, cache: BlockCache) -> None:
        self.handles = handles
        self._cache = cache
        self._cuts: dict[Stored, Pieces] = {}
        self._windows: dict[Stored, dict[Place, SourceWindow]] = {}

    def read(self, stored: Stored, window: SourceWindow) -> NDArray[Any]:
        """Return stored numbers (layers, H, W), to be read only.

        Raises:
            CorruptImageError: the file breaks; the message names it and the bands.
        """
        parts = list(self.parts(stored, window))
        if len(parts) == 1:
            return parts[0].pixels
        out = np.empty((len(stored.indexes), *window.shape), parts[0].pixels.dtype)
        for part in parts:
            out[:, *part.place] = part.pixels
        return out

    def parts(self, stored: Stored, window: SourceWindow) -> Iterator[Part]:
        """Yield the stored numbers of a window, from the top down, in parts that do not overlap.

        Raises:
            CorruptImageError: the file breaks; the message names it and the bands.
        """
        cut = self._cut(stored)
        if not PixelBox(0, 0, *cut.shape).covers(window.box):
            raise CorruptImageError(
                f"'{stored.uri}' has {cut.shape} pixels, and rows {window.y0} to {window.y1}, columns {window.x0} to "
                f"{window.x1} were asked for",
                hint="the file changed since it was planned; plan again",
            )
        rows, cols = cut.touching(window)
        for group in _groups(rows, self._rows_at_once(stored, cols)):
            runs = self._runs(stored, list(product(group, cols)))
            for row in group:
                for run, across in _neighbours([(col, runs[row, col]) for col in cols]):
                    seen = cut.hull(range(row, row + 1), across).box & window.box
                    yield Part(seen.within(window.box), run.pixels[:, *seen.within(run.window.box)])

    def _cut(self, stored: Stored) -> Pieces:
        found = self._cuts.get(stored)
        if found is None:
            shape = self.handles.shape(stored.uri, stored.overview)
            found = self._cuts[stored] = Pieces.of(shape, self.handles.block(stored))
            self._windows[stored] = {}
        return found

    def _rows_at_once(self, stored: Stored, cols: range) -> int:
        """Return how many rows of pieces are read in one call where all are missing: half of what may be kept."""
        row = self._cut(stored).hull(range(1), cols).shape
        row_bytes = row[0] * row[1] * len(stored.indexes) * self.handles.dtype(stored).itemsize
        return max(1, self._cache.max_bytes // 2 // max(1, row_bytes))

    def _runs(self, stored: Stored, places: list[Place]) -> dict[Place, _Run]:
        """Return the run that holds each of the pieces."""
        found = {place: run for place in places if (run := self._kept(stored, place)) is not None}
        for rows, cols in _rectangles(place for place in places if place not in found):
            run = self._decode(stored, self._cut(stored).hull(rows, cols))
            for place in product(rows, cols):
                found[place] = run
                self._windows[stored][place] = run.window
        return found

    def _kept(self, stored: Stored, place: Place) -> _Run | None:
        window = self._windows[stored].get(place)
        pixels = None if window is None else self._cache.get((stored, window))
        return None if window is None or pixels is None else _Run(window, pixels)

    def _decode(self, stored: Stored, window: SourceWindow) -> _Run:
        pixels = self._cache.blank((len(stored.indexes), *window.shape), self.handles.dtype(stored))
        self.handles.read(stored, window, pixels)
        self.handles.counts.blocks += self._cut(stored).blocks_in(window)
        self._cache.put((stored, window), pixels)
        return _Run(window, pixels)


def _groups(rows: range, size: int) -> Iterator[range]:
    yield from (rows[i : i + size] for i in range(0, len(rows), size))


def _neighbours(runs: Iterable[tuple[int, _Run]]) -> Iterator[tuple[_Run, range]]:
    """Yield the columns that lie side by side in one run, given (column, run) of pieces from left to right."""
    for run, same in groupby(runs, lambda pair: pair[1]):
        cols = [col for col, _ in same]
        yield run, range(cols[0], cols[-1] + 1)


def _rectangles(places: Iterable[Place]) -> Iterator[tuple[range, range]]:
    """Yield the rectangles (rows, columns) that pieces, given row by row, make up.

    >>> list(_rectangles([(0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]))
    [(range(0, 2), range(1, 3)), (range(2, 3), range(2, 3))]
    """
    growing: dict[range, range] = {}
    for row, in_row in groupby(places, lambda place: place[0]):
        spans = set(_spans([col for _, col in in_row]))
        for cols in [c for c, rows in growing.items() if c not in spans or rows.stop != row]:
            yield growing.pop(cols), cols
        for cols in spans:
            growing[cols] = range(growing[cols].start if cols in growing else row, row + 1)
    yield from ((rows, cols) for cols, rows in growing.items())


def _spans(numbers: list[int]) -> Iterator[range]:
    """Yield the runs of consecutive numbers."""
    for _, same in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in same]
        yield range(run[0], run[-1] + 1)
