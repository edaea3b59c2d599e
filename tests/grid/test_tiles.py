"""Tiles as names and columns."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import PlanError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.tiles import Tile, TileTable, tile_rings


@settings(max_examples=40, deadline=None)
@given(
    st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True),
    st.integers(-(10**6), 10**6),
    st.integers(-(10**6), 10**6),
)
def test_a_tile_comes_back_from_its_name(grid, iy, ix):
    assert Tile.parse(Tile(grid, iy, ix).name) == Tile(grid, iy, ix)


@pytest.mark.parametrize(
    "name", ["", "utm18n", "utm18n/1", "utm18n/1_", "../x/1_2", "utm18n/1_2_3", "utm18n/1_2 ", "a/b/1_2"]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(PlanError, match="no tile name"):
        Tile.parse(name)


def test_cores_count_from_the_origin():
    assert Tile("g", -1, 2).core(10) == PixelBox(-10, 20, 0, 30)


def table(*rows):
    columns = np.array(rows, dtype=np.int32).reshape(-1, 2)
    return TileTable("g", columns[:, 0].copy(), columns[:, 1].copy())


def test_a_table_is_a_sequence_of_tiles():
    held = table((0, 1), (2, -3), (4, 5))
    assert len(held) == 3
    assert list(held) == [Tile("g", 0, 1), Tile("g", 2, -3), Tile("g", 4, 5)]
    assert held[1] == held[-2] == Tile("g", 2, -3)
    assert isinstance(held[0].iy, int)
    assert held[1:] == table((2, -3), (4, 5))
    assert held[np.array([True, False, True])] == table((0, 1), (4, 5))
    assert held != table((0, 1), (2, -3), (4, 6))
    assert len(table()) == 0


def test_a_digest_tells_tables_apart_and_not_their_order():
    assert table((0, 1), (2, 3)).digest == table((2, 3), (0, 1)).digest
    assert table((0, 1), (2, 3)).digest != table((0, 1), (3, 2)).digest


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(PlanError, match="columns"):
        TileTable("g", np.zeros(2, np.int32), np.zeros(3, np.int32))
    with pytest.raises(PlanError, match="columns"):
        TileTable("g", np.zeros(2, np.int64), np.zeros(2, np.int64))


@pytest.mark.parametrize("step_y", [-10.0, 10.0])
def test_outlines_are_the_cores_counter_clockwise(step_y):
    lattice = Lattice("EPSG:32618", step_y, 10, 2, 3)
    tiles = table((0, 1), (-2, -3))
    polygons = shapely.polygons(tile_rings(tiles, lattice, 16))
    for tile, polygon in zip(tiles, polygons, strict=True):
        assert polygon.bounds == pytest.approx(lattice.bounds(tile.core(16)))
        assert polygon.exterior.is_ccw
