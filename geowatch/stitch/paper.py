"""The paper that pictures are drawn on: its colours and margins, legend, scale bar and letters."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from geowatch.grid.scale_bar import length_text, nice_length
from geowatch.stitch.maps import rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

__all__ = [
    "EMPTY",
    "GAP",
    "INK",
    "LINE",
    "MARGIN",
    "SOFT",
    "TOP",
    "LegendRow",
    "Scale",
    "as_png",
    "blank",
    "draw_legend",
    "draw_scale",
    "font",
    "legend_rows",
    "lettered",
    "paste",
]

MARGIN, GAP, LINE = 28, 20, 26
"""Around the page, between panels, and from line to line, in pixels."""
TOP = MARGIN + 2 * LINE
"""Where panels begin: below title and subtitle."""
PAPER, INK, SOFT, EMPTY = (252, 252, 250), (30, 34, 40), (110, 116, 124), (232, 232, 228)
"""The page, letters, quiet letters, and where nothing was seen."""
_FRAME = (200, 200, 196)
#: Titles and scale bars need as much.
_NARROWEST_PX = 420

LegendRow = list[tuple[int, str, str]]
"""Entries of a legend side by side: (x, colour, text)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a picture's pixel is."""

    per_px: float
    """Units a pixel of the picture."""
    unit: str
    """``m``, ``°`` or ``px``."""


def blank(title: str, subtitle: str, across: int, down: int) -> Image.Image:
    """Return a page with its title, for panels of ``across`` pixels and all that stands in ``down`` pixels."""
    page = Image.new("RGB", (max(across, _NARROWEST_PX) + 2 * MARGIN, TOP + down + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN - 6), lettered(title), INK, font(22))
    draw.text((MARGIN, MARGIN + 22), lettered(subtitle), SOFT, font(14))
    return page


def paste(page: Image.Image, panel: Image.Image | NDArray[np.uint8], at: tuple[int, int]) -> None:
    """Paste a panel (H, W, 3) with its left upper corner ``at`` (x, y), and frame it."""
    left, top = at
    image = panel if isinstance(panel, Image.Image) else Image.fromarray(panel)
    page.paste(image, at)
    frame = (left - 1, top - 1, left + image.width, top + image.height)
    ImageDraw.Draw(page).rectangle(frame, outline=_FRAME)


def legend_rows(legend: Sequence[tuple[str, str]], across: int) -> list[LegendRow]:
    """Return a legend of (text, colour) in rows, wrapped to the width in pixels."""
    rows: list[LegendRow] = [[]]
    x = 0
    for text, color in ((lettered(name), color) for name, color in legend):
        width = 30 + int(font(15).getlength(text)) + 26
        if x and x + width > across:
            rows.append([])
            x = 0
        rows[-1].append((x, color, text))
        x += width
    return rows


def draw_legend(draw: ImageDraw.ImageDraw, rows: Sequence[LegendRow], top: int) -> None:
    """Draw the rows of a legend from ``top`` down, a `LINE` each."""
    for number, row in enumerate(rows):
        y = top + number * LINE
        for x, color, text in row:
            left = MARGIN + x
            draw.rectangle((left, y + 1, left + 20, y + 17), fill=_on_paper(color), outline=SOFT)
            draw.text((left + 28, y), text, INK, font(15))


def _on_paper(color: str) -> tuple[int, int, int]:
    red, green, blue, alpha = rgba(color)
    share = alpha / 255
    mixed = [round(c * share + p * (1 - share)) for c, p in zip((red, green, blue), PAPER, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def draw_scale(draw: ImageDraw.ImageDraw, scale: Scale, at: tuple[int, int], width: int) -> None:
    """Draw a scale bar of at most 0.3 of ``width``, a panel's."""
    length = nice_length(max(width * 0.3 * scale.per_px, 1e-9))
    px = round(length / scale.per_px)
    x, y = at
    draw.line((x, y + 8, x + px, y + 8), INK, 3)
    for end in (x, x + px):
        draw.line((end, y + 2, end, y + 14), INK, 2)
    draw.text((x + px + 10, y - 1), length_text(length, scale.unit), INK, font(15))


def font(size: int) -> FreeTypeFont | ImageFont.ImageFont:
    """Return the letters of pictures."""
    return ImageFont.load_default(size)


def lettered(text: str) -> str:
    """Return a text in the letters that pictures have: accents go, and what has no letter becomes a question mark.

    >>> lettered("Łódź · Gebäude, 5 m²"), lettered("建物")
    ('Lodz · Gebaude, 5 m2', '??')
    """
    known = "".join(letter if _drawn(letter) else _LATIN.get(letter, letter) for letter in text)
    plain = (c for c in unicodedata.normalize("NFKD", known) if not unicodedata.combining(c))
    return "".join(letter if _drawn(letter) else "?" for letter in plain)


def _drawn(letter: str) -> bool:
    return " " <= letter <= "~" or letter in _BEYOND


#: What Pillow's own font draws beyond ASCII; it is the same on every machine.
_BEYOND = frozenset("©«°±´·»‘’“”…‹›⁄™")
#: Letters that are no base with an accent.
_LATIN = dict(zip("ŁłØøÐðĐđıŸ–—−", "LlOoDdDdiY---", strict=True)) | {
    "Þ": "Th", "þ": "th", "ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe"
}  # fmt: skip


def as_png(page: Image.Image) -> bytes:
    """Return a page as PNG."""
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    return out.getvalue()
