"""Outlines of pixels are those that a raster library draws, whatever the mask."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geowatch.grid.areas import Areas, parts_of, unite
from geowatch.grid.lattice import Lattice
from geowatch.grid.trace import runs_of_rings, trace
from geowatch.grid.wkb import outlines_of

NORTH_UP = Lattice("EPSG:32618", -10.0, 10.0, 5.0, 2.5)

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(st.integers(0, 3), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda flat: np.array(flat).reshape(shape)
    )
)
"""Small images of owners 1 to 3 and nothing (0)."""


def areas_of(owners: NDArray[np.integer], origin: tuple[int, int] = (0, 0)) -> Areas:
    """Return the pixels of each owner above 0, one run a pixel: `unite` joins them."""
    y, x = np.nonzero(owners)
    return unite(owners[y, x] - 1, y + origin[0], x + origin[1], x + origin[1] + 1)


def geometries(areas: Areas, lattice: Lattice = NORTH_UP) -> dict[int, shapely.Geometry]:
    rings = trace(areas)
    owners, dense = np.unique(rings.part_owner, return_inverse=True)
    rings = type(rings)(rings.y, rings.x, rings.start, rings.area_px, rings.part, dense)
    wkb = outlines_of(rings, lattice).to_wkb()
    return dict(zip(owners.tolist(), shapely.from_wkb(wkb.to_list()).tolist(), strict=True))


def squares(owners: NDArray[np.integer], owner: int, lattice: Lattice = NORTH_UP) -> shapely.Geometry:
    """Return the union of an owner's pixel squares, made by GEOS alone."""
    y, x = np.nonzero(owners == owner + 1)
    left, top = lattice.phase_x + x * lattice.step_x, lattice.phase_y + y * lattice.step_y
    boxes = shapely.box(left, top + lattice.step_y, left + lattice.step_x, top)
    return shapely.union_all(boxes)


@settings(max_examples=300, deadline=None)
@given(masks)
def test_outlines_are_the_union_of_the_pixels_and_valid(owners):
    for owner, geometry in geometries(areas_of(owners)).items():
        assert shapely.is_valid(geometry), shapely.is_valid_reason(geometry)
        assert shapely.area(shapely.symmetric_difference(geometry, squares(owners, owner))) == 0
        assert geometry.area == np.sum(owners == owner + 1) * 100


@settings(max_examples=100, deadline=None)
@given(masks)
def test_exteriors_run_counterclockwise_and_holes_clockwise_from_their_first_corner(owners):
    for geometry in geometries(areas_of(owners)).values():
        for polygon in shapely.get_parts(geometry):
            assert polygon.exterior.is_ccw
            assert not any(hole.is_ccw for hole in polygon.interiors)
            for ring in (polygon.exterior, *polygon.interiors):
                corners = [(-y, x) for x, y in ring.coords]
                assert corners[0] == min(corners) == corners[-1]


def test_rows_that_run_north_are_drawn_counterclockwise_too():
    owners = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    polygon = geometries(areas_of(owners), Lattice.of_pixels())[0]
    assert polygon.exterior.is_ccw
    assert not polygon.interiors[0].is_ccw
    assert polygon.area == 8
    assert polygon.exterior.coords[0] == (0, 0)


@settings(max_examples=150, deadline=None)
@given(masks)
def test_areas_by_shoelace_are_pixels(owners):
    areas = areas_of(owners)
    rings = trace(areas)
    by_owner = np.bincount(rings.part_owner[rings.part], weights=rings.area_px, minlength=3)
    assert by_owner.tolist() == [np.sum(owners == owner) for owner in (1, 2, 3)]
    assert areas.px(3).tolist() == by_owner.tolist()


@settings(max_examples=100, deadline=None)
@given(masks, st.integers(-5000, 5000), st.integers(-5000, 5000))
def test_where_an_area_lies_does_not_change_its_outline(owners, down, right):
    here, there = trace(areas_of(owners)), trace(areas_of(owners, (down, right)))
    assert np.array_equal(here.y + down, there.y)
    assert np.array_equal(here.x + right, there.x)
    assert np.array_equal(here.start, there.start)


@settings(max_examples=150, deadline=None)
@given(masks)
def test_equals_what_rasterio_draws(owners):
    from rasterio.features import shapes
    from rasterio.transform import Affine

    drawn = {0: [], 1: [], 2: []}
    mask = owners > 0
    for geometry, value in shapes(owners.astype(np.int16), mask=mask, connectivity=4, transform=Affine.scale(1, -1)):
        drawn[int(value) - 1].append(shapely.geometry.shape(geometry))
    lattice = Lattice("EPSG:32618", -1.0, 1.0)
    for owner, geometry in geometries(areas_of(owners), lattice).items():
        ours = sorted(shapely.normalize(part).wkt for part in shapely.get_parts(geometry))
        assert ours == sorted(shapely.normalize(part).wkt for part in drawn[owner])


