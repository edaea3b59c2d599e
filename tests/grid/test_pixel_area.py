"""Square metres of pixels are those of the ellipsoid where rows are parallels, and those of the map elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer

from geowatch.grid.areas import unite
from geowatch.grid.lattice import Lattice
from geowatch.grid.pixel_area import areas_m2, row_m2


def geodesic_m2(lattice: Lattice, row: int) -> float:
    """Return the area of the pixel in column 0, measured along parallels by many corners."""
    left, bottom, right, top = (
        0.0, lattice.phase_y + (row + 1) * lattice.step_y, lattice.step_x, lattice.phase_y + row * lattice.step_y
    )  # fmt: skip
    ring = shapely.segmentize(shapely.box(left, bottom, right, top), lattice.step_x / 200)
    move = Transformer.from_crs(lattice.crs, "OGC:CRS84", always_xy=True)
    lon, lat = move.transform(*shapely.get_coordinates(ring).T)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])


@pytest.mark.parametrize(
    ("lattice", "rows"),
    [
        (Lattice("EPSG:4326", -0.01, 0.01), [-8000, -4500, -1, 0, 3000, 8900]),
        (Lattice("EPSG:3857", -1000.0, 1000.0), [-9000, -100, 0, 5000]),
    ],
)
def test_rows_along_parallels_have_the_area_of_the_ellipsoid(lattice, rows):
    sizes = row_m2(lattice, np.array(rows))
    assert sizes == pytest.approx([geodesic_m2(lattice, row) for row in rows], rel=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4314", "EPSG:3395"])
def test_a_row_has_the_same_area_whichever_rows_are_asked_for_with_it(crs):
    step = 10.0 if crs == "EPSG:3395" else 1e-4
    lattice, rows = Lattice(crs, -step, step), np.arange(-500_000, -499_900)
    alone = [row_m2(lattice, row[None])[0] for row in rows]
    assert row_m2(lattice, rows).tolist() == alone


def test_on_a_plane_all_pixels_are_alike():
    assert row_m2(Lattice("EPSG:32618", -10.0, 20.0), np.array([0, 5])) == 200
    assert row_m2(Lattice.of_pixels(), np.array([0])) == 1
    assert row_m2(Lattice("EPSG:2264", -10.0, 10.0), np.array([0])) == pytest.approx(9.2903, rel=1e-4)  # feet


def test_areas_add_up_row_by_row():
    lattice = Lattice("EPSG:4326", -0.1, 0.1)
    areas = unite(np.array([0, 0, 2]), np.array([-600, -599, -600]), np.array([3, 4, 0]), np.array([5, 5, 1]))
    size = row_m2(lattice, np.array([-600, -599]))
    assert areas_m2(areas, 3, lattice).tolist() == [2 * size[0] + size[1], 0, size[0]]
