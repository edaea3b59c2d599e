"""Medians and spreads of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

__all__ = ["Spread", "paired", "spread_of"]


@dataclass(frozen=True)
class Spread:
    """Some measurements of one thing."""

    median: float
    """Half of the runs took at most this."""
    low: float
    """Smallest."""
    high: float
    """Largest."""
    quartiles: tuple[float, float]
    """A quarter of the runs took at most the first, three quarters at most the second."""
    runs: int
    """How many there were."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up measurements.

        >>> Spread.of([3.0, 1.0, 2.0]).median
        2.0
        """
        if len(values) == 1:
            return cls(values[0], values[0], values[0], (values[0], values[0]), 1)
        first, _, third = quantiles(values, n=4, method="inclusive")
        return cls(median(values), min(values), max(values), (first, third), len(values))


def spread_of(runs: Sequence[dict[str, Any]], key: str) -> Spread:
    """Sum up one figure of runs."""
    return Spread.of([float(run[key]) for run in runs])


def paired(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Sum up ratios taken round by round, so that what slowed a round down slows both.

    >>> paired([2.0, 6.0], [1.0, 3.0]).median
    2.0
    """
    return Spread.of([a / b for a, b in zip(above, below, strict=False)])
