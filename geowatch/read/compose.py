"""How overlapping scenes become one image: pixel by pixel, in a stated order that no reader can change."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox

__all__ = ["PixelSource", "compose_first", "compose_median"]

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


class PixelSource(Protocol):
    """One scene as pixels of the lattice."""

    @property
    def extent(self) -> PixelBox:
        """Where it has pixels."""

    def read(self, box: PixelBox, values: Float, valid: Bool) -> None:
        """Write values (C, H, W), 0 where invalid, and validity (H, W) of a box within the extent."""


def compose_first(scenes: Sequence[PixelSource], box: PixelBox, values: Float, valid: Bool) -> None:
    """Write values (C, H, W) and validity (H, W) of ``box``: of each pixel the first scene's that has it.

    All bands of a pixel come from one scene.
    """
    if scenes and scenes[0].extent.covers(box):
        scenes[0].read(box, values, valid)
        scenes = scenes[1:]
    else:
        values[:], valid[:] = 0, False
    for scene in scenes:
        _fill(scene, box, values, valid)


def _fill(scene: PixelSource, box: PixelBox, values: Float, valid: Bool) -> None:
    part = scene.extent & box
    rows, cols = part.within(box)
    here = valid[rows, cols]
    if here.all():
        return
    found, there = _read(scene, part, len(values))
    take = there & ~here
    np.copyto(values[:, rows, cols], found, where=take)
    here |= take


def _read(scene: PixelSource, box: PixelBox, channels: int) -> tuple[Float, Bool]:
    values, valid = np.empty((channels, *box.shape), np.float32), np.empty(box.shape, bool)
    scene.read(box, values, valid)
    return values, valid


def compose_median(scenes: Sequence[PixelSource], box: PixelBox, values: Float, valid: Bool) -> None:
    """Fill ``values`` and ``valid`` of ``box`` with each band's median over the scenes that are valid there.

    Among an even number of scenes it is the mean of the middle two.
    """
    if not scenes:
        return
    stack = np.full((len(scenes), *values.shape), np.nan, np.float32)
    for layer, scene in zip(stack, scenes, strict=True):
        part = scene.extent & box
        rows, cols = part.within(box)
        found, there = _read(scene, part, len(values))
        np.copyto(layer[:, rows, cols], found, where=there)
        valid[rows, cols] |= there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # pixels that no scene has
        middle = np.nanmedian(stack, axis=0)
        lost = valid & ~np.isfinite(middle).all(axis=0)
        if lost.any():  # the sum of two large values is beyond float32, their mean is not
            middle[:, lost] = np.nanmedian(stack[:, :, lost].astype(np.float64), axis=0)
    np.copyto(values, middle, where=valid)
