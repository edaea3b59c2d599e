"""Masks as data: which pixels of a scene its own mask raster hides.

The rule: a pixel is hidden if any hidden pixel of the mask overlaps it, and where the mask does not reach. It
holds alike for pixels of the lattice and for stored pixels of bands that are resampled, so that nothing under
a mask is weighed into a pixel that is valid.
"""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import same_crs
from geowatch.read.frameplan import Sampling
from geowatch.read.geometry import SourceWindow, source_window
from geowatch.read.handles import Handles
from geowatch.read.kernels import Kernel
from geowatch.read.scene import MaskSource
from geowatch.read.warp import Placed, any_overlap, hidden, warp_block

__all__ = ["MaskReader"]

Bool = NDArray[np.bool_]


class MaskReader:
    """Reads one mask of a scene, on the lattice or on the pixels of a band."""

    def __init__(self, mask: MaskSource, sampling: Sampling, lattice: Lattice, handles: Handles) -> None:
        self._mask = mask
        self._sampling = sampling
        self._lattice = lattice
        self._handles = handles

    def hidden(self, box: PixelBox) -> Bool:
        """Return which lattice pixels (H, W) of ``box`` are hidden."""
        if same_crs(self._mask.grid.crs, self._lattice.crs):
            return self.hidden_under(self._lattice.affine_of(box), box.shape)
        out = np.empty(box.shape, bool)
        for block in box.blocks(self._sampling.block_px):
            part = block & box
            out[part.within(box)] = self._warped(block)[part.within(block)]
        return out

    def hidden_under(self, target: Affine, shape: tuple[int, int]) -> Bool:
        """Return which pixels (H, W) of a raster in the mask's own CRS are hidden."""
        place = ~self._mask.grid.transform @ target
        rows, cols = self._mask.grid.shape
        (xa, ya), (xb, yb) = place @ (0, 0), place @ (shape[1], shape[0])
        x0, x1 = (min(cols, max(0, v)) for v in (int(min(xa, xb)) - 1, int(max(xa, xb)) + 2))
        y0, y1 = (min(rows, max(0, v)) for v in (int(min(ya, yb)) - 1, int(max(ya, yb)) + 2))
        window = SourceWindow(y0, x0, y1, x1)
        if not window:
            return np.ones(shape, bool)
        return any_overlap(self._bad(window), self._affine(window), target, shape)

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
        raw = self._handles.read(self._mask.uri, self._mask.index, window)
        return hidden(raw, self._mask.bad_values, self._mask.bad_bits)

    def _affine(self, window: SourceWindow) -> Affine:
        return self._mask.grid.transform @ Affine.translation(window.x0, window.y0)
