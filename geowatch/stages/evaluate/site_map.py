"""The map of an evaluation of sites: true sites filled, proposals outlined, each by whether it was found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import shapely
from PIL import Image, ImageDraw
from shapely.geometry import Polygon

from geowatch.stitch.paper import INK, PAPER, SOFT, Scale, as_png, draw_scale, font

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.metrics.sites import RegionScores
    from geowatch.metrics.sites.bas import Assignment

__all__ = ["GRID", "MARKS", "Color", "draw_map"]

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
GRID: Color = (220, 220, 216)
"""Quiet lines."""
MARKS: dict[str, Color] = {
    "tp": (47, 133, 90), "fn": (197, 48, 48), "fp": (221, 107, 32), "0": (140, 146, 154), "tn": (126, 146, 190),
    "tpfp": (128, 90, 160), "": (200, 200, 200),
}  # fmt: skip
"""Colour of each mark."""
_TRUE = {"tp": "found", "fn": "missed", "fp": "negative, found", "tn": "negative, not found", "0": "ignored"}
_PROPOSED = {
    "tp": "matches",
    "tpfp": "matches a positive and a negative",
    "fp": "false alarm",
    "0": "on an ignored site",
}
#: Longer side of the panel; it is drawn at twice its size and shrunk, so that edges are smooth.
_PANEL_PX, _FINE = 880, 2
_MARGIN, _LINE = 28, 24


@dataclass(frozen=True, slots=True)
class _Frame:
    """From longitude and latitude to pixels of the fine panel."""

    west: float
    north: float
    px_per_x: float
    px_per_y: float
    size: tuple[int, int]

    @classmethod
    def around(cls, bounds: tuple[float, float, float, float]) -> _Frame:
        west, south, east, north = bounds
        shrink = math.cos(math.radians((south + north) / 2))
        width, height = max((east - west) * shrink, 1e-9), max(north - south, 1e-9)
        scale = 0.96 * _PANEL_PX * _FINE / max(width, height)
        size = [max(240 * _FINE, round(side * scale / 0.96)) for side in (width, height)]
        left = (size[0] - width * scale) / 2 / (scale * shrink)
        top = (size[1] - height * scale) / 2 / scale
        return cls(west - left, north + top, scale * shrink, scale, (size[0], size[1]))

    def points(self, line: BaseGeometry) -> list[tuple[float, float]]:
        found = shapely.get_coordinates(line)
        return [((x - self.west) * self.px_per_x, (self.north - y) * self.px_per_y) for x, y in found]

    @property
    def scale(self) -> Scale:
        """How long a pixel of the panel as shown is."""
        return Scale(111_200 * _FINE / self.px_per_y, "m")


def draw_map(scores: RegionScores) -> bytes:
    """Return the map of the subset ``overall`` as PNG."""
    best = scores.subsets["overall"].best
    frame = _Frame.around(scores.region.geometry.bounds)
    panel = _draw_panel(scores, best, frame).resize(
        (frame.size[0] // _FINE, frame.size[1] // _FINE), Image.Resampling.BOX
    )
    legend = list(_legend(best))
    width, height = max(panel.width, 620), panel.height
    page = Image.new("RGB", (width + 2 * _MARGIN, height + 4 * _MARGIN + (3 + (len(legend) + 1) // 2) * _LINE), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN - 8), f"{scores.region.id}: true and proposed sites", INK, font(22))
    draw.text((_MARGIN, _MARGIN + 20), _subtitle(best), SOFT, font(14))
    top = _MARGIN + 2 * _LINE
    page.paste(panel, (_MARGIN, top))
    draw_scale(draw, frame.scale, (_MARGIN, top + height + 14), panel.width)
    _draw_legend(draw, legend, (_MARGIN, top + height + 14 + 2 * _LINE), width // 2)
    return as_png(page)


def _subtitle(best: Assignment) -> str:
    return (
        f"F1 {best.f1:.3f}    {best.true_positives} found, {best.false_negatives} missed, "
        f"{best.false_positives} false alarm{'s' * (best.false_positives != 1)}    "
        f"tau {best.at.tau:g}, rho {best.at.rho:g}"
    )


def _draw_panel(scores: RegionScores, best: Assignment, frame: _Frame) -> Image.Image:
    panel = Image.new("RGB", frame.size, (240, 240, 236))
    draw = ImageDraw.Draw(panel)
    for part in _polygons(scores.region.geometry):
        draw.polygon(frame.points(part.exterior), fill=PAPER, outline=SOFT, width=_FINE)
    for detection in sorted(best.detections, key=lambda each: -each.truth.area_km2):
        _fill(draw, frame, detection.truth.place, MARKS[detection.mark])
    for proposal in best.proposals:
        _outline(draw, frame, proposal.place, MARKS[best.mark_of(proposal)])
    ImageDraw.Draw(panel).rectangle((0, 0, frame.size[0] - 1, frame.size[1] - 1), outline=GRID, width=_FINE)
    return panel


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    yield from (part for part in shapely.get_parts(geometry) if isinstance(part, Polygon) and not part.is_empty)


def _fill(draw: ImageDraw.ImageDraw, frame: _Frame, place: BaseGeometry, color: Color) -> None:
    pale = _mixed(color, 0.45)
    for part in _polygons(place):
        points = frame.points(part.exterior)
        if _is_tiny(points):
            draw.ellipse(_round_box(points, 5 * _FINE), fill=pale, outline=color, width=_FINE)
        else:
            draw.polygon(points, fill=pale, outline=color, width=_FINE)


def _outline(draw: ImageDraw.ImageDraw, frame: _Frame, place: BaseGeometry, color: Color) -> None:
    dark = _mixed(color, 1.0, (0, 0, 0), 0.25)
    for part in _polygons(place):
        points = frame.points(part.exterior)
        if _is_tiny(points):
            draw.ellipse(_round_box(points, 8 * _FINE), outline=dark, width=2 * _FINE)
        else:
            draw.line([*points, points[1]], dark, 3 * _FINE, joint="curve")


def _mixed(color: Color, share: float, other: Color = PAPER, rest: float | None = None) -> Color:
    """Return ``share`` of a colour and the rest of another."""
    rest = 1 - share if rest is None else rest
    mixed = [min(255, round((c * share + o * rest) / (share + rest))) for c, o in zip(color, other, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _is_tiny(points: Iterable[tuple[float, float]]) -> bool:
    xs, ys = zip(*points, strict=True)
    return bool(max(max(xs) - min(xs), max(ys) - min(ys)) < 7 * _FINE)


def _round_box(points: list[tuple[float, float]], radius: float) -> tuple[float, float, float, float]:
    xs, ys = zip(*points, strict=True)
    x, y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return x - radius, y - radius, x + radius, y + radius


def _legend(best: Assignment) -> Iterator[tuple[Color, bool, str]]:
    """Yield colour, whether it is filled, and what it says."""
    proposed = Counter(best.mark_of(each) for each in best.proposals)
    yield from ((MARKS[k], True, f"true site, {text}: {best.marks[k]}") for k, text in _TRUE.items() if best.marks[k])
    yield from ((MARKS[k], False, f"proposal, {text}: {proposed[k]}") for k, text in _PROPOSED.items() if proposed[k])


def _draw_legend(
    draw: ImageDraw.ImageDraw, legend: list[tuple[Color, bool, str]], at: tuple[int, int], column_px: int
) -> None:
    rows = (len(legend) + 1) // 2
    for number, (color, filled, text) in enumerate(legend):
        x, y = at[0] + number // rows * column_px, at[1] + number % rows * _LINE
        box = (x, y + 1, x + 20, y + 16)
        if filled:
            draw.rectangle(box, fill=_mixed(color, 0.45), outline=color)
        else:
            draw.rectangle(box, outline=_mixed(color, 1.0, (0, 0, 0), 0.25), width=3)
        draw.text((x + 28, y), text, INK, font(14))
