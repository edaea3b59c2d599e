"""Confusion of classes, and what is told from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Confusion"]


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How often a class of the truth (row) was found to be a class of the map (column).

    >>> table = Confusion.of(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)
    >>> table.accuracy, table.iou, round(table.kappa, 3)
    (0.75, (0.5, 0.6666666666666666), 0.5)
    """

    counts: NDArray[np.int64]
    """Pixels, shape (K, K)."""

    @classmethod
    def empty(cls, classes: int) -> Self:
        """Return the confusion of no pixels."""
        return cls(np.zeros((classes, classes), np.int64))

    @classmethod
    def of(cls, truth: NDArray[np.integer], found: NDArray[np.integer], classes: int) -> Self:
        """Count pixels; both arrays have one shape and values from 0 to ``classes`` - 1."""
        pairs = truth.ravel().astype(np.int64) * classes + found.ravel()
        return cls(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes))

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    @property
    def pixels(self) -> int:
        """Pixels that were counted."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Overall accuracy: share of pixels whose class is right; NaN without pixels."""
        return _share(float(np.trace(self.counts)), self.pixels)

    @property
    def kappa(self) -> float:
        """Cohen's kappa (1960): (accuracy - chance) / (1 - chance), chance from the shares of the classes."""
        if not self.pixels:
            return float("nan")
        share = self.counts / self.pixels
        chance = float(share.sum(axis=0) @ share.sum(axis=1))
        return _share(self.accuracy - chance, 1 - chance)

    @property
    def iou(self) -> tuple[float, ...]:
        """Intersection over union of each class; NaN for one that is nowhere."""
        hits, rows, columns = self._sums
        return tuple(map(_share, hits, rows + columns - hits))

    @property
    def f1(self) -> tuple[float, ...]:
        """F1 (Dice) of each class; NaN for one that is nowhere."""
        hits, rows, columns = self._sums
        return tuple(map(_share, 2 * hits, rows + columns))

    @property
    def precision(self) -> tuple[float, ...]:
        """Share of the pixels found to be of a class that are (user's accuracy)."""
        hits, _, columns = self._sums
        return tuple(map(_share, hits, columns))

    @property
    def recall(self) -> tuple[float, ...]:
        """Share of the pixels of a class that are found (producer's accuracy)."""
        hits, rows, _ = self._sums
        return tuple(map(_share, hits, rows))

    @property
    def _sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        counts = self.counts.astype(np.float64)
        return np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
