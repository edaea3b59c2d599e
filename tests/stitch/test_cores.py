"""Rows become cores at whatever heights they come, of the lattice's pixels and of coarser ones."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid
from geowatch.grid.tiles import Tile
from geowatch.stages.predicting.filling import Filling
from geowatch.stitch.cores import coarser
from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
from geowatch.stitch.quantise import Quantiser

BOUNDS = PixelBox(-20, 3, 61, 90)
GRID = Grid("g", Lattice("EPSG:32618", -10.0, 10.0, 5.0, 5.0), 32, BOUNDS)
FINE = HeadLayout("cover", ("a", "b"), Quantiser("uint8"))
COARSE = HeadLayout("deep", ("f",), Quantiser("float32"), kind="features", reduction=4)


@settings(max_examples=40, deadline=None)
@given(cuts=st.sets(st.integers(-7, 15), max_size=8), seed=st.integers(0, 99))
def test_cores_hold_the_pixels_however_the_rows_come(cuts, seed):
    rng = np.random.default_rng(seed)
    layout = HeatmapLayout(GRID, (FINE, COARSE), (None,))
    tiles = [Tile("g", iy, ix) for iy in range(-1, 2) for ix in range(3)]
    whole = PixelBox(-32, -4, 64, 96)
    fine = rng.random((2, *whole.shape), np.float32)
    rough = rng.random((1, *coarser(whole, 4).shape), np.float32)
    keep = np.zeros(whole.shape, bool)
    keep[BOUNDS.within(whole)] = rng.random(BOUNDS.shape) < 0.9
    filling = Filling(layout, tiles)
    made = []
    edges = [-8, *sorted(cuts), 16]
    for top, end in pairwise(edges):
        box = PixelBox(4 * top, whole.x0, 4 * end, whole.x1)
        if box:
            rows = box.within(whole)[0]
            pieces = fine[:, rows], rough[:, coarser(box, 4).within(coarser(whole, 4))[0]]
            made += [core for row in filling.put(box, pieces, keep[rows]) for core in row]
    made += [core for row in filling.close() for core in row]
    assert [core.tile for core in made] == tiles
    kept_somewhere = keep.reshape(24, 4, 25, 4).any(axis=(1, 3))
    for core in made:
        box = GRID.core(core.tile)
        place = box.within(whole)
        assert np.array_equal(core.heads[0][0], FINE.quantiser.encode(fine[(slice(None), *place)], keep[place]))
        assert core.valid_px == keep[place].sum()
        place = coarser(box, 4).within(coarser(whole, 4))
        expected = COARSE.quantiser.encode(rough[(slice(None), *place)], kept_somewhere[place])
        assert np.array_equal(core.heads[1][0], expected, equal_nan=True)
