"""Which pixel grids a region lies on, and the region's outline in their coordinates.

Without a CRS of its own a region goes to UTM: one grid for each 6° strip that it touches, cut at the zone
meridians, and to polar stereographic (UPS) grids north of 84° and south of 80°, so that each place has one
grid that owns it. A strip is one grid on both sides of the equator: EPSG:326xx, or EPSG:327xx where all of
the strip's part lies in the south. The exceptions of the military grid in Norway and Svalbard are not
followed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from geowatch.errors import ConfigError, RegionError

__all__ = [
    "Zone", "canonical_crs", "grid_id", "moved", "owner_of", "project", "to_lonlat", "units_of", "utm_zones",
]  # fmt: skip

Area = Polygon | MultiPolygon
Points = NDArray[np.float64]
"""Coordinates (n, 2) as (x, y) or (longitude, latitude)."""

UPS_NORTH_DEG, UPS_SOUTH_DEG = 84.0, -80.0
#: Outlines are rounded to this share of a pixel, which also joins parts that meet in a line.
ROUNDING_PX = 1e-4
#: A projected edge stays closer than this to the true one, in pixels.
EDGE_ERROR_PX = 0.05
#: An edge is halved at most this often; one that is still crooked crosses the edge of the map.
_HALVINGS = 40
#: Degrees by which a corner may move on the way into a CRS and back.
_ROUND_TRIP_DEG = 1e-5
#: Degrees by which a region may reach beyond a CRS's declared area; never to a pole that the area leaves out.
_MARGIN_LON_DEG, _MARGIN_LAT_DEG = 20.0, 10.0
#: EPSG codes of the UTM zones of WGS 84.
_UTM = re.compile(r"32[67](0[1-9]|[1-5]\d|60)")
_UTM_GRID = re.compile(r"utm(\d\d)[ns]")


@dataclass(frozen=True)
class Zone:
    """One strip of the globe and the CRS that it is planned in."""

    crs: str
    """Such as ``EPSG:32618``."""
    part: Area
    """The region's part in it, (longitude, latitude)."""


def utm_zones(region: Area) -> tuple[Zone, ...]:
    """Cut a region at the zone meridians and the polar parallels; west to east, then the poles.

    >>> [zone.crs for zone in utm_zones(shapely.box(-72.5, 40, -71.5, 41))]
    ['EPSG:32618', 'EPSG:32619']
    """
    west, south, east, north = region.bounds
    strips = [
        _zone(region, 32600 + number, (6 * number - 186, UPS_SOUTH_DEG, 6 * number - 180, UPS_NORTH_DEG))
        for number in range(_strip_of(west), _strip_of(east) + 1)
    ]
    if north > UPS_NORTH_DEG:
        strips.append(_zone(region, 32661, (-180, UPS_NORTH_DEG, 180, 90)))
    if south < UPS_SOUTH_DEG:
        strips.append(_zone(region, 32761, (-180, -90, 180, UPS_SOUTH_DEG)))
    return tuple(zone for zone in strips if zone is not None)


def _strip_of(lon: float) -> int:
    return min(60, math.floor((lon + 180) / 6) + 1)


def _zone(region: Area, epsg: int, strip: tuple[float, float, float, float]) -> Zone | None:
    cut = _polygons(shapely.intersection(region, shapely.box(*strip)))
    if cut is None:
        return None
    southern = 32600 < epsg <= 32660 and cut.bounds[3] <= 0
    return Zone(f"EPSG:{epsg + 100 if southern else epsg}", cut)


