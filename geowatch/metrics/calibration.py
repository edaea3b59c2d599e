"""Whether a score of 0.8 is right in 80 of 100 pixels.

Expected calibration error, binned: pixels are put into equal bins of their score, and each bin's mean score is
compared with the share of its pixels that are right (Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BINS", "Calibration"]

#: Bins from 0 to 1, as many as in the source.
BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Pixels, their scores and how many are right, by bin: the k-th holds scores above k / BINS, to (k + 1) / BINS.

    >>> round(Calibration.of(np.array([0.9, 0.9, 0.6]), np.array([True, False, True])).error, 9)
    0.4
    """

    pixels: NDArray[np.int64]
    """Pixels of each bin."""
    scores: NDArray[np.float64]
    """Sum of their scores."""
    right: NDArray[np.int64]
    """How many of them are right."""

    @classmethod
    def empty(cls) -> Self:
        """Return the calibration of no pixels."""
        return cls(np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS, np.int64))

    @classmethod
    def of(cls, scores: NDArray[np.floating], right: NDArray[np.bool_]) -> Self:
        """Count pixels: their ``scores`` from 0 to 1, and whether what has that score is right."""
        flat = scores.ravel().astype(np.float64)
        bins = np.clip(np.ceil(flat * BINS - 1e-9).astype(np.int64) - 1, 0, BINS - 1)
        return cls(
            np.bincount(bins, minlength=BINS),
            np.bincount(bins, flat, minlength=BINS).astype(np.float64),
            np.bincount(bins[right.ravel()], minlength=BINS),
        )

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.pixels + other.pixels, self.scores + other.scores, self.right + other.right)

    @property
    def mean_score(self) -> NDArray[np.float64]:
        """Mean score of each bin; NaN for an empty one."""
        return np.where(self.pixels > 0, self.scores / np.maximum(self.pixels, 1), np.nan)

    @property
    def share_right(self) -> NDArray[np.float64]:
        """Share of each bin's pixels that are right; NaN for an empty one."""
        return np.where(self.pixels > 0, self.right / np.maximum(self.pixels, 1), np.nan)

    @property
    def error(self) -> float:
        """Expected calibration error: mean over pixels of their bin's difference; NaN without pixels."""
        total = int(self.pixels.sum())
        if not total:
            return float("nan")
        return float(np.abs(self.scores - self.right).sum() / total)
