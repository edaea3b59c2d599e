"""The report's map: a picture of the region, outlines of sites in the colour of their phase, a scale bar, north up."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.consolidate.output.report.svg import color_of, outline_path, said, tag, words
from geowatch.consolidate.output.report.text import plain_area
from geowatch.grid.scale_bar import length_text, nice_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geowatch.consolidate.output.report.facts import MapFacts, ReportFacts, Shown

__all__ = ["draw_map", "draw_thumb"]

_WIDTH, _TALLEST, _MARGIN = 1000.0, 900.0, 18.0
#: Sites that are named on the map, largest first.
_NAMED = 40
#: Of so many largest sites those are named that have room for it.
_CANDIDATES = 200
#: Sites without an outline are gathered in squares of this size, so that a million of them stay readable.
_CELL = 7.0


@dataclass(frozen=True, slots=True)
class _View:
    """From the map's coordinates to those of the drawing."""

    left: float
    top: float
    per_x: float
    per_y: float

    @classmethod
    def of(cls, facts: MapFacts) -> tuple[_View, float]:
        """Return the view of a map, and the drawing's height."""
        left, bottom, right, top = facts.bounds
        metres_x, metres_y = facts.metres_per_unit or (1.0, 1.0)
        squeeze = metres_x / metres_y
        across, down = max((right - left) * squeeze, 1e-12), max(top - bottom, 1e-12)
        scale = min((_WIDTH - 2 * _MARGIN) / across, (_TALLEST - 2 * _MARGIN) / down)
        indent = (_WIDTH - across * scale) / 2
        sign = 1.0 if facts.rows_down else -1.0
        view = cls(left - indent / scale / squeeze, 0.0, scale * squeeze, sign * scale)
        height = down * scale + 2 * _MARGIN
        first = bottom if facts.rows_down else top
        return cls(view.left, first - sign * _MARGIN / scale, view.per_x, view.per_y), height

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([(xy[:, 0] - self.left) * self.per_x, (xy[:, 1] - self.top) * self.per_y], axis=1)

    def shape(self, shape: shapely.Geometry) -> shapely.Geometry:
        drawn = shapely.transform(shape, self.points)
        simple = shapely.simplify(drawn, 0.35)
        return drawn if shapely.is_empty(simple) else simple


def draw_map(facts: ReportFacts) -> str:
    """Return the map as SVG."""
    view, height = _View.of(facts.map)
    parts = [*_behind(facts.map, view)]
    if facts.map.region is not None:
        edge = outline_path([view.shape(facts.map.region)])
        parts += [tag("path", d=edge, class_="region under-region"), tag("path", d=edge, class_="region")]
    parts += _others(facts.map, view, height)
    parts += [_site(site, view, facts) for site in reversed(facts.sites)]
    parts += _names(facts.sites, view)
    parts += [_scale_bar(facts.map, view, height), _north(facts.map)]
    box = f"0 0 {_WIDTH:g} {height:.0f}"
    return tag("svg", "".join(parts), viewBox=box, role="img", aria_label=f"Map of {facts.title}", class_="map")


def draw_thumb(site: Shown, color: str, rows_down: bool) -> str:
    """Return a site's outline alone, as large as it fits."""
    left, bottom, right, top = site.outline.bounds
    scale = 52.0 / max(right - left, top - bottom, 1e-12)
    x = 30 - (right - left) * scale / 2
    y = 30 - (top - bottom) * scale / 2

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        down = xy[:, 1] - bottom if rows_down else top - xy[:, 1]
        return np.stack([x + (xy[:, 0] - left) * scale, y + down * scale], axis=1)

    path = outline_path([shapely.simplify(shapely.transform(site.outline, place), 0.3)])
    shape = tag("path", d=path, fill=color, stroke=color, class_="thumb-shape")
    return tag("svg", shape, viewBox="0 0 60 60", class_="thumb", role="img", aria_label=f"Outline of {site.id}")


def _behind(facts: MapFacts, view: _View) -> Iterator[str]:
    picture = facts.picture
    if picture is None:
        return
    left, bottom, right, top = picture.bounds
    first, last = (bottom, top) if facts.rows_down else (top, bottom)
    corners = view.points(np.array([(left, first), (right, last)]))
    (x0, y0), (x1, y1) = corners.tolist()
    href = f"data:{picture.kind};base64,{base64.b64encode(picture.content).decode()}"
    yield tag(
        "image", href=href, x=x0, y=y0, width=x1 - x0, height=y1 - y0, preserveAspectRatio="none", class_="behind"
    )


