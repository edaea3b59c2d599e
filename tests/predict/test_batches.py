"""Batches across rows: each window once, in order, full but for the last."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice
from geowatch.package.manifest import InputSpec
from geowatch.predict.batches import Row, cut_batches, gather, places
from geowatch.predict.strips import Rows, Strip

rows_of_windows = st.lists(st.lists(st.integers(-5, 40), max_size=9, unique=True).map(sorted), max_size=12)


def rows_from(columns):
    return [Row(ky, tuple(kx), strip=None) for ky, kx in enumerate(columns)]


@given(columns=rows_of_windows, size=st.integers(1, 10))
def test_each_window_comes_once_in_row_major_order_and_each_row_ends_once(columns, size):
    batches = list(cut_batches(rows_from(columns), size))
    assert [w for b in batches for w in places(b)] == [(ky, kx) for ky, row in enumerate(columns) for kx in row]
    assert [cut.row.ky for b in batches for cut in b if cut.last] == list(range(len(columns)))
    for batch in batches:
        assert len(places(batch)) <= size


@given(columns=rows_of_windows.filter(lambda rows: all(len(r) > 2 for r in rows)), size=st.integers(1, 10))
def test_only_the_last_batch_is_not_full(columns, size):
    *full, _ = [*cut_batches(rows_from(columns), size), ()]
    assert all(len(places(batch)) == size for batch in full[:-1])


def test_rows_without_windows_do_not_pile_up():
    rows = iter(rows_from([[] for _ in range(100)]))
    first = next(cut_batches(rows, 8))
    assert len(first) <= 4
    assert len(list(rows)) >= 96


def test_windows_are_cut_from_the_strip_of_their_own_row():
    windows = WindowLattice((4, 4), (2, 2))
    image = np.arange(3 * 8 * 12, dtype=np.float32).reshape(3, 8, 12)
    rows = []
    for ky in (0, 1, 2):
        y = ky * 2
        parts = [(y, y + 2), (y + 2, y + 4)]
        strip = Strip(
            PixelBox(y, 0, y + 4, 12),
            tuple(Rows(PixelBox(a, 0, b, 12), (image[:, a:b],), np.ones((b - a, 12), bool)) for a, b in parts),
        )
        rows.append(Row(ky, (0, 3), strip))
    spec = InputSpec(name="x", tensor="x", bands=("red", "green", "blue"))
    for batch in cut_batches(rows, 4):
        feed = gather(batch, windows, (spec,))
        for (ky, kx), window in zip(places(batch), feed["x"], strict=True):
            assert np.array_equal(window, image[:, 2 * ky : 2 * ky + 4, 2 * kx : 2 * kx + 4])
