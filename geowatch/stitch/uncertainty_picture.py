"""A picture of how unsure the scores are: imagery and one panel for each kind of uncertainty.

A panel's colours run from 0 to the tenth above its 99th percentile, written beside its ramp, so that small
uncertainties can be seen and panels of one kind can be compared by their numbers.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geowatch.stitch.picture import Scale, nice_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Doubt", "DoubtSheet", "draw_doubts", "ramp"]

_MARGIN, _GAP, _LINE = 28, 20, 26
_PAPER, _INK, _SOFT, _EMPTY = (252, 252, 250), (30, 34, 40), (110, 116, 124), (232, 232, 228)
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
    mixed[~seen] = _EMPTY
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
    across = (len(sheet.doubts) + first) * (width + _GAP) - _GAP
    page = Image.new("RGB", (max(across, 420) + 2 * _MARGIN, height + 4 * _LINE + 2 * _MARGIN), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN - 6), sheet.title, _INK, ImageFont.load_default(22))
    draw.text((_MARGIN, _MARGIN + 22), sheet.subtitle, _SOFT, ImageFont.load_default(14))
    top = _MARGIN + 2 * _LINE
    if sheet.imagery is not None:
        _paste(page, sheet.imagery, (_MARGIN, top))
    for number, doubt in enumerate(sheet.doubts, start=first):
        left = _MARGIN + number * (width + _GAP)
        high = _top(doubt.values)
        _paste(page, ramp(doubt.values, high), (left, top))
        _draw_ramp(page, doubt.name, high, (left, top + height + 12))
    _draw_scale(draw, sheet.scale, (_MARGIN, top + height + 12 + int(1.3 * _LINE)), width)
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()


def _paste(page: Image.Image, panel: NDArray[np.uint8], at: tuple[int, int]) -> None:
    left, top = at
    page.paste(Image.fromarray(panel), at)
    frame = (left - 1, top - 1, left + panel.shape[1], top + panel.shape[0])
    ImageDraw.Draw(page).rectangle(frame, outline=(200, 200, 196))


def _draw_ramp(page: Image.Image, name: str, high: float, at: tuple[int, int]) -> None:
    left, top = at
    steps = np.broadcast_to(np.linspace(0, high, 120, dtype=np.float32), (14, 120))
    page.paste(Image.fromarray(ramp(steps, high)), (left, top + 3))
    text = f"{name}  0 to {high:.1f}"
    ImageDraw.Draw(page).text((left + 130, top), text, _INK, ImageFont.load_default(15))


def _draw_scale(draw: ImageDraw.ImageDraw, scale: Scale, at: tuple[int, int], width: int) -> None:
    length = nice_length(max(width * 0.3 * scale.per_px, 1e-9))
    x, y = at
    end = x + round(length / scale.per_px)
    draw.line((x, y + 8, end, y + 8), _INK, 3)
    shown = f"{length / 1000:g} km" if scale.unit == "m" and length >= 1000 else f"{length:g} {scale.unit}"
    draw.text((end + 10, y - 1), shown, _INK, ImageFont.load_default(15))
