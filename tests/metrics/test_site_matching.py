"""Matching of true sites and proposals: the rule book's worked examples elsewhere, and what they leave open."""

from datetime import date

import pytest
from shapely import wkt
from shapely.geometry import MultiPolygon
from support.smart_case import (
    AC,
    NA,
    PC,
    SP,
    cells,
    day,
    marks,
    overall,
    proposal,
    scores,
    seen,
    site,
    taken,
    truth,
)

from geowatch.metrics.sites import Sweep
from geowatch.metrics.sites.activity import SCORED_PHASES, confusion
from geowatch.metrics.sites.activity_tables import activity_figures
from geowatch.metrics.sites.tables import figures_of

R0, R1 = day("2015-01-01"), day("2020-12-31")


def iso(ordinal):
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()


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
