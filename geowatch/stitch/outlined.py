"""A picture of a region with outlines over its imagery: what was found where, with a legend and a scale bar.

A picture is drawn from an array and from rings in its pixels; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geowatch.stitch.maps import rgba
from geowatch.stitch.paper import (
    INK,
    LINE,
    MARGIN,
    TOP,
    Scale,
    as_png,
    blank,
    draw_legend,
    draw_scale,
    font,
    legend_rows,
    paste,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outline", "OutlineSheet", "draw_outlines"]

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
    rows = legend_rows(sheet.legend, width)
    page = blank(sheet.title, sheet.subtitle, width, height + (len(rows) + 2) * LINE)
    paste(page, _panel(sheet), (MARGIN, TOP))
    draw = ImageDraw.Draw(page)
    draw_scale(draw, sheet.scale, (MARGIN, TOP + height + 12), width)
    draw_legend(draw, rows, TOP + height + 12 + int(1.6 * LINE))
    return as_png(page)


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
    draw.text(place, outline.name, INK, font(13 * _FINE), anchor, stroke_width=2 * _FINE, stroke_fill=pale)
