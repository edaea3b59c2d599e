"""Space: the declared halo is enough for the same bits in any crop; nothing is invented where nothing was seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.outlines import edges_of
from geowatch.track.scores import NONE
from geowatch.track.spacewise import closed, dilated, halo_of_smoothing, opened, smoothed


def scores(seed: int, shape: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, FULL_SCORE + 1, shape).astype(np.uint16)
    values[ndimage.gaussian_filter(rng.random(shape), 1) < 0.45] = NONE
    return values


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.floats(0.1, 4))
def test_smoothing_a_crop_with_its_halo_gives_the_bits_of_the_whole(seed, sigma):
    whole, halo = scores(seed, (50, 60)), halo_of_smoothing(sigma)
    expected = smoothed(whole, sigma)
    padded = np.pad(whole, halo, constant_values=NONE)
    crop = smoothed(padded[7 : 30 + 2 * halo, 9 : 33 + 2 * halo], sigma)
    assert np.array_equal(crop[halo : crop.shape[0] - halo, halo : crop.shape[1] - halo], expected[7:30, 9:33])


def test_smoothing_is_a_gaussian_mean_of_what_was_seen():
    values = scores(5, (80, 90))
    seen = values != NONE
    found = smoothed(values, 2.0)
    total = ndimage.gaussian_filter(np.where(seen, values, 0).astype(float), 2.0, mode="constant", truncate=3)
    weight = ndimage.gaussian_filter(seen.astype(float), 2.0, mode="constant", truncate=3)
    assert np.array_equal(found == NONE, ~seen)
    assert np.abs(found[seen] - (total / weight)[seen]).max() < 0.002 * FULL_SCORE
    assert smoothed(values, 0) is values


@pytest.mark.parametrize("radius", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [dilated, opened, closed])
def test_morphology_with_its_halo_is_that_of_the_whole(radius, shape):
    mask = ndimage.gaussian_filter(np.random.default_rng(radius).random((70, 80)), 1.5) > 0.5
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= (radius + 0.5) ** 2
    plain = {dilated: ndimage.binary_dilation, opened: ndimage.binary_opening, closed: ndimage.binary_closing}[shape]
    halo = 2 * radius
    padded = np.pad(mask, halo)
    expected = plain(np.pad(mask, 2 * halo), disc)[2 * halo : -2 * halo, 2 * halo : -2 * halo]
    assert np.array_equal(shape(padded, radius)[halo:-halo, halo:-halo], expected)
    crop = shape(padded[5 : 40 + 2 * halo, 3 : 50 + 2 * halo], radius)
    assert np.array_equal(crop[halo:-halo, halo:-halo], expected[5:40, 3:50])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999))
def test_an_outline_has_an_edge_wherever_a_pixel_meets_one_outside(seed):
    rng = np.random.default_rng(seed)
    margin = rng.integers(-200, 200, (14, 17)).astype(np.int32)
    mask = margin >= 0
    found = edges_of(mask, margin, (100, 200))
    steps = {0: (-1, 0), 1: (0, 1), 2: (1, 0), 3: (0, -1)}
    expected = {}
    for y, x in np.argwhere(mask[1:-1, 1:-1]).tolist():
        for side, (dy, dx) in steps.items():
            inside, outside = int(margin[y + 1, x + 1]), int(margin[y + 1 + dy, x + 1 + dx])
            if outside < 0:
                expected[y + 100, x + 200, side] = round(65535 * inside / (inside - outside))
    columns = (found.y.tolist(), found.x.tolist(), found.side.tolist())
    got = dict(zip(zip(*columns, strict=True), found.share.tolist(), strict=True))
    assert got.keys() == expected.keys()
    assert all(abs(got[key] - expected[key]) <= 1 for key in got)
    assert list(zip(*columns, strict=True)) == sorted(got)
