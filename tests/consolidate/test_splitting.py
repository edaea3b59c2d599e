"""Neighbours that were active far apart in time are sites of their own, however the region was cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from support.consolidated import blobs, consolidated, contents, pixels_of, planes_of, search_for, terms_of
from support.over_edge import Disc, Scene
from support.tracked import BYTES, track_tiles

from geowatch.consolidate import whole_region
from geowatch.consolidate.found import Found, touching
from geowatch.consolidate.joins import Whole
from geowatch.consolidate.splitting import split
from geowatch.consolidate.terms import Rules
from geowatch.grid.lattice import PixelBox
from geowatch.grid.runs import components
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.finding import find
from geowatch.track.search import Search
from geowatch.track.timewise import Aggregate

calm = settings(deadline=None, max_examples=40)
RULES = Rules(active_score=0.2)


def searched(times: int, split_days: int | None, **more):
    return replace(search_for(times=times, **more), aggregate=Aggregate("max"), split_days=split_days)


def active(*rows: str, times: int = 8) -> np.ndarray:
    """Return planes in which a pixel scores on one date: its digit."""
    when = np.array([[-1 if mark == "." else int(mark) for mark in row] for row in rows])
    return (when == np.arange(times)[:, None, None])[:, None].astype(np.uint8) * np.uint8(254)


def sites_of(stored: np.ndarray, split_days: int | None, tile_px: int = 64, rules: Rules = RULES, **more):
    """Return the pixels of each site, those of dates 16 days apart."""
    search = searched(len(stored), split_days, **more)
    fragments = track_tiles(search, planes_of(stored), tile_px)
    sites = consolidated(fragments, terms_of(search, 1, search.days), rules)
    return sites, sorted(sorted(pixels_of(sites, site)) for site in range(len(sites)))


ONE_AFTER_THE_OTHER = active("......", ".1155.", ".1155.", ".1155.", "......")


def test_neighbours_that_are_built_one_after_the_other_are_two_sites():
    sites, pixels = sites_of(ONE_AFTER_THE_OTHER, 60)
    assert pixels == [[(y, x) for y in (1, 2, 3) for x in columns] for columns in ((1, 2), (3, 4))]
    assert sites.rows["start"].tolist() == [16, 80]
    assert sites.rows["end"].tolist() == [32, 96]


@pytest.mark.parametrize(("split_days", "expected"), [(None, 1), (64, 2), (65, 1)])
def test_neighbours_are_split_that_are_so_many_days_apart(split_days, expected):
    assert len(sites_of(ONE_AFTER_THE_OTHER, split_days)[0]) == expected


def test_a_site_that_grows_pixel_by_pixel_is_one():
    assert len(sites_of(active("00112233"), 60)[0]) == 1


@pytest.mark.parametrize("tile_px", [1, 2, 3])
def test_neighbours_over_many_tiles_are_split_as_in_one(tile_px, monkeypatch):
    monkeypatch.setattr(whole_region, "CHUNK_TILES", 2)
    assert contents(sites_of(ONE_AFTER_THE_OTHER, 60, tile_px)[0]) == contents(sites_of(ONE_AFTER_THE_OTHER, 60)[0])


@pytest.mark.parametrize(("least_m2", "expected"), [(0, [1, 11]), (101, [12])])
def test_a_part_that_is_too_small_for_a_site_stays_with_its_neighbour(least_m2, expected):
    stored = active("1111", "1711", "1111")
    sites, _ = sites_of(stored, 60, rules=replace(RULES, min_area_m2=least_m2))
    assert sorted(sites.rows["area_px"].tolist()) == expected


def test_parts_that_meet_at_a_corner_are_one_footprint_where_corners_touch():
    stored = active("11..", "11..", "..22", "..22")
    assert len(sites_of(stored, 60, connectivity=4)[0]) == 2
    assert len(sites_of(stored, 60, connectivity=8)[0]) == 1


def test_each_part_needs_a_strong_pixel_of_its_own():
    stored = np.where(active("1155") > 0, 254, 0).astype(np.uint8)
    stored[5] = stored[5] // 2
    _, pixels = sites_of(stored, 60, low=FULL_SCORE // 3, high=FULL_SCORE * 3 // 4)
    assert pixels == [[(0, 0), (0, 1)]]
    assert sites_of(stored, None, low=FULL_SCORE // 3, high=FULL_SCORE * 3 // 4)[1] == [[(0, x) for x in range(4)]]


@pytest.mark.parametrize("tile_px", [2, 64])
def test_what_is_weak_belongs_to_the_strong_part_that_it_is_near_in_time(tile_px):
    stored = active(".....", ".112.", ".....")
    stored[2] = stored[2] // 2
    high = FULL_SCORE * 3 // 4
    assert sites_of(stored, 20, tile_px, low=FULL_SCORE // 3, high=high)[1] == [[(1, 1), (1, 2), (1, 3)]]


@pytest.mark.parametrize("tile_px", [1, 4, 64])
def test_what_is_as_near_to_one_neighbour_as_to_the_other_goes_to_the_first_in_any_tiling(tile_px):
    rules = replace(RULES, min_area_m2=200)
    pixels = sites_of(active("....44", "00024."), 30, tile_px, rules=rules)[1]
    assert pixels == [[(0, 4), (0, 5), (1, 3), (1, 4)], [(1, 0), (1, 1), (1, 2)]]


@st.composite
def parted(draw):
    """Return (pixels of each part, day of each pixel, N, least pixels, connectivity) of random footprints."""
    times, connectivity = draw(st.integers(2, 6)), draw(st.sampled_from([4, 8]))
    split_days, least_px = draw(st.sampled_from([7, 16, 40])), draw(st.sampled_from([0, 3, 9]))
    stored = blobs(draw(st.integers(0, 10_000)), (times, 1, 14, 14), 0.8)
    search = searched(times, split_days, connectivity=connectivity)
    found = Found.of(find(search, planes_of(stored), Tile("g", 0, 0), PixelBox(0, 0, 14, 14)), 0)
    footprint = components(len(found), *touching(found, connectivity)).astype(np.int64)
    terms = terms_of(search, 1, search.days)
    whole = split(Whole(found, footprint, footprint), 0, terms, Rules(min_area_m2=100 * least_px))
    part = np.full((14, 14), -1)
    for piece, y, x0, x1 in zip(found.run_piece, found.run_y, found.run_x0, found.run_x1, strict=True):
        part[y, x0:x1] = whole.component[piece]
    return part, dated(stored, search), split_days, least_px, connectivity


def dated(stored: np.ndarray, search: Search) -> np.ndarray:
    """Return the day of each pixel, one by one."""
    out = np.zeros(stored.shape[2:], int)
    for y, x in np.ndindex(out.shape):
        scores = [int(BYTES.units(value)) for value in stored[:, 0, y, x]]
        seen = [(v, day) for v, day, raw in zip(scores, search.days, stored[:, 0, y, x], strict=True) if raw != 255]
        near = [day for score, day in seen if 2 * score >= max(score for score, _ in seen)]
        out[y, x] = sum(near) // len(near) if near else 0
    return out


def labelled(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, int]:
    return ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)


@settings(calm, max_examples=80)
@given(parted())
def test_parts_are_connected_and_what_touches_has_a_reason_to_be_two(made):
    part, day, split_days, least_px, connectivity = made
    grown = np.ones((3, 3)) if connectivity == 8 else None
    each = [part == n for n in range(part.max() + 1)]
    for n, one in enumerate(each):
        assert labelled(one, connectivity)[1] == 1
        for other in each[n + 1 :]:
            if (ndimage.binary_dilation(one, grown) & other).any():
                assert abs(day[one].mean() - day[other].mean()) >= split_days
                assert min(one.sum(), other.sum()) >= least_px


@settings(calm, max_examples=80)
@given(parted())
def test_pixels_of_one_stretch_that_touch_are_of_one_part(made):
    part, day, split_days, _, connectivity = made
    for stretch in np.unique(day[part >= 0] // split_days):
        label, count = labelled((part >= 0) & (day // split_days == stretch), connectivity)
        assert all(len(np.unique(part[label == n + 1])) == 1 for n in range(count))


def test_neighbours_on_both_sides_of_a_zones_edge_are_sites_over_the_edge():
    first, later = Disc(0, 150, 160, days=(0, 16)), Disc(0, -150, 160, days=(112, 128))
    tracking = {"aggregate": "max", "split_days": 60, "low": 0.5, "high": 0.5}
    scene = Scene(days=tuple(range(0, 160, 16)), tracking=tracking)
    rules = Rules(min_area_m2=20_000, active_score=0.4)
    sites = scene.consolidated([first, later], rules=rules)
    assert sites.rows["start"].tolist() == [0, 112]
    assert sites.rows["area_m2"] == pytest.approx(np.pi * 160**2, rel=0.1)
    assert contents(scene.consolidated([first, later], 16, rules=rules)) == contents(sites)
    together = Scene(days=scene.days, tracking=tracking | {"split_days": None})
    assert len(together.consolidated([first, later], rules=rules)) == 1
