"""Rows of sites in a file, taken in another order than they came."""

import numpy as np

from geowatch.consolidate.shelf import Long


def test_rows_that_come_after_others_were_taken_are_found_as_well(tmp_path):
    shelf = Long(tmp_path / "rows", np.dtype(np.int32))
    shelf.add(np.array([1, 2, 3], np.int32), np.array([0, 1, 3]))
    values, start = shelf.take(np.array([1]))
    assert (values.tolist(), start.tolist()) == ([2, 3], [0, 2])
    shelf.add(np.array([4, 5], np.int32), np.array([0, 2]))
    values, start = shelf.take(np.array([2, 0]))
    assert (values.tolist(), start.tolist()) == ([4, 5, 1], [0, 2, 3])
    shelf.close()
