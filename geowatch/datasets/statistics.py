"""Statistics of bands that are seen piece by piece: mean, deviation, range and histogram, for each domain.

Pieces come in any size; count, range and histogram do not depend on how they were cut, mean and deviation only in
their last digits. Bins have a width of a power of two and begin at its multiples, so that counts of any two pieces can
be added: bins of half the width fall into one without remainder.
Source of the merging of moments: Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BandStatistics", "Histogram", "statistics_document"]

#: Most bins that a histogram has.
MAX_BINS = 512
#: Narrowest bins: 2 to this power.
_LEAST_POWER = -40
_QUANTILES = (0.01, 0.02, 0.25, 0.5, 0.75, 0.98, 0.99)


@dataclass
class Histogram:
    """Counts of values in bins ``[i, i + 1) * 2 ** power``."""

    power: int = _LEAST_POWER
    """Width of the bins is 2 to this."""
    first: int = 0
    """Number of the first bin."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Values in each bin from the first on."""

    def add(self, values: NDArray[np.float32]) -> None:
        """Count finite values (N)."""
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        self._widen(low, high)
        bins = np.floor(np.ldexp(values.astype(np.float64), -self.power)).astype(np.int64)
        self._reach(int(bins.min()), int(bins.max()))
        self.counts += np.bincount(bins - self.first, minlength=self.counts.size)

    def _widen(self, low: float, high: float) -> None:
        """Make bins so wide that all values fit into `MAX_BINS`."""
        if self.counts.size:
            low = min(low, math.ldexp(self.first, self.power))
            high = max(high, math.ldexp(self.first + self.counts.size - 1, self.power))
        power = self.power
        while math.floor(math.ldexp(high, -power)) - math.floor(math.ldexp(low, -power)) >= MAX_BINS:
            power += 1
        steps = power - self.power
        if steps and self.counts.size:
            bins = (self.first + np.arange(self.counts.size)) >> steps
            self.first = int(bins[0])
            self.counts = np.bincount(bins - self.first, weights=self.counts).astype(np.int64)
        self.power = power

    def _reach(self, low: int, high: int) -> None:
        if not self.counts.size:
            self.first = low
        before = max(0, self.first - low)
        after = max(0, high - (self.first + self.counts.size - 1))
        self.counts = np.pad(self.counts, (before, after))
        self.first -= before

    def quantile(self, share: float) -> float:
        """Return the value below which ``share`` of the values lie, by straight lines within bins; NaN for none."""
        total = int(self.counts.sum())
        if not total:
            return math.nan
        sums = np.concatenate([[0], np.cumsum(self.counts)])
        edges = np.ldexp((self.first + np.arange(self.counts.size + 1)).astype(np.float64), self.power)
        return float(np.interp(share * total, sums, edges))


@dataclass
class BandStatistics:
    """One band of one domain."""

    count: int = 0
    """Values seen."""
    mean: float = 0.0
    """Their mean."""
    squares: float = 0.0
    """Sum of squared distances from the mean."""
    low: float = math.inf
    """Least value."""
    high: float = -math.inf
    """Largest value."""
    histogram: Histogram = field(default_factory=Histogram)
    """How they are spread."""

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in finite values (N)."""
        if not values.size:
            return
        exact = values.astype(np.float64)
        mean = float(exact.mean())
        squares = float(np.square(exact - mean).sum())
        total = self.count + exact.size
        apart = mean - self.mean
        self.squares += squares + apart * apart * self.count * exact.size / total
        self.mean += apart * exact.size / total
        self.count = total
        self.low, self.high = min(self.low, float(exact.min())), max(self.high, float(exact.max()))
        self.histogram.add(values)

    @property
    def deviation(self) -> float:
        """Standard deviation over all values."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


def statistics_document(domains: dict[str, dict[str, BandStatistics]], extra: dict[str, dict[str, Any]]) -> Any:  # noqa: ANN401 - JSON
    """Return the document of ``gw dataset stats``: by domain, lists in the order of its channels.

    Args:
        domains: statistics by domain and channel.
        extra: what else is known of a domain, such as how many scenes it has.
    """
    return {
        "schema_version": "1",
        "domains": {name: {**_domain(bands), **extra.get(name, {})} for name, bands in sorted(domains.items())},
    }


def _domain(bands: dict[str, BandStatistics]) -> dict[str, Any]:
    all_of = list(bands.values())
    return {
        "channels": list(bands),
        "mean": [s.mean for s in all_of],
        "std": [s.deviation for s in all_of],
        "min": [s.low for s in all_of],
        "max": [s.high for s in all_of],
        "count": all_of[0].count if all_of else 0,
        "quantiles": {f"{share:g}": [s.histogram.quantile(share) for s in all_of] for share in _QUANTILES},
        "histogram": [
            {"start": math.ldexp(h.first, h.power), "width": math.ldexp(1.0, h.power), "counts": h.counts.tolist()}
            for h in (s.histogram for s in all_of)
        ],
    }
