"""The picture of an evaluation: confusion of classes, reliability of scores, errors by certainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geowatch.metrics import BINS
from geowatch.stitch.paper import INK, PAPER, SOFT, as_png, font, lettered

if TYPE_CHECKING:
    from geowatch.metrics import Calibration, Confusion, ErrorCurve
    from geowatch.stages.evaluate.tally import Tally

__all__ = ["draw_evaluation"]

_SIDE, _MARGIN, _GAP = 360, 90, 110
_GRID = (220, 220, 216)
_BLUE = (43, 108, 176)
_LINES = ((43, 108, 176), (221, 107, 32), (47, 133, 90), (197, 48, 48))


def draw_evaluation(tally: Tally, classes: tuple[str, ...], title: str) -> bytes:
    """Return the picture as PNG: as many panels as there are figures for."""
    panels = 1 + bool(tally.curves) + bool(tally.errors)
    size = 2 * _MARGIN + panels * (_SIDE + _GAP) - _GAP, _SIDE + 2 * _MARGIN + 20
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    confusion = tally.confusion
    text = f"accuracy {confusion.accuracy:.4f}   kappa {confusion.kappa:.4f}   {confusion.pixels:,} pixels"
    draw.text((_MARGIN, 14), lettered(title), INK, font(20))
    draw.text((_MARGIN, 42), lettered(text), SOFT, font(14))
    left = _MARGIN
    _draw_confusion(draw, confusion, classes, left)
    if tally.curves:
        left += _SIDE + _GAP
        _draw_reliability(draw, tally.calibration, left)
    if tally.errors:
        left += _SIDE + _GAP
        _draw_errors(draw, tally.errors, left)
    return as_png(page)


def _draw_confusion(draw: ImageDraw.ImageDraw, confusion: Confusion, classes: tuple[str, ...], left: int) -> None:
    """Draw rows of truth; a cell is as dark as its share of its row."""
    count = len(classes)
    cell = _SIDE / count
    rows = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    for row in range(count):
        for column in range(count):
            share = float(rows[row, column])
            x, y = left + column * cell, _MARGIN + row * cell
            tone = tuple(round(p + (b - p) * share) for p, b in zip(PAPER, _BLUE, strict=True))
            draw.rectangle((x, y, x + cell, y + cell), fill=tone, outline=_GRID)
            if cell >= 28:
                ink = PAPER if share > 0.5 else INK
                draw.text((x + cell / 2, y + cell / 2), f"{share:.0%}", ink, font(13), anchor="mm")
    for k, name in enumerate(map(lettered, classes)):
        at = (k + 0.5) * cell
        draw.text((left - 8, _MARGIN + at), name[:12], SOFT, font(12), anchor="rm")
        draw.text((left + at, _MARGIN + _SIDE + 8), name[: max(3, int(cell / 8))], SOFT, font(12), anchor="ma")
    _name(draw, left, "confusion: rows are the truth", "found to be")


def _draw_reliability(draw: ImageDraw.ImageDraw, calibration: Calibration, left: int) -> None:
    """Draw a bar for each bin, as high as the share that is right; the line is where it should end."""
    _axes(draw, left)
    for k, share in enumerate(calibration.share_right):
        if np.isfinite(share):
            x0, x1 = (left + (k + side) / BINS * _SIDE for side in (0, 1))
            draw.rectangle((x0 + 1, _MARGIN + _SIDE * (1 - share), x1 - 1, _MARGIN + _SIDE), fill=_BLUE)
    draw.line((left, _MARGIN + _SIDE, left + _SIDE, _MARGIN), INK, 1)
    _name(draw, left, f"share that is right, calibration error {calibration.error:.4f}", "score of the class found")


def _draw_errors(draw: ImageDraw.ImageDraw, errors: dict[str, ErrorCurve], left: int) -> None:
    """Draw how many of the pixels kept are wrong as less certain ones are kept, too."""
    _axes(draw, left)
    shares = np.linspace(0.01, 1, 100)
    rates = {kind: np.array([curve.error_at(share) for share in shares]) for kind, curve in errors.items()}
    top = max(1e-6, *(float(np.nanmax(rate)) for rate in rates.values()))
    for number, (kind, rate) in enumerate(rates.items()):
        color = _LINES[number % len(_LINES)]
        points = [(left + _SIDE * s, _MARGIN + _SIDE * (1 - r / top)) for s, r in zip(shares, rate, strict=True)]
        draw.line(points, color, 2)
        label = f"{kind}, AUROC {errors[kind].auroc:.3f}"
        draw.text((left + 12, _MARGIN + 10 + 18 * number), label, color, font(13))
    _name(draw, left, f"share that is wrong, 0 to {top:.3f}", "share of the pixels kept, most certain first")


def _axes(draw: ImageDraw.ImageDraw, left: int) -> None:
    for k in range(6):
        at = _SIDE * k / 5
        draw.line((left, _MARGIN + at, left + _SIDE, _MARGIN + at), _GRID, 1)
        draw.text((left + at, _MARGIN + _SIDE + 8), f"{k / 5:.1f}", SOFT, font(12), anchor="ma")
    draw.rectangle((left, _MARGIN, left + _SIDE, _MARGIN + _SIDE), outline=SOFT)


def _name(draw: ImageDraw.ImageDraw, left: int, above: str, below: str) -> None:
    draw.text((left, _MARGIN - 20), above, INK, font(14))
    draw.text((left + _SIDE / 2, _MARGIN + _SIDE + 30), below, INK, font(13), anchor="ma")