def _polygons(geometry: shapely.Geometry) -> Area | None:
    parts = [part for part in shapely.get_parts(geometry).tolist() if isinstance(part, Polygon) and part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


@lru_cache(maxsize=64)
def _crs(text: str) -> pyproj.CRS:
    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        raise ConfigError(
            f"'{text:.80}' is no CRS that PROJ knows",
            hint="write it as an EPSG code, such as --crs EPSG:32618",
        ) from None
    if not (crs.is_projected or crs.is_geographic):
        raise ConfigError(f"'{crs.name}' is neither projected nor geographic", hint="give a CRS of maps")
    return crs


@lru_cache(maxsize=64)
def canonical_crs(text: str) -> str:
    """Return a CRS as ``EPSG:n`` where it has a code, else as WKT. Raises ConfigError for an unknown one.

    >>> canonical_crs("epsg:32618"), canonical_crs("32618")
    ('EPSG:32618', 'EPSG:32618')
    """
    crs = _crs(text)
    authority = crs.to_authority(min_confidence=100)
    return ":".join(authority) if authority else crs.to_wkt()


def units_of(text: str) -> str:
    """Return the unit of a CRS's coordinates, such as ``metre`` or ``degree``."""
    return str(_crs(text).axis_info[0].unit_name)


def grid_id(crs: str | None) -> str:
    """Return the short name of the grid of a CRS, usable in file names.

    >>> [grid_id(crs) for crs in ("EPSG:32618", "EPSG:32718", "EPSG:32661", "EPSG:3857", None)]
    ['utm18n', 'utm18s', 'ups_n', 'epsg3857', 'pixels']
    """
    if crs is None:
        return "pixels"
    authority, _, code = crs.partition(":")
    if authority == "EPSG" and code in ("32661", "32761"):
        return "ups_n" if code == "32661" else "ups_s"
    if authority == "EPSG" and _UTM.fullmatch(code):
        return f"utm{code[3:]}{'n' if code[2] == '6' else 's'}"
    if authority.isalnum() and code.isalnum():
        return f"{authority}{code}".lower()
    return f"crs{hashlib.sha256(crs.encode()).hexdigest()[:8]}"


def owner_of(grids: Sequence[str], lonlat: Points) -> NDArray[np.int64]:
    """Return the place of the grid, by the grids' ids, that owns each (longitude, latitude); -1 where none does.

    A strip owns its western meridian, the last one both; one grid alone owns all places.

    >>> owner_of(["utm18n", "utm19n"], np.array([[-72.1, 45], [-72.0, 45], [-72.1, 85]])).tolist()
    [0, 1, -1]
    """
    if len(grids) == 1:
        return np.zeros(len(lonlat), np.int64)
    zone = np.minimum(60, np.floor((lonlat[:, 0] + 180) / 6) + 1)
    zone = np.where(lonlat[:, 1] > UPS_NORTH_DEG, 61, np.where(lonlat[:, 1] < UPS_SOUTH_DEG, 62, zone))
    owner = np.full(len(lonlat), -1)
    for place, name in enumerate(grids):
        owner[zone == _zone_of(name)] = place
    return owner


def _zone_of(grid: str) -> int:
    found = _UTM_GRID.fullmatch(grid)
    if found:
        return int(found[1])
    return {"ups_n": 61, "ups_s": 62}.get(grid, 0)


def to_lonlat(points: Points, crs: str) -> Points:
    """Return (x, y) of a CRS as (longitude, latitude)."""
    return _transform(points, _transformer(crs), pyproj.enums.TransformDirection.INVERSE)


@lru_cache(maxsize=16)
def _transformer(crs: str, source: str = "OGC:CRS84") -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(_crs(source), _crs(crs), always_xy=True)


def moved(points: Points, crs: str, to: str) -> Points:
    """Return (x, y) of a CRS in another."""
    return points if crs == to else _transform(points, _transformer(to, crs))


def _transform(
    points: Points,
    transformer: pyproj.Transformer,
    direction: pyproj.enums.TransformDirection = pyproj.enums.TransformDirection.FORWARD,
) -> Points:
    x, y = transformer.transform(points[:, 0], points[:, 1], direction=direction)
    return np.stack([x, y], axis=1)


def project(region: Area, crs: str, resolution: float) -> Area:
    """Return a (longitude, latitude) area in a CRS.

    Edges are straight in longitude and latitude, so curved on the map: each is cut until its pieces stay
    within `EDGE_ERROR_PX` of the curve.

    Args:
        region: Area in degrees.
        crs: CRS to go to.
        resolution: Size of a pixel in units of the CRS.

    Raises:
        RegionError: If the region reaches beyond where the CRS is defined.
    """
    transformer = _transformer(crs)
    _refuse_elsewhere(region, crs, transformer)
    parts = np.asarray(shapely.get_parts(region))
    projected = [_project_polygon(part, crs, transformer, EDGE_ERROR_PX * resolution) for part in parts]
    united = _polygons(shapely.set_precision(shapely.union_all(projected), ROUNDING_PX * resolution))
    if united is None:
        raise RegionError(
            f"the region is smaller than {ROUNDING_PX:g} of a pixel of {resolution:g} {units_of(crs)}",
            hint="give a finer --resolution",
        )
    return united


def _refuse_elsewhere(region: Area, crs: str, transformer: pyproj.Transformer) -> None:
    # PROJ answers far from home with infinity, with numbers that do not lead back, or with a far side of the
    # map.
    there = shapely.get_coordinates(region)
    xy = _transform(there, transformer)
    back = _transform(xy, transformer, pyproj.enums.TransformDirection.INVERSE)
    off = np.abs(back - there)
    off[:, 0] = np.minimum(off[:, 0], np.abs(off[:, 0] - 360))
    off[np.abs(there[:, 1]) > 90 - _ROUND_TRIP_DEG, 0] = 0  # every longitude is right at a pole
    right = np.isfinite(xy).all(axis=1) & (off < _ROUND_TRIP_DEG).all(axis=1) & _in_use(there, crs)
    if not right.all():
        lon, lat = there[~right][0].tolist()
        raise RegionError(
            f"the corner at longitude {lon:g}, latitude {lat:g} is outside of {_crs(crs).name} ({crs:.40})",
            hint="leave --crs out for UTM, or give a CRS made for the place",
        )


def _in_use(lonlat: Points, crs: str) -> NDArray[np.bool_]:
    # A UTM grid here serves both hemispheres, whichever of them its code names.
    area = _crs(crs).area_of_use
    if area is None:
        return np.ones(len(lonlat), dtype=bool)
    utm = grid_id(crs).startswith("utm")
    south, north = (UPS_SOUTH_DEG, UPS_NORTH_DEG) if utm else (area.south, area.north)
    lat = lonlat[:, 1]
    inside = (lat <= max(north, min(north + _MARGIN_LAT_DEG, 89))) & (
        lat >= min(south, max(south - _MARGIN_LAT_DEG, -89))
    )
    beyond = np.mod(lonlat[:, 0] - area.west + _MARGIN_LON_DEG, 360)
    width = np.mod(area.east - area.west, 360) or 360.0
    return np.asarray(inside & (beyond <= width + 2 * _MARGIN_LON_DEG))


def _project_polygon(polygon: Polygon, crs: str, transformer: pyproj.Transformer, error: float) -> Area:
    rings = shapely.get_rings(polygon)
    lonlat, ring_of = shapely.get_coordinates(rings, return_index=True)
    xy, ring_of = _densified(lonlat, ring_of, transformer, error)
    if xy is None:
        raise RegionError(
            f"the region crosses the edge of the map of {_crs(crs).name} ({crs:.40})",
            hint="leave --crs out for UTM, or give a CRS whose middle lies near the region",
        )
    shell, *holes = np.split(xy, np.flatnonzero(np.diff(ring_of)) + 1)
    projected = Polygon(shell, holes)
    return projected if shapely.is_valid(projected) else _repaired(projected)


def _repaired(polygon: Polygon) -> Area:
    # Rings that only just miss each other in degrees may touch on the map.
    return _polygons(shapely.make_valid(polygon, method="structure", keep_collapsed=False)) or Polygon()


def _densified(
    lonlat: Points, ring_of: NDArray[np.intp], transformer: pyproj.Transformer, error: float
) -> tuple[Points | None, NDArray[np.intp]]:
    """Projected vertices (m, 2) of all rings with points added where edges bend, and each one's ring.

    Vertices are None where an edge leaves the map, or stays crooked however short it gets.
    """
    xy = _transform(lonlat, transformer)
    pending = np.append(ring_of[1:] == ring_of[:-1], False)
    for _ in range(_HALVINGS):
        at = np.flatnonzero(pending)
        crooked = at[_crooked(lonlat, xy, at, transformer, error)]
        if not len(crooked):
            return xy, ring_of
        middle = (lonlat[crooked] + lonlat[crooked + 1]) / 2
        there = _transform(middle, transformer)
        if not np.isfinite(there).all():
            break
        lonlat = np.insert(lonlat, crooked + 1, middle, axis=0)
        xy = np.insert(xy, crooked + 1, there, axis=0)
        ring_of = np.insert(ring_of, crooked + 1, ring_of[crooked])
        pending = np.zeros(len(xy), dtype=bool)
        moved = crooked + np.arange(len(crooked))
        pending[moved] = pending[moved + 1] = True
    return None, ring_of


def _crooked(
    lonlat: Points, xy: Points, at: NDArray[np.intp], transformer: pyproj.Transformer, error: float
) -> NDArray[np.bool_]:
    """Whether three points of each true edge lie further than ``error`` from its chord.

    Also where the edge leaves the map, or jumps from one end of it to the other (points bunch at the chord's
    ends).
    """
    start, chord = xy[at], xy[at + 1] - xy[at]
    length2 = np.maximum((chord**2).sum(axis=1), np.finfo(float).tiny)
    crooked = np.zeros(len(at), dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):  # infinity compares as crooked
        for share in (0.25, 0.5, 0.75):
            true = _transform(lonlat[at] + share * (lonlat[at + 1] - lonlat[at]), transformer) - start
            along = np.clip((true * chord).sum(axis=1) / length2, 0, 1)
            near = np.hypot(*(true - along[:, None] * chord).T) <= error
            even = (np.abs(along - share) < 0.24) | (length2 <= error**2)
            crooked |= ~(near & even)
    return crooked
