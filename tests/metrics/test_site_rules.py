"""The rules of the site metrics one by one, on sites small enough to be counted by hand."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import wkt
from shapely.geometry import MultiPolygon, Polygon
from support.smart_case import (
    AC,
    CELL_KM2,
    NA,
    PC,
    SP,
    cells,
    day,
    marks,
    overall,
    proposal,
    region,
    scores,
    seen,
    site,
    taken,
    truth,
)

from geowatch.metrics.sites import Filters, Sweep, Thresholds
from geowatch.metrics.sites.activity import SCORED_PHASES, Pair, confusion, f1_of
from geowatch.metrics.sites.activity_tables import activity_figures
from geowatch.metrics.sites.bas import f_score, scores_of
from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.planar import area_km2
from geowatch.metrics.sites.reading import read_site
from geowatch.metrics.sites.tables import bas_tables, figures_of, site_tables
from geowatch.metrics.sites.taking_part import effective_status

R0, R1 = day("2015-01-01"), day("2020-12-31")


def read(*observations, status="positive_annotated", days=("2016-01-01", "2018-01-01")):
    return read_site(site(1, status, days, *observations), R0, R1)


def iso(ordinal):
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()


# Days and areas ------------------------------------------------------------------------------------------------------

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


@given(RANGES, RANGES)
def test_ranges_of_days_are_sets_of_days(one, other):
    def as_set(ranges):
        return {each for first, last in ranges for each in range(first, last + 1)}

    a, b = Days.of(one), Days.of(other)
    assert (a & b).count == len(as_set(one) & as_set(other))
    assert (a | b).count == len(as_set(one) | as_set(other))
    assert as_set(a.ranges) == as_set(one)
    assert bool(a) == bool(as_set(one))


def test_areas_are_those_of_the_rule_book():
    assert area_km2(cells(0, 0)) == CELL_KM2
    assert area_km2(cells(0, 50_000)) == 0.0079745638
    assert area_km2(cells(2, 2, 2, 2)) == 0.0492362724
    assert area_km2(cells(0, -50, 100, 100)) == 123.0906810571
    assert area_km2(Polygon()) == 0


# Reading a site ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "cut"),
    [
        (("2010-01-01", "2025-01-01"), ("2015-01-01", "2020-12-31")),
        (("2010-01-01", "2014-12-31"), ("2010-01-01", "2014-12-31")),
        (("2010-01-01", "2015-01-01"), ("2015-01-01", "2015-01-01")),
        (("2021-01-01", "2022-01-01"), ("2021-01-01", "2022-01-01")),
        (("2020-12-31", "2022-01-01"), ("2020-12-31", "2020-12-31")),
        ((None, "2025-01-01"), ("2015-01-01", "2020-12-31")),
        (("2010-01-01", None), ("2015-01-01", "2020-12-31")),
        (("2021-05-01", None), ("2021-05-01", "2020-12-31")),
        ((None, None), ("2015-01-01", "2020-12-31")),
        (("2018-01-01", "2016-01-01"), ("2018-01-01", "2016-01-01")),
    ],
)  # fmt: skip
def test_days_of_a_site_are_cut_to_the_regions(days, cut):
    found = read(seen("2016-01-01", cells(0, 0)), days=days)
    assert (iso(found.start), iso(found.end)) == cut
    assert found.status == ("ignore" if None in days else "positive_annotated")


def test_the_first_and_the_last_observation_without_a_day_take_the_sites_and_others_vanish():
    place = cells(0, 0)
    found = read(seen(None, place, NA), seen(None, place, SP), seen("2017-01-01", place), seen(None, place, PC))
    assert [(iso(each.day), each.phase) for each in found.seen] == [
        ("2016-01-01", NA), ("2017-01-01", AC), ("2018-01-01", PC),
    ]  # fmt: skip
    assert read(seen(None, place)).seen == ()


def test_observations_of_a_day_stand_in_the_order_of_their_sources_and_none_reads_as_a_word():
    place = cells(0, 0)
    given = [seen("2016-01-01", place, source=name) for name in ("b", None, "S2", "N", "O")]
    assert [each.source for each in read(*given).seen] == ["N", None, "O", "S2", "b"]


def test_the_boundary_leaves_out_subsites_that_say_so_and_those_beyond_the_list():
    parts = MultiPolygon([cells(0, 0), cells(5, 0, 2), cells(9, 0, 4)])

    def boundary(*flags):
        return area_km2(read(seen("2016-01-01", parts, is_boundary=flags)).seen[0].boundary) / CELL_KM2

    assert boundary(True) == pytest.approx(7)
    assert boundary(False, True, True) == pytest.approx(6)
    assert boundary(True, False) == pytest.approx(1)
    assert boundary(False) == 0
    # Nobody says: one word is all there is, and it does not say no.
    assert boundary() == pytest.approx(1)
    alone = read(seen("2016-01-01", cells(0, 0), is_boundary=(False,)))
    assert alone.area_km2 == CELL_KM2


@pytest.mark.parametrize(
    ("phases", "kind", "interval"),
    [
        # Active before the region's days and not in them; in both; in them; in and after; after.
        ({"2014-01-01": AC, "2016-01-01": NA}, "A", None),
        ({"2014-01-01": SP, "2016-01-01": AC}, "B", ("2015-01-01", "2020-12-31")),
        ({"2016-01-01": SP, "2017-01-01": PC}, "C", ("2016-01-01", "2017-01-01")),
        ({"2016-01-01": SP, "2021-01-01": AC}, "D", ("2016-01-01", "2020-12-31")),
        ({"2016-01-01": NA, "2021-01-01": AC}, "E", None),
        ({"2016-01-01": NA}, "C", None),
        # Over within the days, whatever was seen after them, as long as that is over too.
        ({"2016-01-01": SP, "2017-01-01": PC, "2021-01-01": PC}, "C", ("2016-01-01", "2017-01-01")),
        ({"2016-01-01": SP, "2017-01-01": PC, "2021-01-01": AC}, "D", ("2016-01-01", "2017-01-01")),
        ({"2014-01-01": SP, "2017-01-01": PC, "2021-01-01": PC}, "A", ("2015-01-01", "2017-01-01")),
        # Begun before, seen over only: the region's first day is the start.
        ({"2014-06-01": AC, "2016-01-01": PC}, "A", ("2015-01-01", "2016-01-01")),
        # Over before it begins does not end it.
        ({"2015-06-01": PC, "2016-01-01": SP, "2018-01-01": PC}, "C", ("2016-01-01", "2018-01-01")),
        ({"2016-01-01": f"{SP}, {AC}", "2017-01-01": f"{PC}, {AC}", "2018-01-01": f"{PC}, {PC}"}, "C",
         ("2016-01-01", "2018-01-01")),
    ],
)  # fmt: skip
def test_types_and_days_of_activity_come_from_the_phases(phases, kind, interval):
    found = read(*(seen(when, cells(0, 0), phase) for when, phase in phases.items()))
    assert found.letter == kind
    assert (found.interval and tuple(map(iso, found.interval))) == interval
    assert found.status == ("positive_annotated" if interval else "positive_unbounded")


def test_a_site_that_was_over_in_the_regions_days_is_whole_though_it_was_seen_later():
    def letter(*phases):
        place, days = cells(0, 0), ("2016-01-01", "2017-01-01", "2021-01-01", "2022-01-01")
        found = [seen(when, place, phase) for when, phase in zip(days, phases, strict=False)]
        return read(*found, status="positive_pending").letter

    assert letter(SP, PC, PC, PC) == "C"
    assert letter(SP, PC, PC, None) == "D"
    assert letter(SP, PC, f"{PC}, {PC}") == "D"
    assert letter(SP, AC, PC) == "D"


def test_activity_may_have_begun_after_the_last_quiet_day():
    place = cells(0, 0)
    quiet = [seen("2014-06-01", place, NA), seen("2015-06-01", place, NA), seen("2017-06-01", place, NA)]
    found = read(*quiet, seen("2016-01-01", place, SP))
    assert (iso(found.earliest_start), iso(found.latest_start)) == ("2015-06-01", "2016-01-01")
    early = read(quiet[0], seen("2016-01-01", place, SP))
    assert iso(early.earliest_start) == "2015-01-01"
    assert iso(read(seen("2016-01-01", place, SP)).earliest_start) == "2016-01-01"


def test_phases_bound_only_what_people_labelled():
    place = cells(0, 0)
    observations = (seen("2014-01-01", place, NA), seen("2016-01-01", place), seen("2021-06-01", place, NA))
    labelled = read(*observations)
    assert [iso(each.day) for each in labelled.kept] == ["2016-01-01"]
    assert labelled.letter == "C"
    pending = read(*observations, status="positive_pending")
    assert len(pending.kept) == 3
    assert pending.letter == "B"
    assert [iso(each) for each in pending.interval] == ["2016-01-01", "2018-01-01"]
    undated = read(*observations, days=("2016-01-01", None))
    assert len(undated.kept) == 3
    assert undated.status == "ignore"


def test_a_site_that_was_never_seen_in_the_regions_days_stands_where_it_was_seen_at_all():
    found = read(seen("2014-01-01", cells(0, 0)), seen("2021-01-01", cells(1, 0)))
    assert found.kept == ()
    assert found.polygon.is_empty
    assert found.largest_km2 is None
    assert found.area_km2 == pytest.approx(2 * CELL_KM2)


# Which sites take part -----------------------------------------------------------------------------------------------

SEEN_OF_TYPE = {
    0: {"2016-01-01": AC, "2017-01-01": PC},
    1: {"2016-01-01": AC, "2021-01-01": AC},
    -1: {"2014-01-01": AC, "2016-01-01": AC},
    -2: {"2014-01-01": AC},
    2: {"2021-01-01": AC},
}
KEPT = ("kept", "kept", "kept")
UNBOUNDED = ("positive_unbounded",) * 3
TABLE = {
    "positive": (("kept", "kept", "ignore"), ("kept", "positive_unbounded", "kept"), UNBOUNDED),
    "positive_annotated": (("kept", "kept", "ignore"), ("kept", "positive_unbounded", "kept"), UNBOUNDED),
    "positive_pending": (("kept", "kept", "ignore"), ("kept", "positive_unbounded", "kept"), UNBOUNDED),
    "transient_positive": (
        ("kept", "kept", "transient_ignore"), ("kept", "transient_ignore", "kept"), ("transient_ignore",) * 3,
    ),
    "positive_partial": (("kept", "ignore", "kept"), ("kept", "positive_unbounded", "kept"), UNBOUNDED),
    "positive_partial_static": (KEPT, KEPT, KEPT),
    "negative": (KEPT, KEPT, KEPT),
    "positive_excluded": (KEPT, KEPT, KEPT),
    "ignore": (KEPT, KEPT, KEPT),
    "transient_excluded": (KEPT, KEPT, KEPT),
}  # fmt: skip


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("kind", [0, 1, -1, -2, 2])
def test_statuses_depend_on_the_subset_as_in_the_table(status, kind):
    observations = [seen(when, cells(0, 0, 2, 2), phase) for when, phase in SEEN_OF_TYPE[kind].items()]
    found = read(*observations, status=status)
    expected = TABLE[status][{0: 0, 1: 1}.get(found.bounded_type, 2)]
    assert found.bounded_type == kind
    got = [effective_status(found, name, within=True, small_m2=9000) for name in ("overall", "completed", "partial")]
    assert got == [status if each == "kept" else each for each in expected]


@pytest.mark.parametrize(
    ("status", "small", "outside"),
    [
        ("positive_annotated", "ignore", "ignore"),
        ("transient_pending", "transient_ignore", "transient_ignore"),
        ("negative", "negative", "ignore"),
        ("negative_unbounded", "negative_unbounded", "ignore"),
        ("transient_negative", "transient_negative", "transient_ignore"),
        ("positive_excluded", "ignore", "ignore"),
    ],
)
def test_small_sites_and_those_beyond_the_region_are_ignored_but_for_small_negatives(status, small, outside):
    little, large = cells(0, 0, 0.5), cells(0, 0, 2)
    found = [read(seen("2016-01-01", place), status=status) for place in (little, large)]
    assert effective_status(found[0], "overall", within=True, small_m2=9000) == small
    assert effective_status(found[1], "overall", within=False, small_m2=9000) == outside
    assert effective_status(found[1], "overall", within=True, small_m2=9000) == status


def test_a_site_of_exactly_the_limit_is_small_and_only_its_largest_view_counts():
    parts = [seen("2016-01-01", cells(0, 0, 0.5)), seen("2016-06-01", cells(0.5, 0, 0.5))]
    found = read(*parts)
    assert effective_status(found, "overall", within=True, small_m2=9000) == "ignore"
    limit = found.largest_km2 * 1e6
    assert effective_status(found, "overall", within=True, small_m2=limit) == "ignore"
    assert effective_status(found, "overall", within=True, small_m2=limit - 0.1) == "positive_annotated"


def test_a_missing_date_means_ignore_for_truth_and_nothing_at_all_for_proposals():
    place = cells(1, 1, 2, 2)
    open_ended = site(1, "positive_annotated", ("2016-01-01", None), seen("2016-01-01", place))
    found = overall([open_ended, truth(2, place, "2016-01-01", "2017-01-01")],
                    [site(9001, "system_confirmed", ("2016-01-01", None), seen("2016-01-01", place))])  # fmt: skip
    assert marks(found) == {"0001": "0", "0002": "fn"}
    assert found.proposals == ()
    assert found.case.annotations == (2, 1)


def test_only_listed_truth_and_confirmed_proposals_that_touch_the_region_take_part():
    place, edge = cells(1, 1, 2, 2), cells(99, 1, 2, 2)
    given = [truth(n, place, "2016-01-01", "2017-01-01") for n in (1, 2)] + [truth(3, edge, "2016-01-01", "2017-01-01")]
    area = region(sites=tuple(given[1:]))
    proposals = [
        proposal(9001, cells(101, 1), "2016-01-01", "2017-01-01"),
        proposal(9002, edge, "2010-01-01", "2011-01-01"),
        site(9003, "system_rejected", ("2016-01-01", "2017-01-01"), seen("2016-01-01", place)),
    ]
    found = overall(given, proposals, region=area)
    assert marks(found) == {"0002": "fn", "0003": "0"}
    # Half of it lies outside, and its days before the region's: it stays, as a false alarm.
    assert [each.site.id[-4:] for each in found.proposals] == ["9002"]
    assert found.false_positives == 1


def test_filters_choose_statuses_and_types():
    place = cells(1, 1, 2, 2)
    given = [truth(1, place, "2016-01-01", "2017-01-01"), truth(2, place, "2016-01-01", "2017-01-01", "negative")]
    late = site(9001, "system_proposed", ("2016-01-01", "2021-01-01"), seen("2016-01-01", place),
                seen("2021-01-01", place))  # fmt: skip
    only = Filters(truth_without=("negative",), proposal_statuses=("system_proposed",))
    assert marks(overall(given, [late], filters=only)) == {"0001": "tp"}
    assert marks(overall(given, [late], filters=Filters(truth_statuses=("negative",)))) == {"0002": "tn"}
    typed = Filters(proposal_statuses=(), proposal_types=("C",))
    assert overall(given, [late], filters=typed).proposals == ()
    assert len(overall(given, [late], filters=Filters(proposal_statuses=(), proposal_types=("D",))).proposals) == 1


# Matching: the worked examples, on places of our own -----------------------------------------------------------------


def half_found():
    place, phases = cells(10, 10, 2, 2), [("2016-01-01", NA), ("2016-03-01", SP), ("2016-06-01", AC),
                                          ("2017-01-01", AC), ("2017-06-01", PC), ("2018-01-01", PC)]  # fmt: skip
    other = cells(11, 10, 2, 2)
    true = site(1, "positive_annotated", ("2016-01-01", "2018-01-01"), *(seen(d, place, p) for d, p in phases))
    found = site(9001, "system_confirmed", ("2016-02-01", "2017-03-01"),
                 *(seen(d, other, p) for d, p in (("2016-04-15", SP), ("2016-09-01", AC), ("2017-03-01", AC),
                                                  ("2017-09-01", PC))),
                 predicted_phase=PC, predicted_date=day("2017-07-01"))  # fmt: skip
    return true, found


def test_example_one_a_square_shifted_by_half_is_found_on_three_dates_of_four():
    true, found = half_found()
    best = overall([true], [found])
    seen_as = best.detections[0].judgement
    assert (seen_as.spatial, seen_as.tiot, seen_as.tiop) == (0.75, 366 / 458, 1)
    assert [row.iou for row in best.detections[0].found.rows] == [0, *[pytest.approx(1 / 3)] * 3]
    assert marks(overall([true], [found], sweep=Sweep(rho=(0.8,)))) == {"0001": "fn"}


def test_example_two_its_phases_and_their_errors():
    true, found = half_found()
    subset = scores([true], [found]).subsets["overall"]
    pair = subset.pairs[0]
    errors = {phase: pair.onset_error(phase) for phase in SCORED_PHASES}
    assert {p: (e.days, e.best, e.worst) for p, e in errors.items()} == {
        SP: (45, 45, 105), AC: (92, 92, 184), PC: (92, 92, 243),
    }  # fmt: skip
    assert pair.foretold_error(PC).days == 30
    assert pair.foretold_error(AC) == "missing proposals"
    assert [pair.tiou(phase) for phase in SCORED_PHASES] == [0, 123 / 274, 0]


def test_example_three_three_small_ones_together_are_over():
    true = truth(2, cells(10, 10, 6), "2016-03-01", "2017-03-01")
    three = [proposal(9002 + k, cells(10 + 2 * k, 10), "2016-02-01", "2017-07-01") for k in range(3)]
    best = overall([true], three)
    assert best.kinds == {"over": 1}
    assert taken(best) == {"0002": ["9002", "9003", "9004"]}
    assert best.detections[0].judgement.spatial == 1
    assert marks(overall([true], three, sweep=Sweep(min_area_m2=(13000,)))) == {"0002": "fn"}


def long_and_short(width):
    """Return a true site, a proposal of six years and one of two months on it."""
    place = cells(10, 10, 2, 2)
    months = "2016-03-01", "2016-04-30"
    found = [
        proposal(9001, cells(10, 10, 2, width), "2015-01-01", "2020-12-31"),
        proposal(9002, cells(10, 10, 2, width), *months),
    ]
    return [truth(1, place, "2016-03-01", "2016-06-30")], found


def test_example_four_a_perfect_group_ends_the_search_and_hides_what_would_match():
    best = overall(*long_and_short(1.5))
    assert taken(best) == {"0001": ["9002"]}
    assert (best.detections[0].judgement.tiot, best.detections[0].judgement.tiop) == (0.5, 1)
    assert best.false_positives == 1
    perfect = overall(*long_and_short(2))
    assert taken(perfect) == {"0001": []}
    assert (perfect.false_negatives, perfect.false_positives) == (1, 2)
    assert [len(pair.group.members) for pair, _ in perfect.failed] == [2]


def test_example_five_one_over_two_is_under_by_the_truths_area():
    true = [
        truth(4, cells(10, 10, 2, 2), "2017-03-01", "2018-01-01"),
        truth(5, cells(14, 10, 2, 2), "2017-03-01", "2018-01-01"),
    ]
    best = overall(true, [proposal(9007, cells(8, 9, 10, 4), "2017-01-01", "2017-12-31")])
    assert best.kinds == {"under (IoT)": 2}
    assert best.detections[0].judgement.tiot == 306 / 307
    wide = overall(true, [proposal(9007, cells(10, 10, 6, 2), "2017-01-01", "2017-12-31")])
    assert wide.kinds == {"under (IoU)": 2}


def test_a_share_of_dates_that_just_suffices_does():
    true = [
        truth(4, cells(10, 10, 2, 2), "2017-01-01", "2018-01-01"),
        truth(5, cells(12, 10, 2, 2), "2017-01-01", "2018-01-01"),
    ]
    late = site(9007, "system_confirmed", ("2017-01-01", "2018-01-01"), seen("2017-06-01", cells(10, 10, 4, 2)))
    best = overall(true, [late])
    assert best.detections[0].judgement.spatial == 0.5
    assert best.kinds == {"under (IoU)": 2}


def test_a_site_that_is_ignored_keeps_the_candidates_of_its_days_of_activity():
    place = cells(10, 10, 2, 2)
    true = site(
        1, "positive_annotated", ("2015-06-01", "2020-06-01"), seen("2016-03-01", place), seen("2017-03-01", place, PC)
    )
    late = proposal(9001, place, "2019-01-01", "2019-12-31")
    partial = scores([true], [late]).subsets["partial"].best
    assert (marks(partial), partial.false_positives) == ({"0001": "0"}, 1)
    near = proposal(9001, place, "2017-03-01", "2019-12-31")
    assert scores([true], [near]).subsets["partial"].best.false_positives == 0


def test_example_six_a_negative_costs_one_and_what_took_it_nothing_more():
    place = cells(10, 10, 2, 2)
    days = "2016-01-01", "2017-01-01"
    best = overall([truth(6, place, *days, "negative")], [proposal(9008, place, *days)])
    assert (best.true_positives, best.false_positives) == (0, 1)
    assert best.mark_of(best.proposals[0]) == "fp"
    both = [truth(15, place, *days, "negative"), truth(16, cells(12, 10, 2, 2), *days)]
    shared = overall(both, [proposal(9019, cells(10, 10, 4, 2), *days)])
    assert (shared.true_positives, shared.false_positives) == (1, 1)
    assert shared.mark_of(shared.proposals[0]) == "tpfp"


def test_example_seven_what_lies_in_an_ignored_site_costs_nothing():
    large = site(7, "ignore", ("2015-06-01", "2020-06-01"), seen("2015-06-01", cells(10, 10, 4, 4), None),
                 seen("2020-06-01", cells(10, 10, 4, 4), None))  # fmt: skip
    best = overall([large], [proposal(9009, cells(11, 11), "2017-03-01", "2017-03-31")])
    found = best.detections[0].judgement
    assert (found.spatial, found.tiop) == (0.5, 1)
    assert found.tiot < 0.02
    assert (best.false_positives, best.mark_of(best.proposals[0])) == (0, "0")


def test_example_nine_phases_of_subsites_and_groups():
    two = MultiPolygon([cells(10, 10), cells(12, 10)])
    dates = ["2018-01-01", "2018-06-01", "2019-01-01"]
    flags = {"is_boundary": (True, True)}
    phases = [f"{SP}, {AC}", f"{AC}, {AC}", f"{PC}, {PC}"]
    true = site(13, "positive_annotated", (dates[0], dates[-1]),
                *(seen(d, two, p, **flags) for d, p in zip(dates, phases, strict=True)))  # fmt: skip
    one = [seen(d, cells(10, 10), p) for d, p in zip(dates, (SP, AC, PC), strict=True)]
    other = [seen(d, cells(12, 10), p) for d, p in zip(dates, (NA, SP, SP), strict=True)]
    found = [site(9016 + k, "system_confirmed", (dates[0], dates[-1]), *some) for k, some in enumerate((one, other))]
    pair = scores([true], found).subsets["overall"].pairs[0]
    assert [each.phase for each in pair.group.seen] == [f"{SP}_{NA}", f"{AC}_{SP}", f"{PC}_{SP}"]
    assert {true: list(row.values()) for true, row in confusion(pair.labels).items()} == {
        SP: [1, 1, 0, 0], AC: [1, 2, 1, 0], PC: [0, 1, 0, 1],
    }  # fmt: skip
    assert {pair.onset_error(phase) for phase in SCORED_PHASES} == {"missing truth sites"}
    assert {pair.tiou(phase) for phase in SCORED_PHASES} == {None}


def test_example_ten_what_goes_on_after_the_region_is_unbounded_among_the_completed():
    place = cells(10, 10, 2, 2)
    true = site(10, "positive_annotated", ("2019-06-01", "2021-12-01"), seen("2019-06-01", place),
                seen("2021-06-01", place), seen("2021-12-01", place, PC))  # fmt: skip
    found = scores([true], [proposal(9011, place, "2019-06-01", "2020-12-31")])
    assert {name: each.best.detections[0].status for name, each in found.subsets.items()} == {
        "overall": "positive_annotated", "completed": "positive_unbounded", "partial": "positive_annotated",
    }  # fmt: skip
    assert [each.best.true_positives for each in found.subsets.values()] == [1, 0, 1]
    assert found.subsets["completed"].best.false_positives == 0


# Matching: what the examples leave open ------------------------------------------------------------------------------


def test_the_strictest_of_equal_choices_is_the_last_by_size_overlap_and_id():
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2017-01-01")
    twins = [proposal(9001, cells(10, 10, 2, 1.5), *days), proposal(9002, cells(10, 10, 2, 1.5), *days)]
    # The group of both matches as well, and more members win.
    assert taken(overall([truth(1, place, *days)], twins)) == {"0001": ["9001", "9002"]}
    # A member that is too small spoils the group, not the other.
    uneven = [proposal(9001, cells(10, 10, 2, 1.5), *days), proposal(9002, cells(10, 10, 1, 1), *days)]
    large = overall([truth(1, place, *days)], uneven, sweep=Sweep(min_area_m2=(13000,)))
    assert taken(large) == {"0001": ["9001"]}
    assert large.false_positives == 0
    assert [each.site.id[-4:] for each in large.proposals] == ["9001"]


def test_only_groups_without_the_first_ones_are_tried():
    place, days = cells(10, 10, 6), ("2016-03-01", "2017-03-01")
    # 9001 runs for six years and spoils the three together; 9001 and 9003 without 9002 would be tried by nobody.
    spoiler = proposal(9001, cells(10, 10), "2015-01-01", "2020-12-31")
    others = [proposal(9002, cells(12, 10), *days), proposal(9003, cells(14, 10), *days)]
    best = overall([truth(1, place, *days)], [spoiler, *others], sweep=Sweep(tiop=(0.5,)))
    assert taken(best) == {"0001": ["9002", "9003"]}
    renamed = [proposal(9004, cells(10, 10), "2015-01-01", "2020-12-31"), *others]
    assert taken(overall([truth(1, place, *days)], renamed, sweep=Sweep(tiop=(0.5,)))) == {"0001": []}


def test_a_low_score_acts_before_the_groups_are_made_and_sweeps_pool_them():
    place, days = cells(10, 10, 6), ("2016-03-01", "2017-03-01")
    sure = [proposal(9001 + k, cells(10 + 2 * k, 10), *days, score=0.9 - 0.3 * k) for k in range(3)]
    alone = overall([truth(1, place, *days)], sure, sweep=Sweep(min_score=(0.5,)))
    assert taken(alone) == {"0001": ["9001", "9002"]}
    assert alone.confident == 2
    pooled = scores([truth(1, place, *days)], sure, sweep=Sweep(min_score=(0.0, 0.5))).subsets["overall"]
    assert [taken(row) for row in pooled.rows] == [{"0001": ["9001", "9002", "9003"]}, {"0001": ["9001", "9002"]}]
    assert pooled.best.at.min_score == 0.5
    assert pooled.rows[0].confident == 3


def test_transient_sites_have_thresholds_of_their_own():
    place = cells(10, 10, 2, 2)
    short = truth(14, place, "2017-03-01", "2017-03-10", "transient_positive")
    found = [proposal(9018, place, "2017-03-01", "2017-05-31")]
    assert marks(overall([short], found, sweep=Sweep(tiop=(0.9,), tiot=(1.0,)))) == {"0014": "tp"}
    assert marks(overall([short], found, sweep=Sweep(ttiop=(0.2,)))) == {"0014": "fn"}


def test_a_labelled_site_that_was_never_active_cannot_be_found():
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2017-01-01")
    quiet = site(1, "positive_annotated", days, seen(days[0], place, NA), seen("2016-06-01", place, "Unknown"))
    best = overall([quiet], [proposal(9001, place, *days)])
    assert (marks(best), best.false_positives) == ({"0001": "fn"}, 1)


def test_of_several_views_on_a_day_the_one_of_the_largest_overlap_counts():
    days = ("2016-01-01", "2017-01-01")
    views = [seen(days[0], cells(10, 10, 2, height), AC, source=f"s{height}") for height in (1, 2, 3)]
    found = overall([site(1, "positive_annotated", days, *views)], [proposal(9001, cells(10, 10, 2, 2), *days)])
    assert [(row.source, row.iou) for row in found.detections[0].found.rows] == [("s2", 1.0)]


def test_quiet_dates_and_repeated_ends_are_not_compared_but_subsites_rows_are():
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2018-06-01")
    phases = {"2016-01-01": NA, "2016-02-01": f"{NA}, {NA}", "2016-03-01": SP, "2017-01-01": PC, "2017-06-01": PC,
              "2018-01-01": f"{PC}, {PC}", "2018-06-01": "Unknown"}  # fmt: skip
    true = site(1, "positive_annotated", days, *(seen(d, place, p) for d, p in phases.items()))
    found = overall([true], [proposal(9001, place, *days)]).detections[0].found
    assert [iso(row.day) for row in found.rows] == [
        "2016-02-01",
        "2016-03-01",
        "2017-01-01",
        "2018-01-01",
        "2018-06-01",
    ]


def test_a_proposal_stays_valid_for_ever_and_is_nowhere_before_it_was_seen():
    place = cells(10, 10, 2, 2)
    true = site(1, "positive_annotated", ("2016-01-01", "2020-01-01"),
                *(seen(f"{year}-01-01", place) for year in range(2016, 2021)))  # fmt: skip
    late = site(9001, "system_confirmed", ("2016-01-01", "2020-01-01"), seen("2018-01-01", place))
    found = overall([true], [late]).detections[0]
    assert [row.iou for row in found.found.rows] == [0, 0, 1, 1, 1]
    assert found.judgement.spatial == 0.6


def test_overlapping_subsites_count_twice_in_the_truths_area_and_are_repaired_elsewhere():
    days = ("2016-01-01", "2017-01-01")
    twice = MultiPolygon([cells(10, 10, 2, 2), cells(10, 10, 2, 2)])
    true = site(1, "positive_annotated", days, seen(days[0], twice, is_boundary=(True, True)))
    found = overall([true], [proposal(9001, cells(10, 10, 2, 2), *days)]).detections[0].found
    (row,) = found.rows
    assert row.iot == pytest.approx(0.5)
    assert row.iop == pytest.approx(1)


def test_outlines_that_cross_themselves_are_read_and_compared():
    days = ("2016-01-01", "2017-01-01")
    bow = wkt.loads("POLYGON ((0.01 0.01, 0.014 0.01, 0.014 0.014, 0.0098 0.014, 0.0102 0.0099, 0.01 0.01))")
    assert not bow.is_valid
    best = overall([truth(1, bow, *days)], [proposal(9001, bow, *days)])
    assert marks(best) == {"0001": "tp"}


def test_days_without_end_before_start_never_match():
    place = cells(10, 10, 2, 2)
    days = ("2017-01-01", "2016-01-01")
    back = site(9001, "system_confirmed", days, seen("2016-06-01", place))
    best = overall([truth(1, place, "2016-01-01", "2017-06-01")], [back])
    assert (marks(best), best.false_positives) == ({"0001": "fn"}, 1)
    assert (
        scores([site(1, "positive_pending", days, seen("2016-06-01", place))], [back]).subsets["overall"].best.f1 == 0
    )


def test_nothing_to_compare_gives_zeros():
    empty = scores([], [])
    for each in empty.subsets.values():
        figures = figures_of(each.best)
        assert figures["F1"] == figures["precision"] == figures["ffpa"] == figures["images FAR"] == 0
        assert activity_figures(each) is None
    only = overall([truth(1, cells(1, 1, 2, 2), "2016-01-01", "2017-01-01")], [])
    assert (only.false_negatives, only.f1) == (1, 0)


# Figures -------------------------------------------------------------------------------------------------------------


def test_areas_of_false_alarms_leave_out_what_was_hit():
    days = ("2016-01-01", "2017-01-01")
    true = truth(1, cells(10, 10, 2, 2), *days)
    found = [proposal(9001, cells(11, 10, 2, 2), *days), proposal(9002, cells(50, 50, 3, 1), *days)]
    figures = figures_of(overall([true], found))
    assert figures["proposal area"] == pytest.approx(7 * CELL_KM2, abs=1e-4)
    assert figures["fp area"] == pytest.approx(5 * CELL_KM2, abs=1e-4)
    assert figures["fpa"] == 0.0007
    assert figures["ffpa"] == 0.0005
    assert figures["spatial FAR"] == round(1 / 123.0906810571, 4)
    assert figures["temporal FAR"] == round(1 / 2191, 4)
    # Two observations of the match and two of the false alarm.
    assert figures["proposed slices"] == 4
    assert figures["images FAR"] == 0.25
    missed = figures_of(overall([true], found[1:]))
    assert (missed["fp area"], missed["ffpa"]) == (0, 0)


def test_what_covers_a_negative_is_a_false_area():
    days = ("2016-01-01", "2017-01-01")
    true = [truth(1, cells(10, 10, 2, 2), *days), truth(2, cells(20, 20, 2, 2), *days, "negative")]
    found = [proposal(9001, cells(10, 10, 2, 2), *days), proposal(9002, cells(20, 20, 2, 2), *days)]
    assert figures_of(overall(true, found))["fp area"] == pytest.approx(4 * CELL_KM2, abs=1e-4)


def test_a_group_has_the_days_of_the_truth_that_was_read_first():
    place, days = cells(10, 10, 6), ("2016-03-01", "2017-03-01")
    one = site(1, "positive_annotated", days, *(seen(d, place) for d in (days[0], "2016-09-01", days[1])))
    other = site(2, "positive_annotated", days, *(seen(d, place) for d in days))
    found = [proposal(9001 + k, cells(10 + 2 * k, 10), *days) for k in range(2)]
    assert overall([one, other], found).proposed_slices == 6
    assert overall([other, one], found).proposed_slices == 4


@pytest.mark.parametrize(("counts", "figures"), [((0, 5, 2), (0, 0, 0)), ((9, 8, 2), (9 / 17, 9 / 11, 9 / 14))])
def test_scores_are_zero_where_nothing_was_found(counts, figures):
    assert scores_of(*counts) == figures


def test_weights_of_recall():
    assert f_score(0.5, 1.0, 1) == pytest.approx(2 / 3)
    assert f_score(0.5, 1.0, 2) == pytest.approx(5 * 0.5 / (4 * 0.5 + 1))
    assert f_score(0, 0, 3) == 0


def test_sweeps_go_two_thresholds_at_a_time_and_the_strictest_of_the_best_wins():
    sets = Sweep(tau=(0.1, 0.2), rho=(0.3, 0.5), tiot=(0.2, 0.4)).sets()
    assert len(sets) == 7
    assert Thresholds(tau=0.2, rho=0.5, tiot=0.4) not in sets
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2017-01-01")
    best = overall(
        [truth(1, place, *days)], [proposal(9001, cells(10, 10, 2, 1), *days)], sweep=Sweep(tau=(0.1, 0.4, 0.6))
    )
    assert (best.at.tau, best.f1) == (0.4, 1)


def test_tables_have_their_columns_even_without_a_row():
    tables = bas_tables(scores([], []).subsets["overall"]) | site_tables(scores([], []))
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2017-01-01")
    full = scores([truth(1, place, *days), truth(2, place, *days, "negative")],
                  [proposal(9001, cells(11, 10, 2, 2), *days), proposal(9002, cells(12, 12), *days)])  # fmt: skip
    filled = bas_tables(full.subsets["overall"]) | site_tables(full)
    assert {name: table.columns for name, table in tables.items()} == {n: t.columns for n, t in filled.items()}
    assert all(table.rows for name, table in filled.items())


def pair_of(true_phases, *proposals):
    """Return the pair of a site with these phases by day and of proposals, each of a cell of it."""
    wide = cells(10, 10, len(proposals), 2)
    days = min(true_phases), max(true_phases)
    true = site(1, "positive_annotated", days, *(seen(when, wide, phase) for when, phase in true_phases.items()))
    found = [
        site(
            9001 + k,
            "system_confirmed",
            (start, days[1]),
            *(seen(w, cells(10 + k, 10, 1, 2), p) for w, p in phases.items()),
        )
        for k, (start, phases) in enumerate(proposals)
    ]
    return scores([true], found).subsets["overall"].pairs[0]


def test_quiet_and_unknown_truth_gives_no_pair_of_labels_and_unknown_proposals_do():
    phases = {"2016-01-01": NA, "2016-02-01": "Unknown", "2016-03-01": SP, "2016-04-01": AC, "2017-01-01": PC}
    pair = pair_of(phases, ("2016-01-01", {"2016-01-01": SP, "2016-04-01": "Unknown", "2017-01-01": PC}))
    assert pair.labels == {(SP, SP): 1, (AC, "Unknown"): 1, (PC, PC): 1}
    assert (f1_of(pair.labels, SP), f1_of(pair.labels, AC)) == (1, 0)


def test_a_group_is_over_when_all_of_it_is_and_every_member_has_begun():
    phases = {"2016-01-01": SP, "2016-06-01": PC, "2017-01-01": PC}

    def onset(*proposals):
        found = pair_of(phases, *proposals).onset_error(PC)
        return found if isinstance(found, str) else found.days

    days = ["2016-01-01", "2016-07-01", "2017-01-01"]
    ended = dict(zip(days, (SP, PC, PC), strict=True))
    assert onset((days[0], ended)) == 30
    assert onset((days[0], ended), (days[0], dict(zip(days, (SP, AC, PC), strict=True)))) == 214
    assert onset((days[0], ended), (days[0], dict(zip(days, (SP, AC, AC), strict=True)))) == "missing proposals"
    # The second member's days begin after it was seen to be over: it is over when they begin.
    early = days[0], {"2016-01-01": SP, "2016-05-01": PC}
    assert onset(early, (days[0], {"2016-04-15": PC})) == -31
    assert onset(early, ("2016-05-20", {"2016-04-15": PC})) == 0


def test_the_last_observation_alone_is_no_run():
    pair = pair_of({"2016-01-01": SP, "2016-02-01": SP, "2016-03-01": AC, "2016-05-01": PC},
                   ("2016-01-01", {"2016-01-01": SP, "2016-02-01": AC, "2016-03-01": AC}))  # fmt: skip
    assert [pair.tiou(phase) for phase in SCORED_PHASES] == [1 / 32, 1 / 30, None]


def test_onsets_that_lie_in_the_gap_are_perfect_at_best():
    place = cells(10, 10, 2, 2)
    true = site(1, "positive_annotated", ("2016-01-01", "2017-01-01"), seen("2016-01-01", place, NA),
                seen("2016-03-01", place, SP), seen("2017-01-01", place, PC))  # fmt: skip

    def error(when):
        found = site(9001, "system_confirmed", ("2015-06-01", "2017-01-01"), seen(when, place, SP))
        other = read_site(found, R0, R1)
        pair = Pair(read_site(true, R0, R1), scores([true], [found]).subsets["overall"].pairs[0].group)
        assert other.kept
        one = pair.onset_error(SP)
        return one.days, one.best, one.worst

    assert error("2015-12-01") == (-91, -31, -91)
    assert error("2016-01-01") == (-60, 0, -60)
    assert error("2016-02-20") == (-10, 0, 50)
    assert error("2016-01-31") == (-30, 0, -30)
    assert error("2016-03-01") == (0, 0, 60)
    assert error("2016-03-11") == (10, 10, 70)