def _others(facts: MapFacts, view: _View, height: float) -> Iterator[str]:
    """Yield a dot for each small square that holds sites without an outline, larger for more of them."""
    if facts.others is None or not len(facts.others):
        return
    cells = np.floor(view.points(facts.others) / _CELL).astype(np.int64)
    cells = cells[((cells >= 0) & (cells * _CELL < (_WIDTH, height))).all(axis=1)]
    found, counts = np.unique(cells, axis=0, return_counts=True)
    for (x, y), count in zip(found.tolist(), counts.tolist(), strict=True):
        size = min(_CELL * 0.55, 1.3 + 0.6 * math.log2(count))
        yield tag("circle", cx=(x + 0.5) * _CELL, cy=(y + 0.5) * _CELL, r=size, class_="other")


def _site(site: Shown, view: _View, facts: ReportFacts) -> str:
    color = color_of(site.label, facts.colors)
    label = said(f"{site.id}: {site.label}, {plain_area(site.area_m2, facts.map.crs)}")
    path = outline_path([view.shape(site.outline)])
    # A pale line around the coloured one keeps it visible on any picture.
    halo = tag("path", d=path, class_="halo")
    dashed = "site" if site.status != "system_rejected" else "site rejected"
    return halo + tag("path", label, d=path, stroke=color, fill=color, class_=dashed)


def _names(sites: tuple[Shown, ...], view: _View) -> Iterator[str]:
    """Yield the numbers of the largest sites, as far as they do not lie on each other."""
    taken: list[tuple[float, float, float]] = []
    for site in sites[:_CANDIDATES]:
        width = 9.0 * len(str(site.number))
        x, y = _beside(site, view, width)
        if len(taken) < _NAMED and all(_apart((x, y, width), other) for other in taken):
            taken.append((x, y, width))
            yield words(x, y, str(site.number), class_="name")


def _beside(site: Shown, view: _View, width: float) -> tuple[float, float]:
    """Return where a name begins: inside a site that is large enough for it, else to the right of its top."""
    west, south, east, north = site.outline.bounds
    left, right = view.points(np.array([(west, south), (east, north)]))
    if abs(right[0] - left[0]) > 1.6 * width + 12 and abs(right[1] - left[1]) > 30:
        inside = shapely.point_on_surface(site.outline)
        x, y = view.points(np.array([(inside.x, inside.y)]))[0].tolist()
        return x - width / 2, y + 5
    return min(float(right[0]) + 3, _WIDTH - width - 4), float(min(left[1], right[1])) + 4


def _apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two names (x, y, width) do not touch."""
    return abs(one[1] - other[1]) > 14 or one[0] > other[0] + other[2] + 3 or other[0] > one[0] + one[2] + 3


def _scale_bar(facts: MapFacts, view: _View, height: float) -> str:
    metres = facts.metres_per_unit
    per_unit = view.per_x if metres is None else view.per_x / metres[0]
    length = nice_length(_WIDTH * 0.22 / per_unit)
    text = length_text(length, "m" if metres else "px")
    px = length * per_unit
    x, y = _MARGIN + 14, height - _MARGIN - 16
    bar = tag("path", d=f"M{x:.1f},{y - 7:.1f}v7h{px:.1f}v-7", class_="bar")
    plate = tag("rect", x=x - 12, y=y - 24, width=px + 24, height=36, rx=5, class_="plate")
    return plate + bar + words(x + px / 2, y - 8, text, class_="bar-name")


def _north(facts: MapFacts) -> str:
    if facts.metres_per_unit is None:
        return ""
    x, y = _WIDTH - _MARGIN - 26, _MARGIN + 34
    plate = tag("rect", x=x - 15, y=y - 26, width=30, height=50, rx=5, class_="plate")
    arrow = tag("path", d=f"M{x},{y - 20}l7,20l-7,-5l-7,5z", class_="north")
    return plate + arrow + words(x, y + 17, "N", class_="bar-name")
