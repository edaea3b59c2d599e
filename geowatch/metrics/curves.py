"""How well a score sorts pixels that are of a class from those that are not.

Scores are counted in even steps from 0 to 1 (`STEPS`), of which the 254 of a heatmap of 8 bits are whole multiples;
curves then run over all of its thresholds and nothing is lost. Finer scores are rounded to the nearest step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from geowatch.metrics.calibration import BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STEPS", "ScoreCurves"]

#: Steps from score 0 to score 1: 16 for each of a heatmap of 8 bits.
STEPS = 16 * 254


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCurves:
    """Pixels by score, those of the class and the others.

    >>> curves = ScoreCurves.of(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    >>> curves.auroc, round(curves.average_precision, 4)
    (0.75, 0.8333)
    """

    inside: NDArray[np.int64]
    """Pixels of the class at each step."""
    outside: NDArray[np.int64]
    """Pixels of other classes at each step."""

    @classmethod
    def empty(cls) -> Self:
        """Return the curves of no pixels."""
        return cls(np.zeros(STEPS + 1, np.int64), np.zeros(STEPS + 1, np.int64))

    @classmethod
    def of(cls, scores: NDArray[np.floating], is_class: NDArray[np.bool_]) -> Self:
        """Count pixels: their ``scores`` from 0 to 1, and whether they are of the class."""
        steps = np.rint(scores.ravel() * STEPS).astype(np.int64)
        inside = np.bincount(steps[is_class.ravel()], minlength=STEPS + 1)
        return cls(inside, np.bincount(steps, minlength=STEPS + 1) - inside)

    def __add__(self, other: ScoreCurves) -> ScoreCurves:
        return ScoreCurves(self.inside + other.inside, self.outside + other.outside)

    @property
    def auroc(self) -> float:
        """Area under the receiver operating characteristic; NaN where one kind of pixel is missing.

        It is the share of pairs of one pixel of the class and one of the others in which the first has the higher
        score, ties counted half (Hanley and McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747).
        """
        inside, outside = self.inside.astype(np.float64), self.outside.astype(np.float64)
        pairs = inside.sum() * outside.sum()
        below = np.cumsum(outside) - outside
        return float((inside * (below + outside / 2)).sum() / pairs) if pairs else float("nan")

    @property
    def average_precision(self) -> float:
        """Precision, averaged over recall step by step from the highest score down; NaN without pixels of the class."""
        hits = np.cumsum(self.inside[::-1])
        taken = hits + np.cumsum(self.outside[::-1])
        total = hits[-1]
        if not total:
            return float("nan")
        precision = hits / np.maximum(taken, 1)
        return float((precision * self.inside[::-1]).sum() / total)

    @property
    def calibration_error(self) -> float:
        """How far scores are from the share of pixels that are of the class, over equal bins; NaN without pixels.

        It is the class-wise calibration error of Kull et al. (2019, https://arxiv.org/abs/1910.12656, equation 3).
        """
        steps = np.arange(STEPS + 1)
        bins = np.clip(-(-steps * BINS // STEPS) - 1, 0, BINS - 1)
        pixels = self.inside + self.outside
        scores = np.bincount(bins, pixels * steps / STEPS, minlength=BINS)
        right = np.bincount(bins, self.inside, minlength=BINS)
        total = pixels.sum()
        return float(np.abs(scores - right).sum() / total) if total else float("nan")
