"""Boxes as planes of scores: what a box covers, and what tiles see of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tracked import put_together, track_tiles

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.boxes import Boxes, BoxPlanes, snapped
from geowatch.track.scores import NONE
from geowatch.track.search import Search
from geowatch.track.timewise import Aggregate

BOUNDS = PixelBox(-5, 10, 25, 40)


def planes_of(rows, covered=lambda box: np.ones(box.shape, bool), *, apart=False) -> BoxPlanes:
    """Return the planes of boxes given as (y0, x0, y1, x1, plane, kind, score)."""
    table = np.array(rows, np.int64).reshape(-1, 7)

    def of(plane: int) -> Boxes:
        mine = table[table[:, 4] == plane]
        return Boxes.ordered(mine[:, :4].astype(np.int32), mine[:, 5].astype(np.int16), mine[:, 6].astype(np.uint16))

    return BoxPlanes(of, 2, BOUNDS, covered, None, apart)


def test_a_box_covers_the_pixels_whose_centres_lie_in_it_and_at_least_one():
    lattice = Lattice("EPSG:32618", -10.0, 10.0, 5.0, 5.0)
    bounds = np.array([[14.9, -26, 35.1, -4], [15.1, -5, 34.9, 15], [0.0, 1.0, 0.1, 1.2]])
    assert snapped(lattice, bounds).tolist() == [[1, 1, 3, 3], [-1, 1, 1, 3], [0, -1, 1, 0]]


def test_the_best_box_of_a_class_gives_a_pixels_score_and_nothing_lies_beyond_the_region():
    def covered(box):
        return np.broadcast_to(np.arange(box.x0, box.x1) < 15, box.shape)

    planes = planes_of([(0, 11, 2, 14, 1, 0, 900), (1, 12, 3, 30, 1, 0, 700), (0, 11, 2, 13, 1, 1, 50)], covered)
    read = planes.read(1, PixelBox(0, 9, 3, 16), (0, 1))
    assert read[0].tolist() == [
        [NONE, 0, 900, 900, 900, 0, NONE],
        [NONE, 0, 900, 900, 900, 700, NONE],
        [NONE, 0, 0, 700, 700, 700, NONE],
    ]
    assert read[1, :, 2:5].tolist() == [[50, 50, 0], [50, 50, 0], [0, 0, 0]]
    assert planes.read(0, PixelBox(0, 11, 1, 13), (1,)).tolist() == [[[0, 0]]]


boxes = st.tuples(
    st.integers(-8, 26), st.integers(6, 42), st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(0, 1),
    st.integers(0, FULL_SCORE),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.lists(boxes, max_size=12), st.integers(4, 16), st.sampled_from(["linked", "footprint", "polygons"]),
    st.booleans(), st.sampled_from([1 << 12, 1 << 20]),
)  # fmt: skip
def test_objects_are_joined_across_tiles_and_linked_in_time_like_anything_else(rows, tile_px, mode, apart, strip):
    planes = planes_of([(y, x, y + h, x + w, *rest) for y, x, h, w, *rest in rows], apart=apart)
    search = Search(
        mode=mode, salient=(0, 1), planes=(0, 1, 2, 3), days=(0, 9, 18, 27), low=1, high=FULL_SCORE // 2,
        aggregate=Aggregate("max"), link_days=20 if apart else None,
    )  # fmt: skip
    weak = mode != "footprint"
    whole = put_together(track_tiles(search, planes, 1 << 12, BOUNDS), 4, weak=weak)
    assert put_together(track_tiles(search, planes, tile_px, BOUNDS, strip), 4, weak=weak) == whole


def test_a_box_that_moves_is_linked_by_what_it_shares_with_itself():
    planes = planes_of([(0, 12 + 2 * t, 4, 18 + 2 * t, t, 0, FULL_SCORE) for t in range(3)])
    search = Search(
        mode="linked", salient=(0,), planes=(0, 1, 2), days=(0, 1, 2), low=1, high=1, aggregate=Aggregate("mean")
    )
    found, links = put_together(track_tiles(search, planes, 8, BOUNDS), 4)
    assert len(found) == 3
    assert sorted((a.plane, b.plane, px) for (a, b), (px, _) in links.items()) == [(0, 1, 16), (1, 2, 16)]


@settings(deadline=None, max_examples=20)
@given(st.lists(boxes, max_size=12, unique=True), st.integers(4, 16), st.sampled_from(["linked", "polygons"]))
def test_each_pixel_is_of_the_smallest_box_and_pieces_are_of_one_box(rows, tile_px, mode):
    rows = [(y, x, y + h, x + w, plane, kind, max(1, score)) for y, x, h, w, plane, kind, score in rows]
    search = Search(
        mode=mode, salient=(0, 1), planes=(0, 1, 2, 3), days=(0, 9, 18, 27), low=1, high=1, aggregate=Aggregate("max")
    )
    found, _ = put_together(track_tiles(search, planes_of(rows, apart=True), tile_px, BOUNDS), 4)

    def rank(row):
        return (row[2] - row[0]) * (row[3] - row[1]), -row[6], row

    inside = {(y, x) for y in range(BOUNDS.y0, BOUNDS.y1) for x in range(BOUNDS.x0, BOUNDS.x1)}
    owners = {}
    for row in sorted(rows, key=rank):
        for pixel in inside & {(y, x) for y in range(row[0], row[2]) for x in range(row[1], row[3])}:
            owners.setdefault((row[4], *pixel), row)
    assert {(piece.plane, *pixel) for piece in found for pixel in piece.pixels} == set(owners)
    for piece in found:
        of = {owners[piece.plane, *pixel] for pixel in piece.pixels}
        assert len(of) == 1
        (row,) = of
        assert piece.score_sum == row[6] * len(piece.pixels)
        assert mode == "linked" or piece.kind == row[5]


def test_objects_side_by_side_stay_two_across_seams_and_each_is_linked_to_itself():
    cars = [(0, 12, 9, 16), (0, 16, 9, 20), (0, 19, 9, 23)]
    planes = planes_of([(*box, t, 0, FULL_SCORE - n) for t in range(3) for n, box in enumerate(cars)], apart=True)
    search = Search(
        mode="linked", salient=(0,), planes=(0, 1, 2), days=(0, 1, 2), low=1, high=1, aggregate=Aggregate("mean")
    )
    found, links = put_together(track_tiles(search, planes, 7, BOUNDS), 4)
    assert sorted((each.plane, min(each.pixels)[1], len(each.pixels)) for each in found) == [
        (t, x, px) for t in range(3) for x, px in ((12, 36), (16, 36), (20, 27))
    ]
    assert {(min(a.pixels), min(b.pixels)) for a, b in links} == {((0, x), (0, x)) for x in (12, 16, 20)}
