"""One scene as pixels of the lattice: straight copies, resampled blocks, masks."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.read.frameplan import FramePlan
from geowatch.read.geometry import Axes, SourceWindow, source_window
from geowatch.read.handles import Handles
from geowatch.read.kernels import Kernel, resample
from geowatch.read.masks import MaskReader
from geowatch.read.scene import BandSource
from geowatch.read.warp import Placed, warp_block

__all__ = ["BlockCache", "SceneReader"]

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
#: (scene, band, first row, first column) of a resampled block.
BlockKey = tuple[int, int, int, int]


class BlockCache:
    """Resampled blocks, the least recently used dropped first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._blocks: OrderedDict[BlockKey, Float] = OrderedDict()
        self._bytes = 0

    def get(self, key: BlockKey) -> Float | None:
        """Return a block if it is still there."""
        found = self._blocks.get(key)
        if found is not None:
            self._blocks.move_to_end(key)
        return found

    def put(self, key: BlockKey, block: Float) -> None:
        """Keep a block, if it fits at all."""
        if block.nbytes > self._max_bytes or key in self._blocks:
            return
        self._blocks[key] = block
        self._bytes += block.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._blocks.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        """Forget all."""
        self._blocks.clear()
        self._bytes = 0


class SceneReader:
    """Reads boxes of one scene of a plan."""

    def __init__(self, plan: FramePlan, number: int, handles: Handles, cache: BlockCache) -> None:
        self._lattice = plan.lattice
        self._resampling = plan.resampling
        self._plan = plan.scenes[number]
        self._number = number
        self._handles = handles
        self._cache = cache
        self._windows: dict[BlockKey, SourceWindow] = {}
        pairs = zip(self._plan.scene.masks, self._plan.masks, strict=True)
        self._masks = [MaskReader(m, s, plan.lattice, handles) for m, s in pairs]

    @property
    def extent(self) -> PixelBox:
        """Where the scene has pixels."""
        return self._plan.extent

    @property
    def blocks_planned(self) -> int:
        """Blocks whose place in the source is known."""
        return len(self._windows)

    def read(self, box: PixelBox) -> tuple[Float, Bool]:
        """Return values (C, H, W) in physical units, 0 where invalid, and validity (H, W)."""
        bands = self._plan.scene.bands
        values = np.empty((len(bands), *box.shape), np.float32)
        valid = np.ones(box.shape, bool)
        for mask in self._masks:
            valid &= ~mask.hidden(box)
        for number, (layer, band) in enumerate(zip(values, bands, strict=True)):
            layer[:] = self._raw(number, box)
            _to_physical(layer, band)
            valid &= np.isfinite(layer)
        if not valid.all():
            np.copyto(values, np.float32(0), where=~valid)
        return values, valid

    def _raw(self, number: int, box: PixelBox) -> Float:
        """Return stored numbers on the lattice, NaN where there is none."""
        band, sampling = self._plan.scene.bands[number], self._plan.bands[number]
        if sampling.offset is not None:
            y, x = sampling.offset
            window = SourceWindow(box.y0 - y, box.x0 - x, box.y1 - y, box.x1 - x)
            return self._stored(band, window, None)
        out = np.full(box.shape, np.nan, np.float32)
        for block in (box & sampling.extent).blocks(sampling.block_px):
            whole = block & sampling.extent
            part = whole & box
            out[part.within(box)] = (
                self._straight(number, part) if sampling.straight else self._block(number, whole)[part.within(whole)]
            )
        return out

    def _level(self, number: int) -> tuple[Affine, tuple[int, int]]:
        """Return transform and shape of the overview level that a band is read at."""
        band, sampling = self._plan.scene.bands[number], self._plan.bands[number]
        rows, cols = self._handles.shape(band.uri, sampling.overview)
        full = band.grid.shape
        return band.grid.transform @ Affine.scale(full[1] / cols, full[0] / rows), (rows, cols)

    def _straight(self, number: int, box: PixelBox) -> Float:
        kernel = Kernel(self._resampling, self._plan.bands[number].scale)
        affine, shape = self._level(number)
        axes = Axes.between(self._lattice.affine, affine, shape)
        window = axes.window(box, kernel.reach)
        return resample(self._visible(number, window, affine), window, axes, box, kernel)

    def _block(self, number: int, block: PixelBox) -> Float:
        key = self._number, number, block.y0, block.x0
        found = self._cache.get(key)
        if found is None:
            found = self._warped(key, block)
            self._cache.put(key, found)
        return found

    def _warped(self, key: BlockKey, block: PixelBox) -> Float:
        band, sampling = self._plan.scene.bands[key[1]], self._plan.bands[key[1]]
        kernel = Kernel(self._resampling, sampling.scale)
        affine, shape = self._level(key[1])
        window = self._windows.get(key)
        if window is None:
            level = shape[0] / band.grid.shape[0], shape[1] / band.grid.shape[1]
            window = source_window(band.grid, self._lattice, block, kernel.reach, level)
            self._windows[key] = window
        if not window:
            return np.full(block.shape, np.nan, np.float32)
        pixels = self._visible(key[1], window, affine)
        source = Placed(pixels, affine @ Affine.translation(window.x0, window.y0), band.grid.crs)
        return warp_block(source, self._lattice, block, kernel)

    def _visible(self, number: int, window: SourceWindow, affine: Affine) -> Float:
        """Return stored numbers, NaN where there is none and where a mask hides them."""
        pixels = self._stored(self._plan.scene.bands[number], window, self._plan.bands[number].overview)
        for mask in self._masks:
            pixels[mask.hidden_under(affine, window.box)] = np.nan
        return pixels

    def _stored(self, band: BandSource, window: SourceWindow, overview: int | None) -> Float:
        """Return stored numbers as float32, NaN where the file says that there is none."""
        raw = self._handles.read(band.uri, band.index, window, overview)
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and so invalid
            values = raw.astype(np.float32)
        nodata = _as_stored(band.nodata, raw.dtype)
        if nodata is not None:
            values[raw == nodata] = np.nan
        if band.has_mask:
            values[~self._handles.read_valid(band.uri, band.index, window, overview)] = np.nan
        if raw.dtype.kind == "f":
            values[~np.isfinite(values)] = np.nan
        return values


def _to_physical(layer: Float, band: BandSource) -> None:
    """Turn stored numbers into values in place: two roundings to float32, at every pixel the same."""
    if (band.scale, band.offset) == (1.0, 0.0):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        layer *= np.float32(band.scale)
        layer += np.float32(band.offset)


def _as_stored(nodata: float | None, dtype: np.dtype[np.generic]) -> np.generic | None:
    """Return ``nodata`` as a number of ``dtype``; None where that type cannot hold it."""
    if nodata is None:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(nodata)
    limits = np.iinfo(dtype.name)
    fits = nodata == int(nodata) and limits.min <= nodata <= limits.max
    return dtype.type(int(nodata)) if fits else None
