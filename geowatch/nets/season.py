"""Seasons of vegetation: how far an index stands between its low and its high of the year. Needs no training.

A window of T dates, evenly spread over about a year around the one that is asked for, is made whole by linear
interpolation between the dates that saw a pixel. Its low and its high are quantiles of that year; the score is where
the middle date stands between them. Half of the way up and half of the way down are the usual start and end of a
season (White et al. 1997, https://doi.org/10.1029/97GB00330; threshold of half the amplitude).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from geowatch.errors import ConfigError

__all__ = ["SeasonConfig", "SeasonNet", "describe_season"]

#: What an input holds where nothing was seen: far below any index.
FILL = -9.0


@dataclass(frozen=True, kw_only=True)
class SeasonConfig:
    """What counts as a season."""

    dates: int = 37
    """Dates of a window, odd: the middle one is the one that is asked for."""
    missing: float = -2.0
    """Values at or below this were not seen; the package's input fills with something lower."""
    low: float = 0.1
    """Share of the year below its low."""
    high: float = 0.9
    """Share of the year below its high."""
    least: float = 0.2
    """Difference of high and low, in units of the index, below which nothing is called a season."""

    def __post_init__(self) -> None:
        if self.dates < 3 or self.dates % 2 == 0:
            raise ConfigError(f"a season of {self.dates} dates has no middle", hint="choose an odd number from 3")
        if not 0 <= self.low < self.high <= 1 or self.least <= 0:
            raise ConfigError(
                f"low {self.low:g}, high {self.high:g} and least {self.least:g} make no season",
                hint="choose 0 <= low < high <= 1, and least above 0",
            )


class SeasonNet(nn.Module):
    """The network; see the module's text. It has no weights."""

    def __init__(self, config: SeasonConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return scores (N, 2, H, W), dormant and green, of an index ``x`` (N, T, 1, H, W)."""
        dates = x[:, :, 0]
        seen = dates > self.config.missing
        year = _interpolated(dates, seen)
        ordered = year.sort(1).values
        low, high = _quantile(ordered, self.config.low), _quantile(ordered, self.config.high)
        reach = high - low
        green = ((year[:, self.config.dates // 2] - low) / reach.clamp_min(self.config.least)).clamp(0.0, 1.0)
        green = torch.where(seen.any(1) & (reach >= self.config.least), green, torch.zeros_like(green))
        return {"scores": torch.stack([1.0 - green, green], 1)}


def _interpolated(dates: Tensor, seen: Tensor) -> Tensor:
    """Return all dates (N, T, H, W), those that were not seen from their neighbours in time."""
    count = dates.shape[1]
    place = torch.arange(count, dtype=dates.dtype).view(1, count, 1, 1)
    before = _latest(torch.where(seen, place, -1.0))
    after = count - 1 - _latest(torch.where(seen, count - 1 - place, -1.0).flip(1)).flip(1)
    past, ahead = place - before, after - place
    old, new = dates.gather(1, before.clamp_min(0).long()), dates.gather(1, after.clamp_max(count - 1).long())
    # A distance of nought is a date that was seen; without a neighbour on one side the other one counts alone.
    between = old + (new - old) * (past / (past + ahead).clamp_min(1.0))
    return torch.where(before < 0, new, torch.where(after >= count, old, between))


def _latest(places: Tensor) -> Tensor:
    """Return for each date (axis 1) the largest place up to it.

    Each step looks twice as far back as the one before: few operations on all dates, so that the graph stays small.
    """
    back = 1
    while back < places.shape[1]:
        shifted = nn.functional.pad(places[:, :-back], (0, 0, 0, 0, back, 0), value=-1.0)
        places, back = torch.maximum(places, shifted), 2 * back
    return places


def _quantile(ordered: Tensor, share: float) -> Tensor:
    """Return a quantile along axis 1 of ascending values, linear between neighbours."""
    place = share * (ordered.shape[1] - 1)
    under = int(place)
    above = min(under + 1, ordered.shape[1] - 1)
    return torch.lerp(ordered[:, under], ordered[:, above], place - under)


def describe_season(config: SeasonConfig) -> Mapping[str, object]:
    """Return what a package says of the network, by field of ``geowatch.package.spec.ImportSpec``."""
    return {
        "bands": ("ndvi",),
        "classes": ("dormant", "green"),
        "colors": ("#f2efe6", "#4d9221"),
        "dates": config.dates,
        "window": (64, 64),
        "overlap": 0.0,
        "blend": "mean",
        "activation": "none",
        "license": "Apache-2.0",
        "description": "How far an index stands between its low and its high of the year; untrained.",
        "series_sampling": "uniform",
        "series_span_days": 370,
        "series_anchor": 0.5,
        "series_step_days": 10,
        "inputs": tuple(
            {"name": f"index.{k}", "tensor": "x", "bands": ("ndvi",), "date": k, "layout": "NTCHW", "fill": FILL}
            for k in range(config.dates)
        ),
    }
