"""Batches of windows, cut across rows of windows, so that none but the last has to be filled up.

Rows of windows come in from the top, each with the strip of input that lies under it. A batch takes the next windows
in row-major order, wherever a row ends; what a batch holds of one row is a `Cut`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.package.manifest import InputSpec
    from geowatch.predict.strips import Strip

__all__ = ["Cut", "Row", "cut_batches", "gather", "places"]

#: Rows whose input one batch may hold in memory: those without a window in it count too.
_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A row of windows that the network has to see."""

    ky: int
    """Its place on the window lattice."""
    kx: tuple[int, ...]
    """Columns of its windows, ascending."""
    strip: Strip
    """Input under it."""
    view: int = 0
    """Which of the look's views it belongs to."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What one batch holds of one row."""

    row: Row
    """The row."""
    kx: tuple[int, ...]
    """Columns of the windows in this batch; none where the row has none."""
    last: bool
    """Whether the row ends here."""


def cut_batches(rows: Iterable[Row], size: int) -> Iterator[tuple[Cut, ...]]:
    """Yield batches of ``size`` windows.

    The last has what is left; another may have less where many rows in between have no window.
    """
    batch: list[Cut] = []
    for row in rows:
        start = 0
        while True:
            room = size - sum(len(cut.kx) for cut in batch)
            kx = row.kx[start : start + room]
            last = start + room >= len(row.kx)
            batch.append(Cut(row, kx, last))
            if len(kx) == room or len(batch) >= _MOST_ROWS:
                yield tuple(batch)
                batch = []
            if last:
                break
            start += room
    if batch:
        yield tuple(batch)


def places(batch: Sequence[Cut]) -> list[tuple[int, int]]:
    """Return (ky, kx) of the windows of a batch."""
    return [(cut.row.ky, kx) for cut in batch for kx in cut.kx]


def gather(batch: Sequence[Cut], windows: WindowLattice, inputs: Sequence[InputSpec]) -> dict[str, NDArray[np.float32]]:
    """Return the windows of a batch, (N, C, height, width) for each input by name."""
    count = sum(len(cut.kx) for cut in batch)
    feed = {spec.name: np.empty((count, len(spec.channels), *windows.size), np.float32) for spec in inputs}
    for number, stack in enumerate(feed.values()):
        free = iter(stack)
        for cut in batch:
            for kx in cut.kx:
                cut.row.strip.cut(number, kx * windows.stride[1] - cut.row.strip.box.x0, next(free))
    return feed