def test_a_hole_may_touch_the_exterior_at_a_corner():
    owners = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]])
    polygon = geometries(areas_of(owners))[0]
    assert polygon.geom_type == "Polygon"
    assert len(polygon.interiors) == 1
    assert polygon.is_valid


def test_pixels_that_meet_at_a_corner_are_two_parts_of_one_geometry():
    geometry = geometries(areas_of(np.array([[1, 0], [0, 1]])))[0]
    assert geometry.geom_type == "MultiPolygon"
    assert shapely.is_valid(geometry)
    assert parts_of(areas_of(np.array([[1, 0], [0, 1]])), 8).tolist() == [0, 0]


@settings(max_examples=100, deadline=None)
@given(masks, st.sampled_from([4, 8]))
def test_parts_are_those_of_an_image_library(owners, connectivity):
    from scipy.ndimage import label

    areas = areas_of(owners)
    parts = parts_of(areas, connectivity)
    shape = np.ones((3, 3)) if connectivity == 8 else None
    for owner in range(3):
        labels, count = label(owners == owner + 1, structure=shape)
        mine = areas.owner == owner
        theirs = labels[areas.y[mine], areas.x0[mine]]
        assert len(set(parts[mine].tolist())) == count
        assert len(set(zip(parts[mine].tolist(), theirs.tolist(), strict=True))) == count


def pixels(areas):
    """Return (owner, y, x) of each pixel."""
    return {
        (o, y, x)
        for o, y, x0, x1 in zip(*(c.tolist() for c in (areas.owner, areas.y, areas.x0, areas.x1)), strict=True)
        for x in range(x0, x1)
    }


@settings(max_examples=150, deadline=None)
@given(masks)
def test_rings_filled_with_pixels_give_the_area_back(owners):
    areas = areas_of(owners)
    rings = trace(areas)
    filled = runs_of_rings(rings, np.arange(len(rings.part)))
    assert np.array_equal(filled.px(len(rings.part)), np.abs(rings.area_px))
    holes = rings.area_px < 0
    outer, inner = (runs_of_rings(rings.keep(which), rings.part_owner[rings.part[which]]) for which in (~holes, holes))
    # An island in a hole of the same owner lies in the exterior's filling as well, so only single parts compare.
    if len(rings.part_owner) == len(np.unique(rings.part_owner)):
        assert pixels(outer) - pixels(inner) == pixels(areas)


@settings(max_examples=100, deadline=None)
@given(masks, masks)
def test_unions_are_those_of_sets_of_pixels(one, two):
    a, b = areas_of(one), areas_of(two)
    both = unite(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in ("owner", "y", "x0", "x1")))
    assert pixels(both) == pixels(a) | pixels(b)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_one_pixel(count):
    areas = areas_of(np.ones((count, count), dtype=int))
    rings = trace(areas)
    assert len(rings.part) == count
    assert len(outlines_of(rings, NORTH_UP).to_wkb()) == count


def test_a_spiral_is_walked_to_its_end():
    # One ring through every corner: the longest way that doubling must go.
    side = 61
    image = np.zeros((side, side), dtype=int)
    y = x = 0
    dy, dx = 0, 1
    image[0, 0] = 1
    for _ in range(side * side):
        ahead = (y + 2 * dy, x + 2 * dx)
        inside = 0 <= y + dy < side and 0 <= x + dx < side
        if not inside or (0 <= ahead[0] < side and 0 <= ahead[1] < side and image[ahead]):
            dy, dx = dx, -dy
            if image[y + dy, x + dx] or (
                image[y + 2 * dy, x + 2 * dx] if 0 <= y + 2 * dy < side > x + 2 * dx >= 0 else 0
            ):
                break
        y, x = y + dy, x + dx
        image[y, x] = 1
    geometry = geometries(areas_of(image))[0]
    assert geometry.is_valid
    assert geometry.area == image.sum() * 100
    assert len(trace(areas_of(image)).part) == 1


@settings(max_examples=300, deadline=None)
@given(masks, st.sampled_from([4, 8]))
def test_holes_are_what_connected_pixels_surround(owners, connectivity):
    from scipy import ndimage

    areas = areas_of(owners)
    rings = trace(areas, connectivity)
    holes = rings.area_px < 0
    filled = runs_of_rings(rings.keep(holes | (rings.area_px > 0)), rings.part_owner[rings.part])
    drawn = np.zeros((4, *owners.shape), dtype=bool)
    for owner, y, x0, x1 in zip(filled.owner, filled.y, filled.x0, filled.x1, strict=True):
        drawn[owner, y, x0:x1] = True
    around = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    for owner in np.unique(areas.owner):
        parts, count = ndimage.label(owners == owner + 1, around)
        # Of scipy: what 4-connected background does not reach from outside, part by part.
        whole = [ndimage.binary_fill_holes(parts == part) for part in range(1, count + 1)]
        assert np.array_equal(drawn[owner], np.any(whole, axis=0))
