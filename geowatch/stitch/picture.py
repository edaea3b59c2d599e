"""The quicklook: imagery and map side by side, with a legend, a scale bar and what they show.

A picture is drawn from arrays that were already thinned to its size; nothing here reads a file.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geowatch.stitch.maps import NO_CLASS, Legend, rgba

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

__all__ = ["PANEL_PX", "Scale", "Sheet", "draw_sheet", "nice_length", "stretch"]

#: Longer side of a panel.
PANEL_PX = 900
_MARGIN, _GAP, _LINE = 28, 20, 26
_PAPER, _INK, _SOFT = (252, 252, 250), (30, 34, 40), (110, 116, 124)
_EMPTY = (232, 232, 228)
#: How strongly a class covers the imagery under it.
_COVER = 0.72


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a picture's pixel is."""

    per_px: float
    """Units a pixel of the picture."""
    unit: str
    """``m``, ``°`` or ``px``."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a quicklook shows. Arrays have the panel's size."""

    title: str
    """First line."""
    subtitle: str
    """Second line."""
    classes: NDArray[np.uint8]
    """Map, shape (height, width)."""
    legend: Legend
    """What its values mean."""
    shares: tuple[float, ...]
    """Share of each class of the legend among all pixels with scores."""
    scale: Scale
    """For the scale bar."""
    imagery: NDArray[np.uint8] | None = None
    """What the network saw, shape (height, width, 3); None draws the map alone."""


def stretch(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bands (3, H, W) as a picture (H, W, 3), each stretched from its 2nd to its 98th percentile.

    Each by itself, since the air makes blue the brightest band of uncorrected imagery.
    """
    out = np.empty((*valid.shape, 3), np.uint8)
    out[:] = _EMPTY
    if valid.any():
        seen = values[:, valid]
        low, high = np.percentile(seen, (2, 98), axis=1, keepdims=True)
        bright = np.clip((seen - low) / np.maximum(high - low, 1e-9), 0, 1) ** 0.8
        out[valid] = np.rint(bright.T * 255).astype(np.uint8)
    return out


def nice_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that is at most ``longest``.

    >>> nice_length(7300.0)
    5000.0
    """
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest * (1 + 1e-9))


def draw_sheet(sheet: Sheet) -> bytes:
    """Return the quicklook as PNG."""
    panels = [_classes_over(sheet)] if sheet.imagery is None else [sheet.imagery, _classes_over(sheet)]
    height, width = sheet.classes.shape
    across = len(panels) * width + (len(panels) - 1) * _GAP
    rows = _legend_rows(sheet, across)
    size = max(across, 420) + 2 * _MARGIN, height + 3 * _LINE + (len(rows) + 1) * _LINE + 2 * _MARGIN
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN - 6), sheet.title, _INK, _font(22))
    draw.text((_MARGIN, _MARGIN + 22), sheet.subtitle, _SOFT, _font(14))
    top = _MARGIN + 2 * _LINE
    for number, panel in enumerate(panels):
        left = _MARGIN + number * (width + _GAP)
        page.paste(Image.fromarray(panel), (left, top))
        draw.rectangle((left - 1, top - 1, left + width, top + height), outline=(200, 200, 196))
    _draw_scale(draw, sheet.scale, (_MARGIN, top + height + 12), width)
    _draw_legend(draw, rows, top + height + 12 + int(1.6 * _LINE))
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()


def _classes_over(sheet: Sheet) -> NDArray[np.uint8]:
    """Return the map's colours, laid over the imagery in grey where there is any."""
    table = np.zeros((256, 4), np.float32)
    for value, color in enumerate(sheet.legend.colors):
        table[value] = rgba(color)
    seen = sheet.classes != NO_CLASS
    under = np.full((*sheet.classes.shape, 3), _EMPTY, np.float32)
    if sheet.imagery is not None:
        under = np.repeat(sheet.imagery.mean(axis=2, keepdims=True), 3, axis=2).astype(np.float32) * 0.6 + 70
    cover = table[sheet.classes, 3:] / 255 * (_COVER if sheet.imagery is not None else 1.0)
    mixed = under * (1 - cover) + table[sheet.classes, :3] * cover
    mixed[~seen] = _EMPTY
    return np.rint(mixed).astype(np.uint8)


def _legend_rows(sheet: Sheet, across: int) -> list[list[tuple[int, str, str]]]:
    """Return rows of (x, colour, text), wrapped to the width."""
    font = _font(15)
    rows: list[list[tuple[int, str, str]]] = [[]]
    x = 0
    for name, color, share in zip(sheet.legend.names, sheet.legend.colors, sheet.shares, strict=True):
        text = f"{name}  {share:.1%}"
        width = 30 + int(font.getlength(text)) + 26
        if x and x + width > across:
            rows.append([])
            x = 0
        rows[-1].append((x, color, text))
        x += width
    return rows


def _draw_legend(draw: ImageDraw.ImageDraw, rows: list[list[tuple[int, str, str]]], top: int) -> None:
    for number, row in enumerate(rows):
        y = top + number * _LINE
        for x, color, text in row:
            left = _MARGIN + x
            draw.rectangle((left, y + 1, left + 20, y + 17), fill=_on_paper(color), outline=_SOFT)
            draw.text((left + 28, y), text, _INK, _font(15))


def _on_paper(color: str) -> tuple[int, int, int]:
    red, green, blue, alpha = rgba(color)
    share = alpha / 255
    mixed = [round(c * share + p * (1 - share)) for c, p in zip((red, green, blue), _PAPER, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _draw_scale(draw: ImageDraw.ImageDraw, scale: Scale, at: tuple[int, int], width: int) -> None:
    length = nice_length(max(width * 0.3 * scale.per_px, 1e-9))
    px = round(length / scale.per_px)
    x, y = at
    draw.line((x, y + 8, x + px, y + 8), _INK, 3)
    for end in (x, x + px):
        draw.line((end, y + 2, end, y + 14), _INK, 2)
    shown = f"{length / 1000:g} km" if scale.unit == "m" and length >= 1000 else f"{length:g} {scale.unit}"
    draw.text((x + px + 10, y - 1), shown, _INK, _font(15))


def _font(size: int) -> FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
