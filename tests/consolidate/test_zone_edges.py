"""Over the edge of a zone nothing is decided that would not be decided on one grid. All scenes are made up."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.consolidated import contents, outline_of
from support.over_edge import GEOD, Disc, Scene

from geowatch.consolidate.terms import NO_DAY, Rules

WEAK, STRONG = 0.4, 0.9
HYSTERESIS = {"low": 0.3, "high": 0.6}
calm = settings(deadline=None, max_examples=10)


def m2(sites, site=0):
    return abs(GEOD.geometry_area_perimeter(outline_of(sites, site))[0])


def apart(discs, margin=50.0):
    """Whether all discs clearly overlap or clearly do not, so that no pixel more or less decides."""
    for one, other in itertools.combinations(discs, 2):
        gap = np.hypot(one.east - other.east, one.north - other.north) - one.radius - other.radius
        if -margin < gap < margin:
            return False
    return True


def groups(discs):
    """Discs that hang together, those that are there on one day."""
    left, out = list(discs), []
    while left:
        group, left = [left[0]], left[1:]
        for each in group:
            near = [o for o in left if np.hypot(o.east - each.east, o.north - each.north) < o.radius + each.radius]
            group += near
            left = [o for o in left if o not in near]
        out.append(group)
    return out


def truth(group):
    return shapely.union_all([shapely.Point(d.east, d.north).buffer(d.radius, 64) for d in group])


discs = st.lists(
    st.builds(
        Disc,
        st.integers(-15, 15).map(lambda n: 40.0 * n),
        st.integers(-15, 15).map(lambda n: 40.0 * n),
        st.sampled_from([70.0, 130.0, 220.0]),
        st.sampled_from([WEAK, STRONG]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda d: (d.east, d.north),
)


@calm
@given(discs, st.sampled_from([0.3, 45.0, 63.0, -70.0]), st.sampled_from([-72.0, 180.0]), st.sampled_from([9, 16, 40]))
def test_sites_over_an_edge_are_those_that_the_scene_has(found, lat, lon, tile_px):
    assume(apart(found))
    scene = Scene(lon, lat, tracking=HYSTERESIS)
    least = 60_000.0
    expected = [truth(group) for group in groups(found) if any(d.score == STRONG for d in group)]
    assume(all(abs(each.area - least) > 0.15 * least for each in expected))
    expected = sorted(each.area for each in expected if each.area > least)
    rules = Rules(min_area_m2=least, active_score=0.3)
    whole = scene.consolidated(found, 512, rules=rules)
    assert sorted(whole.rows["area_m2"].tolist()) == pytest.approx(expected, rel=0.1)
    for site in range(len(whole)):
        outline = outline_of(whole, site)
        assert outline.is_valid
        assert m2(whole, site) == pytest.approx(whole.rows["area_m2"][site], rel=0.08)
        if lon != 180:  # slits along the edge are closed
            assert outline.geom_type == "Polygon"
        else:  # each part lies on one side
            assert all(part.bounds[2] - part.bounds[0] < 1 for part in shapely.get_parts(outline))
    assert contents(scene.consolidated(found, tile_px, rules=rules)) == contents(whole)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("mode", ["footprint", "linked", "polygons"])
def test_what_is_weak_in_one_zone_belongs_to_what_is_strong_in_the_other(side, mode):
    scene = Scene(tracking=HYSTERESIS | {"mode": mode}, half_m=500)
    found = [Disc(-110 * side, 0, 130, WEAK), Disc(160 * side, 0, 140, STRONG)]
    both = scene.consolidated(found)
    one = scene.consolidated(found, crs="EPSG:32618")
    assert both.rows["area_m2"].tolist() == pytest.approx(one.rows["area_m2"].tolist(), rel=0.05)
    assert both.rows["score"].tolist() == pytest.approx(one.rows["score"].tolist(), abs=0.03)
    assert len(scene.consolidated(found[:1])) == len(scene.consolidated(found[:1], crs="EPSG:32618")) == 0


def test_the_mean_score_is_that_of_both_sides():
    scene = Scene(half_m=400)
    found = [Disc(-150, 0, 200, 0.5), Disc(150, 0, 200, 0.9)]
    assert len(scene.consolidated(found, rules=Rules(min_score=0.65))) == 1
    assert len(scene.consolidated(found, rules=Rules(min_score=0.75))) == 0


def test_a_hole_that_two_zones_surround_is_filled_by_its_whole_area():
    scene, ring = Scene(half_m=500), [Disc(10, 0, 300, hole=100)]
    whole = outline_of(scene.consolidated(ring), 0)
    assert [each.is_ccw for each in (whole.exterior, *whole.interiors)] == [True, False]
    kept = scene.consolidated(ring, rules=Rules(fill_holes_m2=25_000))
    assert len(outline_of(kept, 0).interiors) == 1
    filled = scene.consolidated(ring, rules=Rules(fill_holes_m2=36_000))
    assert not outline_of(filled, 0).interiors
    assert filled.rows["area_m2"][0] == pytest.approx(np.pi * 300**2, rel=0.03)
    assert contents(scene.consolidated(ring, 7, rules=Rules(fill_holes_m2=36_000))) == contents(filled)


DAYS = (0, 16, 32, 48)


def linked(days=DAYS, link_days=None):
    return Scene(tracking={"mode": "linked", "link_days": link_days}, days=days, half_m=600)


def test_links_count_by_what_both_sides_share():
    # From the first day to the second a site moves east: on each side alone it shares more or less than in all.
    found = [Disc(-120, 0, 200, days=(0,)), Disc(120, 0, 200, days=(16,))]
    for share in (0.2, 0.3, 0.45, 0.6):
        rules = Rules(link_overlap=share)
        both, one = (linked().consolidated(found, crs=crs, rules=rules) for crs in (None, "EPSG:32618"))
        assert len(both) == len(one) == (1 if share < 0.26 else 2)
        assert both.rows["start"].tolist() == one.rows["start"].tolist()
        assert both.rows["end"].tolist() == one.rows["end"].tolist()


def test_splits_and_merges_across_the_edge_are_events_on_their_days():
    whole, halves = Disc(0, 0, 250), [Disc(-180, 0, 80), Disc(180, 0, 80)]
    found = [replace(whole, days=(0, 32)), *(replace(half, days=(16, 48)) for half in halves)]
    for crs in (None, "EPSG:32618"):
        sites = linked().consolidated(found, crs=crs)
        assert len(sites) == 1
        assert sites.events.tolist() == [(0, 16), (1, 32), (0, 48)]
    assert sites.rows["end"][0] == NO_DAY


@st.composite
def lives(draw):
    found = draw(discs)
    spans = [sorted(draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True))) for _ in found]
    return [replace(disc, days=tuple(days), score=STRONG) for disc, days in zip(found, spans, strict=True)]


@settings(calm, max_examples=8)
@given(lives(), st.sampled_from([9, 16, 40]), st.sampled_from([None, 32, 48]))
def test_linked_sites_over_an_edge_are_those_of_one_grid(found, tile_px, link_days):
    assume(apart(found))
    scene = linked(link_days=link_days)
    whole, one = scene.consolidated(found), scene.consolidated(found, crs="EPSG:32618")
    names = ["birth", "start", "end", "area_m2"]
    rows = [sorted(map(tuple, sites.rows[names].tolist())) for sites in (whole, one)]
    assert [row[:3] for row in rows[0]] == [row[:3] for row in rows[1]]
    # Along the edge a site may lack or have a pixel's width.
    assert sorted(r[3] for r in rows[0]) == pytest.approx(sorted(r[3] for r in rows[1]), rel=0.05, abs=20 * 450)
    assert sorted(np.diff(whole.seen_start).tolist()) == sorted(np.diff(one.seen_start).tolist())
    assert sorted(whole.events.tolist()) == sorted(one.events.tolist())
    assert contents(scene.consolidated(found, tile_px)) == contents(whole)


def test_a_site_over_an_edge_that_one_date_missed_is_one_and_goes_on_where_any_of_it_does():
    # The part in the east is found again before the whole: what follows in one zone follows in both.
    found = [Disc(0, 0, 150, days=(0, 48)), Disc(80, 0, 60, days=(32,))]
    assert [len(linked(link_days=days).consolidated(found)) for days in (None, 31, 32)] == [2, 2, 1]
    sites = linked(link_days=48).consolidated([*found, Disc(-80, 0, 60, days=(32,))])
    assert (len(sites), sites.events.tolist()) == (1, [(0, 32), (1, 48)])


def test_zones_that_were_seen_on_other_days_are_joined_by_what_was_last_there():
    days = {"utm18n": (0, 20, 40), "utm19n": (10, 30, 50)}
    scene = linked(days)
    stays = [Disc(0, 0, 200)]
    sites = scene.consolidated(stays)
    assert len(sites) == 1
    assert sites.seen["day"].tolist() == [0, 10, 20, 30, 40, 50]
    # In the west it is there until day 0, in the east from day 30 on; by then the west was seen without it.
    gone = [Disc(-100, 0, 95, days=(0,)), Disc(100, 0, 130, days=(30, 50))]
    assert len(scene.consolidated(gone)) == 2


def test_grids_may_come_in_any_order():
    scene = Scene(tracking=HYSTERESIS, half_m=500)
    found = [Disc(-110, 0, 130, WEAK), Disc(160, 0, 140, STRONG), Disc(-50, 350, 60, STRONG)]
    assert contents(scene.consolidated(found, order=(1, 0))) == contents(scene.consolidated(found))
