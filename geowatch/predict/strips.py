"""Strips of prepared input that slide down a sweep.

A row of windows needs as many rows of pixels as a window is high; the next one needs ``stride`` rows more. Each row
of pixels is read once, prepared for the network (declared steps, normalisation, fill under masks) once, and never
copied until windows are cut out: a `Strip` is a stack of the `Rows` that are still needed. What lies beyond the
imagery is mirrored.

Several planes of the heatmap may be computed in one pass: each is a `View` of the same frames, and a frame that many
of them see is still read and prepared once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.predict.looking import Look, Rows, View, overlap, union
from geowatch.predict.preparing import Preparation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice

__all__ = ["Look", "Rows", "Strip", "Strips", "View", "overlap", "union"]


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
        """Pixels of the region with valid imagery, shape (height, width)."""
        return self.keep_above(self.box.y1)

    def keep_above(self, y: int) -> NDArray[np.bool_]:
        """Return `keep` of the rows above ``y``."""
        return np.concatenate([part.keep[: max(0, y - part.box.y0)] for part in self.parts])

    def keeps_above(self, y: int) -> tuple[NDArray[np.bool_], ...]:
        """Return `keep` of the rows above ``y`` for each plane that the view gives."""
        if not self.parts[0].by_date:
            return (self.keep_above(y),)
        stacks = zip(*(part.by_date for part in self.parts), strict=True)
        ends = [max(0, y - part.box.y0) for part in self.parts]
        return tuple(np.concatenate([keep[:end] for keep, end in zip(s, ends, strict=True)]) for s in stacks)

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
        self._windows = windows
        self._cover = cover
        hull = windows.box(0, columns[0]) | windows.box(0, columns[-1])
        self._x = hull.x0, hull.x1
        self._prepared = Preparation(look)
        self._parts: tuple[tuple[Rows, ...], ...] = ((),) * len(look.planes)

    def row(self, ky: int) -> Strip:
        """Return the strip under window row ``ky`` for the only plane; rows are asked for from the top down."""
        return self.rows(ky)[0]

    def rows(self, ky: int) -> tuple[Strip, ...]:
        """Return the strips under window row ``ky``, one a view; rows are asked for from the top down."""
        start = ky * self._windows.stride[0]
        box = PixelBox(start, self._x[0], start + self._windows.size[0], self._x[1])
        kept = [tuple(part.below(start) for part in parts if part.box.y1 > start) for parts in self._parts]
        top = kept[0][-1].box.y1 if kept[0] else start
        loaded = self._prepared.rows(PixelBox(top, box.x0, box.y1, box.x1), self._cover)
        self._parts = tuple((*parts, rows) for parts, rows in zip(kept, loaded, strict=True))
        return tuple(Strip(box, parts) for parts in self._parts)
