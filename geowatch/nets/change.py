"""A detector of building sites in a series of images that needs no training: medians, peaks and counts over time.

It sees T dates in equal bins over whole years, half of them before the day that is asked for and half after it, and
asks three things of each pixel by itself. Has it lost its plants for longer than a season? Does its surface keep
changing? Is it neither water nor merely unseen? What it takes for granted is how plants, soil, water and buildings
reflect, and that fields are green once a year. No weights are fitted; the thresholds are round numbers that were
tried on simulated series.

With reflectances b, g, r, n, s of blue, green, red, near infra-red and short-wave infra-red (1.6 um):

    greenness  G = (n - r) / (n + r)        wetness  W = (g - s) / (g + s)
    slope      L = (s - b) / (s + b)        light    B = ln((b + g + r) / 3 + n / 3)

Soil rises steeply towards the infra-red (L above 0.45), concrete, metal and asphalt hardly (0.1 to 0.3). A peak is
the mean of the two largest values in a span; a range is the distance of the 20 and 80 percent quantiles, so that
single clouds and shadows that a mask missed count for nothing. With S(x, at, width) = 1 / (1 + exp((at - x) / width)):

    green season of a date    C = the largest G at its time of the year, over all years
    proof of a span           E = min(1, sum of S(C, 0.5) over its dates that were seen / proof)
    bare over a span          S(-peak of G) * E: it was looked at when it used to be green, and was not
    never green over a span   S(-peak of G) * (1 - S(peak of G in all dates) * (1 - E of one date)): unrest is proof,
                              too, so that one date in the green season will do; none where there is no such season
    lost     = the most of bare over the year ahead, behind and around  *  S(peak of G in all dates before)
    unrest   = (range of B + 2 * range of L) * min(1, dates seen / a quarter of the span's)
    worked   = S(unrest over the year around) * never green over the year around
    moving   = S(unrest of dates without plants, from four months ago to two ahead)
    changing = dry * not green now * (1 - (1 - lost) * (1 - worked))

    Active Construction  changing * moving
    Site Preparation     changing * (1 - moving) * S(median of L now)          bare soil that lies still
    Post Construction    changing * (1 - moving) * (1 - S(median of L now))    built, and not long ago
    No Activity          1 - changing

Dates that did not see a pixel hold a fill value far below any reflectance. Scores of a pixel that was hardly seen tend
to No Activity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from geowatch.errors import ConfigError

__all__ = ["ChangeConfig", "ChangeDetector", "describe_change"]

#: Bands of each date, in order, and classes of the output.
BANDS = ("blue", "green", "red", "nir", "swir16")
CLASSES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
#: What stands for values that were not seen; above half of it lies every reflectance.
FILL = -1.0
_DARKEST, _LEAST_SHARE = 0.005, 1e-3


@dataclass(frozen=True, kw_only=True)
class ChangeConfig:
    """Dates of the detector, and where its questions are half answered."""

    dates: int = 72
    """Dates of a window, T; an even number of them for each year."""
    years: int = 3
    """Years that they span."""
    bare: float = 0.38
    """Greenness below which ground counts as bare."""
    green: float = 0.5
    """Greenness above which it counts as grown over."""
    proof: float = 2.5
    """Dates in the green season that must have seen the ground bare."""
    worked: float = 0.62
    """Unrest within a year above which a surface without plants is being worked on."""
    moving: float = 0.45
    """Unrest of bare ground within half a year above which it is built on rather than lying still."""
    soil: float = 0.4
    """Slope above which bare ground is soil rather than stone, concrete or metal."""
    wet: float = 0.05
    """Wetness above which the ground is under water."""

    def __post_init__(self) -> None:
        if self.years < 1 or self.dates % (2 * self.years) or self.dates // self.years < 8:
            raise ConfigError(
                f"{self.dates} dates over {self.years} years do not make seasons",
                hint="choose an even number of dates a year, 8 or more, such as dates=72 for years=3",
            )
        if self.proof <= 0:
            raise ConfigError(f"proof of {self.proof:g} dates proves nothing", hint="choose a number above 0")

    @property
    def season(self) -> int:
        """Dates of a year."""
        return self.dates // self.years


class ChangeDetector(nn.Module):
    """The detector; see the module's text. It has no weights."""

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return logits (N, 4, H, W) of the classes from reflectances ``x`` (N, T, 5, H, W) of `BANDS`."""
        c, now, year = self.config, self.config.dates // 2, self.config.season
        seen = (x[:, :, 0] > FILL / 2).to(x.dtype)
        green, wet, slope, light = _indices(x.clamp_min(_DARKEST))
        look, surface = _Look(seen), torch.stack([light, slope], 1)
        spans = (now, now + year), (now - year, now), (now - year // 2, now + year // 2)
        peaks = [look.peak(green, span) for span in spans]
        proof = self._proof(green, seen)
        proofs = [look.total(proof, span) for span in spans]
        bare = [
            _above(c.bare, peak, 0.04) * (p / c.proof).clamp_max(1.0) for peak, p in zip(peaks, proofs, strict=True)
        ]
        lost = reduce(torch.maximum, bare) * _above(look.peak(green, (0, now)), c.green, 0.05)
        # At the ends of a series half of this year was not seen, maybe the half in which plants grow.
        grows = _above(look.peak(green, (0, c.dates)), c.green, 0.05)
        never = _above(c.bare, peaks[2], 0.04) * (1 - grows * (1 - proofs[2].clamp_max(1.0)))
        worked = _above(look.unrest(surface, spans[2]), c.worked, 0.05) * never
        ground = _Look(seen * (green < c.bare).to(x.dtype))
        lately = now - year // 3, now + year // 6
        moving = _above(ground.unrest(surface, lately), c.moving, 0.05)
        dry = _above(c.wet, look.peak(wet, (now - year, now + year)), 0.04)
        here = now - max(1, year // 12), now + max(1, year // 12)
        change = dry * _above(c.bare, look.peak(green, here), 0.04) * (1 - (1 - lost) * (1 - worked))
        soil = _above(look.quantile(slope, (here[0] - 1, here[1] + 1), 0.5), c.soil, 0.03)
        still = change * (1 - moving)
        shares = torch.stack([1 - change, still * soil, change * moving, still * (1 - soil)], 1)
        return {"scores": shares.clamp_min(_LEAST_SHARE).log()}

    def _proof(self, green: Tensor, seen: Tensor) -> Tensor:
        """Return for each date (N, T, H, W) whether the pixel was seen, and is green at this time of some year."""
        years, season = self.config.years, self.config.season
        known = torch.where(seen > 0, green, torch.full_like(green, FILL))
        best = reduce(torch.maximum, [known[:, k * season : (k + 1) * season] for k in range(years)])
        return torch.cat([_above(best, self.config.green, 0.05)] * years, 1) * seen


def _indices(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return greenness, wetness, slope and light (N, T, H, W)."""
    b, g, r, n, s = (x[:, :, k] for k in range(len(BANDS)))
    return (n - r) / (n + r), (g - s) / (g + s), (s - b) / (s + b), ((b + g + r + n) / 3).log()


