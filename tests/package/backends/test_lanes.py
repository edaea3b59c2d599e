"""Networks side by side: every window once, in order, as many at a time as there are lanes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geowatch.package.backends.lanes import Lanes, cut_windows, joined


@given(n=st.integers(1, 20), per=st.integers(1, 8), lanes=st.integers(1, 3), fill=st.booleans())
def test_windows_come_back_in_order_and_only_the_last_part_is_filled_up(n, per, lanes, fill):
    x = np.arange(n)
    parts = cut_windows({"x": x}, per, fill=fill)
    sizes = [len(part["x"]) for part in parts]
    assert all(size == per for size in (sizes if fill else sizes[:-1]))
    runs = Lanes(range(lanes))
    found = joined(runs.map(lambda _lane, part: {"y": part["x"] * 2}, parts))
    runs.close()
    assert np.array_equal(found["y"][:n], x * 2)
    assert (found["y"][n:] == (n - 1) * 2).all()


def test_two_lanes_work_at_a_time_and_no_lane_serves_two():
    both = threading.Barrier(2, timeout=60)
    busy = set()

    def work(lane, part):
        assert lane not in busy
        busy.add(lane)
        both.wait()  # passes only if two are at work
        both.wait()
        busy.discard(lane)
        return part

    runs = Lanes("ab")
    runs.map(work, cut_windows({"x": np.arange(6)}, 1, fill=False))
    runs.close()


def test_callers_share_the_lanes():
    most, inside, both = [], [], threading.Barrier(2, timeout=60)

    def work(_lane, part):
        inside.append(1)
        most.append(len(inside))
        both.wait()  # the twenty calls pass two by two
        inside.pop()
        return part

    runs = Lanes(range(2))
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda k: runs.map(work, [{"x": np.full(3, k)}])[0]["x"][0], range(20)))
    assert found == list(range(20))
    assert max(most) == 2


def test_what_goes_wrong_in_a_lane_reaches_the_caller_and_frees_the_lane():
    def work(_lane, part):
        if part["x"][0] == 1:
            raise ValueError("one")
        return part

    runs = Lanes(range(1))
    with pytest.raises(ValueError, match="one"):
        runs.map(work, cut_windows({"x": np.arange(3)}, 1, fill=False))
    assert len(runs.map(work, cut_windows({"x": np.arange(2) + 5}, 1, fill=False))) == 2
