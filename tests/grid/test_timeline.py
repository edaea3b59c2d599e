"""What a plane of the heatmap sees of a series, and where planes stand."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.grid.timeline import SAMPLINGS, Picking, Series, day_range, frame_axis, step_axis

SENSORS = ("landsat", "sentinel")


def series_of(days, sensors=None):
    return Series(tuple(days), tuple(sensors) if sensors else ("sentinel",) * len(days))


@st.composite
def a_series(draw, low=0, high=1500):
    days = sorted(draw(st.lists(st.integers(low, high), max_size=30)))
    return series_of(days, [draw(st.sampled_from(SENSORS)) for _ in days])


@st.composite
def a_picking(draw):
    quota = draw(st.dictionaries(st.sampled_from(SENSORS), st.integers(0, 4)))
    return Picking(
        draw(st.sampled_from(SAMPLINGS)), draw(st.integers(1, 9)), draw(st.integers(1, 1200)),
        draw(st.floats(0, 1)), quota,
    )  # fmt: skip


@settings(max_examples=60)
@given(a_series(), a_picking(), st.integers(-50, 1600))
def test_a_plane_sees_observations_of_its_span_once_each_in_order_and_within_quotas(series, picking, day):
    for picks in (picking.pick(series, day), picking.draw(series, day, 3)):
        seen = [place for place in picks if place is not None]
        assert len(picks) == picking.slots
        assert seen == sorted(set(seen))
        first, last = picking.support(day)
        assert all(first <= series.days[place] <= last for place in seen)
        for sensor, most in picking.quota.items():
            assert sum(series.sensors[place] == sensor for place in seen) <= most


@settings(max_examples=60)
@given(a_series(), a_series(), a_picking(), st.integers(-50, 1600))
def test_a_longer_series_changes_only_planes_whose_span_reaches_the_new_dates(series, more, picking, day):
    first, last = picking.support(day)
    beyond = [(d, s) for d, s in zip(more.days, more.sensors, strict=True) if d > last or d < first]
    both = sorted([*zip(series.days, series.sensors, strict=True), *beyond], key=lambda each: each[0])
    longer = series_of([d for d, _ in both], [s for _, s in both])

    def told(seen):
        return [
            None if place is None else (of.days[place], of.sensors[place])
            for of, picks in [seen]
            for place in picks
        ]  # fmt: skip

    assert told((series, picking.pick(series, day))) == told((longer, picking.pick(longer, day)))


@given(st.integers(-3000, 30_000), st.integers(1, 2000), st.floats(0, 1))
def test_a_span_holds_as_many_days_as_it_says_and_its_own_day(day, span, anchor):
    first, last = day_range(day, span, anchor)
    assert last - first + 1 == span
    assert first <= day <= last


def test_a_past_only_plane_never_looks_ahead():
    series = series_of(range(0, 400, 5))
    for sampling in SAMPLINGS:
        picks = Picking(sampling, 6, 200, 1.0).pick(series, 203)
        assert all(series.days[place] <= 203 for place in picks if place is not None), sampling
    assert Picking("contiguous", 3).support(203) == (None, 203)


def test_contiguous_is_what_networks_of_several_dates_saw_before():
    series = series_of((3, 10, 11, 40))
    assert Picking("contiguous", 3).pick(series, 40) == (1, 2, 3)
    assert Picking("contiguous", 3).pick(series, 11) == (0, 1, 2)
    assert Picking("contiguous", 3, anchor=0.5).pick(series, 11) == (1, 2, 3)
    assert Picking("contiguous", 3, anchor=0).pick(series, 39) == (2, 3, None)


def test_contiguous_goes_no_further_than_its_span():
    assert Picking("contiguous", 3, 30).pick(series_of((3, 10, 11, 40)), 40) == (None, 2, 3)


def test_uniform_takes_the_middle_of_each_bin_and_leaves_empty_ones_empty():
    # Bins of 10 days: 1 to 10, 11 to 20, 21 to 30; their middles are between 5 and 6, 15 and 16, 25 and 26.
    series = series_of((1, 4, 7, 9, 21, 25, 30))
    assert Picking("uniform", 3, 30).pick(series, 30) == (1, None, 5)


def test_of_equally_near_observations_the_earlier_is_taken_then_the_first_listed():
    series = series_of((4, 7, 7), ("sentinel", "landsat", "sentinel"))
    assert Picking("uniform", 1, 10).pick(series, 10) == (0,)  # days 4 and 7 are 1.5 days from the middle
    assert Picking("uniform", 1, 10).pick(series_of((7, 7), ("landsat", "sentinel")), 10) == (0,)


def test_hard_dilation_is_dense_near_the_plane_and_sparse_far_from_it():
    series = series_of(range(300))
    days = [series.days[place] for place in Picking("hard-dilated", 5, 160).pick(series, 299)]
    gaps = [b - a for a, b in pairwise(days)]
    assert days[-1] == 299
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] == pytest.approx(2 * gaps[1], abs=2)


def test_soft_dilation_fills_slots_that_hard_dilation_leaves_empty():
    series = series_of((90, 92, 95, 99))
    hard, soft = (Picking(kind, 4, 100).pick(series, 99) for kind in ("hard-dilated", "soft-dilated"))
    assert hard.count(None) == 2
    assert soft == (0, 1, 2, 3)


def test_seasons_are_those_of_the_plane_year_after_year():
    days = [date(y, m, 10).toordinal() - date(1970, 1, 1).toordinal() for y in range(2015, 2020) for m in range(1, 13)]
    plane = days[4 * 12 + 6]  # 10 July 2019
    picks = Picking("multi-season", 4, 4 * 366).pick(series_of(days), plane)
    seen = [date.fromordinal(days[p] + date(1970, 1, 1).toordinal()) for p in picks if p is not None]
    assert [d.year for d in seen] == [2016, 2017, 2018, 2019]
    assert all(d.month in {6, 7, 8} for d in seen)


def test_quotas_and_sensors_of_slots_leave_room_for_the_other_sensor():
    days = tuple(range(0, 60, 5))
    series = series_of(days, [SENSORS[k % 4 == 3] for k in range(len(days))])  # three of four are landsat
    free = Picking("contiguous", 6).pick(series, 55)
    limited = Picking("contiguous", 6, quota={"landsat": 2}).pick(series, 55)
    assert sum(series.sensors[p] == "landsat" for p in free) > 2
    assert [series.sensors[p] for p in limited if p is not None].count("landsat") == 2
    only = Picking("contiguous", 3, accepts=(frozenset({"sentinel"}),) * 3).pick(series, 55)
    assert {series.sensors[p] for p in only} == {"sentinel"}


def test_a_date_of_a_sensor_that_is_not_there_leaves_the_others_alone():
    series = series_of(range(0, 60, 5), ["landsat"] * 12)
    accepts = (frozenset({"landsat"}), frozenset({"sentinel"}), frozenset({"landsat"}))
    assert Picking("contiguous", 3, accepts=accepts).pick(series, 55) == (10, None, 11)


def test_a_random_draw_is_repeated_by_its_seed_and_changed_by_another():
    series = series_of(range(0, 400, 3))
    for sampling in SAMPLINGS:
        draws = [Picking(sampling, 5, 300).draw(series, 390, seed) for seed in range(8)]
        assert draws[0] == Picking(sampling, 5, 300).draw(series, 390, 0)
        assert len(set(draws)) > 1, sampling


def test_an_empty_series_leaves_every_slot_empty():
    for sampling in SAMPLINGS:
        picking = Picking(sampling, 4, 100)
        assert picking.pick(series_of(()), 10) == picking.draw(series_of(()), 10, 1) == (None,) * 4


@pytest.mark.parametrize("wrong", [{"sampling": "often"}, {"span_days": None}, {"slots": 0}, {"anchor": 1.5}])
def test_what_is_no_way_to_pick_is_refused_with_a_hint(wrong):
    with pytest.raises(ConfigError) as caught:
        Picking(**{"sampling": "uniform", "slots": 3, "span_days": 30, **wrong})
    assert caught.value.hint


@given(st.integers(-400, 20_000), st.integers(0, 800), st.integers(1, 40), st.integers(1, 9), st.integers(0, 500))
def test_a_longer_series_has_the_same_planes_in_the_same_blocks(first, length, step, block, more):
    short = step_axis(first, first + length, step, block)
    long = step_axis(first, first + length + more, step, block)
    assert long.days[: len(short.days)] == short.days
    assert short.days[0] <= first
    assert first + length <= short.days[-1]
    assert all(day % step == 0 for day in short.days)
    earlier = step_axis(first - more, first + length, step, block)
    blocks = {tuple(earlier.days[k] for k in places) for places in earlier.blocks}
    assert {tuple(short.days[k] for k in places) for places in short.blocks} <= blocks


def test_planes_of_observations_stand_at_each_of_their_days_once():
    axis = frame_axis((5, 5, 9, 14), 2)
    assert axis.days == (5, 9, 14)
    assert axis.blocks == (range(2), range(2, 3))
