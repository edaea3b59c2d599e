"""The pictures of docs/benchmarks as SVG: plain shapes on a light card, legible on light and dark pages."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.results import ROOT

sys.path.insert(0, str(ROOT / "docs"))

from drawings import BLUE, FAINT, GREEN, GREY, INK, ORANGE, Drawing

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "PURPLE", "Bar", "Line", "Piece", "Point", "bars", "lines", "scatter"]

PURPLE = "#6b46c1"
_WIDTH, _LEFT, _RIGHT, _TOP = 860, 190, 140, 78
_BAR, _STEP = 22, 34


@dataclass(frozen=True)
class Piece:
    """A part of a bar."""

    size: float
    """Its length in the chart's unit."""
    color: str
    """Its colour."""
    key: str
    """What it stands for; told once above the chart."""
    pale: bool = False
    """Whether it is drawn pale, as something beside the point."""


@dataclass(frozen=True)
class Bar:
    """A bar of pieces, with a name before it and a word behind it."""

    name: str
    """What it shows."""
    pieces: tuple[Piece, ...]
    """From left to right."""
    said: str
    """What stands behind it."""
    gap: bool = False
    """Whether a gap sets it off from the bar above."""


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Draw horizontal bars with one scale."""
    places, y = [], float(_TOP + 10)
    for row in rows:
        y += 14 if row.gap else 0
        places.append(y)
        y += _STEP
    drawing = Drawing(_WIDTH, round(y + 42), title)
    drawing.say(24, 32, title, anchor="start", font_size=17, font_weight="bold")
    _keys(drawing, rows)
    most = max(sum(piece.size for piece in row.pieces) for row in rows)
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    for tick in _ticks(most):
        x = _LEFT + tick * scale
        drawing.line(x, _TOP - 4, x, y, stroke=FAINT, stroke_width=1)
        drawing.say(x, y + 16, f"{tick:g}", font_size=12, fill=GREY)
    drawing.say(_WIDTH - 24, y + 16, unit, anchor="end", font_size=12, fill=GREY)
    for row, top in zip(rows, places, strict=True):
        _bar(drawing, row, top, scale)
    return drawing.svg()


def _bar(drawing: Drawing, row: Bar, top: float, scale: float) -> None:
    drawing.say(_LEFT - 12, top + 16, row.name, anchor="end", font_size=13)
    x = float(_LEFT)
    for piece in row.pieces:
        look = {"fill": piece.color, "stroke": "none", "fill_opacity": 0.3 if piece.pale else 1}
        drawing.box(round(x, 1), top, round(max(piece.size * scale, 0.5), 1), _BAR, **look)
        x += piece.size * scale
    drawing.say(round(x + 8, 1), top + 16, row.said, anchor="start", font_size=13, font_weight="bold")


def _keys(drawing: Drawing, rows: Sequence[Bar]) -> None:
    keys = {piece.key: piece for row in rows for piece in row.pieces if piece.key}
    x = float(_LEFT)
    for key, piece in keys.items():
        look = {"fill": piece.color, "stroke": "none", "fill_opacity": 0.3 if piece.pale else 1}
        drawing.box(x, 48, 12, 12, rx=2, **look)
        drawing.say(x + 18, 59, key, anchor="start", font_size=13)
        x += 18 + 7.4 * len(key) + 22


def _ticks(most: float, least: float = 0.0) -> list[float]:
    """Return round numbers from ``least`` up to ``most``.

    >>> _ticks(11)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    raw = (most - least) / 7
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(base * f for f in (1, 2, 2.5, 5, 10) if base * f >= raw)
    return [step * n for n in range(math.ceil(least / step), int(most / step) + 1)]


@dataclass(frozen=True)
class Line:
    """Points that belong together."""

    name: str
    """What they show; it stands at the last point."""
    points: tuple[tuple[float, float], ...]
    """(x, y), x ascending."""
    color: str
    """Their colour."""
    lift_px: float = 0.0
    """How far the name stands above the last point."""


