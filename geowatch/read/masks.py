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


class MaskReader:
    """Reads one mask of a scene, on the lattice or on the pixels of a band."""

    def __init__(self, mask: MaskSource, sampling: Sampling, lattice: Lattice, decoded: Decoded) -> None:
        self._mask = mask
        self._sampling = sampling
        self._lattice = lattice
        self._decoded = decoded

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
        """Return which pixels (H, W) of ``box`` of a raster in the mask's own CRS are hidden."""
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
    # A table of sums tells how many bad pixels any rectangle holds from its four corners.
    sums = np.zeros((bad.shape[0] + 1, bad.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(bad, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    bands: NDArray[np.int64] = sums[rows.stop] - sums[rows.start]
    found = bands[:, cols.stop] - bands[:, cols.start]
    return (found > 0) | rows.outside[:, None] | cols.outside


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


def hidden(raw: NDArray[np.generic], values: Sequence[int], bits: int) -> Bool:
    """Return which pixels a mask band hides: those with one of ``values`` or any of ``bits`` set."""
    found = np.isin(raw, values) if values else np.zeros(raw.shape, bool)
    if bits:
        found |= (raw.astype(np.int64) & bits) != 0
    return found
