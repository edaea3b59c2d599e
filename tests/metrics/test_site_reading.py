"""A site as the programme sees it: days, areas, types, and the sites that take part."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    seen,
    site,
    truth,
)

from geowatch.metrics.sites import Filters
from geowatch.metrics.sites.days import Days
from geowatch.metrics.sites.planar import area_km2
from geowatch.metrics.sites.reading import read_site
from geowatch.metrics.sites.taking_part import effective_status

R0, R1 = day("2015-01-01"), day("2020-12-31")


def read(*observations, status="positive_annotated", days=("2016-01-01", "2018-01-01")):
    return read_site(site(1, status, days, *observations), R0, R1)


def iso(ordinal):
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()


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


def test_the_type_of_a_proposal_is_read_by_its_status_though_all_its_observations_are_kept():
    views = (seen("2014-01-01", cells(0, 0), NA), seen("2016-01-01", cells(0, 0)))
    for status, letter in (("positive_annotated", "C"), ("system_confirmed", "B")):
        proposal = read_site(site(9001, status, ("2016-01-01", "2018-01-01"), *views), R0, R1, proposed=True)
        assert (proposal.letter, len(proposal.kept)) == (letter, 2)


def test_a_site_that_was_never_seen_in_the_regions_days_stands_where_it_was_seen_at_all():
    found = read(seen("2014-01-01", cells(0, 0)), seen("2021-01-01", cells(1, 0)))
    assert found.kept == ()
    assert found.polygon.is_empty
    assert found.largest_km2 is None
    assert found.area_km2 == pytest.approx(2 * CELL_KM2)


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
