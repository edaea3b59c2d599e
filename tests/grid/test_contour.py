"""Sub-pixel outlines run between the centres of pixels, and are valid whatever the shares are."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.areas import unite
from geowatch.grid.contour import Edges
from geowatch.grid.lattice import Lattice
from geowatch.grid.trace import trace
from geowatch.grid.wkb import outlines_of

PIXELS = Lattice("EPSG:32618", -1.0, 1.0)
AWAY = {0: (-1, 0), 1: (0, 1), 2: (1, 0), 3: (0, -1)}


def edges_of(mask: np.ndarray, share) -> Edges:
    """Return every edge of a mask; ``share`` gives the place of the threshold from (y, x, side)."""
    height, width = mask.shape
    found = [
        (0, y, x, side, share(y, x, side))
        for y, x in np.argwhere(mask).tolist()
        for side, (down, right) in AWAY.items()
        if not (0 <= y + down < height and 0 <= x + right < width and mask[y + down, x + right])
    ]
    owner, y, x, side, at = np.array(found, dtype=np.int64).reshape(-1, 5).T
    return Edges(owner, y, x, side.astype(np.uint8), at.astype(np.uint16))


def drawn(mask: np.ndarray, edges: Edges) -> shapely.Geometry:
    y, x = np.nonzero(mask)
    areas = unite(np.zeros(len(y), int), y, x, x + 1)
    (content,) = outlines_of(trace(areas), PIXELS, edges).to_wkb().to_list()
    return shapely.from_wkb(content)


masks = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda shape: (
        st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
        .filter(any)
        .map(lambda flat: np.array(flat).reshape(shape))
    )
)


@settings(max_examples=200, deadline=None)
@given(masks, st.integers(0, 1000), st.sampled_from([(0, 65536), (0, 1), (65535, 65536), (0, 65536)]))
def test_outlines_are_valid_and_separate_centres_within_from_those_beyond(mask, seed, span):
    rng = np.random.default_rng(seed)
    outline = drawn(mask, edges_of(mask, lambda *_: rng.integers(*span)))
    assert shapely.is_valid(outline), shapely.is_valid_reason(outline)
    y, x = np.mgrid[-1 : mask.shape[0] + 1, -1 : mask.shape[1] + 1]
    inside = shapely.contains_xy(outline, x + 0.5, -y - 0.5)
    assert np.array_equal(inside, np.pad(mask, 1))


def test_a_threshold_half_way_lies_on_the_pixels_edge():
    mask = np.ones((2, 3), bool)
    outline = drawn(mask, Edges(*(np.zeros(0, np.int64) for _ in range(5))))
    assert sorted(outline.exterior.coords[:-1]) == sorted(
        [(0.5, 0), (2.5, 0), (3, -0.5), (3, -1.5), (2.5, -2), (0.5, -2), (0, -1.5), (0, -0.5)]
    )


def test_a_circle_is_drawn_closer_than_by_pixels():
    y, x = np.mgrid[0:40, 0:40] + 0.5
    height = 15 - np.hypot(y - 20, x - 20)

    def share(row, column, side):
        down, right = AWAY[side]
        here, there = height[row, column], height[row + down, column + right]
        return round(65535 * here / (here - there))

    outline = drawn(height >= 0, edges_of(height >= 0, share))
    circle = shapely.Point(20, -20).buffer(15, 256)
    assert shapely.hausdorff_distance(outline, circle) < 0.06
    assert abs(outline.area / circle.area - 1) < 0.003


def test_of_several_thresholds_the_outermost_is_drawn():
    # A site that changes over time has an edge for each of its outlines.
    for shares in ((1000, 60000), (60000, 1000)):
        column = np.zeros(2, np.int64)
        edges = Edges(column, column, column, np.full(2, 1, np.uint8), np.array(shares, np.uint16))
        assert drawn(np.ones((1, 1), bool), edges).bounds[2] == 0.5 + (2 * 60000 + 1) / (1 << 17)
