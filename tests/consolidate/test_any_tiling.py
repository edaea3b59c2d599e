"""A site is the same however the region was cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from support.consolidated import (
    NO_DAY,
    blinks,
    blobs,
    consolidated,
    contents,
    left_out,
    outline_of,
    pixels_of,
    planes_of,
    search_for,
    terms_of,
)  # fmt: skip
from support.tracked import ArrayPlanes, put_together, track_tiles

from geowatch.consolidate import whole_region
from geowatch.consolidate.phases import CONSTRUCTION, PhaseModel
from geowatch.consolidate.terms import Rules
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.scores import Scale, to_units
from geowatch.track.timewise import MovingMean

calm = settings(deadline=None, max_examples=25)


@st.composite
def jobs(draw):
    mode = draw(st.sampled_from(["footprint", "linked", "polygons"]))
    times, classes = draw(st.integers(1, 7 if mode == "linked" else 4)), draw(st.integers(1, 3))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    low = draw(st.integers(35, 60)) * FULL_SCORE // 100
    search = search_for(
        mode,
        times,
        draw(st.sampled_from([4, 8])),
        salient=tuple(sorted(draw(st.sets(st.integers(0, classes - 1), min_size=1)))),
        low=low,
        high=low + draw(st.integers(0, 15)) * FULL_SCORE // 100,
        subpixel=draw(st.booleans()),
        smooth_time=draw(st.sampled_from([None, None, MovingMean(3, False)])),
        link_days=draw(st.sampled_from([None, 16, 32])) if mode == "linked" else None,
        split_days=draw(st.sampled_from([None, 5, 20])) if mode == "footprint" else None,
    )
    seed, shape = draw(st.integers(0, 10_000)), (times, classes, height, width)
    if search.link_days is not None and draw(st.booleans()):
        stored = blinks(seed, shape)
    else:
        stored = blobs(seed, shape, draw(st.sampled_from([0.4, 1.2])))
    rules = Rules(
        min_area_m2=draw(st.sampled_from([0, 300])),
        fill_holes_m2=draw(st.sampled_from([0, 150, 500])),
        link_overlap=draw(st.sampled_from([0.0, 0.3])),
        timing=draw(st.sampled_from(["threshold", "argmax", "viterbi"])),
        active_score=draw(st.sampled_from([0.3, 0.5])),
    )
    return search, planes_of(stored, draw(st.integers(-40, 40)), draw(st.integers(-40, 40))), rules


@settings(calm, max_examples=60)
@given(jobs(), st.integers(2, 9), st.integers(1, 40), st.booleans(), st.sampled_from([16, 0]))
def test_sites_of_any_tiling_are_those_of_the_whole_raster(job, tile_px, pieces_at_once, geographic, days_apart):
    search, planes, rules = job
    search = replace(search, days=tuple(day // 16 * days_apart for day in search.days))
    lattice = Lattice("EPSG:4326", -1e-4, 1e-4) if geographic else Lattice("EPSG:32618", -10.0, 10.0)
    terms = terms_of(search, planes.class_count, search.days, lattice)
    model = PhaseModel.alike(terms.classes, [number % 2 == 0 for number in range(len(terms.classes))])
    whole = consolidated(track_tiles(search, planes, 1 << 12), terms, rules, model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_region, "CHUNK_PIECES", pieces_at_once)
        patch.setattr(whole_region, "CHUNK_TILES", pieces_at_once)
        tiled = consolidated(track_tiles(search, planes, tile_px), terms, rules, model)
    assert contents(tiled) == contents(whole)


@calm
@given(jobs(), st.integers(2, 9))
def test_sites_are_the_components_of_a_plain_reference(job, tile_px):
    search, planes, rules = job
    search, rules = replace(search, split_days=None), Rules(active_score=0, link_overlap=rules.link_overlap)
    fragments = track_tiles(search, planes, tile_px)
    sites = consolidated(fragments, terms_of(search, planes.class_count, search.days), rules)
    components, links = put_together(fragments, search.connectivity)
    followed = _followed(links, rules.link_overlap)
    groups = _grouped(components, followed) if search.mode == "linked" else [{each} for each in components]
    expected = Counter(
        (
            frozenset().union(*(each.pixels for each in group)),
            np.float32(sum(each.score_sum for each in group) / sum(len(each.pixels) for each in group) / FULL_SCORE),
            np.float32(max(each.peak for each in group) / FULL_SCORE),
        )
        for group in groups
        if any(each.strong_px for each in group)
    )
    rows = sites.rows
    assert expected == Counter(
        (frozenset(pixels_of(sites, site)), rows["score"][site], rows["peak"][site]) for site in range(len(sites))
    )


def _followed(links, share):
    """Return which components follow which, date by date: over a gap where nothing has followed before."""
    out = []
    for (one, other), (px, gap_px) in sorted(links.items(), key=lambda link: link[0][1].plane):
        before = any(one is a and b.plane < other.plane for a, b in out)
        if (px if before else px + gap_px) > share * min(len(one.pixels), len(other.pixels)):
            out.append((one, other))
    return out


def _grouped(components, links):
    groups = [{each} for each in components]
    for one, other in links:
        mine, theirs = (next(g for g in groups if each in g) for each in (one, other))
        if mine is not theirs:
            groups.remove(theirs)
            mine |= theirs
    return groups


@calm
@given(jobs(), st.integers(2, 9))
def test_outlines_are_valid_and_hold_the_pixels(job, tile_px):
    search, planes, rules = job
    sites = consolidated(track_tiles(search, planes, tile_px), terms_of(search, planes.class_count, search.days), rules)
    for site in range(len(sites)):
        outline, pixels = outline_of(sites, site), pixels_of(sites, site)
        assert shapely.is_valid(outline)
        assert sites.rows[site]["area_px"] == len(pixels)
        assert sites.rows[site]["area_m2"] == 100 * len(pixels)
        if search.subpixel:
            continue
        squares = shapely.union_all([shapely.box(10 * x, -10 * y - 10, 10 * x + 10, -10 * y) for y, x in pixels])
        assert shapely.area(shapely.symmetric_difference(outline, squares)) == 0


def test_a_site_across_four_tiles_is_one():
    planes = planes_of(["......", "..##..", ".####.", ".####.", "..##..", "......"])
    fragments = track_tiles(search_for(), planes, 3)
    assert sum(fragment.piece_count for fragment in fragments) == 4
    sites = consolidated(fragments, terms_of(search_for(), 1, [0]), Rules())
    assert len(sites) == 1
    assert sites.rows["area_px"][0] == 12


@pytest.mark.parametrize(("connectivity", "expected"), [(4, 4), (8, 1)])
@pytest.mark.parametrize("tiles_at_once", [1, 100])
@pytest.mark.parametrize("rows", [["#...", ".#..", "..#.", "...#"], ["...#", "..#.", ".#..", "#..."]])
def test_pixels_that_meet_at_the_corner_of_four_tiles(monkeypatch, rows, tiles_at_once, connectivity, expected):
    monkeypatch.setattr(whole_region, "CHUNK_TILES", tiles_at_once)
    search = search_for(connectivity=connectivity)
    fragments = track_tiles(search, planes_of(rows), 2)
    assert len(consolidated(fragments, terms_of(search, 1, [0]), Rules())) == expected


def test_images_of_one_day_keep_their_order_however_the_region_is_cut(monkeypatch):
    monkeypatch.setattr(whole_region, "CHUNK_TILES", 1)
    stored = np.zeros((2, 1, 2, 9), np.uint8)
    stored[0], stored[1, ..., :3] = 254, 200
    search, planes = search_for("polygons", 2), planes_of(stored)
    for tile_px in (2, 4, 9):
        sites = consolidated(track_tiles(search, planes, tile_px), terms_of(search, 1, [7, 7]), Rules())
        assert sites.rows["area_px"].tolist() == [18, 6]


@pytest.mark.parametrize("score", [0.3, 0.5, 0.7])
def test_a_site_whose_scores_equal_the_thresholds_is_one(score):
    units = to_units(score)
    search = search_for("footprint", 2, low=units, high=units)
    planes = ArrayPlanes(np.full((2, 1, 3, 3), score, np.float32), PixelBox(0, 0, 3, 3), Scale("float32"))
    sites = consolidated(
        track_tiles(search, planes, 2), terms_of(search, 1, [0, 16]), Rules(active_score=score, min_score=score)
    )
    assert sites.rows["area_px"].tolist() == [9]


def test_what_happens_on_no_day_is_no_event():
    stored = np.zeros((3, 1, 2, 5), np.uint8)
    stored[[0, 2]], stored[1, ..., [0, 4]] = 254, 254
    search = search_for("linked", 3)
    fragments = track_tiles(search, planes_of(stored), 3)
    assert len(consolidated(fragments, terms_of(search, 1, [0, 1, 2]), Rules()).events) == 2
    assert len(consolidated(fragments, terms_of(search, 1, [NO_DAY] * 3), Rules()).events) == 0


def test_a_hole_across_a_seam_is_a_hole():
    planes = planes_of([".....", ".####", ".#..#", ".####", "....."])
    sites = consolidated(track_tiles(search_for(), planes, 3), terms_of(search_for(), 1, [0]), Rules())
    assert len(outline_of(sites, 0).interiors) == 1
    filled = consolidated(
        track_tiles(search_for(), planes, 3), terms_of(search_for(), 1, [0]), Rules(fill_holes_m2=201)
    )
    assert not outline_of(filled, 0).interiors
    assert filled.rows["area_px"][0] == 12
    kept = consolidated(track_tiles(search_for(), planes, 3), terms_of(search_for(), 1, [0]), Rules(fill_holes_m2=200))
    assert len(outline_of(kept, 0).interiors) == 1


def test_a_hole_that_pixels_surround_at_their_corners_is_filled_where_corners_connect():
    planes = planes_of([".#..#", "#.##.", ".#..#", ".....", "....."])
    for connectivity, areas in ((8, [8]), (4, [1, 1, 1, 1, 1, 2])):
        search = search_for(connectivity=connectivity)
        terms = terms_of(search, 1, [0])
        sites = consolidated(track_tiles(search, planes, 3), terms, Rules(fill_holes_m2=101))
        assert sorted(sites.rows["area_px"].tolist()) == areas, connectivity


def series(*frames: list[str]) -> ArrayPlanes:
    return planes_of(np.concatenate([planes_of(frame).stored for frame in frames]))


def test_a_linked_site_that_splits_and_merges_is_one_with_events():
    frames = [["####", "####", "...."], ["##.#", "##.#", "...."], ["####", "....", "...."], ["....", "....", "...."]]
    planes, search = series(*frames), search_for("linked", 4)
    for tile_px in (2, 3, 8):
        sites = consolidated(track_tiles(search, planes, tile_px), terms_of(search, 1, [0, 16, 32, 48]), Rules())
        assert len(sites) == 1
        assert sites.events.tolist() == [(0, 16), (1, 32)]
        row = sites.rows[0]
        assert (row["birth"], row["start"], row["end"]) == (0, 0, 48)
        assert sites.seen["day"].tolist() == [0, 16, 32]


def test_what_was_missed_for_some_days_is_one_site_and_what_was_gone_for_longer_is_two():
    there, missed = ["##.", "##."], ["...", "..."]
    planes = series(there, missed, there, missed, missed, there)

    def spans(link_days):
        search = search_for("linked", 6, link_days=link_days)
        for tile_px in (1, 2, 8):
            rows = consolidated(track_tiles(search, planes, tile_px), terms_of(search, 1, search.days), Rules()).rows
            found = [(int(row["start"]), int(row["end"])) for row in rows]
        return found

    assert spans(None) == spans(31) == [(0, 16), (32, 48), (80, NO_DAY)]
    assert spans(32) == spans(47) == [(0, 48), (80, NO_DAY)]
    assert spans(48) == [(0, NO_DAY)]


def test_what_comes_where_something_was_that_went_on_elsewhere_is_a_site_of_its_own():
    # On the second date what moved is seen, and on the third something else where it was.
    planes = series(["####..", "......"], ["...##.", "......"], ["#..##.", "......"], ["###.##", "......"])
    search = search_for("linked", 4, link_days=99)
    for tile_px in (1, 2, 8):
        sites = consolidated(track_tiles(search, planes, tile_px), terms_of(search, 1, search.days), Rules())
        assert [(int(row["birth"]), len(pixels_of(sites, n))) for n, row in enumerate(sites.rows)] == [(0, 6), (32, 3)]


def test_a_cloud_over_what_was_missed_changes_nothing():
    there, missed = ["##.", "##."], ["...", "..."]
    stored = series(there, missed, there, there).stored.copy()
    stored[2] = 255
    search = search_for("linked", 4, link_days=48)
    sites = consolidated(track_tiles(search, planes_of(stored), 2), terms_of(search, 1, search.days), Rules())
    assert sites.seen["day"].tolist() == [0, 48]


def test_a_site_that_is_there_at_the_end_has_not_ended():
    planes, search = series(["...", "..."], ["##.", "..."], ["##.", "..."]), search_for("linked", 3)
    row = consolidated(track_tiles(search, planes, 2), terms_of(search, 1, [0, 16, 32]), Rules()).rows[0]
    assert (row["birth"], row["start"], row["end"]) == (16, 16, NO_DAY)


def test_links_below_the_least_overlap_are_two_sites():
    planes, search = series(["####....", "........"], ["...#####", "........"]), search_for("linked", 2)
    fragments, terms = track_tiles(search, planes, 3), terms_of(search, 1, [0, 16])
    assert len(consolidated(fragments, terms, Rules())) == 1
    assert len(consolidated(fragments, terms, Rules(link_overlap=0.25))) == 2


def test_sites_are_kept_by_area_score_and_days():
    stored = np.zeros((3, 1, 4, 9), np.uint8)
    stored[:, :, 1:3, 1:3] = 254  # 4 px, always
    stored[1, :, 1:3, 4:8] = 200  # 8 px, once
    planes, search = planes_of(stored), search_for("linked", 3)
    fragments, terms = track_tiles(search, planes, 3), terms_of(search, 1, [0, 16, 32])

    def areas(**rules):
        return sorted(consolidated(fragments, terms, Rules(**rules)).rows["area_px"].tolist())

    assert areas() == [4, 8]
    assert areas(min_area_m2=401) == [8]
    assert areas(max_area_m2=799) == [4]
    assert areas(min_score=0.9) == [4]
    assert areas(min_days=17) == [4]
    assert areas(max_days=20) == [8]
    assert left_out(fragments, terms, Rules()) == {}
    assert left_out(fragments, terms, Rules(min_area_m2=401)) == {"area": 1}
    assert left_out(fragments, terms, Rules(min_area_m2=401, min_score=0.9)) == {"area": 1, "score": 1}
    assert left_out(fragments, terms, Rules(min_score=0.9, max_days=20)) == {"score": 1, "duration": 1}


def test_phases_follow_each_other_and_give_the_dates():
    truth = [0, 0, 1, 2, 1, 2, 3, 3]
    stored = np.zeros((len(truth), 4, 4, 6), np.uint8)
    for time, phase in enumerate(truth):
        stored[time, phase, 1:3, 1:5] = 200
        stored[time, 1, 1:3, 1:5] = np.maximum(stored[time, 1, 1:3, 1:5], 40)
    search = replace(search_for("footprint", len(truth), salient=(1, 2)), low=FULL_SCORE // 4, high=FULL_SCORE // 4)
    terms = replace(terms_of(search, 4, search.days), classes=CONSTRUCTION)
    model = PhaseModel.of_construction()
    fragments = track_tiles(search, planes_of(stored), 3)
    argmax = consolidated(fragments, terms, Rules(timing="argmax"), model)
    assert argmax.seen["phase"].tolist() == truth
    viterbi = consolidated(fragments, terms, Rules(timing="viterbi"), model)
    assert viterbi.seen["phase"].tolist() == [0, 0, 1, 1, 1, 2, 3, 3]
    assert (viterbi.rows[0]["start"], viterbi.rows[0]["end"]) == (32, 96)
    assert viterbi.rows[0]["birth"] == 32
