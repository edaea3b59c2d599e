"""Stages overlap in time, keep their order, hold no more than they may, and pass errors on."""

import threading
import time

import pytest

from geowatch.predict.pipeline import Behind, InTurn, ahead


def test_work_ahead_comes_in_order_and_errors_come_through():
    def make(number):
        if number == 3:
            raise ValueError("three")
        return number * 2

    assert list(ahead(make, range(3))) == [0, 2, 4]
    assert list(ahead(make, range(3), depth=2)) == [0, 2, 4]
    with pytest.raises(ValueError, match="three"):
        list(ahead(make, range(5)))


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_items_are_made_ahead_than_asked_for(depth):
    made = []
    items = ahead(made.append, range(10), depth=depth)
    next(items)
    items.close()
    assert len(made) <= depth + 1


def test_work_behind_is_done_in_order_while_the_caller_goes_on():
    gate, done = threading.Event(), []

    def work(item):
        gate.wait(10)
        done.append(item)

    with Behind(work, depth=2, name="test") as behind:
        behind.put(1)
        behind.put(2)
        assert done == []
        gate.set()
        behind.put(3)
    assert done == [1, 2, 3]


def test_the_caller_waits_while_too_much_is_unfinished():
    gate, third = threading.Event(), threading.Event()

    def hand_over(behind):
        for item in range(3):
            behind.put(item)
        third.set()

    with Behind(lambda item: gate.wait(10), depth=2, name="test") as behind:
        caller = threading.Thread(target=hand_over, args=(behind,))
        caller.start()
        assert not third.wait(0.2)
        gate.set()
        assert third.wait(10)
        caller.join()


def test_an_error_behind_reaches_the_caller_and_drops_the_rest():
    done = []

    def work(item):
        if item == 1:
            raise ValueError("one")
        done.append(item)

    def hand_over():
        with Behind(work, depth=1, name="test") as behind:
            for item in range(10):
                behind.put(item)

    with pytest.raises(ValueError, match="one"):
        hand_over()
    assert done == [0]


def test_an_error_of_the_last_item_is_not_lost():
    def work(item):
        raise ValueError("last")

    with pytest.raises(ValueError, match="last"), Behind(work, depth=3, name="test") as behind:
        behind.put(1)


def test_several_threads_make_items_at_a_time_and_the_order_stays():
    both = threading.Barrier(2, timeout=60)

    def make(key):
        both.wait()  # passes only if two are being made
        return key

    assert list(ahead(make, range(6), depth=2, threads=2)) == list(range(6))


def test_the_network_runs_for_one_thread_at_a_time():
    inside, most = [], []

    class Slow:
        def run(self, inputs):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()
            return inputs

    shared = InTurn(Slow())
    assert list(ahead(shared.run, range(8), depth=4, threads=4)) == list(range(8))
    assert max(most) == 1
