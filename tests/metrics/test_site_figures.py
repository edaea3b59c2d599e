"""Figures of broad area search, sweeps, tables, and phases of detected sites, counted by hand."""

import pytest
from shapely.geometry import Polygon
from support.smart_case import (
    AC,
    CELL_KM2,
    NA,
    PC,
    SP,
    cells,
    day,
    overall,
    proposal,
    region,
    scores,
    seen,
    site,
    truth,
)

from geowatch.metrics.sites import Sweep, Thresholds
from geowatch.metrics.sites.activity import SCORED_PHASES, Pair, f1_of
from geowatch.metrics.sites.bas import f_score, scores_of
from geowatch.metrics.sites.reading import read_site
from geowatch.metrics.sites.rollup import together
from geowatch.metrics.sites.tables import bas_tables, figures_of, site_tables

R0, R1 = day("2015-01-01"), day("2020-12-31")


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


def test_false_alarms_are_counted_by_the_day_less_one():
    short = region("2016-01-01", "2016-01-06")
    found = [proposal(9001, cells(50, 50, 2, 2), "2016-01-01", "2016-01-05")]
    assert figures_of(overall([], found, region=short))["temporal FAR"] == 0.2
    assert figures_of(overall([], found, region=region("2016-01-01", "2016-01-01")))["temporal FAR"] == 0


def test_what_covers_a_negative_is_a_false_area():
    days = ("2016-01-01", "2017-01-01")
    true = [truth(1, cells(10, 10, 2, 2), *days), truth(2, cells(20, 20, 2, 2), *days, "negative")]
    found = [proposal(9001, cells(10, 10, 2, 2), *days), proposal(9002, cells(20, 20, 2, 2), *days)]
    assert figures_of(overall(true, found))["fp area"] == pytest.approx(4 * CELL_KM2, abs=1e-4)


def test_outlines_that_cross_themselves_have_figures_too():
    days = ("2016-01-01", "2017-01-01")
    bow = Polygon([(0.01, 0.01), (0.012, 0.012), (0.012, 0.01), (0.01, 0.012), (0.01, 0.01)])
    best = overall([truth(1, cells(10, 10, 2, 2), *days)], [proposal(9001, bow, *days)])
    assert best.true_positives == 1
    figures = figures_of(best)
    # A buffer of nothing keeps one wing.
    assert figures["proposal area"] == round(CELL_KM2, 4)
    assert figures["fp area"] == 0


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


def test_a_group_foretells_nothing():
    phases = {"2016-01-01": SP, "2016-06-01": PC}
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2016-06-01")
    true = site(1, "positive_annotated", days, *(seen(when, place, phase) for when, phase in phases.items()))
    words = {"predicted_phase": PC, "predicted_date": day("2016-05-01")}
    halves = [proposal(9001 + k, cells(10 + k, 10, 1, 2), *days, **words) for k in range(2)]
    assert scores([true], halves[:1]).subsets["overall"].pairs[0].foretold_error(PC).days == -31
    assert scores([true], halves).subsets["overall"].pairs[0].foretold_error(PC) == "missing proposals"


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


def long_and_short():
    """A true site, a proposal that is right and one that runs for six years: together they fail in time."""
    place, months = cells(10, 10, 2, 2), ("2016-03-01", "2016-06-30")
    found = [proposal(9001, place, "2015-01-01", "2020-12-31"), proposal(9002, place, *months)]
    return [truth(1, place, *months)], found


def test_a_group_that_fails_in_time_is_listed_with_the_days_of_both():
    tables = bas_tables(scores(*long_and_short()).subsets["overall"])
    (row,) = next(table for name, table in tables.items() if name.startswith("failAssoc")).rows
    assert (row["truth start"], row["truth end"]) == ("2016-03-01", "2016-06-30")
    assert (row["site model start"], row["site model end"]) == ("2015-01-01", "2020-12-31")
    assert (row["spatial overlap"], row["temporal iot"]) == (1, 1)


def test_a_proposal_as_sure_as_the_threshold_counts():
    place, days = cells(10, 10, 2, 2), ("2016-01-01", "2017-01-01")
    found = [proposal(9001 + n, place, *days, score=score) for n, score in enumerate((0.5, 0.49))]
    figures = figures_of(overall([truth(1, place, *days)], found, sweep=Sweep(min_score=(0.5,))))
    assert (figures["confident proposals"], figures["tp exact"], figures["fp sites"]) == (1, 1, 0)


def test_a_region_together_with_none_has_its_own_figures():
    true, found = long_and_short()
    best = overall([*true, truth(2, cells(20, 20), "2016-01-01", "2017-01-01")], found)
    figures = together([best])
    assert figures.pop("mean F1") == figures["F1"]
    assert figures["images FAR"] == 0.5
    assert figures == figures_of(best)