def lines(title: str, axes: tuple[str, str], rows: Sequence[Line], limit: tuple[float, str] | None = None) -> str:
    """Draw lines over a logarithmic x axis, with names at their ends and, if given, a limit across."""
    width, height, left, top, bottom = _WIDTH, 380, 84, 66, 54
    drawing = Drawing(width, height, title)
    drawing.say(24, 32, title, anchor="start", font_size=17, font_weight="bold")
    xs = sorted({x for row in rows for x, _ in row.points})
    most = max([y for row in rows for _, y in row.points] + ([limit[0]] if limit else [])) * 1.06
    across = (width - left - 250) / max(math.log2(xs[-1] / xs[0]), 1)

    def place(x: float, y: float) -> tuple[float, float]:
        return round(left + math.log2(x / xs[0]) * across, 1), round(
            height - bottom - y / most * (height - bottom - top), 1
        )

    for tick in _ticks(most):
        drawing.line(left - 8, place(xs[0], tick)[1], width - 200, place(xs[0], tick)[1], stroke=FAINT, stroke_width=1)
        drawing.say(left - 16, place(xs[0], tick)[1] + 4, f"{tick:,.0f}", anchor="end", font_size=12, fill=GREY)
    for x in xs:
        drawing.say(place(x, 0)[0], height - bottom + 22, f"{x:g}²", font_size=12, fill=GREY)
    drawing.say(width - 24, height - bottom + 22, axes[0], anchor="end", font_size=12, fill=GREY)
    drawing.say(left - 16, top - 10, axes[1], anchor="end", font_size=12, fill=GREY)
    if limit:
        y = place(xs[0], limit[0])[1]
        drawing.line(left - 8, y, width - 200, y, stroke=INK, stroke_width=1.2, stroke_dasharray="5 4")
        drawing.say(width - 192, y + 4, limit[1], anchor="start", font_size=12)
    for row in rows:
        _line(drawing, row, [place(x, y) for x, y in row.points])
    return drawing.svg()


def _line(drawing: Drawing, row: Line, places: list[tuple[float, float]]) -> None:
    for (x1, y1), (x2, y2) in pairwise(places):
        drawing.line(x1, y1, x2, y2, stroke=row.color, stroke_width=2.5)
    for x, y in places:
        drawing.box(x - 4, y - 4, 8, 8, rx=4, fill=row.color, stroke="none")
    x, y = places[-1]
    drawing.say(x + 12, y + 4 - row.lift_px, row.name, anchor="start", font_size=13, fill=row.color, font_weight="bold")


@dataclass(frozen=True)
class Point:
    """A named place of a scatter."""

    name: str
    """What it is."""
    x: float
    """Across."""
    y: float
    """Up."""
    color: str
    """Its colour."""


def scatter(title: str, axes: tuple[str, str], points: Sequence[Point]) -> str:
    """Draw named points; the x axis is logarithmic."""
    height, left, top, bottom, right = 420, 84, 66, 54, 190
    drawing = Drawing(_WIDTH, height, title)
    drawing.say(24, 32, title, anchor="start", font_size=17, font_weight="bold")
    low, high = min(p.x for p in points) / 1.15, max(p.x for p in points) * 1.1
    base, most = min(p.y for p in points) - 3, max(p.y for p in points) + 3
    across = (_WIDTH - left - right) / math.log(high / low)
    up = (height - top - bottom) / (most - base)
    for tick in _ticks(most, base):
        y = round(height - bottom - (tick - base) * up, 1)
        drawing.line(left, y, _WIDTH - right, y, stroke=FAINT, stroke_width=1)
        drawing.say(left - 10, y + 4, f"{tick:g}", anchor="end", font_size=12, fill=GREY)
    for tick in (n * 10.0**e for e in (1, 2, 3) for n in (1, 2, 5) if low <= n * 10.0**e <= high):
        x = round(left + math.log(tick / low) * across, 1)
        drawing.line(x, top, x, height - bottom, stroke=FAINT, stroke_width=1)
        drawing.say(x, height - bottom + 20, f"{tick:g}", font_size=12, fill=GREY)
    drawing.say(_WIDTH - 24, height - 14, axes[0], anchor="end", font_size=12, fill=GREY)
    drawing.say(left - 60, top - 12, axes[1], anchor="start", font_size=12, fill=GREY)
    taken: list[tuple[float, float]] = []
    for point in points:
        x, y = left + math.log(point.x / low) * across, height - bottom - (point.y - base) * up
        drawing.box(
            round(x - 5, 1), round(y - 5, 1), 10, 10, rx=5, fill=point.color, stroke="#ffffff", stroke_width=1.5
        )
        drawing.say(round(x + 10, 1), _free(x, y + 4, taken), point.name, anchor="start", font_size=12)
    return drawing.svg()


def _free(x: float, y: float, taken: list[tuple[float, float]]) -> float:
    """Return a height for a name beside ``y`` that no name near it has."""
    for shift in (0, 13, -13, 26, -26, 39, -39):
        if all(abs(y + shift - other) > 11 or abs(x - at) > 150 for at, other in taken):
            taken.append((x, y + shift))
            return round(y + shift, 1)
    return round(y, 1)
