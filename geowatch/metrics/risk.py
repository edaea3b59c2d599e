"""How well uncertainty foretells errors.

Sorted by uncertainty, the pixels that are kept up to a share of all have an error rate: the risk-coverage curve
(El-Yaniv and Wiener 2010, https://jmlr.org/papers/v11/el-yaniv10a.html). It rises where uncertainty is worth anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from geowatch.metrics.curves import ScoreCurves

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ErrorCurve"]


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCurve:
    """Pixels by uncertainty, the wrong ones and the right ones.

    >>> curve = ErrorCurve.of(np.array([0.1, 0.2, 0.9]), np.array([False, False, True]))
    >>> curve.auroc, curve.error_rate, curve.error_at(2 / 3)
    (1.0, 0.3333333333333333, 0.0)
    """

    sorted: ScoreCurves
    """Wrong pixels inside, right ones outside."""

    @classmethod
    def empty(cls) -> Self:
        """Return the curve of no pixels."""
        return cls(ScoreCurves.empty())

    @classmethod
    def of(cls, uncertainty: NDArray[np.floating], wrong: NDArray[np.bool_]) -> Self:
        """Count pixels: their ``uncertainty`` from 0 to 1, and whether the map is wrong there."""
        return cls(ScoreCurves.of(uncertainty, wrong))

    def __add__(self, other: ErrorCurve) -> ErrorCurve:
        return ErrorCurve(self.sorted + other.sorted)

    @property
    def auroc(self) -> float:
        """Share of pairs of a wrong and a right pixel in which the wrong one is the less certain."""
        return self.sorted.auroc

    @property
    def error_rate(self) -> float:
        """Share of all pixels that are wrong."""
        return self.error_at(1.0)

    def error_at(self, coverage: float) -> float:
        """Share of wrong pixels among the most certain ``coverage`` of all; ties are shared out evenly."""
        kept, wrong = self.points
        return float(np.interp(coverage * kept[-1], kept, wrong) / (coverage * kept[-1])) if kept[-1] else float("nan")

    @property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels kept, and wrong ones among them, as the limit of uncertainty rises; both begin at 0."""
        wrong = np.cumsum(self.sorted.inside)
        kept = wrong + np.cumsum(self.sorted.outside)
        return np.concatenate([[0.0], kept]), np.concatenate([[0.0], wrong])
