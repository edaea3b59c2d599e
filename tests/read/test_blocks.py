"""Pieces of stored rasters, and what is kept of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geowatch.read.blocks import BlockCache, Pieces
from geowatch.read.decoded import _rectangles
from geowatch.read.geometry import SourceWindow

sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@given(shape=sizes, block=sizes)
def test_pieces_are_whole_blocks_and_fill_the_raster(shape, block):
    cut = Pieces.of(shape, block)
    assert all(p % b == 0 for p, b in zip(cut.piece, cut.block, strict=True))
    rows, cols = cut.touching(SourceWindow(0, 0, *shape))
    assert cut.hull(rows, cols).shape == shape
    assert cut.blocks_in(cut.hull(rows, cols)) == -(-shape[0] // cut.block[0]) * -(-shape[1] // cut.block[1])


@given(shape=sizes, block=sizes, ends=st.tuples(*[st.floats(0, 1)] * 4))
def test_the_pieces_that_a_window_touches_hold_it_and_each_has_a_part_of_it(shape, block, ends):
    (y0, y1), (x0, x1) = (
        sorted(round(e * n) for e in pair) for pair, n in zip((ends[:2], ends[2:]), shape, strict=True)
    )
    window = SourceWindow(y0, x0, max(y1, y0 + 1), max(x1, x0 + 1))
    cut = Pieces.of(shape, block)
    rows, cols = cut.touching(window)
    inside = window.box & SourceWindow(0, 0, *shape).box
    if inside == window.box:
        assert cut.hull(rows, cols).box.covers(window.box)
        for row, col in ((rows[0], cols[0]), (rows[-1], cols[-1])):
            assert cut.hull(range(row, row + 1), range(col, col + 1)).box & window.box


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6))))
def test_missing_pieces_are_read_once_each_in_rectangles(places):
    found = [(r, c) for rows, cols in _rectangles(sorted(places)) for r in rows for c in cols]
    assert sorted(found) == sorted(places)


def test_what_was_not_used_for_the_longest_time_goes_first():
    cache = BlockCache(300)
    for name in "abc":
        cache.put(name, np.zeros(100, "uint8"))
    assert cache.get("a") is not None
    cache.put("d", np.zeros(100, "uint8"))
    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "c", "d"]


def test_memory_that_someone_still_looks_at_is_not_written_to_again():
    cache = BlockCache(100)
    cache.put("a", np.zeros(100, "uint8"))
    looked_at = cache.get("a")[10:20]
    cache.blank((100,), np.dtype("uint8"))[:] = 7
    assert not looked_at.any()


def test_memory_that_was_dropped_is_used_again():
    cache = BlockCache(100)
    cache.put("a", np.zeros(100, "uint8"))
    address = cache.get("a").ctypes.data
    assert cache.blank((100,), np.dtype("uint8")).ctypes.data == address
