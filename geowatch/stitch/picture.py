"""The quicklook: imagery and map side by side, with a legend, a scale bar and what they show.

A picture is drawn from arrays that were already thinned to its size; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw

from geowatch.stitch.maps import NO_CLASS, Legend, rgba
from geowatch.stitch.marks import framed
from geowatch.stitch.paper import (
    EMPTY,
    GAP,
    LINE,
    MARGIN,
    TOP,
    Scale,
    as_png,
    blank,
    draw_legend,
    draw_scale,
    legend_rows,
    paste,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.stitch.marks import Marks

__all__ = ["PANEL_PX", "Sheet", "draw_sheet", "stretch"]

#: Longer side of a panel.
PANEL_PX = 900
#: How strongly a class covers the imagery under it.
_COVER = 0.72


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
    marks: Marks | None = None
    """Objects, framed on the map."""
    step: int = 1
    """Pixels of the map along a side of one of the picture's."""


def stretch(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bands (3, H, W) as a picture (H, W, 3), each stretched from its 2nd to its 98th percentile.

    Each by itself, since the air makes blue the brightest band of uncorrected imagery.
    """
    out = np.empty((*valid.shape, 3), np.uint8)
    out[:] = EMPTY
    if valid.any():
        seen = values[:, valid]
        low, high = np.percentile(seen, (2, 98), axis=1, keepdims=True)
        bright = np.clip((seen - low) / np.maximum(high - low, 1e-9), 0, 1) ** 0.8
        out[valid] = np.rint(bright.T * 255).astype(np.uint8)
    return out


def draw_sheet(sheet: Sheet) -> bytes:
    """Return the quicklook as PNG."""
    over = _classes_over(sheet) if sheet.marks is None else framed(_classes_over(sheet), sheet.marks, sheet.step)
    panels = [over] if sheet.imagery is None else [sheet.imagery, over]
    height, width = sheet.classes.shape
    across = len(panels) * (width + GAP) - GAP
    rows = legend_rows(_entries(sheet), across)
    page = blank(sheet.title, sheet.subtitle, across, height + (len(rows) + 2) * LINE)
    for number, panel in enumerate(panels):
        paste(page, panel, (MARGIN + number * (width + GAP), TOP))
    draw = ImageDraw.Draw(page)
    draw_scale(draw, sheet.scale, (MARGIN, TOP + height + 12), width)
    draw_legend(draw, rows, TOP + height + 12 + int(1.6 * LINE))
    return as_png(page)


def _entries(sheet: Sheet) -> list[tuple[str, str]]:
    texts = [f"{name}  {share:.1%}" for name, share in zip(sheet.legend.names, sheet.shares, strict=True)]
    objects = [] if sheet.marks is None else sheet.marks.legend
    return [*zip(texts, sheet.legend.colors, strict=True), *objects]


def _classes_over(sheet: Sheet) -> NDArray[np.uint8]:
    """Return the map's colours, laid over the imagery in grey where there is any."""
    table = np.zeros((256, 4), np.float32)
    for value, color in enumerate(sheet.legend.colors):
        table[value] = rgba(color)
    seen = sheet.classes != NO_CLASS
    under = np.full((*sheet.classes.shape, 3), EMPTY, np.float32)
    if sheet.imagery is not None:
        under = np.repeat(sheet.imagery.mean(axis=2, keepdims=True), 3, axis=2).astype(np.float32) * 0.6 + 70
    cover = table[sheet.classes, 3:] / 255 * (_COVER if sheet.imagery is not None else 1.0)
    mixed = under * (1 - cover) + table[sheet.classes, :3] * cover
    mixed[~seen] = EMPTY
    return np.rint(mixed).astype(np.uint8)
