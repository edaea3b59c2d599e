"""Strips of prepared input that slide down a sweep.

A row of windows needs as many rows of pixels as a window is high; the next one needs ``stride`` rows more. A
`Strips` keeps the rows that are still needed, reads each further row once, prepares it for the network (declared
steps, normalisation, fill under masks) once, and mirrors what lies beyond the imagery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.package.preprocess import prepare
from geowatch.predict.reflect import reflect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.package.manifest import InputSpec
    from geowatch.read.reader import FrameReader

__all__ = ["Look", "Strip", "Strips", "overlap"]


@dataclass(frozen=True, slots=True)
class Look:
    """The frames that a network sees at once, one a date, and how it wants them."""

    readers: tuple[FrameReader, ...]
    """One reader a date, oldest first."""
    bands: tuple[str, ...]
    """Names of the bands that each reader gives, in order."""
    inputs: tuple[InputSpec, ...]
    """The network's inputs."""
    extent: PixelBox
    """Pixels where all dates have imagery; beyond it is mirrored."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of prepared input under one row of windows."""

    box: PixelBox
    """Where the rows are; it may reach beyond the imagery."""
    inputs: tuple[NDArray[np.float32], ...]
    """Prepared values of each input, shape (C, height, width)."""
    keep: NDArray[np.bool_]
    """Pixels of the region with valid imagery at all dates, shape (height, width)."""


class Strips:
    """The strips of a sweep, from the top down."""

    def __init__(
        self, look: Look, windows: WindowLattice, columns: range, cover: Callable[[PixelBox], NDArray[np.bool_]]
    ) -> None:
        """Open the strips for the windows of ``columns`` (kx); ``cover`` tells a box's pixels of the region."""
        self._look = look
        self._windows = windows
        self._cover = cover
        hull = windows.box(0, columns[0]) | windows.box(0, columns[-1])
        self._x = hull.x0, hull.x1
        self._last: Strip | None = None

    def row(self, ky: int) -> Strip:
        """Return the strip under window row ``ky``; rows are asked for from the top down."""
        start = ky * self._windows.stride[0]
        box = PixelBox(start, self._x[0], start + self._windows.size[0], self._x[1])
        kept = 0 if self._last is None else max(0, self._last.box.y1 - start)
        fresh = self._load(PixelBox(start + kept, box.x0, box.y1, box.x1))
        self._last = _joined(box, self._last, fresh, kept) if self._last and kept else fresh
        return self._last

    def _load(self, box: PixelBox) -> Strip:
        seen = [_mirrored(reader, box, self._look.extent) for reader in self._look.readers]
        inputs = tuple(
            prepare(spec, seen[spec.date][0], self._look.bands, seen[spec.date][1]) for spec in self._look.inputs
        )
        keep = np.zeros(box.shape, bool)
        place = (box & self._look.extent).within(box) if box & self._look.extent else None
        if place is not None:
            every = np.logical_and.reduce([valid[place] for _, valid in seen])
            keep[place] = every & self._cover(box)[place]
        return Strip(box, inputs, keep)


def _joined(box: PixelBox, last: Strip, fresh: Strip, kept: int) -> Strip:
    """Return the last ``kept`` rows of one strip above another."""
    inputs = tuple(
        np.concatenate([old[:, -kept:], new], axis=1) for old, new in zip(last.inputs, fresh.inputs, strict=True)
    )
    return Strip(box, inputs, np.concatenate([last.keep[-kept:], fresh.keep]))


def _mirrored(reader: FrameReader, box: PixelBox, extent: PixelBox) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    if extent.covers(box):
        patch = reader.read(box)
        return patch.values, patch.valid
    rows = reflect(box.y0, box.y1, extent.y0, extent.y1)
    cols = reflect(box.x0, box.x1, extent.x0, extent.x1)
    source = PixelBox(int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1)
    patch = reader.read(source)
    down, across = np.ix_(rows - source.y0, cols - source.x0)
    return patch.values[:, down, across], patch.valid[down, across]


def overlap(extents: Sequence[PixelBox]) -> PixelBox:
    """Return the pixels that all extents share."""
    shared = extents[0]
    for extent in extents[1:]:
        shared &= extent
    return shared
