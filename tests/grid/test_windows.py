"""The window lattice: windows stand at fixed places, whatever the region."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice, overlap_px

quick = settings(max_examples=60, deadline=None)


@st.composite
def lattices(draw):
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    stride = draw(st.tuples(st.integers(1, size[0]), st.integers(1, size[1])))
    return WindowLattice(size, stride)


@st.composite
def boxes(draw):
    y, x = draw(st.integers(-40, 40)), draw(st.integers(-40, 40))
    return PixelBox(y, x, y + draw(st.integers(0, 25)), x + draw(st.integers(0, 25)))


@quick
@given(lattices(), boxes())
def test_touching_windows_are_those_that_share_a_pixel(windows, box):
    rows, cols = windows.touching(box)
    span = range(-60, 80)
    assert [k for k in span if windows.box(k, 0).y1 > box.y0 and windows.box(k, 0).y0 < box.y1 and box] == list(rows)
    assert [k for k in span if windows.box(0, k).x1 > box.x0 and windows.box(0, k).x0 < box.x1 and box] == list(cols)
    assert windows.count(box) == len(rows) * len(cols)


@quick
@given(lattices(), boxes(), boxes())
def test_a_larger_box_is_touched_by_the_same_windows_and_more(windows, small, other):
    for here, there in zip(windows.touching(small), windows.touching(small | other), strict=True):
        assert set(here) <= set(there) or not small


@quick
@given(lattices(), boxes())
def test_each_pixel_of_a_box_is_seen_and_the_hull_holds_all_windows(windows, box):
    rows, cols = windows.touching(box)
    seen = PixelBox(0, 0, 0, 0)
    for ky in rows:
        for kx in cols:
            seen |= windows.box(ky, kx)
    assert windows.hull(box) == seen
    assert windows.hull(box).covers(box)


def test_redundancy_is_pixels_computed_for_each_pixel():
    assert WindowLattice.of((256, 256), 0.25).redundancy == pytest.approx((256 / 192) ** 2)
    assert WindowLattice.of((256, 256), 0).redundancy == 1


@pytest.mark.parametrize(("overlap", "px"), [(0, 0), (64, 64), (0.25, 64), (0.001, 0), (255, 255)])
def test_overlap_is_pixels_or_a_share(overlap, px):
    assert overlap_px(overlap, 256) == px
    assert WindowLattice.of((256, 128), 0.5).stride == (128, 64)


@pytest.mark.parametrize("overlap", [-1, 256, 0.999])
def test_an_overlap_that_leaves_no_step_is_refused(overlap):
    with pytest.raises(ConfigError, match="overlap"):
        overlap_px(overlap, 256)


@pytest.mark.parametrize("stride", [(0, 1), (1, 5)])
def test_windows_that_leave_gaps_are_refused(stride):
    with pytest.raises(ConfigError, match="gaps"):
        WindowLattice((4, 4), stride)
