"""Tiles of a region: exactly those that it needs, found without looking at each."""

import itertools
import math

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geowatch.errors import PlanError
from geowatch.grid.choice import LatticeChoice
from geowatch.grid.cover import MAX_TILES, refuse_too_many, tiles_of_bounds, tiles_of_cover
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.region import Region
from geowatch.grid.rings import polygon_of_rings
from geowatch.grid.tiles import Tile

quick = settings(max_examples=40, deadline=None)


@st.composite
def stars(draw, center=(0.0, 0.0), radius=100.0):
    """A star-shaped polygon with a hole, as rings of floats."""
    corners = draw(st.integers(3, 24))
    spread = np.array(draw(st.lists(st.floats(0.3, 1), min_size=corners, max_size=corners)))
    angle = np.linspace(0, 2 * math.pi, corners, endpoint=False) + draw(st.floats(0, 6))
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outer = np.asarray(center) + radius * spread[:, None] * unit
    hole = np.asarray(center) + 0.15 * radius * unit[::-1]
    return [np.concatenate([ring, ring[:1]]) for ring in (outer, *([hole] if draw(st.booleans()) else []))]


def pieces(area, lattice, tile_px, bounds):
    """Area of the region in each tile of bounds, tile by tile: what the quartering must find."""
    found = {}
    for block in bounds.blocks(tile_px):
        inside = shapely.intersection(area, shapely.box(*lattice.bounds(block))).area
        if inside > 0:
            found[block.y0 // tile_px, block.x0 // tile_px] = inside
    return found


@quick
@given(stars(), st.integers(1, 9), st.sampled_from([1.0, 2.5]), st.floats(0, 0.99), st.booleans())
def test_tiles_are_exactly_those_that_share_interior_with_the_region(rings, tile_px, step, phase, north_up):
    area = Polygon(rings[0], rings[1:])
    lattice = Lattice(None, -step if north_up else step, step, phase * step, phase * step / 2)
    bounds = lattice.box_covering(area.bounds)
    iy, ix = tiles_of_cover(area, lattice, bounds, tile_px)
    tiles = list(zip(iy.tolist(), ix.tolist(), strict=True))
    expected = pieces(area, lattice, tile_px, bounds)
    slivers = {tile for tile, inside in expected.items() if inside < 1e-4 * step**2}
    assert len(set(tiles)) == len(tiles)
    assert set(tiles) - slivers == set(expected) - slivers
    assert sum(expected[tile] for tile in tiles) == pytest.approx(area.area, rel=1e-6)


def inside_ring(points, ring):
    """Even-odd rule, written out: whether points (n, 2) lie inside a closed ring."""
    x, y = points.T
    odd = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in itertools.pairwise(ring):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


@settings(max_examples=25, deadline=None)
@given(stars(center=(-72.0, 0.3), radius=1.5), st.sampled_from([100.0, 250.0]), st.sampled_from([16, 64, 100]))
def test_each_place_of_the_region_is_in_exactly_one_core(rings, resolution, tile_px):
    """Points found by ray casting in degrees and moved by pyproj, over a zone meridian and the equator."""
    area = polygon_of_rings([ring.tolist() for ring in rings], [])
    request = PlanRequest(Region("r", area), LatticeChoice(resolution=resolution), tile_px=tile_px)
    plan, tables = make_plan(request)
    west, south, east, north = area.bounds
    points = np.random.default_rng(1).uniform((west, south), (east, north), (3000, 2))
    inside = inside_ring(points, rings[0])
    for hole in rings[1:]:
        inside &= ~inside_ring(points, hole)
    owners = np.zeros(len(points), dtype=int)
    for grid in plan.grids:
        tiles = set(tables[grid.id])
        zone = int(grid.id[3:5])
        mine = np.floor((points[:, 0] + 180) / 6) + 1 == zone
        x, y = pyproj.Transformer.from_crs("OGC:CRS84", grid.lattice.crs, always_xy=True).transform(*points.T)
        col = np.floor((np.asarray(x) - grid.lattice.phase_x) / grid.lattice.step_x).astype(int)
        row = np.floor((np.asarray(y) - grid.lattice.phase_y) / grid.lattice.step_y).astype(int)
        owned = [
            Tile(grid.id, r // tile_px, c // tile_px) in tiles for r, c in zip(row.tolist(), col.tolist(), strict=True)
        ]
        owners += mine & np.array(owned)
        bounds = grid.bounds
        within = (row >= bounds.y0) & (row < bounds.y1) & (col >= bounds.x0) & (col < bounds.x1)
        assert within[inside & mine].all()
    assert (owners[inside] == 1).all()


@settings(max_examples=15, deadline=None)
@given(stars(center=(15.0, 50.0), radius=0.6), st.sampled_from([333, 1000]))
def test_cores_add_up_to_the_region_s_area_on_the_ellipsoid(rings, tile_px):
    """An equal-area grid against geodesic area: no overlap, no gap, none needless."""
    area = polygon_of_rings([ring.tolist() for ring in rings], [])
    request = PlanRequest(Region("r", area), LatticeChoice(crs="EPSG:3035", resolution=10), tile_px=tile_px)
    plan, tables = make_plan(request)
    (grid,) = plan.grids
    held = pieces(grid.cover, grid.lattice, tile_px, grid.bounds)
    tiles = {(tile.iy, tile.ix) for tile in tables[grid.id]}
    assert tiles == {tile for tile, inside in held.items() if inside > 1e-4}
    outer, *holes = [geodesic_area(ring) for ring in rings]
    assert sum(held[tile] for tile in tiles) == pytest.approx(outer - sum(holes), rel=2e-5)


def geodesic_area(ring):
    edges = np.asarray(shapely.segmentize(shapely.linearrings(ring), 0.01).coords)
    return abs(pyproj.Geod(ellps="GRS80").polygon_area_perimeter(*edges.T)[0])


def test_a_region_on_tile_edges_takes_no_neighbour():
    lattice = Lattice.at("EPSG:32618", 10)
    area = shapely.box(160, -320, 480, -160)
    iy, ix = tiles_of_cover(area, lattice, lattice.box_covering(area.bounds), 16)
    assert sorted(zip(iy.tolist(), ix.tolist(), strict=True)) == [(1, 1), (1, 2)]
    touching = shapely.union(area, shapely.box(480, -160, 640, 0))  # meets in a corner
    iy, ix = tiles_of_cover(touching, lattice, lattice.box_covering(touching.bounds), 16)
    assert sorted(zip(iy.tolist(), ix.tolist(), strict=True)) == [(0, 3), (1, 1), (1, 2)]


def test_parts_far_apart_do_not_cost_the_space_between_them():
    lattice = Lattice.at("EPSG:32618", 10)
    area = shapely.union(shapely.box(5, 5, 15, 15), shapely.box(9_000_005, 9_000_005, 9_000_015, 9_000_015))
    iy, _ = tiles_of_cover(area, lattice, lattice.box_covering(area.bounds), 1)
    assert len(iy) == 8


def test_bounds_alone_are_tiled_row_by_row():
    iy, ix = tiles_of_bounds(PixelBox(-3, 5, 12, 21), 10)
    assert list(zip(iy.tolist(), ix.tolist(), strict=True)) == [(y, x) for y in (-1, 0, 1) for x in (0, 1, 2)]


def test_more_tiles_than_anyone_means_are_refused():
    refuse_too_many(MAX_TILES, 256)
    with pytest.raises(PlanError, match="at most") as caught:
        refuse_too_many(MAX_TILES + 1, 256)
    assert "--tile-size" in caught.value.hint
