"""Space: smoothing of scores and morphology of masks, each with the halo that makes it exact under any cut.

Functions take arrays with a margin and are right everywhere but within their halo of the array's sides; whoever calls
them reads that much more and cuts it off. What has no score is outside: it is never filled, and masks end there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geowatch.track.scores import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.track.scores import Salience

__all__ = ["closed", "dilated", "halo_of_smoothing", "opened", "smoothed"]

#: Weight of a kernel's middle; weights are whole numbers, so that sums are exact.
_MIDDLE = 1024


def halo_of_smoothing(sigma_px: float) -> int:
    """Return how far `smoothed` looks, in pixels.

    >>> halo_of_smoothing(0), halo_of_smoothing(1.5)
    (0, 5)
    """
    return math.ceil(3 * sigma_px)


def smoothed(scores: Salience, sigma_px: float) -> Salience:
    """Return scores (H, W) averaged with Gaussian weights over what was seen; masked pixels stay masked.

    >>> smoothed(np.array([[0, 0, 0], [0, 32768, NONE], [0, 0, 0]], np.uint16), 0.5)[1].tolist()
    [3080, 22127, 65535]
    """
    if sigma_px <= 0:
        return scores
    seen = scores != NONE
    weights = _weights(sigma_px)
    total, weight = _spread(np.where(seen, scores, 0), weights), _spread(seen, weights)
    # Whole numbers below 2**53 in both: sums are exact, and one division rounds the same everywhere.
    mean = np.floor(total / np.maximum(weight, 1) + 0.5)
    return np.asarray(np.where(seen, mean, NONE), np.uint16)


def _weights(sigma_px: float) -> NDArray[np.float64]:
    reach = halo_of_smoothing(sigma_px)
    return np.array(
        [round(_MIDDLE * math.exp(-(step**2) / (2 * sigma_px**2))) for step in range(-reach, reach + 1)], np.float64
    )


def _spread(values: NDArray[np.generic], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d

    once = correlate1d(values.astype(np.float64), weights, axis=0, mode="constant")
    return np.asarray(correlate1d(once, weights, axis=1, mode="constant"))


def dilated(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Return a mask (H, W) grown by a disc: all pixels within ``radius_px`` + 1/2 of one of its own.

    Halo: ``radius_px``.

    >>> dilated(np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], bool), 1).astype(int).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    """
    out = mask.copy()
    across, reach = mask.copy(), 0
    for down in range(radius_px, -1, -1):
        wide = math.isqrt(int((radius_px + 0.5) ** 2 - down**2))
        # Rows near the middle are wider: each width is grown from the one before.
        for step in range(reach + 1, wide + 1):
            _paste(across, mask, (0, step))
            _paste(across, mask, (0, -step))
        reach = wide
        for rows in {down, -down}:
            _paste(out, across, (rows, 0))
    return out


def _paste(target: NDArray[np.bool_], source: NDArray[np.bool_], by: tuple[int, int]) -> None:
    """Add ``source``, moved by (rows, columns), to ``target``."""
    (to_y, from_y), (to_x, from_x) = (
        (slice(max(0, step), size + min(0, step)), slice(max(0, -step), size - max(0, step)))
        for step, size in zip(by, source.shape, strict=True)
    )
    target[to_y, to_x] |= source[from_y, from_x]


def opened(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Return a mask less what is too narrow to hold a disc of ``radius_px``. Halo: twice the radius.

    >>> opened(np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]], bool), 1)[2].tolist()
    [False, True, True, True, False]
    >>> opened(np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]], bool), 1).any()
    np.False_
    """
    if radius_px <= 0:
        return mask
    return dilated(~dilated(~mask, radius_px), radius_px)


def closed(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Return a mask with gaps filled that are too narrow to hold a disc of ``radius_px``. Halo: twice the radius."""
    if radius_px <= 0:
        return mask
    return ~dilated(~dilated(mask, radius_px), radius_px)
