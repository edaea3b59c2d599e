"""``sites/sites.png``: the sites' outlines over the region's imagery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.consolidate.output.report.svg import color_of
from geowatch.consolidate.output.report.text import many
from geowatch.stages.sites.backdrop import Picture
from geowatch.stitch.outlined import Outline, OutlineSheet, draw_outlines
from geowatch.stitch.paper import Scale
from geowatch.stitch.picture import PANEL_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.output.report.facts import ReportFacts, Shown

__all__ = ["draw_sites"]

#: Sites that are named, largest first.
_NAMED = 25
_EMPTY = (236, 236, 232)


def draw_sites(facts: ReportFacts, picture: Picture | None) -> bytes:
    """Return the picture as PNG."""
    pixels, bounds, down = _panel(facts, picture)
    height, width = pixels.shape[:2]

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = xy[:, 1] - bounds[1] if down else bounds[3] - xy[:, 1]
        across, along = width / (bounds[2] - bounds[0]), height / (bounds[3] - bounds[1])
        return np.stack([(xy[:, 0] - bounds[0]) * across, rows * along], axis=1)

    outlines = [_outline(site, facts, number, place) for number, site in enumerate(facts.sites)]
    others = np.empty((0, 2)) if facts.map.others is None else place(facts.map.others)
    found = dict.fromkeys(site.label for site in facts.sites)
    counts = {name: sum(site.label == name for site in facts.sites) for name in found}
    sheet = OutlineSheet(
        title=f"{facts.title}: {many(len(facts.sites) + len(others), 'site')}",
        subtitle=_subtitle(facts, picture),
        picture=pixels,
        outlines=tuple(outlines),
        dots=others,
        legend=tuple((f"{name}  {count:,}", color_of(name, facts.colors)) for name, count in counts.items()),
        scale=_scale(facts, (bounds[2] - bounds[0]) / width),
    )
    return draw_outlines(sheet)


def _subtitle(facts: ReportFacts, picture: Picture | None) -> str:
    span = f"{facts.start} to {facts.end}" if facts.start and facts.end else ""
    parts = ("simulated" if facts.simulated else "", span, picture.shows if picture else "")
    return " · ".join(part for part in parts if part)


def _panel(
    facts: ReportFacts, picture: Picture | None
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float], bool]:
    """Return the picture's pixels, its bounds and whether rows run with the second coordinate."""
    if picture is not None:
        pixels, bounds = _fitted(facts, picture), picture.bounds
        return pixels, bounds, facts.map.rows_down
    left, bottom, right, top = facts.map.bounds
    across, along = facts.map.metres_per_unit or (1.0, 1.0)
    wide, tall = (right - left) * across, (top - bottom) * along
    scale = PANEL_PX / max(wide, tall)
    shape = max(1, round(tall * scale)), max(1, round(wide * scale))
    return np.full((*shape, 3), _EMPTY, np.uint8), facts.map.bounds, facts.map.rows_down


def _fitted(facts: ReportFacts, picture: Picture) -> NDArray[np.uint8]:
    """Return the picture at the panel's size, as wide as it is on the ground."""
    from PIL import Image

    left, bottom, right, top = picture.bounds
    across, along = facts.map.metres_per_unit or (1.0, 1.0)
    wide, tall = (right - left) * across, (top - bottom) * along
    scale = PANEL_PX / max(wide, tall)
    size = max(1, round(wide * scale)), max(1, round(tall * scale))
    return np.asarray(Image.fromarray(picture.pixels).resize(size, Image.Resampling.LANCZOS))


def _outline(
    site: Shown, facts: ReportFacts, number: int, place: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Outline:
    rings = shapely.get_rings(shapely.get_parts(shapely.transform(site.outline, place)))
    points = tuple(shapely.get_coordinates(ring) for ring in rings.tolist())
    inside = shapely.point_on_surface(site.outline)
    x, y = place(np.array([(inside.x, inside.y)]))[0].tolist()
    return Outline(points, color_of(site.label, facts.colors), str(site.number) if number < _NAMED else "", (x, y))


def _scale(facts: ReportFacts, per_px: float) -> Scale:
    metres = facts.map.metres_per_unit
    return Scale(per_px, "px") if metres is None else Scale(per_px * metres[0], "m")
