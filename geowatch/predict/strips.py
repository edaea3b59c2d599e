"""Strips of prepared input that slide down a sweep.

A row of windows needs as many rows of pixels as a window is high; the next one needs ``stride`` rows more. Each row
of pixels is read once, prepared for the network (declared steps, normalisation, fill under masks) once, and never
copied until windows are cut out: a `Strip` is a stack of the `Rows` that are still needed. What lies beyond the
imagery is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.package.preprocess import prepare
from geowatch.predict.reflect import pieces, reflect
from geowatch.read.reader import Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice
    from geowatch.package.manifest import InputSpec
    from geowatch.read.reader import FrameReader

__all__ = ["Look", "Rows", "Strip", "Strips", "overlap"]


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
class Rows:
    """Rows of prepared input; they are never written to again."""

    box: PixelBox
    """Where they are; it may reach beyond the imagery."""
    inputs: tuple[NDArray[np.float32], ...]
    """Prepared values of each input, shape (C, height, width)."""
    keep: NDArray[np.bool_]
    """Pixels of the region with valid imagery at all dates, shape (height, width)."""

    def below(self, y: int) -> Rows:
        """Return the rows from ``y`` on, as views."""
        skip = max(0, y - self.box.y0)
        if skip == 0:
            return self
        box = PixelBox(self.box.y0 + skip, self.box.x0, self.box.y1, self.box.x1)
        return Rows(box, tuple(plane[:, skip:] for plane in self.inputs), self.keep[skip:])


@dataclass(frozen=True, slots=True)
class Strip:
    """Prepared input under one row of windows."""

    box: PixelBox
    """Where it is."""
    parts: tuple[Rows, ...]
    """Its rows from the top down."""

    @property
    def inputs(self) -> tuple[NDArray[np.float32], ...]:
        """Prepared values of each input in one piece, shape (C, height, width)."""
        planes = zip(*(part.inputs for part in self.parts), strict=True)
        return tuple(np.concatenate(stack, axis=1) for stack in planes)

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Pixels of the region with valid imagery at all dates, shape (height, width)."""
        return self.keep_above(self.box.y1)

    def keep_above(self, y: int) -> NDArray[np.bool_]:
        """Return `keep` of the rows above ``y``."""
        return np.concatenate([part.keep[: max(0, y - part.box.y0)] for part in self.parts])

    def kept(self, columns: Sequence[int], windows: WindowLattice) -> tuple[int, ...]:
        """Return those of the windows ``columns`` (kx) under which any pixel is kept."""
        seen = np.logical_or.reduce([part.keep.any(axis=0) for part in self.parts])
        upto = np.concatenate([[0], np.cumsum(seen)])
        x = np.asarray(columns, np.int64) * windows.stride[1] - self.box.x0
        some = upto[x + windows.size[1]] > upto[x]
        return tuple(kx for kx, any_kept in zip(columns, some.tolist(), strict=True) if any_kept)

    def cut(self, number: int, x: int, window: NDArray[np.float32]) -> None:
        """Fill ``window`` (C, height, width) with input ``number`` from the strip's column ``x`` on."""
        width = window.shape[2]
        for part in self.parts:
            y = part.box.y0 - self.box.y0
            window[:, y : y + part.box.height] = part.inputs[number][:, :, x : x + width]


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
        self._parts: tuple[Rows, ...] = ()

    def row(self, ky: int) -> Strip:
        """Return the strip under window row ``ky``; rows are asked for from the top down."""
        start = ky * self._windows.stride[0]
        box = PixelBox(start, self._x[0], start + self._windows.size[0], self._x[1])
        kept = tuple(part.below(start) for part in self._parts if part.box.y1 > start)
        top = kept[-1].box.y1 if kept else start
        self._parts = (*kept, self._load(PixelBox(top, box.x0, box.y1, box.x1)))
        return Strip(box, self._parts)

    def _load(self, box: PixelBox) -> Rows:
        bands = self._look.bands
        seen = [_mirrored(reader, box, self._look.extent, len(bands)) for reader in self._look.readers]
        dates = [spec.date for spec in self._look.inputs]
        inputs = tuple(
            prepare(spec, seen[spec.date].values, bands, seen[spec.date].valid, consume=dates.count(spec.date) == 1)
            for spec in self._look.inputs
        )
        keep = np.zeros(box.shape, bool)
        place = (box & self._look.extent).within(box) if box & self._look.extent else None
        if place is not None:
            every = np.logical_and.reduce([patch.valid[place] for patch in seen])
            keep[place] = every & self._cover(box)[place]
        return Rows(box, inputs, keep)


def _mirrored(reader: FrameReader, box: PixelBox, extent: PixelBox, bands: int) -> Patch:
    """Return the pixels of ``box``, the mirror image where it reaches beyond ``extent``."""
    if extent.covers(box):
        return reader.read(box)
    rows = reflect(box.y0, box.y1, extent.y0, extent.y1)
    cols = reflect(box.x0, box.x1, extent.x0, extent.x1)
    shown = PixelBox(int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1)
    whole = Patch(np.empty((bands, *box.shape), np.float32), np.empty(box.shape, bool))
    inner = box & extent
    if inner.covers(shown):
        # Most pixels are read into their place; those beyond are then copied within the array.
        place = inner.within(box)
        reader.read(inner, Patch(whole.values[(slice(None), *place)], whole.valid[place]))
        source, shown = whole, box
    else:
        source = reader.read(shown)
    for down, across in product(pieces(rows - shown.y0), pieces(cols - shown.x0)):
        if source is whole and (down[0], across[0]) == (down[1], across[1]):
            continue
        whole.values[:, down[0], across[0]] = source.values[:, down[1], across[1]]
        whole.valid[down[0], across[0]] = source.valid[down[1], across[1]]
    return whole


def overlap(extents: Sequence[PixelBox]) -> PixelBox:
    """Return the pixels that all extents share."""
    shared = extents[0]
    for extent in extents[1:]:
        shared &= extent
    return shared
