import gc
import weakref

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid
from geowatch.stitch.cover import Cover

LATTICE = Lattice("EPSG:32618", -10.0, 10.0)


def point(k):
    far = 4700 if k % 2 else 1800
    return 3000 + far * np.cos(k * np.pi / 7), 4000 + far * np.sin(k * np.pi / 7)


STAR = shapely.Polygon([point(k) for k in range(14)], [[(2900, 3900), (3600, 4000), (3100, 4700)]])
GRID = Grid("utm18n", LATTICE, 256, LATTICE.box_covering(STAR.bounds), STAR)


def test_a_pixel_belongs_to_the_region_when_its_centre_does():
    box = GRID.bounds
    mask = Cover(GRID).mask(box)
    xs = (np.arange(box.x0, box.x1) + 0.5) * 10
    ys = (np.arange(box.y0, box.y1) + 0.5) * -10
    expected = shapely.contains_xy(STAR, *np.meshgrid(xs, ys))
    assert np.array_equal(mask, expected)
    assert mask.any()
    assert not mask.all()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_who_asks_changes_no_pixel(data):
    whole = Cover(GRID).mask(GRID.bounds)
    y = sorted(data.draw(st.tuples(*[st.integers(GRID.bounds.y0, GRID.bounds.y1)] * 2)))
    x = sorted(data.draw(st.tuples(*[st.integers(GRID.bounds.x0, GRID.bounds.x1)] * 2)))
    part = PixelBox(y[0], x[0], y[1] + 1, x[1] + 1)
    inside = part & GRID.bounds
    mask = Cover(GRID).mask(part)
    assert np.array_equal(mask[inside.within(part)], whole[inside.within(GRID.bounds)])
    mask[inside.within(part)] = False
    assert not mask.any()


def test_what_is_kept_goes_with_the_cover():
    """Sweeps come one after the other: blocks that wait for a look for cycles would add up."""
    cover = Cover(GRID)
    cover.mask(GRID.bounds)
    gone = weakref.ref(cover)
    gc.disable()
    try:
        del cover
        assert gone() is None
    finally:
        gc.enable()
