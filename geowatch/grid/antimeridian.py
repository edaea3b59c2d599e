"""Outlines in degrees where they cross the antimeridian: cut there, as RFC 7946 (3.1.9) asks.

Corners come from a map and lie within ±180; an edge from 179.9 to -179.9 means the short way. Left so, programs would
draw it around the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from geowatch.grid.rings import polygon_of_rings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry import Polygon

__all__ = ["HALF_TURN", "cut", "unrolled", "west_of"]

#: No place spans more degrees than this without crossing the antimeridian.
HALF_TURN = 180.0


def cut(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return outlines in degrees whose edges do not jump: those that do are cut at ±180; None stays None.

    >>> across = shapely.Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])
    >>> [part.bounds for part in cut(np.array([across]))[0].geoms]
    [(-180.0, 0.0, -179.0, 1.0), (179.0, 0.0, 180.0, 1.0)]
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
    """Return a longitude from which on all of the shapes follow each other eastwards, if not -180; else None.

    Shapes that lie at both ends of the world, with nothing in more than half of it, are taken to cross the
    antimeridian: the result is where the empty part ends.
    """
    parts = shapely.get_parts(shapes[~shapely.is_missing(shapes)])
    if not len(parts):
        return None
    west, _, east, _ = shapely.bounds(parts).T
    order = np.argsort(west)
    west, reach = west[order], np.maximum.accumulate(east[order])
    gaps = west[1:] - reach[:-1]
    if not len(gaps) or gaps.max() <= HALF_TURN:
        return None
    return float(west[int(np.argmax(gaps)) + 1])


def unrolled(shapes: NDArray[np.object_], west: float | None) -> NDArray[np.object_]:
    """Return shapes with parts that lie west of ``west`` moved one turn east, so that they can be drawn as one."""
    if west is None:
        return shapes
    moved: NDArray[np.object_] = shapely.transform(
        shapes, lambda points: points + np.stack([(points[:, 0] < west) * 360.0, np.zeros(len(points))], axis=1)
    )
    return moved
