"""The contact sheet: a thumbnail for each day of a series, with what its mask hides and what was outlined.

Drawn from arrays that have the thumbnails' size; nothing here reads a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geowatch.stitch.paper import as_png, font, lettered

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ContactSheet", "Line", "Thumbnail", "draw_contact_sheet", "ramp", "spread"]

_MARGIN, _GAP, _CAPTION, _YEAR = 34, 12, 36, 40
_PAPER, _INK, _SOFT, _RULE = (250, 250, 247), (28, 32, 38), (116, 121, 128), (222, 222, 216)
_EMPTY = (229, 229, 224)
_MASK = (236, 72, 110)
_DOTS = ((32, 102, 168), (214, 118, 36), (46, 125, 80), (133, 82, 170), (176, 58, 46), (90, 98, 107))
#: From low to high: bare ground to dense green, for indices of one band.
_RAMP = ((84, 48, 24), (160, 110, 62), (222, 196, 148), (236, 232, 200), (150, 190, 110), (58, 140, 68), (10, 76, 48))
#: Sharpness at which lines are drawn before they are made smaller.
_FINE = 3


Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Line:
    """One outline on a thumbnail."""

    points: tuple[tuple[float, float], ...]
    """(x, y) in pixels of the thumbnail."""
    color: Color
    """Its colour."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One image of the series."""

    day: date | None
    """The day by the sun."""
    sensor: str
    """Its sensor."""
    picture: NDArray[np.uint8]
    """Colours (H, W, 3)."""
    seen: NDArray[np.bool_]
    """Where there is imagery (H, W)."""
    hidden: NDArray[np.bool_]
    """What the mask hides of it (H, W)."""
    lines: tuple[Line, ...] = ()
    """Outlines of region and sites."""

    @property
    def hidden_share(self) -> float | None:
        """Share of the imagery under the mask; None without imagery."""
        seen = int(self.seen.sum())
        return float((self.hidden & self.seen).sum()) / seen if seen else None


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """What the sheet shows."""

    title: str
    """First line."""
    subtitle: str
    """Second line."""
    thumbnails: tuple[Thumbnail, ...]
    """All of one size."""
    columns: int
    """Thumbnails in a row."""
    legend: tuple[tuple[str, Color], ...] = ()
    """What outlines mean."""


