"""Outlines in degrees where they cross the antimeridian: cut there, as RFC 7946 (3.1.9) asks.

Corners come from a map and lie within ±180; an edge from 179.9 to -179.9 means the short way. Left so, programs would
draw it around the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import shapely

from geowatch.grid.rings import polygon_of_rings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon, Polygon

__all__ = ["HALF_TURN", "beyond", "bounds_of", "cut", "unrolled", "west_of", "whole"]

#: No place spans more degrees than this without crossing the antimeridian.
HALF_TURN, _TURN = 180.0, 360.0


def cut(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return outlines in degrees whose edges do not jump: those that do are cut at ±180; None stays None.

    >>> across = shapely.Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])
    >>> [part.bounds for part in cut(np.array([across]))[0].geoms]
    [(179.0, 0.0, 180.0, 1.0), (-180.0, 0.0, -179.0, 1.0)]
    """
    bounds = shapely.bounds(shapes)
    wide = np.flatnonzero(bounds[:, 2] - bounds[:, 0] > HALF_TURN)
    if not len(wide):
        return shapes
    out = shapes.copy()
    for at in wide.tolist():
        parts = [part for polygon in shapely.get_parts(shapes[at]).tolist() for part in _within(polygon)]
        out[at] = shapely.normalize(shapely.union_all(parts)) if len(parts) > 1 else parts[0]
    return out


def _within(polygon: Polygon) -> Iterator[shapely.Geometry]:
    found = polygon_of_rings([ring.coords[:] for ring in (polygon.exterior, *polygon.interiors)], [])
    yield from () if found is None else shapely.get_parts(found).tolist()


def west_of(shapes: NDArray[np.object_]) -> float | None:
    """Return the longitude where shapes that cross the antimeridian begin; None where they do not cross it.

    Shapes cross it where their parts touch both of its sides, or leave more than half of the world empty in between.

    >>> west_of(np.array([shapely.box(178, 0, 180, 1), shapely.box(-180, 0, -179, 1)]))
    178.0
    """
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes)])
    if len(parts) < 2:
        return None
    west, _, east, _ = shapely.bounds(parts).T
    order = np.argsort(west)
    west, reach = west[order], np.maximum.accumulate(east[order])
    gaps = west[1:] - reach[:-1]
    around = west[0] == -HALF_TURN and reach[-1] == HALF_TURN
    if gaps.max() <= (0.0 if around else HALF_TURN):
        return None
    return float(west[int(np.argmax(gaps)) + 1])


def unrolled(shapes: NDArray[np.object_], west: float | None) -> NDArray[np.object_]:
    """Return shapes with parts west of ``west`` one turn further east: what lies together is drawn together."""
    if west is None:
        return shapes
    out: NDArray[np.object_] = shapely.transform(shapes, lambda points: beyond(points, west))
    bounds = shapely.bounds(shapes)
    for at in np.flatnonzero(bounds[:, 2] - bounds[:, 0] > HALF_TURN).tolist():
        out[at] = shapely.union_all(shapely.get_parts(out[at]))
    return out


def beyond(points: NDArray[np.float64], west: float | None) -> NDArray[np.float64]:
    """Return (longitude, latitude) with longitudes from ``west`` on, beyond 180 degrees where it must be."""
    if west is None:
        return points
    # What lies at the western edge of the world belongs to the east.
    return points + np.where(points[:, :1] < west, [_TURN, 0.0], [0.0, 0.0])


def whole(shape: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """Return an outline with its parts at the antimeridian joined; longitudes go on beyond 180 degrees then.

    >>> whole(cut(np.array([shapely.Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])]))[0]).bounds
    (179.0, 0.0, 181.0, 1.0)
    """
    alone = np.array([shape], dtype=object)
    west = west_of(alone)
    return cast("MultiPolygon", unrolled(alone, west)[0])


def bounds_of(shape: Polygon | MultiPolygon) -> tuple[float, float, float, float]:
    """Return (west, south, east, north); west of what crosses the antimeridian is larger than east (RFC 7946, 5.2)."""
    west, south, east, north = whole(shape).bounds
    return west, south, east - _TURN if east > HALF_TURN else east, north
