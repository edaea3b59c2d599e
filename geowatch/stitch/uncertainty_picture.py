"""A picture of how unsure the scores are: imagery and one panel for each kind of uncertainty.

A panel's colours run from 0 to the tenth above its 99th percentile, written beside its ramp, so that small
uncertainties can be seen and panels of one kind can be compared by their numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geowatch.stitch.paper import EMPTY, GAP, INK, LINE, MARGIN, TOP, Scale, as_png, blank, draw_scale, font, paste

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Doubt", "DoubtSheet", "draw_doubts", "ramp"]

#: Colours at even steps from sure to unsure, light to dark so that they stay apart in grey.
_RAMP = np.array([(247, 247, 240), (252, 205, 120), (236, 124, 52), (170, 36, 62), (60, 8, 62)], np.float32)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One kind of uncertainty."""

    name: str
    """What it is called."""
    values: NDArray[np.float32]
    """From 0 to 1, NaN where there is none, shape (height, width)."""


@dataclass(frozen=True, slots=True)
class DoubtSheet:
    """What the picture shows. Arrays have the panel's size."""

    title: str
    """First line."""
    subtitle: str
    """Second line."""
    doubts: tuple[Doubt, ...]
    """Panels."""
    scale: Scale
    """For the scale bar."""
    imagery: NDArray[np.uint8] | None = None
    """What the network saw, shape (height, width, 3); None leaves it out."""


def ramp(values: NDArray[np.float32], top: float) -> NDArray[np.uint8]:
    """Return the colours (..., 3) of values from 0 to ``top``; grey where they are NaN."""
    seen = np.isfinite(values)
    at = np.clip(np.where(seen, values, 0) / top, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(at.astype(np.int64), len(_RAMP) - 2)
    mixed = _RAMP[low] + (at - low)[..., np.newaxis] * (_RAMP[low + 1] - _RAMP[low])
    mixed[~seen] = EMPTY
    colors: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return colors


def _top(values: NDArray[np.float32]) -> float:
    seen = values[np.isfinite(values)]
    high = float(np.percentile(seen, 99)) if seen.size else 1.0
    return max(0.1, math.ceil(high * 10 - 1e-6) / 10)


def draw_doubts(sheet: DoubtSheet) -> bytes:
    """Return the picture as PNG."""
    height, width = sheet.doubts[0].values.shape
    first = 0 if sheet.imagery is None else 1
    across = (len(sheet.doubts) + first) * (width + GAP) - GAP
    page = blank(sheet.title, sheet.subtitle, across, height + 2 * LINE + 12)
    if sheet.imagery is not None:
        paste(page, sheet.imagery, (MARGIN, TOP))
    for number, doubt in enumerate(sheet.doubts, start=first):
        left = MARGIN + number * (width + GAP)
        high = _top(doubt.values)
        paste(page, ramp(doubt.values, high), (left, TOP))
        _draw_ramp(page, doubt.name, high, (left, TOP + height + 12))
    draw_scale(ImageDraw.Draw(page), sheet.scale, (MARGIN, TOP + height + 12 + int(1.3 * LINE)), width)
    return as_png(page)


def _draw_ramp(page: Image.Image, name: str, high: float, at: tuple[int, int]) -> None:
    left, top = at
    steps = np.broadcast_to(np.linspace(0, high, 120, dtype=np.float32), (14, 120))
    page.paste(Image.fromarray(ramp(steps, high)), (left, top + 3))
    ImageDraw.Draw(page).text((left + 130, top), f"{name}  0 to {high:.1f}", INK, font(15))
