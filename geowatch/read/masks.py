"""Masks as data: which pixels of a scene its own mask raster hides.

The rule: a pixel is hidden if any hidden pixel of the mask overlaps it, and where the mask does not reach. It
holds alike for pixels of the lattice and for stored pixels of bands that are resampled, so that nothing under
a mask is weighed into a pixel that is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs
from geowatch.read.decoded import Decoded
from geowatch.read.frameplan import Sampling
from geowatch.read.geometry import Axes, Axis, SourceWindow, source_window
from geowatch.read.handles import Stored
from geowatch.read.kernels import EDGE_PX, Kernel
from geowatch.read.scene import MaskSource
from geowatch.read.warp import Placed, warp_block

__all__ = ["MaskReader", "any_overlap", "hidden"]

Bool = NDArray[np.bool_]

#: Up to this many rows are looked at one by one; of more, sums tell.
_FEW_ROWS = 4


class MaskReader:
    """Reads one mask of a scene, on the lattice or on the pixels of a band."""

    def __init__(self, mask: MaskSource, sampling: Sampling, lattice: Lattice, decoded: Decoded) -> None:
        self._mask = mask
        self._sampling = sampling
        self._lattice = lattice
        self._decoded = decoded
        self._last: tuple[tuple[Affine, PixelBox], Bool] | None = None

    def hidden(self, box: PixelBox) -> Bool:
        """Return which lattice pixels (H, W) of ``box`` are hidden."""
        if same_crs(self._mask.grid.crs, self._lattice.crs):
            return self.hidden_under(self._lattice.affine, box)
        out = np.empty(box.shape, bool)
        for block in box.blocks(self._sampling.block_px):
            part = block & box
            out[part.within(box)] = self._warped(block)[part.within(block)]
        return out

    def hidden_under(self, target: Affine, box: PixelBox) -> Bool:
        """Return which pixels (H, W) of ``box`` of a raster in the mask's own CRS are hidden; not to be written to."""
        # Bands that lie alike ask for the same pixels one after the other.
        if self._last is None or self._last[0] != (target, box):
            self._last = (target, box), self._hidden_under(target, box)
        return self._last[1]

    def _hidden_under(self, target: Affine, box: PixelBox) -> Bool:
        axes = Axes.between(target, self._mask.grid.transform, self._mask.grid.shape)
        window = axes.window(box, (1, 1))
        if not window:
            return np.ones(box.shape, bool)
        return any_overlap(self._bad(window), window, axes, box)

    def _warped(self, block: PixelBox) -> Bool:
        kernel = Kernel("max", self._sampling.scale)
        window = source_window(self._mask.grid, self._lattice, block, kernel.reach)
        if not window:
            return np.ones(block.shape, bool)
        bad = self._bad(window).astype(np.float32)
        source = Placed(bad, self._affine(window), self._mask.grid.crs)
        visible: Bool = warp_block(source, self._lattice, block, kernel) == 0
        return ~visible  # NaN, where the mask does not reach, is hidden too

    def _bad(self, window: SourceWindow) -> Bool:
        raw = self._decoded.read(Stored(self._mask.uri, (self._mask.index,)), window)[0]
        return hidden(raw, self._mask.bad_values, self._mask.bad_bits)

    def _affine(self, window: SourceWindow) -> Affine:
        return self._mask.grid.transform @ Affine.translation(window.x0, window.y0)


def any_overlap(bad: Bool, window: SourceWindow, axes: Axes, box: PixelBox) -> Bool:
    """Return for each target pixel of ``box`` whether a bad source pixel overlaps it.

    A pixel whose centre lies outside the source is bad: nothing is known of it.

    Args:
        bad: source pixels (H, W) of ``window``.
        window: which these are.
        axes: how the target lies on the source.
        box: which target pixels.
    """
    rows = _Overlap.of(axes.rows, (box.y0, box.y1), window.y0, window.shape[0])
    cols = _Overlap.of(axes.cols, (box.x0, box.x1), window.x0, window.shape[1])
    # A rectangle holds a bad pixel where one of its rows does.
    found = cols.any(rows.any(bad).T).T
    return found | rows.outside[:, None] | cols.outside


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Which source rows (or columns) each target row overlaps: ``start`` to ``stop``."""

    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    outside: Bool

    @classmethod
    def of(cls, axis: Axis, span: tuple[int, int], first: int, count: int) -> _Overlap:
        centres, half = axis.centres(*span), abs(axis.step) / 2
        under = np.floor(centres + EDGE_PX)
        return cls(
            np.clip(np.floor(centres - half + EDGE_PX) - first, 0, count).astype(np.intp),
            np.clip(np.ceil(centres + half - EDGE_PX) - first, 0, count).astype(np.intp),
            (under < 0) | (under >= axis.size),
        )

    def any(self, bad: Bool) -> Bool:
        """Return for each target row whether any of the source rows (H, W) that it overlaps is bad, by column."""
        many = self.stop - self.start
        if int(many.max(initial=0)) > _FEW_ROWS:
            sums = np.zeros((len(bad) + 1, bad.shape[1]), np.int32)
            np.cumsum(bad, axis=0, dtype=np.int32, out=sums[1:])
            return np.asarray(sums[self.stop] > sums[self.start])
        found = np.zeros((len(many), bad.shape[1]), bool)
        for step in range(int(many.max(initial=0))):
            # A row that overlaps fewer looks at its last one again.
            found |= bad[np.minimum(self.start + step, np.maximum(self.stop - 1, 0))] & (many > step)[:, None]
        return found


def hidden(raw: NDArray[np.generic], values: Sequence[int], bits: int) -> Bool:
    """Return which pixels a mask band hides: those with one of ``values`` or any of ``bits`` set."""
    found = _one_of(raw, values) if values else np.zeros(raw.shape, bool)
    if bits:
        found |= (raw.astype(np.int64) & bits) != 0
    return found


def _one_of(raw: NDArray[np.generic], values: Sequence[int]) -> Bool:
    if raw.dtype != np.uint8:
        return np.isin(raw, values)
    table = np.isin(np.arange(256), values)
    return np.asarray(table[raw])
