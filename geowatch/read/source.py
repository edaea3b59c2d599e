"""One scene as pixels of the lattice: straight copies, resampled blocks, masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.read.blocks import BlockCache
from geowatch.read.decoded import Decoded
from geowatch.read.frameplan import FramePlan, Sampling, ScenePlan
from geowatch.read.geometry import Axes, SourceWindow, source_window
from geowatch.read.handles import Stored
from geowatch.read.kernels import Kernel, resample
from geowatch.read.masks import MaskReader
from geowatch.read.numbers import Numbers
from geowatch.read.warp import Placed, warp_block

__all__ = ["SceneReader"]

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
#: (scene, band, first row, first column) of a resampled block.
BlockKey = tuple[int, int, int, int]


class _Group(NamedTuple):
    """Bands of one file that lie on the lattice alike, and are decoded together."""

    stored: Stored
    numbers: tuple[int, ...]
    sampling: Sampling


class SceneReader:
    """Reads boxes of one scene of a plan."""

    def __init__(self, plan: FramePlan, number: int, decoded: Decoded, cache: BlockCache) -> None:
        self._lattice = plan.lattice
        self._resampling = plan.resampling
        self._plan = plan.scenes[number]
        self._number = number
        self._decoded = decoded
        self._cache = cache
        self._windows: dict[BlockKey, SourceWindow] = {}
        pairs = zip(self._plan.scene.masks, self._plan.masks, strict=True)
        self._masks = [MaskReader(m, s, plan.lattice, decoded) for m, s in pairs]
        self._groups = _groups(self._plan)
        self._numbers = [Numbers.of(b, np.dtype(b.dtype)) for b in self._plan.scene.bands]

    @property
    def extent(self) -> PixelBox:
        """Where the scene has pixels."""
        return self._plan.extent

    @property
    def blocks_planned(self) -> int:
        """Blocks whose place in the source is known."""
        return len(self._windows)

    def read(self, box: PixelBox, values: Float, valid: Bool) -> None:
        """Write values (C, H, W) in physical units, 0 where invalid, and validity (H, W)."""
        valid[:] = True
        for mask in self._masks:
            valid &= ~mask.hidden(box)
        for group in self._groups:
            if group.sampling.offset is None:
                self._resample(group, box, values, valid)
            else:
                self._copy(group, box, values, valid)
        if not valid.all():
            np.copyto(values, np.float32(0), where=~valid)

    def _copy(self, group: _Group, box: PixelBox, values: Float, valid: Bool) -> None:
        """Write the values of bands whose pixels are the lattice's."""
        y, x = group.sampling.offset or (0, 0)
        window = SourceWindow(box.y0 - y, box.x0 - x, box.y1 - y, box.x1 - x)
        for part in self._decoded.parts(group.stored, window):
            for pixels, number in zip(part.pixels, group.numbers, strict=True):
                self._numbers[number].put(pixels, values[number][part.place], valid[part.place])
        for number in group.numbers:
            seen = self._seen(group, number, window)
            if seen is not None:
                valid &= seen

    def _resample(self, group: _Group, box: PixelBox, values: Float, valid: Bool) -> None:
        """Write the values of bands that are computed from other pixels."""
        if (box & group.sampling.extent) != box:
            values[list(group.numbers)] = np.nan
        for block in (box & group.sampling.extent).blocks(group.sampling.block_px):
            whole = block & group.sampling.extent
            part = whole & box
            for number in group.numbers:
                values[number][part.within(box)] = (
                    self._straight(group, number, part)
                    if group.sampling.straight
                    else self._block(group, number, whole)[part.within(whole)]
                )
        for number in group.numbers:
            self._numbers[number].to_physical(values[number])
            valid &= np.isfinite(values[number])

    def _level(self, number: int) -> tuple[Affine, tuple[int, int]]:
        """Return transform and shape of the overview level that a band is read at."""
        band, sampling = self._plan.scene.bands[number], self._plan.bands[number]
        rows, cols = self._decoded.handles.shape(band.uri, sampling.overview)
        full = band.grid.shape
        return band.grid.transform @ Affine.scale(full[1] / cols, full[0] / rows), (rows, cols)

    def _straight(self, group: _Group, number: int, box: PixelBox) -> Float:
        kernel = Kernel(self._resampling, group.sampling.scale)
        affine, shape = self._level(number)
        axes = Axes.between(self._lattice.affine, affine, shape)
        window = axes.window(box, kernel.reach)
        return resample(self._visible(group, number, window), window, axes, box, kernel)

    def _block(self, group: _Group, number: int, block: PixelBox) -> Float:
        key = self._number, number, block.y0, block.x0
        found = self._cache.get(key)
        if found is None:
            found = self._warped(group, number, block)
            self._cache.put(key, found)
        return found

    def _warped(self, group: _Group, number: int, block: PixelBox) -> Float:
        band = self._plan.scene.bands[number]
        kernel = Kernel(self._resampling, group.sampling.scale)
        window = self._window(number, block, kernel)
        if not window:
            return np.full(block.shape, np.nan, np.float32)
        place = self._level(number)[0] @ Affine.translation(window.x0, window.y0)
        return warp_block(
            Placed(self._visible(group, number, window), place, band.grid.crs), self._lattice, block, kernel
        )

    def _window(self, number: int, block: PixelBox, kernel: Kernel) -> SourceWindow:
        """Return the stored pixels that a block needs: worked out once."""
        key = self._number, number, block.y0, block.x0
        found = self._windows.get(key)
        if found is None:
            grid, (rows, cols) = self._plan.scene.bands[number].grid, self._level(number)[1]
            level = rows / grid.shape[0], cols / grid.shape[1]
            found = self._windows[key] = source_window(grid, self._lattice, block, kernel.reach, level)
        return found

    def _visible(self, group: _Group, number: int, window: SourceWindow) -> Float:
        """Return stored numbers, NaN where there is none and where a mask hides them."""
        layer = group.numbers.index(number)
        out = np.empty(window.shape, np.float32)
        for part in self._decoded.parts(group.stored, window):
            self._numbers[number].put_raw(part.pixels[layer], out[part.place])
        seen = self._seen(group, number, window)
        if seen is not None:
            out[~seen] = np.nan
        affine = self._level(number)[0]
        for mask in self._masks:
            out[mask.hidden_under(affine, window.box)] = np.nan
        return out

    def _seen(self, group: _Group, number: int, window: SourceWindow) -> Bool | None:
        """Return which pixels the file's own mask or alpha channel calls valid; None if it has none."""
        band = self._plan.scene.bands[number]
        if not band.has_mask:
            return None
        seen: Bool = (
            self._decoded.read(Stored(band.uri, (band.index,), group.stored.overview, mask=True), window)[0] != 0
        )
        return seen


def _groups(plan: ScenePlan) -> tuple[_Group, ...]:
    """Return the bands of a scene by the file that they are in."""
    together: dict[tuple[str, str, Sampling], list[int]] = {}
    for number, (band, sampling) in enumerate(zip(plan.scene.bands, plan.bands, strict=True)):
        together.setdefault((band.uri, band.dtype, sampling), []).append(number)
    return tuple(
        _Group(
            Stored(uri, tuple(plan.scene.bands[n].index for n in numbers), sampling.overview), tuple(numbers), sampling
        )
        for (uri, _, sampling), numbers in together.items()
    )
