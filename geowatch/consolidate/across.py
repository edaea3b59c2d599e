"""Outlines and holes of sites on several grids: their pixels meet at a zone's edge, but not pixel for pixel.

A pixel belongs to the zone of its centre, so along the edge two grids overlap here and leave slits there, each about a
pixel wide at most. Outlines are drawn on the map of the site's first grid: united, slits within `_SLIT_PX` of the edge
closed, then put into degrees. Areas are not taken from them: they are sums of whole pixels, each counted once on its
own grid; along the edge these over- and undershoot by half a pixel at most, which evens out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.grid.areas import Areas, unite
from geowatch.grid.crs import moved, owner_of, to_lonlat
from geowatch.grid.pixel_area import areas_m2
from geowatch.grid.runs import runs_of
from geowatch.grid.trace import trace
from geowatch.grid.wkb import outlines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.consolidate.candidates import Places
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.lattice import Lattice

__all__ = ["Parts", "fill_across", "parts_of", "united"]

#: What is closed lies this near to the edge, and is narrower than twice `_CLOSE_PX`.
_SLIT_PX, _CLOSE_PX = 2.0, 0.75
#: Corners of one place on two maps differ by less than this.
_SAME_PX = 0.01


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """One owner's outline on each of its grids."""

    owner: int
    """The owner."""
    places: tuple[int, ...]
    """Its places."""
    grids: tuple[int, ...]
    """Their grids."""
    shapes: tuple[shapely.Geometry, ...]
    """Their outlines, each in its grid's CRS."""


def parts_of(places: Places, terms: Terms) -> Iterator[Parts]:
    """Yield the outlines of owners on several grids, place by place."""
    several = (np.bincount(places.owner) > 1)[places.owner]
    shapes = np.full(len(places.owner), None, dtype=object)
    for number, lattice in enumerate(terms.lattices):
        there = several & (places.grid == number)
        if there.any():
            alone = places.on(there)
            drawn = outlines_of(trace(alone.areas), lattice, alone.edges)
            shapes[there] = shapely.from_wkb(drawn.to_wkb().to_list())
    at = np.flatnonzero(several)
    owner = places.owner[at]
    for mine in np.split(at, np.flatnonzero(np.diff(owner)) + 1) if len(at) else ():
        grids = tuple(places.grid[mine].tolist())
        yield Parts(int(places.owner[mine[0]]), tuple(mine.tolist()), grids, tuple(shapes[mine].tolist()))


def united(parts: Parts, terms: Terms) -> shapely.Geometry:
    """Return an owner's whole outline on the map of its first grid."""
    first = parts.grids[0]
    to, border = terms.lattices[first], terms.borders[first]
    shapes = zip(parts.shapes, parts.grids, strict=True)
    whole = shapely.union_all([_moved(shape, terms.lattices[grid].crs, to.crs) for shape, grid in shapes])
    return whole if border is None else _closed(whole, border.line, to.resolution)


def _closed(whole: shapely.Geometry, border: shapely.Geometry, resolution: float) -> shapely.Geometry:
    """Return an outline with slits along a border closed."""
    reach = 4 * _SLIT_PX * resolution
    west, south, east, north = shapely.bounds(whole).tolist()
    edge = shapely.clip_by_rect(border, west - reach, south - reach, east + reach, north + reach)
    if edge.is_empty:
        return whole
    around = shapely.intersection(whole, shapely.buffer(edge, reach))
    by = _CLOSE_PX * resolution
    closed = shapely.buffer(shapely.buffer(around, by, join_style="mitre"), -by, join_style="mitre")
    slits = shapely.intersection(closed, shapely.buffer(edge, _SLIT_PX * resolution))
    parts = shapely.get_parts(shapely.get_parts(shapely.union(whole, slits))).tolist()
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _moved(shape: shapely.Geometry, crs: str | None, to: str | None) -> shapely.Geometry:
    return shapely.transform(shape, lambda points: moved(points, str(crs), str(to)))


def fill_across(places: Places, terms: Terms, largest_m2: float) -> Places:
    """Return places with the holes filled that several grids surround, if they are smaller than ``largest_m2``.

    A hole's pixels are on each grid those whose centres lie in it and in the grid's zone.
    """
    fillings = [places.areas]
    for parts in parts_of(places, terms):
        for hole in _holes(parts, terms, largest_m2):
            filling = _filling(hole, parts, terms)
            m2 = sum(
                areas_m2(areas, 1, terms.lattices[grid])[0] for areas, grid in zip(filling, parts.grids, strict=True)
            )
            if m2 < largest_m2:
                owned = zip(filling, parts.places, strict=True)
                fillings += [replace(areas, owner=areas.owner + place) for areas, place in owned]
    if len(fillings) == 1:
        return places
    columns = (np.concatenate([getattr(part, name) for part in fillings]) for name in ("owner", "y", "x0", "x1"))
    return replace(places, areas=unite(*columns))


def _holes(parts: Parts, terms: Terms, largest_m2: float) -> Iterator[shapely.Polygon]:
    """Yield the holes of the whole outline that no grid surrounds alone, on the map of the first grid."""
    to = terms.lattices[parts.grids[0]]
    own = [
        shapely.buffer(_moved(shapely.Polygon(ring), terms.lattices[grid].crs, to.crs), _SAME_PX * to.resolution)
        for shape, grid in zip(parts.shapes, parts.grids, strict=True)
        for polygon in shapely.get_parts(shape).tolist()
        for ring in polygon.interiors
    ]
    for polygon in shapely.get_parts(united(parts, terms)).tolist():
        for ring in polygon.interiors:
            hole = shapely.Polygon(ring)
            if hole.area < 2 * largest_m2 and not shapely.covers(own, hole).any():
                yield hole


def _filling(hole: shapely.Polygon, parts: Parts, terms: Terms) -> list[Areas]:
    """Return the pixels of a hole on each grid, as those of owner 0."""
    first = terms.lattices[parts.grids[0]].crs
    out = []
    for grid in parts.grids:
        lattice = terms.lattices[grid]
        out.append(_inside(_moved(hole, first, lattice.crs), lattice, (grid, terms.grids)))
    return out


def _inside(hole: shapely.Geometry, lattice: Lattice, of: tuple[int, tuple[str, ...]]) -> Areas:
    box = lattice.box_covering(tuple(shapely.bounds(hole).tolist()))
    rows, columns = np.arange(box.y0, box.y1) + 0.5, np.arange(box.x0, box.x1) + 0.5
    x, y = np.meshgrid(lattice.phase_x + columns * lattice.step_x, lattice.phase_y + rows * lattice.step_y)
    inside = np.asarray(shapely.contains_xy(hole, x, y))
    points = np.stack([x[inside], y[inside]], axis=1)
    inside[inside] = owner_of(of[1], to_lonlat(points, str(lattice.crs))) == of[0]
    runs = runs_of(inside, box.y0, box.x0)
    return unite(np.zeros(len(runs), dtype=np.int64), runs.y, runs.x0, runs.x1)