def ramp(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the colours (H, W, 3) of values from 0 to 1 (H, W): brown, straw, green."""
    at = np.linspace(0, 1, len(_RAMP))
    channels = [np.interp(share, at, [color[i] for color in _RAMP]) for i in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def draw_contact_sheet(sheet: ContactSheet) -> bytes:
    """Return the sheet as PNG."""
    height, width = sheet.thumbnails[0].seen.shape
    cell = width + _GAP, height + _CAPTION
    rows = list(_places(sheet, cell))
    bottom = max(y for _, y, _ in rows) + cell[1]
    across = max(max(x for x, _, _ in rows) - _MARGIN + width, 520, *map(math.ceil, _widths(sheet)))
    dots = {name: _DOTS[i % len(_DOTS)] for i, name in enumerate(sorted({t.sensor for t in sheet.thumbnails}))}
    legend = _wrapped(_legend(dots, sheet), across)
    page = Image.new("RGB", (across + 2 * _MARGIN, bottom + _MARGIN + 8 + 22 * len(legend)), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN - 10), lettered(sheet.title), _INK, font(25))
    draw.text((_MARGIN, _MARGIN + 24), lettered(sheet.subtitle), _SOFT, font(14))
    for x, y, thing in rows:
        if isinstance(thing, str):
            _draw_year(draw, (x, y), thing, across)
        else:
            _draw_thumbnail(page, draw, (x, y), thing, dots[thing.sensor])
    for number, row in enumerate(legend):
        _draw_legend(draw, bottom + 14 + 22 * number, row)
    return as_png(page)


def _places(sheet: ContactSheet, cell: tuple[int, int]) -> Iterator[tuple[int, int, str | Thumbnail]]:
    """Yield years and thumbnails with the left and upper side of each."""
    y = _MARGIN + 54
    for year, group in groupby(sheet.thumbnails, lambda t: str(t.day.year) if t.day else "no date"):
        yield _MARGIN, y, year
        y += _YEAR
        members = list(group)
        for number, thumbnail in enumerate(members):
            row, column = divmod(number, sheet.columns)
            yield _MARGIN + column * cell[0], y + row * cell[1], thumbnail
        y += -(-len(members) // sheet.columns) * cell[1] + 6


def _draw_year(draw: ImageDraw.ImageDraw, at: tuple[int, int], year: str, across: int) -> None:
    x, y = at
    draw.text((x, y + 6), year, _INK, font(18))
    left = x + font(18).getlength(year) + 12
    draw.line((left, y + 18, x + across, y + 18), _RULE, 1)


def _draw_thumbnail(
    page: Image.Image, draw: ImageDraw.ImageDraw, at: tuple[int, int], shown: Thumbnail, dot: Color
) -> None:
    x, y = at
    height, width = shown.seen.shape
    page.paste(_picture(shown), at)
    draw.rectangle((x - 1, y - 1, x + width, y + height), outline=_RULE)
    draw.ellipse((x + 1, y + height + 9, x + 8, y + height + 16), fill=dot)
    caption = shown.day.strftime("%d %b").lstrip("0") if shown.day else "undated"
    draw.text((x + 14, y + height + 4), caption, _INK, font(14))
    share = shown.hidden_share
    if share is None or share > 0:
        text = "no data" if share is None else f"{share:.0%}" if share >= 0.01 else "<1%"
        draw.text((x + width, y + height + 5), text, _MASK if share else _SOFT, font(12), anchor="ra")


def _picture(shown: Thumbnail) -> Image.Image:
    """Return a thumbnail with its mask: veiled, and bordered by a line."""
    height, width = shown.seen.shape
    colors = np.where(shown.seen[..., None], shown.picture, np.array(_EMPTY, np.uint8)).astype(np.float32)
    hidden = shown.hidden & shown.seen
    colors[hidden] = colors[hidden] * 0.62 + 255 * 0.38
    fine = Image.fromarray(np.rint(colors).astype(np.uint8)).resize(
        (width * _FINE, height * _FINE), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(fine)
    for segment in _borders(hidden):
        pen.line([(x * _FINE, y * _FINE) for x, y in segment], _MASK, _FINE)
    for line in shown.lines:
        pen.line([(x * _FINE, y * _FINE) for x, y in line.points], (20, 20, 20), 2 * _FINE + 2, joint="curve")
        pen.line([(x * _FINE, y * _FINE) for x, y in line.points], line.color, 2 * _FINE - 1, joint="curve")
    return fine.resize((width, height), Image.Resampling.LANCZOS)


def _borders(mask: NDArray[np.bool_]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the sides of pixels where a mask begins or ends, within the picture."""
    for y, x in np.argwhere(mask[1:] != mask[:-1]):
        yield (int(x), int(y) + 1), (int(x) + 1, int(y) + 1)
    for y, x in np.argwhere(mask[:, 1:] != mask[:, :-1]):
        yield (int(x) + 1, int(y)), (int(x) + 1, int(y) + 1)


def _widths(sheet: ContactSheet) -> tuple[float, float]:
    return font(25).getlength(lettered(sheet.title)), font(14).getlength(lettered(sheet.subtitle))


_Entry = tuple[str, Color, bool]
"""A name, its colour, and whether that is a dot."""


def _legend(dots: dict[str, Color], sheet: ContactSheet) -> list[_Entry]:
    masked = [("masked", _MASK, False)] if any(t.hidden.any() for t in sheet.thumbnails) else []
    outlines = [(lettered(name), color, False) for name, color in sheet.legend]
    return [*((lettered(name), color, True) for name, color in dots.items()), *masked, *outlines]


def _wrapped(entries: Sequence[_Entry], across: int) -> list[list[_Entry]]:
    """Return the entries in rows that fit into a width."""
    rows: list[list[_Entry]] = [[]]
    x = 0.0
    for entry in entries:
        x += _entry_px(entry)
        if rows[-1] and x > across:
            rows.append([])
            x = _entry_px(entry)
        rows[-1].append(entry)
    return rows


def _entry_px(entry: _Entry) -> float:
    return 18 + font(13).getlength(entry[0]) + 26


def _draw_legend(draw: ImageDraw.ImageDraw, y: int, row: Sequence[_Entry]) -> None:
    x = float(_MARGIN)
    for entry in row:
        name, color, is_dot = entry
        if is_dot:
            draw.ellipse((x, y + 4, x + 9, y + 13), fill=color)
        else:
            draw.rectangle((x, y + 3, x + 12, y + 14), outline=color if color == _MASK else (60, 60, 60), width=2)
            draw.rectangle((x + 2, y + 5, x + 10, y + 12), fill=_PAPER if color == _MASK else color)
        draw.text((x + 18, y), name, _SOFT, font(13))
        x += _entry_px(entry)


def spread(days: Sequence[date | None], most: int) -> list[int]:
    """Return the places of at most ``most`` days, evenly over the list, ends among them; the middle where it is one."""
    count = len(days)
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
