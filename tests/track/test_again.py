"""Pieces are seen again on the first later plane that has a score of any of their pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geowatch.grid.runs import pieces, runs_of
from geowatch.sites.fragment import NEVER
from geowatch.track.again import seen_again
from geowatch.track.links import Owned

#: Planes of pixels that are part of a piece (2), seen (1), or hidden (0).
series = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.sampled_from([0, 0, 1, 2, 2]))
)


@given(series)
def test_as_pixel_by_pixel(planes):
    owned, told = [], []
    for number, plane in enumerate(planes):
        runs = runs_of(plane == 2)
        label = pieces(runs, 4)
        owned.append(Owned(runs, label + np.int32(len(told)), runs_of(plane == 0), 10 * number))
        for piece in range(int(label.max()) + 1 if len(label) else 0):
            mine = np.zeros(plane.shape, bool)
            for y, x0, x1 in zip(runs.y[label == piece], runs.x0[label == piece], runs.x1[label == piece], strict=True):
                mine[y, x0:x1] = True
            later = [10 * n for n in range(number + 1, len(planes)) if (planes[n][mine] > 0).any()]
            told.append(min(later, default=NEVER))
    assert seen_again(owned, len(told)).tolist() == told


def test_what_is_dropped_is_of_no_piece():
    runs = runs_of(np.array([[1, 0, 1]], bool))
    dark = runs_of(np.array([[0, 0, 0]], bool))
    planes = [Owned(runs, np.array([-1, 0], np.int32), dark, 1), Owned(runs, np.array([-1, 1], np.int32), dark, 4)]
    assert seen_again(planes, 2).tolist() == [4, NEVER]
