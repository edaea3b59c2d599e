"""Any box of a block is covered by pieces of its chunks, each pixel once and in its place."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.read.cubecuts import rows_of
from geowatch.read.cubeformat import BLOCK_PX, CHUNK_PX

SIDE = BLOCK_PX // CHUNK_PX
BLOCK = np.arange(BLOCK_PX**2, dtype=np.uint32).reshape(BLOCK_PX, BLOCK_PX)
SPANS = st.tuples(st.integers(0, BLOCK_PX), st.integers(0, BLOCK_PX)).map(sorted).map(tuple)


@given(rows=SPANS, columns=SPANS)
@settings(max_examples=100, deadline=None)
def test_the_chunks_of_any_box_put_each_pixel_in_its_place_once(rows, columns):
    found = np.zeros((2, rows[1] - rows[0], columns[1] - columns[0]), np.uint32)
    times = np.zeros(found.shape, int)
    for row in rows_of(rows, columns):
        assert len(row.places) == len(row.cuts) == len(row.nothing)
        for place, cut in zip(row.places, row.cuts, strict=True):
            y, x = (each * CHUNK_PX for each in divmod(place // 2, SIDE))
            chunk = BLOCK[y : y + CHUNK_PX, x : x + CHUNK_PX]
            found[cut.to] = np.stack([chunk, chunk + 1])[cut.of]
            times[cut.to] += 1
    expected = BLOCK[slice(*rows), slice(*columns)]
    assert np.array_equal(found, [expected, expected + 1])
    assert (times == 1).all()


def test_the_chunks_of_a_row_lie_side_by_side():
    for row in rows_of((100, 700), (300, 900)):
        assert [b - a for a, b in zip(row.places, row.places[1:], strict=False)] == [2] * (len(row.places) - 1)
