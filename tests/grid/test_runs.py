"""Runs against rasters: what is said of runs is what scipy says of the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from geowatch.grid.lattice import PixelBox
from geowatch.grid.runs import (
    Runs,
    at_sides,
    components,
    contacts,
    mask_of,
    overlaps,
    pieces,
    pixels,
    runs_of,
    seam_contacts,
)

STRUCTURE = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3))}
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
connectivities = st.sampled_from([4, 8])
#: No deadline: the machine may be busy.
calm = settings(deadline=None)
origins = st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000))


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels numbered anew, from 0 in the order in which they first stand."""
    return np.array([list(dict.fromkeys(labels.tolist())).index(label) for label in labels.tolist()])


@calm
@given(masks, origins)
def test_a_mask_comes_back_from_its_runs(mask, origin):
    y, x = origin
    box = PixelBox(y, x, y + mask.shape[0], x + mask.shape[1])
    runs = runs_of(mask, y, x)
    assert np.array_equal(mask_of(runs, box), mask)
    assert np.array_equal(pixels(runs, box), np.flatnonzero(mask))
    assert int(runs.lengths.sum()) == mask.sum()


@calm
@given(masks, origins, connectivities)
def test_pieces_are_those_of_a_labelled_raster_in_order_of_their_first_pixel(mask, origin, connectivity):
    runs = runs_of(mask, *origin)
    labels = pieces(runs, connectivity)
    image = np.zeros(mask.shape, int)
    image.reshape(-1)[np.flatnonzero(mask)] = np.repeat(labels, runs.lengths) + 1
    expected, count = ndimage.label(mask, STRUCTURE[connectivity])
    assert len(np.unique(labels)) == count
    assert np.array_equal(image > 0, expected > 0)
    assert np.array_equal(numbered(expected[mask]), image[mask] - 1)


@calm
@given(masks, st.data())
def test_runs_of_two_planes_share_the_pixels_that_both_have(mask, data):
    other = data.draw(arrays(bool, mask.shape))
    i, j, px = overlaps(runs_of(mask), runs_of(other))
    assert px.sum() == (mask & other).sum()
    assert (px > 0).all()
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(i)


@calm
@given(masks, connectivities, st.integers(1, 5), st.integers(1, 5))
def test_pieces_of_tiles_join_across_seams_to_those_of_the_whole(mask, connectivity, rows, columns):
    height, width = mask.shape
    boxes = [
        PixelBox(y, x, min(y + rows, height), min(x + columns, width))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]
    found, owners, count = [], [], 0
    for box in boxes:
        runs = runs_of(mask[box.y0 : box.y1, box.x0 : box.x1], box.y0, box.x0)
        found.append(runs)
        owners.append(pieces(runs, connectivity).astype(np.int64) + count)
        count += len(np.unique(owners[-1]))
    runs, owner = Runs.join(found), np.concatenate(owners)
    seams = np.concatenate([at_sides(each, box) for each, box in zip(found, boxes, strict=True)])
    joined = components(count, *seam_contacts(runs[seams], owner[seams], connectivity))
    image = np.zeros(mask.shape, int)
    for y, x0, x1, label in zip(runs.y, runs.x0, runs.x1, joined[owner], strict=True):
        image[y, x0:x1] = label + 1
    assert np.array_equal(numbered(ndimage.label(mask, STRUCTURE[connectivity])[0][mask]), numbered(image[mask]))


def test_corners_touch_only_where_eight_neighbours_count():
    corner = runs_of(np.array([[1, 0], [0, 1]], bool))
    assert len(contacts(corner, 4)[0]) == 0
    assert len(contacts(corner, 8)[0]) == 1


@pytest.mark.parametrize("call", [pieces, lambda r: overlaps(r, r)[2]])
def test_no_runs_give_nothing(call):
    assert len(call(runs_of(np.zeros((3, 4), bool)))) == 0
    assert len(call(Runs.join([]))) == 0


def test_runs_of_a_million_pixels_take_little_time_per_run():
    mask = np.random.default_rng(1).random((1000, 1000)) < 0.4
    labels = pieces(runs_of(mask), 8)
    assert labels.max() + 1 == ndimage.label(mask, STRUCTURE[8])[1]
