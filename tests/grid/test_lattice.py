"""The lattice: absolute pixel indices, boxes and phases."""

import math

import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import PlanError
from geowatch.grid.lattice import Lattice, PixelBox, phase_of

quick = settings(max_examples=60, deadline=None)
edges = st.integers(-50, 50)
boxes = st.builds(PixelBox, edges, edges, edges, edges)
steps = st.sampled_from([0.5, 1.0, 10.0, 30.0, 0.0001])


def pixels(box: PixelBox) -> set[tuple[int, int]]:
    return {(y, x) for y in range(box.y0, box.y1) for x in range(box.x0, box.x1)}


@quick
@given(boxes, boxes)
def test_boxes_meet_where_their_pixels_do(a, b):
    assert pixels(a & b) == pixels(a) & pixels(b)
    assert (a & b).area_px == len(pixels(a) & pixels(b))
    assert bool(a) == bool(pixels(a))


@quick
@given(boxes, boxes)
def test_a_hull_is_the_smallest_box_around_both(a, b):
    hull, both = a | b, pixels(a) | pixels(b)
    assert both <= pixels(hull)
    assert hull.covers(a)
    assert hull.covers(b)
    if both:
        ys, xs = zip(*both, strict=True)
        assert hull == PixelBox(min(ys), min(xs), max(ys) + 1, max(xs) + 1)


@quick
@given(boxes, boxes)
def test_a_box_covers_another_where_no_pixel_is_left(a, b):
    assert a.covers(b) == (pixels(b) <= pixels(a))


@quick
@given(boxes, st.integers(1, 20))
def test_blocks_are_those_that_hold_a_pixel_counted_from_zero(box, size):
    blocks = box.blocks(size)
    assert {(b.y0 // size, b.x0 // size) for b in blocks} == {(y // size, x // size) for y, x in pixels(box)}
    assert all(b.shape == (size, size) for b in blocks)
    if box:
        assert box.snap(size) == PixelBox(blocks[0].y0, blocks[0].x0, blocks[-1].y1, blocks[-1].x1)


def test_padding_grows_each_side_and_slices_count_from_the_outer_box():
    box = PixelBox(2, 3, 4, 7)
    assert box.pad(2) == PixelBox(0, 1, 6, 9)
    assert box.within(box.pad(2)) == (slice(2, 4), slice(2, 6))
    assert box.to_list() == [2, 3, 4, 7]


@quick
@given(st.integers(-(10**6), 10**6), steps, st.floats(0, 0.999))
def test_a_phase_does_not_depend_on_which_corner_it_is_taken_from(corner, step, share):
    phase = phase_of(share * step, step)
    again = phase_of(corner * step + share * step, step)
    off = abs(again - phase)
    assert 0 <= again < step
    assert min(off, step - off) < 1e-5 * step


def test_landsat_sits_half_a_pixel_off():
    lattice = Lattice.of_affine("EPSG:32616", Affine(30, 0, 452475, 0, -30, 4264335))
    assert (lattice.phase_y, lattice.phase_x) == (15, 15)
    assert lattice.affine_of(PixelBox(-142145, 15082, -142144, 15083)) == Affine(30, 0, 452475, 0, -30, 4264365)


@quick
@given(steps, st.booleans(), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.01, 50), st.floats(0.01, 50))
def test_boxes_of_bounds_hold_the_pixels_that_they_say(step, north_up, left, bottom, width, height):
    lattice = Lattice(None, -step if north_up else step, step, step / 4, step / 2)
    bounds = (left * step, bottom * step, (left + width) * step, (bottom + height) * step)
    near = 1e-5 * step
    covering = lattice.bounds(lattice.box_covering(bounds))
    assert covering[0] <= bounds[0] + near
    assert covering[1] <= bounds[1] + near
    assert covering[2] >= bounds[2] - near
    assert covering[3] >= bounds[3] - near
    assert all(abs(a - b) < step + near for a, b in zip(covering, bounds, strict=True))
    inside = lattice.box_inside(bounds)
    assert lattice.box_covering(bounds).covers(inside)
    if inside:
        half = (step / 2, step / 2, -step / 2, -step / 2)
        first = [a + h for a, h in zip(lattice.bounds(inside), half, strict=True)]
        assert first[0] >= bounds[0] - near
        assert first[1] >= bounds[1] - near
        assert first[2] <= bounds[2] + near
        assert first[3] <= bounds[3] + near


def test_bounds_on_a_pixel_edge_take_no_pixel_more():
    lattice = Lattice.at("EPSG:32618", 10)
    assert lattice.box_covering((100.0000001, 0, 120, 30)) == PixelBox(-3, 10, 0, 12)
    assert lattice.box_covering((99.9999999, -0.0000001, 120.0000001, 30.0000001)) == PixelBox(-3, 10, 0, 12)


@quick
@given(steps, st.booleans(), st.integers(-300, 300), st.integers(-300, 300), st.integers(0, 300), st.integers(0, 300))
def test_pixels_inside_bounds_are_all_those_whose_centre_is(step, north_up, left, bottom, width, height):
    """Bounds at tenths of a pixel, off the centres, so that the answer is plain."""
    lattice = Lattice(None, -step if north_up else step, step)
    edges = [(value / 10 + 0.03) * step for value in (left, bottom, left + width, bottom + height)]
    inside = lattice.box_inside(tuple(edges))
    for box in (inside, inside.pad(1)):
        for y in range(box.y0, box.y1):
            for x in range(box.x0, box.x1) if y in {box.y0, box.y1 - 1} else (box.x0, box.x1 - 1):
                cx, cy = (x + 0.5) * lattice.step_x, (y + 0.5) * lattice.step_y
                within = edges[0] <= cx < edges[2] and edges[1] <= cy < edges[3]
                assert within == inside.covers(PixelBox(y, x, y + 1, x + 1))


def test_boxes_of_bounds_agree_where_they_are_whole_pixels():
    lattice = Lattice.at("EPSG:32618", 10)
    assert lattice.bounds(PixelBox(-3, 10, 0, 12)) == (100, 0, 120, 30)


def test_a_geobox_has_the_lattice_s_pixels():
    box = PixelBox(-3, 10, 0, 12)
    geobox = Lattice.at("EPSG:32618", 10).geobox(box)
    assert geobox.shape == (3, 2)
    assert tuple(geobox.boundingbox) == (100, 0, 120, 30)
    assert geobox.crs.epsg == 32618


def test_pixels_of_a_photograph_run_down_from_zero():
    lattice = Lattice.of_pixels()
    assert lattice.crs is None
    assert lattice.affine == Affine.identity()
    assert lattice.resolution == 1


@pytest.mark.parametrize("step", [0, -1, math.nan, math.inf])
def test_a_pixel_without_a_size_is_refused(step):
    with pytest.raises(PlanError, match="no pixel") as caught:
        Lattice("EPSG:32618", -10, step)
    assert "--resolution" in caught.value.hint


def test_a_phase_beyond_a_pixel_and_a_rotated_image_are_refused():
    with pytest.raises(PlanError, match="phase 10"):
        Lattice("EPSG:32618", -10, 10, 10, 0)
    with pytest.raises(PlanError, match="rotated"):
        Lattice.of_affine("EPSG:32618", Affine.rotation(10))
