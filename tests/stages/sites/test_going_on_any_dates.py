"""gw consolidate --previous: runs that look at some dates again, and not at all of them, or at other scores."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.consolidated import blinks, blobs
from support.going_on import Result, Series, day, rows_of, same_as_whole

from geowatch.stages.sites.tables import HISTORY, ONGOING

calm = settings(deadline=None, max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@dataclass
class Look:
    """What one run looks at."""

    dates: list[int]
    stored: np.ndarray
    tile_px: int


@st.composite
def looks(draw, *, revised):
    """Return days, and runs that each look at some dates up to one that no run before looked at."""
    times, seed = draw(st.integers(3, 7)), draw(st.integers(0, 10_000))
    shape, made = (times, 1, 14, 16), draw(st.sampled_from([blinks, lambda *a: blobs(*a, 0.6)]))
    stored, other = made(seed, shape), made(seed + 1, shape)
    for time, half in draw(st.lists(st.tuples(st.integers(0, times - 1), st.integers(0, 1)), max_size=3)):
        stored[time, :, :, 8 * half : 8 * half + 8] = 255
    steps = draw(st.lists(st.sampled_from([5, 16, 33]), min_size=times, max_size=times))
    runs, after = [], 0
    for end in [*sorted(draw(st.sets(st.integers(1, times - 1), min_size=1, max_size=2))), times]:
        left_out = draw(st.sets(st.integers(0, end - 2))) if end > 1 else set()
        dates = [date for date in range(draw(st.integers(0, after)), end) if date not in left_out]
        values = stored.copy()
        if revised:
            part = np.random.default_rng(seed + end).random(shape[2:]) < 0.3
            values[:after] = np.where(part, other, stored)[:after]
        runs.append(Look(dates, values, draw(st.sampled_from([5, 7, 64]))))
        after = end
    return 17000 + np.cumsum(steps), runs


def run_of(days, looks: list[Look], asked: dict, rules: dict) -> tuple[Result, list[Result]]:
    """Return one run of what counts (of each date the first look, none before what was known), and the runs."""
    with tempfile.TemporaryDirectory() as folder:
        series = Series(looks[0].stored, {"mode": "linked", **asked}, rules, Path(folder), days.tolist())
        known, counted, runs = -1, [], []
        for look in looks:
            counted += [(date, look.stored[date]) for date in look.dates if date > known]
            known = counted[-1][0]
            runs.append(series.of(look.dates, look.stored[look.dates], look.tile_px, runs[-1] if runs else None))
        whole = series.of([date for date, _ in counted], np.array([plane for _, plane in counted]), 64)
    return whole, runs


rules = st.fixed_dictionaries({"link_overlap": st.sampled_from([0, 0.3])})
asked = st.fixed_dictionaries({"link_days": st.sampled_from([None, 20, 60])})


@calm
@given(looks(revised=False), asked, rules)
def test_runs_that_look_again_at_some_dates_only_are_as_one_run_of_all(made, asked, rules):
    same_as_whole(*run_of(*made, asked, rules))


@calm
@given(looks(revised=True), asked, rules)
def test_dates_that_were_computed_anew_change_nothing_that_was_known(made, asked, rules):
    same_as_whole(*run_of(*made, asked, rules))


def test_a_part_of_a_site_that_only_the_earlier_run_saw_end_does_not_lead_on(tmp_path):
    stored = rows_of(".######.", ".###....", "....###.")
    series = Series(stored, {"mode": "linked"}, {}, tmp_path)
    last = series.of([0, 2], stored[[0, 2]], 7, series.of([0, 1], stored[[0, 1]], 5))
    same_as_whole(series.run(0, 3, 64), [last])
    assert sorted((day(s["start"]), s["end"] and day(s["end"])) for s in last.sites.values()) == [
        (17000, 17032), (17032, None),
    ]  # fmt: skip


def test_a_site_that_was_computed_away_from_a_known_date_goes_on_all_the_same(tmp_path):
    stored, revised = rows_of("..###...", "..###...", "..###..."), rows_of("........", "........", "..###...")
    series = Series(stored, {"mode": "linked"}, {}, tmp_path)
    last = series.of([0, 1, 2], revised, 7, series.of([0, 1], stored[:2], 5))
    same_as_whole(series.run(0, 3, 64), [last])


def test_dates_that_later_ones_changed_hand_their_sites_on_to_the_later_run(tmp_path):
    frames = [
        "..###...",
        "..###...",
        "..####..",
        "..####..",
        "..####..",
        "...###..",
        "...###..",
        "........",
        "........",
    ]
    series = Series(rows_of(*frames), {"mode": "linked", "smooth_time": "3"}, {}, tmp_path)
    runs = series.chain([5], [0, 3], [5, 7])
    same_as_whole(series.run(0, len(frames), 64), runs)
    (site,) = runs[-1].sites.values()
    assert (day(site["start"]), day(site["end"])) == (17000, 17000 + 16 * 7)


@pytest.mark.parametrize("seed", [0, 1, 3, 4, 5])
def test_smoothed_series_of_which_no_date_near_the_cut_joins_two_places_go_on_exactly(tmp_path, seed):
    """Seed 2 has such a date: two pieces are joined in one run of all dates, and apart in the later run."""
    series = Series(blinks(seed, (10, 1, 14, 16)), {"mode": "linked", "smooth_time": "3"}, {}, tmp_path)
    same_as_whole(series.run(0, 10, 64), series.chain([6], [0, 4], [64, 7]))


#: Three images of one day, then one of the next, and two of a later one.
HOURS = [17000.1, 17000.4, 17000.6, 17001.2, 17017.1, 17017.3]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("cuts", "overlap"), [([1, 5], 0), ([2, 3], 0), ([1, 2], 1), ([5], 99)])
def test_images_of_one_day_that_two_runs_look_at_count_once_each(tmp_path, seed, cuts, overlap):
    series = Series(blobs(seed, (6, 1, 14, 16), 0.6), {"mode": "linked"}, {}, tmp_path, HOURS)
    same_as_whole(series.run(0, 6, 64), series.chain(cuts, [overlap] * 3, [64, 7, 64]))


def test_a_footprint_has_the_scores_of_the_last_images_of_a_day_too(tmp_path):
    series = Series(np.full((4, 1, 4, 4), 230, np.uint8), {}, {}, tmp_path, HOURS[:4])
    last = series.chain([1, 2], [0] * 3, [5, 64, 7])[-1]
    (site,) = last.sites.values()
    assert (day(site["start"]), site["end"], site["n_observations"]) == (17000, None, 4)


def test_images_that_come_too_late_are_told(tmp_path):
    stored = rows_of("..###...", "..####..", "..###...", "..###...")
    series = Series(stored, {"mode": "linked"}, {}, tmp_path, HOURS[:4])
    first = series.of([0, 2], stored[[0, 2]], 7)
    noted: list[str] = []
    last = series.of([0, 1, 2, 3], stored, 7, first, noted)
    assert [note for note in noted if "too late" in note] == [
        "1 image came too late: before the end of the previous run, which did not look at it; it changes nothing"
    ]
    assert [site["n_observations"] for site in last.sites.values()] == [3]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("widths", [[16, 8, 16], [8, 16, 12], [16, 12, 8]])
@pytest.mark.parametrize("back", [0, 1])
def test_what_a_region_left_out_for_a_while_is_as_under_clouds(tmp_path, seed, widths, back):
    stored = blobs(seed, (6, 1, 14, 16), 0.6)
    hidden, series = stored.copy(), Series(stored, {"mode": "linked", "link_days": 40}, {}, tmp_path)
    runs: list[Result] = []
    for step, width in enumerate(widths):
        dates = list(range(max(0, 2 * step - back), 2 * step + 2))
        runs.append(series.of(dates, stored[dates][..., :width], [5, 64, 7][step], runs[-1] if runs else None))
        hidden[2 * step : 2 * step + 2, ..., width:] = 255
    same_as_whole(series.of(list(range(6)), hidden, 64), runs)


def test_weeks_of_runs_need_the_last_one_alone_and_what_it_keeps_does_not_grow(tmp_path):
    stored = np.zeros((9, 1, 14, 16), np.uint8)
    for week in range(9):  # what stands for two weeks and is gone in the third
        stored[week, 0, 2:6, 2:8] = 230 * (week % 3 < 2)
        stored[week, 0, 9:12, 4:9] = 230 * (week % 3 > 0)
    days = [17000 + 7 * week for week in range(9)]
    series, last, kept = Series(stored, {"mode": "linked"}, {}, tmp_path, days), None, []
    for week in range(9):
        dates, before = [*range(max(0, week - 2), week + 1)], last
        last = series.of(dates, stored[dates], 64, last)
        pieces = pa.ipc.open_file(last.store.get(ONGOING)).read_all()["plane"].to_pylist()
        kept.append(sum(map(len, pieces)))
        if before is not None:
            for key in list(before.store.list("")):
                before.store.delete(key)
    assert kept[5] == kept[8]
    same_as_whole(series.run(0, 9, 64), [last])


def test_a_window_over_dates_counts_each_date_once_however_often_it_was_looked_at(tmp_path):
    series = Series(np.full((6, 1, 4, 4), 230, np.uint8), {"smooth_time": "7"}, {}, tmp_path)
    runs = series.chain([4, 5], [99] * 3, [64] * 3)
    frozen = [json.loads(run.store.get(HISTORY))["frozen"] for run in runs]
    assert frozen == [series.days[at] for at in (1, 2, 3)]  # three dates that later ones change


@pytest.mark.parametrize("cuts", [[1, 2]])
def test_where_the_coarse_pass_saw_nothing_worth_a_look_a_site_ends_all_the_same(tmp_path, cuts):
    stored = np.zeros((3, 1, 14, 16), np.uint8)
    stored[[0, 2], 0, :8, :8] = stored[:, 0, 10:, 12:] = 230
    series = Series(stored, {"mode": "linked", "coarse": 4}, {}, tmp_path)
    same_as_whole(series.run(0, 3, 64), series.chain(cuts, [0] * 3, [64, 64, 7]))
