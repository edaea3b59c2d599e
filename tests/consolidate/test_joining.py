"""Neighbours are joined as if the cheapest pair of all were taken again and again."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.one_by_one import OneByOne

from geowatch.consolidate import joining
from geowatch.consolidate.joining import Joining

calm = settings(deadline=None, max_examples=150)
#: (one in so many, so few): all together while any can be, as it is, each after the other.
WAYS = {"together": (10**9, 0), "as it is": (64, 16), "one by one": (1, 10**9)}


def parts(made, way: str) -> list[int]:
    *atoms, pairs = made
    work = Joining.of(*atoms)
    one_in, few = WAYS[way]
    with mock.patch.multiple(joining, _ONE_IN=one_in, _FEW=few):
        work.run(pairs)
    return work.part(np.arange(len(work.px))).tolist()


def plainly(made) -> list[int]:
    days, px, m2, split_days, least_m2, pairs = made
    plain = OneByOne(days.tolist(), px.tolist(), m2.tolist(), split_days, least_m2)
    plain.run([(int(one), int(other)) for one, other in pairs.T])
    return [plain.part(atom) for atom in range(len(px))]


@st.composite
def neighbours(draw):
    """Return atoms whose costs are often equal, and pairs of them that touch."""
    n, seed = draw(st.integers(2, 60)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    px = rng.integers(1, draw(st.sampled_from([2, 5, 400])), n)
    days = px * rng.integers(0, draw(st.sampled_from([3, 20, 700])), n) + rng.integers(0, px)
    m2 = px * draw(st.sampled_from([100.0, 0.1]))
    ends = rng.integers(0, n, (2, draw(st.integers(1, 4 * n))))
    hub = draw(st.booleans()) * rng.integers(0, 2, ends.shape[1]).astype(bool)
    ends[0, hub] = 0
    pairs = np.unique(np.sort(ends[:, ends[0] != ends[1]], axis=0), axis=1)
    return days, px, m2, draw(st.sampled_from([1, 2, 10, 180])), draw(st.sampled_from([0.0, 3.0, 700.0])), pairs


@pytest.mark.parametrize("way", WAYS)
@calm
@given(made=neighbours())
def test_any_number_at_a_time_gives_the_parts_of_one_after_the_other(way, made):
    assert parts(made, way) == plainly(made)


@pytest.mark.parametrize("least_m2", [0.0, 900.0])
def test_a_large_footprint_of_noise_has_the_parts_of_one_after_the_other(least_m2):
    side = 60
    day = np.random.default_rng(7).integers(0, 400, side * side)
    at = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate(
        [np.stack([a.ravel(), b.ravel()]) for a, b in ((at[:, :-1], at[:, 1:]), (at[:-1], at[1:]))], axis=1
    )
    made = (day, np.ones(side * side, np.int64), np.full(side * side, 100.0), 64, least_m2, pairs)
    assert parts(made, "as it is") == plainly(made)


def test_neighbours_that_all_must_stay_apart_are_left_alone():
    made = (np.array([0, 100]), np.array([1, 1]), np.array([9.0, 9.0]), 50, 0.0, np.array([[0], [1]]))
    assert [parts(made, way) for way in WAYS] == [[0, 1]] * 3


@pytest.mark.parametrize("way", WAYS)
def test_of_equally_cheap_pairs_that_have_waited_the_one_whose_parts_come_first_is_joined(way):
    px, days = np.array([1, 2, 1, 2]), np.array([1, 6, 2, 0])
    made = (days, px, px * 1.0, 2, 1.0, np.array([[0, 0, 1, 1], [2, 3, 2, 3]]))
    assert parts(made, way) == plainly(made) == [0, 0, 0, 3]
