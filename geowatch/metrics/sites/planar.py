"""Areas of longitude and latitude as the SMART programme takes them, and overlaps that stand invalid outlines.

Nothing is reprojected: square degrees are multiplied by the lengths of a degree at the middle latitude of the
geometry's own bounding box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import shapely
from shapely.errors import GEOSException
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

__all__ = ["area_km2", "difference", "intersection", "polygons_of", "repaired", "union"]

Area = Polygon | MultiPolygon
"""A polygon or several."""


def area_km2(geometry: BaseGeometry) -> float:
    """Return the area in km2, rounded to 10 decimals.

    >>> area_km2(shapely.box(0, 0, 0.001, 0.001)), area_km2(shapely.box(0, 50, 0.001, 50.001))
    (0.0123090681, 0.0079745638)
    """
    if geometry.is_empty:
        return 0.0
    _, south, _, north = geometry.bounds
    lat = math.radians((south + north) / 2)
    north_m = 111132.92 - 559.82 * math.cos(2 * lat) + 1.175 * math.cos(4 * lat) - 0.0023 * math.cos(6 * lat)
    east_m = 111412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat) + 0.118 * math.cos(5 * lat)
    return float(np.round(geometry.area * north_m * east_m / 1e6, 10))


def repaired(geometry: Area) -> Area:
    """Return a valid outline, by a buffer of zero where it is not valid."""
    return geometry if geometry.is_valid else cast("Area", geometry.buffer(0))


def polygons_of(geometry: BaseGeometry) -> Area:
    """Return the polygon parts alone."""
    if isinstance(geometry, Polygon | MultiPolygon):
        return geometry
    return MultiPolygon([part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)])


def union(geometries: Sequence[Area]) -> Area:
    """Return the union; outlines are repaired only where the union cannot be made without."""
    distinct = list({each.wkb: each for each in geometries}.values())
    if len(distinct) == 1 < len(geometries) and not distinct[0].is_valid:
        # One that crosses itself is no union of itself: it comes back repaired, as among others.
        return polygons_of(repaired(distinct[0]))
    try:
        return polygons_of(shapely.union_all(distinct))
    except GEOSException:
        return polygons_of(shapely.union_all([repaired(each) for each in distinct]))


def intersection(one: Area, other: Area) -> Area:
    """Return what two outlines share, lines and points left out."""
    try:
        return polygons_of(shapely.intersection(one, other))
    except GEOSException:
        return polygons_of(shapely.intersection(repaired(one), repaired(other)))


def difference(one: Area, other: Area) -> Area:
    """Return what the first outline has and the other has not."""
    try:
        return polygons_of(shapely.difference(one, other))
    except GEOSException:
        return polygons_of(shapely.difference(repaired(one), repaired(other)))
