"""How many square metres a pixel is: one figure on a plane, one for each row where rows are parallels of latitude.

In geographic coordinates and in Mercator's projections rows are bounded by parallels, so that a pixel's area on the
ellipsoid has a closed form: a² (q(φ2) - q(φ1)) λ / 2 with q of Snyder, "Map Projections", US Geological Survey
Professional Paper 1395, equation 3-12. On other maps (UTM: within 0.1%) areas are those of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyproj
from numpy.typing import NDArray

from geowatch.grid.crs import to_lonlat

if TYPE_CHECKING:
    from geowatch.grid.areas import Areas, Ints
    from geowatch.grid.lattice import Lattice

__all__ = ["areas_m2", "row_m2"]


@dataclass(frozen=True, slots=True)
class _Ellipsoid:
    axis_m: float
    """Half of the longer axis."""
    eccentricity: float

    def zone(self, lat_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Square metres between the equator and a parallel, for each radian of longitude."""
        sine = np.sin(np.radians(lat_deg))
        e = self.eccentricity
        if e == 0:
            return np.asarray(self.axis_m**2 * sine)
        q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)
        return np.asarray(self.axis_m**2 * q / 2)


def row_m2(lattice: Lattice, y: Ints) -> NDArray[np.float64] | float:
    """Return the square metres of a pixel in each row, or one figure for all rows.

    Pixels without georeference have an area of 1.
    """
    plane = abs(lattice.step_x * lattice.step_y)
    if lattice.crs is None:
        return plane
    crs = pyproj.CRS.from_user_input(lattice.crs)
    method = "" if crs.coordinate_operation is None else crs.coordinate_operation.method_name
    if (not crs.is_geographic and "Mercator" not in method) or "Transverse" in method or "Oblique" in method:
        return plane * float(crs.axis_info[0].unit_conversion_factor) ** 2
    shape = crs.ellipsoid or pyproj.CRS("EPSG:4326").ellipsoid
    assert shape is not None  # noqa: S101  # EPSG:4326 has one
    flattening = 0.0 if shape.inverse_flattening == 0 else 1 / shape.inverse_flattening
    ellipsoid = _Ellipsoid(shape.semi_major_metre, float(np.sqrt(flattening * (2 - flattening))))
    edges = [_lonlat(lattice, y + down) for down in (0, 1)]
    size: NDArray[np.float64] = np.abs(ellipsoid.zone(edges[1][:, 1]) - ellipsoid.zone(edges[0][:, 1]))
    return size * _width(lattice, crs)


def _width(lattice: Lattice, crs: pyproj.CRS) -> float:
    """Return the radians of longitude that a pixel is wide: the same for all rows, whichever are asked for."""
    if crs.is_geographic:
        return abs(lattice.step_x) * float(crs.axis_info[0].unit_conversion_factor)
    row = np.zeros(1, dtype=np.int64)
    west, east = (_lonlat(lattice, row, column)[0, 0] for column in (0, 1))
    return float(np.radians(abs(east - west)))


def _lonlat(lattice: Lattice, y: Ints, column: int = 0) -> NDArray[np.float64]:
    # Column 0 is where the map's middle meridian is: no longitude wraps around there.
    points = np.stack([np.full(len(y), column * lattice.step_x), lattice.phase_y + y * lattice.step_y], axis=1)
    return points if lattice.crs is None else to_lonlat(points, lattice.crs)


def areas_m2(areas: Areas, owners: int, lattice: Lattice) -> NDArray[np.float64]:
    """Return the area of each owner, (owners,); the same pixels give the same sum, bit for bit."""
    rows, at = np.unique(areas.y, return_inverse=True)
    size = row_m2(lattice, rows)
    if isinstance(size, float):
        return np.asarray(areas.px(owners) * size, dtype=np.float64)
    weights = (areas.x1 - areas.x0) * size[at]
    return np.asarray(np.bincount(areas.owner, weights=weights, minlength=owners), dtype=np.float64)