def _above(x: Tensor | float, at: Tensor | float, width: float) -> Tensor:
    """Return from 0 to 1 how far ``x`` lies above ``at``."""
    return torch.sigmoid((x - at) / width)  # type: ignore[arg-type]  # one of them is a tensor


@dataclass(frozen=True)
class _Look:
    """Statistics over spans of dates ``(first, end)`` that leave out what was not seen."""

    seen: Tensor
    """1 where a date saw a pixel, (N, T, H, W)."""

    def total(self, x: Tensor, span: tuple[int, int]) -> Tensor:
        """Return the sum (N, H, W) over a span."""
        return x[:, span[0] : span[1]].sum(1)

    def peak(self, x: Tensor, span: tuple[int, int]) -> Tensor:
        """Return the mean of the two largest values (N, H, W); `FILL` stands for those that are missing."""
        known = self._known(x, span, FILL)
        first = known.amax(1, keepdim=True)
        largest = (known == first).to(x.dtype)
        others = torch.where(known < first, known, torch.full_like(known, FILL)).amax(1)
        second = torch.where(largest.sum(1) > 1, first[:, 0], others)
        return (first[:, 0] + second) / 2

    def ranges(self, x: Tensor, span: tuple[int, int]) -> Tensor:
        """Return the distances (N, M, H, W) of the quantiles of 20 and 80 percent of several ``x`` (N, M, T, H, W)."""
        ordered, ranks = self._ordered(x, span)
        return (ordered * (self._weights(span, ranks, 0.2) - self._weights(span, ranks, 0.8)).unsqueeze(1)).sum(2)

    def quantile(self, x: Tensor, span: tuple[int, int], share: float) -> Tensor:
        """Return the value (N, H, W) that ``share`` of the values lie above, linear between them; else `FILL`."""
        ordered, ranks = self._ordered(x.unsqueeze(1), span)
        return (ordered[:, 0] * self._weights(span, ranks, share)).sum(1)

    def unrest(self, surface: Tensor, span: tuple[int, int]) -> Tensor:
        """Return how much light and slope (N, 2, T, H, W) change (N, H, W), less where they were hardly seen."""
        often = (self.total(self.seen, span) / ((span[1] - span[0]) / 4)).clamp_max(1.0)
        light, slope = self.ranges(surface, span).unbind(1)
        return (light + 2 * slope) * often

    def _weights(self, span: tuple[int, int], ranks: Tensor, share: float) -> Tensor:
        place = (self.total(self.seen, span).unsqueeze(1) - 1).clamp_min(0.0) * share
        return (1 - (ranks - place).abs()).clamp_min(0.0)

    def _ordered(self, x: Tensor, span: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the values of a span, largest first, (N, M, S, H, W), and their ranks (1, S, 1, 1)."""
        part, seen = x[:, :, span[0] : span[1]], self.seen[:, None, span[0] : span[1]]
        ordered = _falling(torch.where(seen > 0, part, 8 * FILL))
        return ordered, torch.arange(ordered.shape[2], dtype=x.dtype, device=x.device).view(1, -1, 1, 1)

    def _known(self, x: Tensor, span: tuple[int, int], fill: float) -> Tensor:
        part, seen = x[:, span[0] : span[1]], self.seen[:, span[0] : span[1]]
        return torch.where(seen > 0, part, torch.full_like(part, fill))


def _falling(x: Tensor) -> Tensor:
    """Return ``x`` (N, M, S, H, W) with the largest first along S: odd-even merge sort (Batcher 1968).

    It compares whole planes with each other and moves none, which is the same on every backend, and many times as
    fast as sorting each pixel: what two steps share is still in the processor's cache.
    """
    planes = list(x.unbind(2))
    for i, j in _comparisons(len(planes)):
        planes[i], planes[j] = torch.maximum(planes[i], planes[j]), torch.minimum(planes[i], planes[j])
    return torch.stack(planes, 2)


def _comparisons(count: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of places, the first before the second, that put ``count`` values in order.

    >>> list(_comparisons(4))
    [(0, 2), (1, 3), (0, 1), (2, 3), (1, 2)]
    """
    half = 1 << (max(1, count - 1).bit_length() - 1)
    run = half
    while run:
        reach, first, step = half, 0, run
        while True:
            yield from ((i, i + step) for i in range(count - step) if i & run == first)
            if reach == run:
                break
            step, first, reach = reach - run, run, reach // 2
        run //= 2


def describe_change(config: ChangeConfig) -> Mapping[str, object]:
    """Return what a package says of the detector, by field of ``geowatch.package.spec.ImportSpec``."""
    return {
        "bands": BANDS,
        "classes": CLASSES,
        "colors": ("#e8e8e8", "#fdae61", "#d7301f", "#4575b4"),
        "dates": config.dates,
        "window": (128, 128),
        "overlap": 0.0,
        "blend": "mean",
        "activation": "softmax",
        "license": "Apache-2.0",
        "description": "Building sites in a series of images, by what plants, soil and buildings reflect; untrained.",
        "series_sampling": "uniform",
        "series_span_days": round(365.25 * config.years),
        "series_anchor": 0.5,
        "series_step_days": 60,
        "inputs": tuple(
            {"name": f"series.{k}", "tensor": "x", "bands": BANDS, "date": k, "layout": "NTCHW", "fill": FILL}
            for k in range(config.dates)
        ),
    }
