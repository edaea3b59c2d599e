"""Scores as integers: what tracking compares, adds up and averages.

Stored values become units of 1/32768, so that every sum is exact and does not depend on the order in which tiles or
processes add. A *salience* is one such score a pixel, from 0 to `FULL_SCORE`, with `NONE` where nothing was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.sites.fragment import FULL_SCORE

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Salience = NDArray[np.uint16]

__all__ = ["NONE", "Scale", "ratio", "to_units", "winners"]

#: Salience of a pixel that has no score.
NONE = 65535
#: Scores beyond this many units (raw outputs of a network) are cut off, so that sums fit into 64 bits.
_MOST_UNITS = 1 << 30


@dataclass(frozen=True, slots=True)
class Scale:
    """How stored values stand for scores."""

    stored: str
    """NumPy type on disk: uint8, uint16, float16 or float32."""
    top: int | None = None
    """Stored value of the score 1; None where scores are stored as they are."""
    fill: float = float("nan")
    """Stored value of a pixel without a score."""

    def is_none(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where there is no score."""
        return np.asarray(np.isnan(stored) if self.top is None else stored == self.fill)

    def units(self, stored: NDArray[Any]) -> NDArray[np.int64]:
        """Return scores in units; what stands under fill is 0.

        >>> Scale("uint8", 254, 255).units(np.array([0, 127, 254, 255], np.uint8)).tolist()
        [0, 16384, 32768, 0]
        """
        if self.top is None:
            scaled = np.nan_to_num(stored.astype(np.float64) * FULL_SCORE)
            return np.clip(np.rint(scaled), -_MOST_UNITS, _MOST_UNITS).astype(np.int64)
        scaled = np.rint(stored * np.float64(FULL_SCORE / self.top))
        return np.where(self.is_none(stored), 0, scaled).astype(np.int64)

    def salience(self, stored: NDArray[Any]) -> Salience:
        """Return the sum of the scores of some classes, cut to 0..1.

        Args:
            stored: Stored values, shape (K, ...); a pixel has either all of its classes or none.

        >>> Scale("uint8", 254, 255).salience(np.array([[127, 255], [64, 255]], np.uint8)).tolist()
        [24641, 65535]
        """
        none = self.is_none(stored[0])
        if self.top is None:
            most = _MOST_UNITS / FULL_SCORE
            total = np.nan_to_num(stored.astype(np.float64), posinf=most, neginf=-most).sum(axis=0)
            out = np.rint(np.clip(total, 0, 1) * FULL_SCORE).astype(np.uint16)
        else:
            whole = stored[0] if len(stored) == 1 else np.minimum(stored.sum(axis=0, dtype=np.uint32), self.top)
            # Single precision is exact enough to round bytes right; wider values need double.
            scaled = whole.astype(np.float32 if self.stored == "uint8" else np.float64)
            scaled *= FULL_SCORE / self.top
            out = np.rint(scaled, out=scaled).astype(np.uint16)
        out[none] = NONE
        return np.asarray(out, np.uint16)


def to_units(score: float) -> int:
    """Return a threshold in units.

    >>> to_units(0.5)
    16384
    """
    return round(score * FULL_SCORE)


def ratio(total: NDArray[Any], count: NDArray[Any]) -> Salience:
    """Return ``total / count`` rounded half up, `NONE` where the count is 0; all of them whole numbers.

    Numbers below 2**31 are divided right by double precision: a quotient is either whole or at least 2**-31 away
    from being so, which is more than the division's own error.
    """
    quotient = total * 2.0
    quotient += count
    quotient /= np.maximum(count, 1) * 2.0
    out: Salience = quotient.astype(np.uint16)
    out[count == 0] = NONE
    return out


def winners(fields: NDArray[Any], none: NDArray[np.bool_], wanted: Sequence[int]) -> NDArray[np.int16]:
    """Return for each pixel the wanted class that has the largest score of all classes, -1 elsewhere.

    Args:
        fields: Scores, shape (K, ...), stored values or units: only their order matters.
        none: Where there are no scores.
        wanted: Classes that are looked for. Among equals the first class wins, as on maps.

    >>> winners(np.array([[1, 9, 5], [9, 1, 5], [2, 2, 2]]), np.array([False, False, True]), [1]).tolist()
    [1, -1, -1]
    """
    best, top = np.zeros(none.shape, np.int16), fields[0].copy()
    for k, field in enumerate(fields[1:], 1):
        best[field > top] = k
        np.maximum(top, field, out=top)
    keep = np.isin(best, np.asarray(wanted, np.int16)) & ~none
    return np.where(keep, best, np.int16(-1)).astype(np.int16)
