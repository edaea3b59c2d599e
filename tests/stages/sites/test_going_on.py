"""gw consolidate --previous: a series cut into runs that follow each other, against one run of all its dates."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.consolidated import blinks, blobs
from support.going_on import BOXES, PHASES, Series, X, Y, day, fixed, one_box, rows_of, same_as_whole

from geowatch.errors import ConfigError, InputError
from geowatch.grid.choice import LatticeChoice
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.sites import looks as site_looks
from geowatch.stages.sites.tables import FOOTPRINTS, HISTORY, OBSERVATIONS, ONGOING, SITES
from geowatch.store import LocalStore

calm = settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@st.composite
def cut_series(draw, least=3, most=7, *, blinking=False):
    times = draw(st.integers(least, most))
    seed, shape = draw(st.integers(0, 10_000)), (times, draw(st.integers(1, 2)), 14, 16)
    stored = blinks(seed, shape) if blinking else blobs(seed, shape, draw(st.sampled_from([0.5, 1.0])))
    if draw(st.booleans()):
        hide = draw(st.lists(st.tuples(st.integers(0, times - 1), st.integers(0, 1)), max_size=3))
        for time, half in hide:
            stored[time, :, :, 8 * half : 8 * half + 8] = 255
    cuts = sorted(draw(st.sets(st.integers(1, times - 1), min_size=1, max_size=3)))
    overlaps = [draw(st.sampled_from([0, 0, 1, 2, 99])) for _ in range(len(cuts) + 1)]
    tiles = [draw(st.sampled_from([5, 7, 64])) for _ in range(len(cuts) + 1)]
    steps = draw(st.lists(st.sampled_from([16, 16, 5, 33]), min_size=times - 1, max_size=times - 1))
    return stored, cuts, overlaps, tiles, list(itertools.accumulate(steps, initial=17000))


@settings(calm, max_examples=10)
@given(cut_series(blinking=True), st.sampled_from([5, 16, 20, 33, 60]), st.sampled_from([0, 0.3]))
def test_what_is_missed_now_and_then_goes_on_as_in_one_run(cut, link_days, link_overlap):
    stored, cuts, overlaps, tiles, days = cut
    with tempfile.TemporaryDirectory() as folder:
        asked, rules = {"mode": "linked", "link_days": link_days}, {"link_overlap": link_overlap}
        series = Series(stored, asked, rules, Path(folder), days)
        whole = series.run(0, len(stored), 64)
        runs = series.chain(cuts, overlaps, tiles)
    same_as_whole(whole, runs)


@settings(calm, max_examples=12)
@given(
    cut_series(),
    st.fixed_dictionaries(
        {
            "low": st.sampled_from([0.4, 0.5]),
            "high": st.sampled_from([0.5, 0.6]),
            "connectivity": st.sampled_from([4, 8]),
            "subpixel": st.booleans(),
            "link_days": st.sampled_from([None, 16, 20, 33, 60]),
        }
    ),
    st.fixed_dictionaries(
        {
            "min_area": st.sampled_from([0, 500]),
            "max_area": st.sampled_from([None, 3000]),
            "min_days": st.sampled_from([0, 20]),
            "max_days": st.sampled_from([None, 40]),
            "min_score": st.sampled_from([0, 0.55]),
            "fill_holes": st.sampled_from([0, 150]),
            "link_overlap": st.sampled_from([0, 0.3]),
        }
    ),
)
def test_linked_sites_of_runs_that_follow_each_other_are_those_of_one_run(cut, asked, rules):
    stored, cuts, overlaps, tiles, days = cut
    with tempfile.TemporaryDirectory() as folder:
        series = Series(stored, {"mode": "linked", **asked}, rules, Path(folder), days)
        whole = series.run(0, len(stored), 64)
        runs = series.chain(cuts, overlaps, tiles)
    same_as_whole(whole, runs)


def expected(course: list[int | None], cuts: list[int], anew: bool) -> list[tuple[int, int | None]]:
    """Return (start, end) of the sites of one box, by date: a plain account of what going on means."""
    made: list[tuple[int, int | None]] = []
    for first, after in itertools.pairwise([0, *cuts, len(course)]):
        open_ = bool(made) and made[-1][1] is None
        begin = made[-1][0] if open_ else made[-1][1] if made and anew else 0 if anew else first
        span = [t for t in range(begin, after) if course[t] is not None]
        active = [t for t in span if course[t] in (1, 2)]
        if active and (open_ or not made or not anew or max(active) >= first):
            ends = [t for t in span if t > active[-1]]
            now = (active[0], ends[0] if ends else None)
            if open_:
                made[-1] = now
            elif now[1] is None or now[1] >= first or not made:
                made.append(now)
    return made


course = st.lists(st.sampled_from([0, 0, 1, 2, None]), min_size=6, max_size=6)


@settings(calm, max_examples=10)
@given(st.lists(course, min_size=1, max_size=4), st.sets(st.integers(1, 5), min_size=1, max_size=3), st.booleans())
def test_sites_of_fixed_outlines_begin_and_end_as_told(courses, cuts, anew):
    cuts = sorted(cuts)
    with tempfile.TemporaryDirectory() as folder:
        series = fixed(courses, folder, phases="argmax")
        runs = series.chain(cuts, [99 if anew else 0] * 4, [5, 64, 9, 7])
    last, days = runs[-1], series.days
    for (y0, x0, y1, x1), each in zip(BOXES, courses, strict=False):
        box = {(0, Y + y, X + x) for y in range(y0, y1) for x in range(x0, x1)}
        mine = sorted((s for k, s in last.sites.items() if last.pixels[k] & box), key=lambda s: s["number"])
        found = [tuple(None if s[n] is None else days.index(day(s[n])) for n in ("start", "end")) for s in mine]
        assert found == expected(each, cuts, anew)
        assert all(last.pixels[s["key"]] == box for s in mine)


@settings(calm, max_examples=10)
@given(
    st.lists(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=6, max_size=6).map(sorted), min_size=1, max_size=4),
    st.sets(st.integers(1, 5), min_size=1, max_size=3),
    st.sampled_from([0, 1, 99]),
    st.sampled_from(["argmax", "viterbi"]),
)
def test_phases_of_sites_that_go_on_are_those_of_one_run(courses, cuts, overlap, phases):
    cuts = sorted(cuts)
    with tempfile.TemporaryDirectory() as folder:
        series = fixed(courses, folder, phases=phases, min_days=20)
        whole = series.run(0, 6, 64)
        last = series.chain(cuts, [overlap] * 4, [5, 64, 9, 7])[-1]
    assert last.sites.keys() == whole.sites.keys()
    for key in whole.sites:
        names = ("start", "end", "area_px", "area_m2", "geometry")
        assert {n: last.sites[key][n] for n in names} == {n: whole.sites[key][n] for n in names}
        said = {row["date"]: (row["phase"], row["scores"]) for row in whole.seen[key]}
        mine = {row["date"]: (row["phase"], row["scores"]) for row in last.seen[key]}
        assert mine.items() <= said.items()
        # Dates before a run that found it, and those after it had ended, are not the site's.
        begin, end = whole.sites[key]["start"], whole.sites[key]["end"]
        assert {d for d in said if begin <= d and (end is None or d <= end)} <= mine.keys()


def test_a_site_that_is_active_again_after_its_end_is_a_new_one(tmp_path):
    for overlap in (0, 99):
        folder = tmp_path / str(overlap)
        folder.mkdir()
        first, last = one_box(folder, [1, 0, 0, 1, 1], phases="argmax").chain([3], [overlap] * 2, [5, 7])
        (old,), (same, new) = first.sites.values(), last.sites.values()
        assert same == old | {"events": None}
        assert (day(new["start"]), new["end"], new["number"]) == (17048, None, 1)
        assert [day(row["date"]) for row in last.seen[new["key"]]][-2:] == [17048, 17064]


def test_a_site_at_which_nothing_happens_any_more_ends(tmp_path):
    first, last = one_box(tmp_path, [0, 1, None, 0, 0], phases="argmax").chain([2], [0, 0], [5, 7])
    (before,), (after,) = first.sites.values(), last.sites.values()
    assert (before["end"], day(after["end"])) == (None, 17048)
    assert (after["key"], after["n_observations"], after["geometry"]) == (before["key"], 4, before["geometry"])


@pytest.mark.parametrize("cuts", [[2], [1, 3], [1, 2, 3]])
def test_a_site_that_is_too_young_for_one_run_is_not_lost(tmp_path, cuts):
    runs = one_box(tmp_path, [1, 1, 1, 1], phases="argmax", min_days=40).chain(cuts, [0] * 4, [5, 7, 64, 3])
    assert [len(run.sites) for run in runs][-2:] == [0, 1]
    (site,) = runs[-1].sites.values()
    assert (day(site["start"]), site["n_observations"]) == (17000, 4)


def test_a_site_that_grows_too_large_is_none_any_more_and_its_number_is_not_given_again(tmp_path):
    stored = np.zeros((4, 1, 14, 16), np.uint8)
    stored[0, 0, 2:4, 2:4] = stored[1:, 0, 2:10, 2:10] = stored[3, 0, 12:, 12:] = 230
    series = Series(stored, {"mode": "linked"}, {"max_area": 2000}, tmp_path)
    runs = series.chain([1, 3], [0] * 3, [5, 7, 64])
    assert [[site["number"] for site in run.sites.values()] for run in runs] == [[0], [], [1]]


def test_phases_of_sites_that_ended_stay_and_those_of_others_are_told_anew(tmp_path):
    series = one_box(tmp_path, [1, 2, 3, 3, 3], [1, 1, 1, 2, 2])
    first = series.run(0, 3, 5, phases="viterbi")
    last = series.run(3, 5, 7, first, phases="none")
    told = {key: [row["phase"] for row in last.seen[key]] for key in last.sites}
    assert sorted(told.values(), key=str) == [
        ["Site Preparation", "Active Construction", "Post Construction"],
        [None] * 5,
    ]


OTHERS = [
    ({"low": 0.4}, r"with --low 0.5, these with --low 0.4", "gw track --low 0.5"),
    ({"salient": PHASES[1:2]}, "--classes Site Preparation,Active Construction", "gw track --classes"),
    ({"subpixel": False}, "with --subpixel, these without", "gw track --subpixel, or leave"),
    ({"smooth_time": "3"}, "without --smooth-time, these with --smooth-time 3", "gw track without --smooth-time"),
    ({"split_days": 90}, "without --split-days, these with --split-days 90", "gw track without --split-days, or leave"),
    ({"mode": "linked"}, "mode of tracking footprint", "gw track --mode footprint"),
    ({"link_days": 30}, "without --link-days", "gw track without --link-days"),
    ({"classes": ("a", "b", "c", "d"), "salient": ("b",)}, "of classes", "network of the same classes"),
]


@pytest.mark.parametrize(("asked", "fact", "hint"), OTHERS, ids=[next(iter(each[0])) for each in OTHERS])
def test_an_earlier_run_of_another_tracking_is_refused(tmp_path, asked, fact, hint):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    series.asked |= asked
    with pytest.raises(InputError, match=fact) as error:
        series.run(2, 3, 5, first, phases="none")
    assert error.value.exit_code == 2
    assert hint in error.value.hint


def test_an_earlier_run_of_another_region_or_of_other_pixels_is_refused(tmp_path):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    with pytest.raises(InputError, match="of region ZZ_R001, these of ZZ_R002") as error:
        series.run(2, 3, 5, first, region_id="ZZ_R002")
    assert "--region-id" in error.value.hint
    series.asked["lattice"] = LatticeChoice(crs="EPSG:32618", resolution=20.0)
    with pytest.raises(InputError, match="lie on other pixels") as error:
        series.run(2, 3, 5, first)
    assert "--resolution" in error.value.hint


@pytest.mark.parametrize("key", [SITES, OBSERVATIONS, FOOTPRINTS, ONGOING, HISTORY])
def test_a_damaged_earlier_run_is_refused_and_nothing_is_written(tmp_path, key):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    content = first.store.get(key)
    for damage in (content[: len(content) // 2], content[:-1] + b"?", bytes(len(content)), b""):
        first.store.put(key, damage)
        with pytest.raises(InputError, match=r"again|sites") as error:
            series.run(2, 3, 5, first)
        assert error.value.hint
        assert LocalStore(max(tmp_path.iterdir())).size(SITES) is None
    first.store.delete(key)
    with pytest.raises(InputError) as error:
        series.run(2, 3, 5, first)
    assert error.value.hint


def test_tables_that_do_not_belong_together_are_refused(tmp_path):
    series = one_box(tmp_path, [1, 1, 1], [0, 1, 1])
    first, other = series.run(0, 2, 5), series.run(0, 1, 5)
    first.store.put(SITES, other.store.get(SITES))
    with pytest.raises(InputError, match="is not what its run left"):
        series.run(2, 3, 5, first)


def test_a_run_is_not_its_own_previous_one(tmp_path):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    with pytest.raises(ConfigError, match="its own previous run"):
        consolidate(ConsolidateConfig(run=str(first.store.root), previous=str(first.store.root), deliver=False))


def test_scores_that_are_gone_are_asked_for_and_no_site_is_left_open_without_them(tmp_path):
    series = one_box(tmp_path, [1, 1, 0])
    first = series.run(0, 2, 5)
    before = {key: first.store.get(key) for key in first.store.list("sites/")}
    series.opened = site_looks.opened
    with pytest.raises(InputError, match=r"scores of .* are needed"):
        series.run(2, 3, 5, first)
    assert {key: first.store.get(key) for key in first.store.list("sites/")} == before
    last = LocalStore(max(tmp_path.iterdir()))
    assert last.size(SITES) is None


def test_images_without_dates_do_not_go_on(tmp_path):
    series = one_box(tmp_path, [1, 1, 1])
    first = series.run(0, 2, 5)
    series.days = [None] * 3
    with pytest.raises(ConfigError, match="without dates"):
        series.run(2, 3, 5, first)


def test_a_site_that_is_hidden_for_the_whole_of_a_run_is_the_same_afterwards(tmp_path):
    stored = rows_of("..###...", "?????...", "..??#...", "..###...")
    for cuts in ([1, 2], [1, 2, 3], [2, 3]):
        folder = tmp_path / str(cuts)
        folder.mkdir()
        last = Series(stored, {"mode": "linked"}, {}, folder).chain(cuts, [0] * 4, [3, 5, 64, 2])[-1]
        (site,) = last.sites.values()
        assert (day(site["start"]), site["end"], site["n_observations"]) == (17000, None, 3)


COURSES = ["".join(course) for course in itertools.product("#.?", repeat=6)]
TIMES = [17000, 17010, 17015, 17020, 17050, 17070]


def told(course: str, link_days: int) -> list[tuple[int, int | None]]:
    """Return (start, end) of the sites of one pixel, told date by date."""
    made: list[list[int | None]] = []
    last, seen = None, False
    for when, mark in zip(TIMES, course, strict=True):
        if mark == "#":
            if last is None or (seen and when - last > link_days):
                made.append([when, None])
            made[-1][1], last, seen = None, when, False
        elif made and mark == ".":  # what is hidden says nothing
            made[-1][1] = when if made[-1][1] is None else made[-1][1]
            seen = True
    return [(start, end) for start, end in made]


@pytest.fixture(scope="module")
def of_every_course(tmp_path_factory):
    """Return a series of pixels that stand alone, one for each course that six dates can take, and one run of it."""
    stored = rows_of(*("." + "..".join(frame) + "." for frame in zip(*COURSES, strict=True)))
    series = Series(stored, {"mode": "linked", "link_days": 20}, {}, tmp_path_factory.mktemp("courses"), TIMES)
    return series, series.run(0, 6, 512)


def test_each_course_of_a_pixel_makes_the_sites_that_it_tells(of_every_course):
    _, whole = of_every_course
    for place, course in enumerate(COURSES):
        mine = [site for key, site in whole.sites.items() if (0, Y, X + 1 + 3 * place) in whole.pixels[key]]
        spans = [(day(site["start"]), site["end"] and day(site["end"])) for site in mine]
        assert sorted(spans, key=str) == told(course, 20), course


@pytest.mark.parametrize(
    ("cuts", "overlap"),
    [([1], 0), ([2], 0), ([3], 0), ([3], 2), ([4], 1), ([5], 99), ([2, 4], 1), ([1, 2, 3, 4, 5], 0)],
)
def test_each_course_of_a_pixel_goes_on_over_any_cut_as_in_one_run(of_every_course, cuts, overlap):
    series, whole = of_every_course
    last = series.chain(cuts, [overlap] * 6, [512] * 6)[-1]
    assert last.sites.keys() == whole.sites.keys()
    assert all(last.content(key) == whole.content(key) for key in whole.sites)


#: Of two that are never the same, what is in between on the way from the one to the other must count once.
NEVER = [
    ["##########.....", "...............", ".........######", "........######."],
    ["##########.....", "???????????????", ".........######", ".........######"],
]


@pytest.mark.parametrize("frames", NEVER, ids=["followed", "hidden"])
@pytest.mark.parametrize("cuts", [[1], [2], [3], [1, 2, 3]])
def test_pixels_over_a_gap_count_once_for_what_they_were_last(tmp_path, frames, cuts):
    series = Series(rows_of(*frames), {"mode": "linked", "link_days": 60}, {"link_overlap": 0.3}, tmp_path)
    whole, last = series.run(0, 4, 64), series.chain(cuts, [0] * 4, [4, 64, 7, 5])[-1]
    assert len(whole.sites) == 2
    same_as_whole(whole, [last])


MISSED = rows_of("..###...", "........", "..??#...", "........", "..###...")


@pytest.mark.parametrize("cuts", [[1], [2], [4], [1, 2, 3], [1, 2, 3, 4]])
@pytest.mark.parametrize("overlaps", [[0] * 5, [0, 1, 2, 1, 9]])
def test_a_site_that_is_missed_by_one_run_goes_on_in_a_later_one(tmp_path, cuts, overlaps):
    series = Series(MISSED, {"mode": "linked", "link_days": 32}, {}, tmp_path)
    runs = series.chain(cuts, overlaps, [3, 5, 64, 2, 4])
    (site,) = runs[-1].sites.values()
    assert (day(site["start"]), site["end"], site["n_observations"]) == (17000, None, 3)
    assert {each["number"] for run in runs for each in run.sites.values()} == {0}


def test_a_site_that_is_missed_for_too_long_has_ended_and_another_begins(tmp_path):
    runs = Series(MISSED, {"mode": "linked", "link_days": 31}, {}, tmp_path).chain([1, 2, 3, 4], [0] * 5, [3] * 5)
    found = [(site["number"], day(site["start"]), site["end"] and day(site["end"])) for site in runs[-1].sites.values()]
    assert found == [(0, 17000, 17016), (1, 17032, 17048), (2, 17064, None)]
    told = [json.loads(run.store.get("sites/gaps.json"))["earlier_run"] for run in runs[1:]]
    assert [(each["went_on"], each["ended"], each["new"], each["stayed"]) for each in told] == [
        (1, 1, 0, 0), (0, 0, 1, 1), (1, 1, 0, 1), (0, 0, 1, 2),
    ]  # fmt: skip


def test_links_over_days_of_smoothed_scores_do_not_go_on(tmp_path):
    series = Series(MISSED, {"mode": "linked", "link_days": 32, "smooth_time": "3"}, {}, tmp_path)
    first = series.run(0, 3, 5)
    with pytest.raises(ConfigError, match="linked over days") as error:
        series.run(3, 5, 5, first)
    assert "--smooth-time" in error.value.hint


def test_what_a_site_that_merged_held_together_stays_together(tmp_path):
    stored = rows_of(".###...###..", "...#####.##.", "...#####.##.", "...#####.##.")
    runs = Series(stored, {"mode": "linked"}, {}, tmp_path).chain([1, 2, 3], [0] * 4, [3, 5, 64, 2])
    assert [len(run.sites) for run in runs] == [2, 2, 2, 2]
    older, other = sorted(runs[-1].sites.values(), key=lambda site: site["number"])
    assert (older["end"], older["area_px"], day(other["end"])) == (None, 9, 17016)


def test_neighbours_that_are_split_go_on_as_they_would_in_one_run(tmp_path):
    stored = np.zeros((8, 1, 6, 8), np.uint8)
    stored[1:3, 0, 1:5, 1:4] = stored[5:, 0, 1:5, 4:7] = 230
    asked = {"aggregate": "max", "low": 0.5, "high": 0.5, "split_days": 40}
    series = Series(stored, asked, {"link_overlap": 0.3}, tmp_path)
    whole = series.run(0, 8, 64)
    assert [(len(whole.pixels[key]), day(site["start"])) for key, site in sorted(whole.sites.items())] == [
        (12, series.days[1]), (12, series.days[5]),
    ]  # fmt: skip
    for overlap in (99, 0):
        last = series.chain([6], [0, overlap], [3, 5])[-1]
        assert last.pixels == whole.pixels
        assert {key: site["start"] for key, site in last.sites.items()} == {
            key: site["start"] for key, site in whole.sites.items()
        }
