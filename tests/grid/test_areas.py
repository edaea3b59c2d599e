"""Intervals that meet are found whatever they cover."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.areas import Spans, dense, meet

spans = st.lists(st.tuples(st.integers(0, 3), st.integers(-6, 6), st.integers(1, 9)), max_size=8)
"""Groups, first places and lengths; they may cover each other."""


def spans_of(rows: list[tuple[int, int, int]]) -> Spans:
    group, low, length = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Spans(group, low, low + length)


@settings(max_examples=300, deadline=None)
@given(spans, spans)
def test_intervals_meet_where_they_share_a_place(one, other):
    found = list(zip(*(pair.tolist() for pair in meet(spans_of(one), spans_of(other))), strict=True))
    expected = [
        (i, j)
        for i, (g, low, length) in enumerate(one)
        for j, (h, start, extent) in enumerate(other)
        if g == h and low < start + extent and start < low + length
    ]
    assert sorted(found) == expected
    assert len(set(found)) == len(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=10))
def test_equal_rows_have_one_number_in_the_order_of_the_rows(rows):
    one, other = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    ranks = {row: rank for rank, row in enumerate(sorted(set(rows)))}
    assert dense(one, other).tolist() == [ranks[row] for row in rows]
