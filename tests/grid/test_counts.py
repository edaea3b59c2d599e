"""Windows and pixels of a plan, counted as arrays, against counting each one."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geowatch.grid import counts
from geowatch.grid.counts import SweepFigures, sweep_figures, windows_per_tile
from geowatch.grid.lattice import PixelBox
from geowatch.grid.sweeps import cut_sweeps
from geowatch.grid.tiles import TileTable
from geowatch.grid.windows import WindowLattice

quick = settings(max_examples=80, deadline=None)


@st.composite
def cases(draw):
    """Any tiles, bounds that cut into the outer ones, windows smaller and larger than tiles, any sweeps."""
    tile_px = draw(st.integers(1, 30))
    size = draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    stride = (draw(st.integers(1, size[0])), draw(st.integers(1, size[1])))
    rows = draw(st.sets(st.tuples(st.integers(-5, 3), st.integers(-4, 4)), min_size=1, max_size=25))
    columns = np.array(sorted(rows), dtype=np.int32)
    table = TileTable("g", columns[:, 0].copy(), columns[:, 1].copy())
    y0, x0 = columns.min(axis=0) * tile_px + draw(st.tuples(st.integers(0, tile_px - 1), st.integers(0, tile_px - 1)))
    y1, x1 = (columns.max(axis=0) + 1) * tile_px - draw(
        st.tuples(st.integers(0, tile_px - 1), st.integers(0, tile_px - 1))
    )
    bounds = PixelBox(int(y0), int(x0), int(y1), int(x1))
    assume(all(tile.core(tile_px) & bounds for tile in table))
    sweep_tiles = (draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([1, 2, 4, 8])))
    return table, bounds, tile_px, sweep_tiles, WindowLattice(size, stride)


def one_by_one(table, bounds, tile_px, sweep_tiles, windows):
    sweeps = cut_sweeps([table], sweep_tiles)
    count = inputs = output = 0
    for sweep in sweeps:
        seen, hull = set(), PixelBox(0, 0, 0, 0)
        for tile in sweep.tiles:
            work = tile.core(tile_px) & bounds
            output += work.area_px
            hull |= windows.hull(work)
            rows, cols = windows.touching(work)
            seen |= {(ky, kx) for ky in rows for kx in cols}
        count += len(seen)
        inputs += hull.area_px
    return SweepFigures(len(table), len(sweeps), output, count, inputs)


@quick
@given(cases())
def test_counts_are_exact(case):
    assert sweep_figures(*case) == one_by_one(*case)


@quick
@given(cases())
def test_each_tile_s_windows_are_those_that_touch_it(case):
    table, bounds, tile_px, _, windows = case
    expected = [windows.count(tile.core(tile_px) & bounds) for tile in table]
    assert windows_per_tile(table, bounds, tile_px, windows).tolist() == expected


@quick
@given(cases())
def test_larger_sweeps_never_cost_more_windows(case):
    table, bounds, tile_px, _, windows = case
    figures = [sweep_figures(table, bounds, tile_px, side, windows).windows for side in ((1, 1), (2, 2), (8, 8))]
    assert figures == sorted(figures, reverse=True)
    assert figures[0] == windows_per_tile(table, bounds, tile_px, windows).sum()


def test_counting_in_parts_changes_nothing(monkeypatch):
    iy, ix = np.divmod(np.arange(400, dtype=np.int32), 20)
    table = TileTable("g", iy.astype(np.int32), ix.astype(np.int32))
    case = (table, PixelBox(3, 3, 637, 630), 32, (4, 2), WindowLattice((48, 48), (32, 40)))
    whole = sweep_figures(*case)
    monkeypatch.setattr(counts, "_CHUNK_CELLS", 16)
    assert sweep_figures(*case) == whole == one_by_one(*case)


def test_without_windows_only_pixels_are_known():
    table = TileTable("g", np.array([0, 1], np.int32), np.array([0, 0], np.int32))
    assert sweep_figures(table, PixelBox(0, 0, 15, 10), 10, (1, 1), None) == SweepFigures(2, 2, 150, None, None)
    empty = TileTable("g", np.zeros(0, np.int32), np.zeros(0, np.int32))
    assert sweep_figures(empty, PixelBox(0, 0, 1, 1), 10, (1, 1), None) == SweepFigures(0, 0, 0, None, None)
    assert len(windows_per_tile(empty, PixelBox(0, 0, 1, 1), 10, WindowLattice((4, 4), (2, 2)))) == 0
