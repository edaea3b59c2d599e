"""Between pixels of a simulation and places on the globe."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from geowatch.datasets.simulation.scenario import MARGIN_PX
from geowatch.grid.crs import project, to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

__all__ = ["lonlat_of", "outline_of", "pixels_of"]

Area = TypeVar("Area", bound=Polygon | MultiPolygon)

#: Decimals of a degree: about a decimetre.
_DECIMALS = 6
#: The outline stays this far within the outermost pixels: rounding must not make it touch the next ones.
_WITHIN_PX = 0.25


def lonlat_of(outline: Area, geobox: GeoBox) -> Area:
    """Return an outline in pixels (x column, y row) as longitude and latitude, rounded to a decimetre."""
    a = geobox.affine

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xy = np.stack([a.a * points[:, 0] + a.c, a.e * points[:, 1] + a.f], axis=1)
        return np.asarray(np.round(to_lonlat(xy, str(geobox.crs)), _DECIMALS), np.float64)

    return shapely.transform(outline, place)


def pixels_of(area: Polygon | MultiPolygon, geobox: GeoBox) -> Polygon | MultiPolygon:
    """Return an area in longitude and latitude as pixels (x column, y row) of a geobox."""
    a = geobox.affine
    projected = project(area, str(geobox.crs), abs(a.a))
    moved: Polygon | MultiPolygon = shapely.transform(
        projected, lambda p: (p - np.array([a.c, a.f])) / np.array([a.a, a.e])
    )
    return moved


def outline_of(geobox: GeoBox) -> Polygon:
    """Return the region within a geobox's margin, longitude and latitude."""
    edge = MARGIN_PX + _WITHIN_PX
    inner = shapely.box(edge, edge, geobox.width - edge, geobox.height - edge)
    return lonlat_of(inner, geobox)
