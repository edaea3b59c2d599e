"""From rings of numbers to polygons on the globe.

GeoJSON rings come as users have them: unclosed, crossing themselves, jumping over the antimeridian, running
beyond ±180, going around a pole. `polygon_of_rings` makes one polygon (or its parts) within ±180 and ±90 out
of them, and writes a note on each repair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from geowatch.errors import RegionError

__all__ = ["polygon_of_rings", "wrap"]

Ring = NDArray[np.float64]
_PAIRS = "write [[[longitude, latitude], ...]], in degrees, first and last corner alike"
"""Vertices (n, 2) as (longitude, latitude)."""

#: Degrees by which a latitude may be beyond a pole from rounding alone.
_ROUNDING_DEG = 1e-6


def polygon_of_rings(rings: object, notes: list[str]) -> Polygon | MultiPolygon | None:
    """Return the polygon with this outer ring and these holes, or None where it has no area.

    Args:
        rings: GeoJSON coordinates of one polygon: the outer ring, then holes.
        notes: Receives a sentence on each repair.

    Raises:
        RegionError: If the numbers are not longitudes and latitudes.
    """
    if not isinstance(rings, Sequence) or isinstance(rings, str):
        raise RegionError(f"a polygon is a list of rings, got {rings!r:.60}", hint=_PAIRS)
    arrays = [_ring(ring, notes) for ring in rings]
    if not arrays:
        return None
    plain = _plain_polygon(arrays)
    if plain is not None:
        return plain
    shell, *holes = [_filled(ring, notes) for ring in arrays]
    area = shapely.difference(shell, shapely.union_all(holes)) if holes else shell
    return _only_polygons(area)


def wrap(area: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """Bring an area that runs beyond ±180 back within, cut at the antimeridian.

    >>> wrap(shapely.box(179, 0, 182, 1)).bounds
    (-180.0, 0.0, 180.0, 1.0)
    """
    west, _, east, _ = area.bounds
    if west >= -180 and east <= 180:
        return area
    turns = range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360))
    parts = [_strip(area, 360.0 * turn) for turn in turns]
    return _only_polygons(shapely.union_all(parts)) or Polygon()


def _strip(area: Polygon | MultiPolygon, turn_deg: float) -> shapely.Geometry:
    cut = shapely.intersection(area, shapely.box(turn_deg - 180, -90, turn_deg + 180, 90))
    return shapely.transform(cut, lambda lonlat: lonlat - [turn_deg, 0.0])


def _plain_polygon(arrays: list[Ring]) -> Polygon | None:
    # Nearly all polygons: valid as they stand, away from the antimeridian.
    if any(np.abs(r[:, 0]).max() > 180 or _jumps(r).any() or (r[0] != r[-1]).any() for r in arrays):
        return None
    polygon = Polygon(arrays[0], arrays[1:])
    return polygon if shapely.is_valid(polygon) and polygon.area > 0 else None


def _ring(vertices: object, notes: list[str]) -> Ring:
    ring = _numbers(vertices)
    _refuse_other_units(ring)
    ring[:, 1] = np.clip(ring[:, 1], -90, 90)
    if not _closed(ring):
        notes.append("a ring was not closed: its last corner was joined to its first")
        ring = np.concatenate([ring, ring[:1]])
    moves = np.append(True, (ring[1:] != ring[:-1]).any(axis=1))
    ring = np.compress(moves, ring, axis=0)  # repeated corners say nothing
    if len(ring) < 4:
        raise RegionError(f"a ring of {len(ring) - 1} corners encloses nothing", hint="draw at least three corners")
    return ring


def _closed(ring: Ring) -> bool:
    # A ring that ends a whole turn from where it began is closed as well: around a pole.
    turn, climb = (ring[-1] - ring[0]).tolist()
    return climb == 0 and abs(turn) in (0, 360)


def _numbers(vertices: object) -> Ring:
    # A third coordinate (height) is dropped.
    if not isinstance(vertices, Sequence) or isinstance(vertices, str) or not vertices:
        raise RegionError(f"a ring is a list of [longitude, latitude] pairs, got {vertices!r:.60}", hint=_PAIRS)
    try:
        ring = np.array([vertex[:2] for vertex in vertices])
    except (TypeError, ValueError, KeyError):
        ring = np.array([])
    if ring.ndim != 2 or ring.shape[1] != 2 or ring.dtype.kind not in "fiu":
        raise RegionError(f"a ring is a list of [longitude, latitude] pairs, got {vertices!r:.60}", hint=_PAIRS)
    ring = ring.astype(np.float64)
    if not np.isfinite(ring).all():
        bad = ring[~np.isfinite(ring).all(axis=1)][0].tolist()
        raise RegionError(f"the region has a corner at {bad}, which is no place", hint="remove NaN and infinity")
    return ring


def _refuse_other_units(ring: Ring) -> None:
    lon, lat = np.abs(ring).T
    wrong = (lon > 360) | (lat > 90 + _ROUNDING_DEG)
    if not wrong.any():
        return
    x, y = ring[wrong][0].tolist()
    if lon.max() <= 90 and lat.max() <= 180:
        raise RegionError(
            f"the corner ({x:g}, {y:g}) has a latitude beyond 90: it looks like (latitude, longitude)",
            hint="GeoJSON puts longitude first: swap the two numbers of each corner",
        )
    raise RegionError(
        f"the corner ({x:g}, {y:g}) is not longitude and latitude: it looks projected",
        hint="reproject it, such as with: ogr2ogr -t_srs EPSG:4326 region-lonlat.geojson region.geojson",
    )


def _jumps(ring: Ring) -> NDArray[np.bool_]:
    # An edge of exactly 360 degrees is meant: it runs along a whole circle of latitude.
    step = np.abs(np.diff(ring[:, 0]))
    return np.asarray((step > 180) & (step != 360))


def _filled(ring: Ring, notes: list[str]) -> Polygon | MultiPolygon:
    """Area inside one ring, within ±180, repaired where the ring crosses itself."""
    ring = _around_pole(_unrolled(ring, notes), notes)
    filled: Polygon | MultiPolygon = Polygon(ring)
    if not shapely.is_valid(filled):
        notes.append(f"a ring crossed or touched itself and was repaired ({shapely.is_valid_reason(filled)})")
        filled = _only_polygons(shapely.make_valid(filled, method="structure", keep_collapsed=False)) or Polygon()
    if np.abs(ring[:, 0]).max() > 180:
        notes.append("a ring crosses the antimeridian and was cut there")
    return filled if filled.is_empty else wrap(filled)


def _unrolled(ring: Ring, notes: list[str]) -> Ring:
    # Make longitudes continuous: an edge that jumps by more than half a turn goes the short way.
    jumps = _jumps(ring)
    if not jumps.any():
        return ring
    at = int(np.flatnonzero(jumps)[0])
    notes.append(f"an edge from longitude {ring[at, 0]:g} to {ring[at + 1, 0]:g} is taken to cross the antimeridian")
    turns = np.where(jumps, np.round(np.diff(ring[:, 0]) / 360), 0)
    unrolled = ring.copy()
    unrolled[1:, 0] -= 360 * np.cumsum(turns)
    return unrolled


def _around_pole(ring: Ring, notes: list[str]) -> Ring:
    """A ring that does not come back to its own longitude goes around a pole: close it over the pole."""
    turn = ring[-1, 0] - ring[0, 0]
    if turn == 0:
        return ring
    north, south = bool((ring[:, 1] > 0).all()), bool((ring[:, 1] < 0).all())
    if abs(turn) != 360 or not (north or south):
        raise RegionError(
            f"a ring goes around the globe ({turn:g} degrees) on both sides of the equator: which pole?",
            hint="cut the region into parts between longitudes -180 and 180",
        )
    pole = 90.0 if north else -90.0
    notes.append(f"a ring goes around the {'north' if north else 'south'} pole: the cap inside it is taken")
    return np.concatenate([ring, [[ring[-1, 0], pole], [ring[0, 0], pole], ring[0]]])


def _only_polygons(geometry: shapely.Geometry) -> Polygon | MultiPolygon | None:
    # A collection may hold multi-part members: take parts twice.
    parts = shapely.get_parts(shapely.get_parts(geometry)).tolist()
    polygons = [part for part in parts if isinstance(part, Polygon) and part.area > 0]
    if not polygons:
        return None
    whole = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    if shapely.is_valid(whole):
        return whole
    joined = shapely.union_all(polygons)  # repair can leave parts that share an edge
    return joined if isinstance(joined, Polygon | MultiPolygon) else None
