"""A picture of a region with outlines over its imagery: what was found where, with a legend and a scale bar.

A picture is drawn from an array and from rings in its pixels; nothing here reads a file.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geowatch.stitch.maps import rgba
from geowatch.stitch.picture import Scale, nice_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Outline", "OutlineSheet", "draw_outlines"]

_MARGIN, _LINE = 28, 26
_PAPER, _INK, _SOFT = (252, 252, 250), (30, 34, 40), (110, 116, 124)
#: Pictures are drawn this many times as large and shrunk, which smooths slanted lines.
_FINE = 2
#: A name is written inside of what is larger than this.
_ROOM_PX = 36


@dataclass(frozen=True, slots=True)
class Outline:
    """One place: its rings in pixels of the picture."""

    rings: tuple[NDArray[np.float64], ...]
    """Closed rings (n, 2) as (x, y), holes included."""
    color: str
    """#rrggbb."""
    name: str = ""
    """What is written on it, or beside it where it is small; empty for nothing."""
    middle: tuple[float, float] = (0.0, 0.0)
    """A point (x, y) inside it."""


@dataclass(frozen=True, slots=True)
class OutlineSheet:
    """What the picture shows."""

    title: str
    """First line."""
    subtitle: str
    """Second line."""
    picture: NDArray[np.uint8]
    """What lies behind, shape (height, width, 3)."""
    outlines: tuple[Outline, ...]
    """Places; the first is drawn last."""
    dots: NDArray[np.float64]
    """Further places (n, 2) as (x, y)."""
    legend: tuple[tuple[str, str], ...]
    """Texts and their colours."""
    scale: Scale
    """For the scale bar."""


def draw_outlines(sheet: OutlineSheet) -> bytes:
    """Return the picture as PNG."""
    height, width = sheet.picture.shape[:2]
    rows = _legend_rows(sheet.legend, width)
    size = max(width, 420) + 2 * _MARGIN, height + 3 * _LINE + (len(rows) + 1) * _LINE + 2 * _MARGIN
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN - 6), sheet.title, _INK, _font(22))
    draw.text((_MARGIN, _MARGIN + 22), sheet.subtitle, _SOFT, _font(14))
    top = _MARGIN + 2 * _LINE
    page.paste(_panel(sheet), (_MARGIN, top))
    draw.rectangle((_MARGIN - 1, top - 1, _MARGIN + width, top + height), outline=(200, 200, 196))
    _draw_scale(draw, sheet.scale, (_MARGIN, top + height + 12), width)
    _draw_legend(draw, rows, top + height + 12 + int(1.6 * _LINE))
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()


def _panel(sheet: OutlineSheet) -> Image.Image:
    height, width = sheet.picture.shape[:2]
    panel = Image.fromarray(sheet.picture).resize((width * _FINE, height * _FINE), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(panel)
    # Dots on dots show nothing: one for each square of their size is drawn.
    for x, y in np.unique(np.floor(sheet.dots * _FINE / 3), axis=0).tolist():
        x, y = 3 * x + 1.5, 3 * y + 1.5  # noqa: PLW2901  # from squares to pixels
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(91, 110, 225), outline=(255, 255, 255))
    for outline in reversed(sheet.outlines):
        _draw_rings(draw, outline)
    for outline in reversed(sheet.outlines):
        _draw_name(draw, outline)
    return panel.resize((width, height), Image.Resampling.LANCZOS)


def _draw_rings(draw: ImageDraw.ImageDraw, outline: Outline) -> None:
    # A pale line around the coloured one keeps it visible on any picture.
    for width, ink in ((4 * _FINE, (255, 255, 255)), (2 * _FINE, rgba(outline.color)[:3])):
        for ring in outline.rings:
            points = [(float(x), float(y)) for x, y in ring * _FINE]
            draw.line(points, ink, width, joint="curve")


def _draw_name(draw: ImageDraw.ImageDraw, outline: Outline) -> None:
    if not outline.name:
        return
    corners = np.concatenate(outline.rings)
    inside = bool((np.ptp(corners, axis=0) > _ROOM_PX).all())
    beside = float(corners[:, 0].max()) + 4, float(corners[:, 1].min()) + 2
    x, y = outline.middle if inside else beside
    anchor, place = "mm" if inside else "lm", (x * _FINE, y * _FINE)
    pale = (255, 255, 255)
    draw.text(place, outline.name, _INK, _font(13 * _FINE), anchor, stroke_width=2 * _FINE, stroke_fill=pale)


def _legend_rows(legend: Sequence[tuple[str, str]], across: int) -> list[list[tuple[int, str, str]]]:
    """Return rows of (x, colour, text), wrapped to the width."""
    rows: list[list[tuple[int, str, str]]] = [[]]
    x = 0
    for text, color in legend:
        width = 30 + int(_font(15).getlength(text)) + 26
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
            draw.rectangle((left, y + 1, left + 20, y + 17), fill=rgba(color)[:3], outline=_SOFT)
            draw.text((left + 28, y), text, _INK, _font(15))


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
