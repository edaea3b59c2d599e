"""Blend weights: how much each pixel of a window counts where windows overlap.

All weights are positive somewhere in every pixel's windows, so that a weighted mean exists everywhere. With ``u``
the pixel's centre from the window's start, ``W`` the window and ``O`` the overlap (pixels), along one axis:

======== ==============================================================================
hann     ``sin(pi * u / W) ** 2``
gaussian ``exp(-0.5 * ((u - W / 2) / (W / 8)) ** 2)``, raised by 1e-4 to stay above zero
linear   ``min(u, W - u, max(O, 1)) / max(O, 1)``: flat in the middle, ramps over the overlap
crop     1 in the middle ``W - O`` pixels, 0 outside: each pixel comes from one window
mean     1
======== ==============================================================================

In two dimensions weights are the product of both axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from geowatch.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.windows import WindowLattice

__all__ = ["BLENDS", "Blend", "axis_weights", "blend_weights"]

Blend = Literal["hann", "gaussian", "linear", "crop", "mean"]
BLENDS: tuple[Blend, ...] = get_args(Blend)


def blend_weights(blend: Blend, windows: WindowLattice) -> NDArray[np.float32]:
    """Return the weights of one window, shape (height, width), float32."""
    rows, cols = (
        axis_weights(blend, size, size - stride) for size, stride in zip(windows.size, windows.stride, strict=True)
    )
    return np.outer(rows, cols).astype(np.float32)


def axis_weights(blend: Blend, size_px: int, overlap_px: int) -> NDArray[np.float64]:
    """Return the weights along one axis, shape (size_px,).

    >>> axis_weights("crop", 6, 3)
    array([0., 1., 1., 1., 0., 0.])
    """
    centre = np.arange(size_px) + 0.5
    match blend:
        case "hann":
            waves: NDArray[np.float64] = np.sin(np.pi * centre / size_px) ** 2
            return waves
        case "gaussian":
            bell: NDArray[np.float64] = np.exp(-0.5 * ((centre - size_px / 2) / (size_px / 8)) ** 2)
            bell += 1e-4  # stays above zero far from the centre
            return bell
        case "linear":
            ramp = max(overlap_px, 1)
            slope: NDArray[np.float64] = np.minimum(np.minimum(centre, size_px - centre), ramp) / ramp
            return slope
        case "crop":
            weights = np.zeros(size_px)
            first = overlap_px // 2
            weights[first : first + size_px - overlap_px] = 1.0
            return weights
        case "mean":
            return np.ones(size_px)
    raise ConfigError(f"no blend '{blend}'", hint=f"one of {', '.join(BLENDS)}")
