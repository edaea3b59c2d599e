"""Kernels on numbers small enough to work out by hand, and the same bits however they are cut."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.geometry import Axes, SourceWindow
from geowatch.read.kernels import Kernel, resample
from geowatch.read.masks import any_overlap, hidden
from geowatch.read.plan import RESAMPLINGS

SOURCE = Affine(10.0, 0.0, 0.0, 0.0, -10.0, 0.0)


def run(pixels, step: float, shape: tuple[int, int], name: str, origin=(0.0, 0.0)):
    source = np.asarray(pixels, np.float32)
    axes = Axes.between(Affine(step, 0.0, origin[0], 0.0, -step, origin[1]), SOURCE, source.shape)
    kernel = Kernel(name, (min(1.0, 10 / step),) * 2)
    return resample(source, whole_window(source), axes, PixelBox(0, 0, *shape), kernel)


def whole_window(pixels: np.ndarray) -> SourceWindow:
    return SourceWindow(0, 0, *pixels.shape)


def test_doubling_a_row_gives_the_numbers_of_the_docstring():
    assert run([[10, 20]], 5.0, (1, 4), "bilinear")[0].tolist() == [10, 12.5, 17.5, 20]
    assert run([[10, 20]], 5.0, (1, 4), "nearest")[0].tolist() == [10, 10, 20, 20]


def test_halving_averages_areas():
    assert run([[1, 2, 3, 4], [5, 6, 7, 8]], 20.0, (1, 2), "average").tolist() == [[3.5, 5.5]]
    thirds = run([[1, 2, 4]], 15.0, (1, 2), "average")
    assert thirds[0].tolist() == pytest.approx([(1 + 2 / 2) / 1.5, (2 / 2 + 4) / 1.5])


@pytest.mark.parametrize("name", RESAMPLINGS)
@pytest.mark.parametrize("step", [4.0, 10.0, 23.0])
def test_a_constant_stays_constant_to_its_edges(name, step):
    found = run(np.full((60, 60), 7.0), step, (20, 20), name, origin=(3.0, -3.0))
    assert np.allclose(found, 7.0, rtol=1e-6)


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_equal_grids_copy(name):
    pixels = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)
    assert np.allclose(run(pixels, 10.0, (30, 30), name), pixels, atol=1e-6)


@pytest.mark.parametrize("name", ["nearest", "bilinear", "cubic", "lanczos"])
def test_validity_is_that_of_the_pixel_under_the_centre(name):
    pixels = np.ones((20, 20), np.float32)
    pixels[5, 7] = np.nan
    found = run(pixels, 5.0, (40, 40), name)
    assert np.argwhere(np.isnan(found)).tolist() == [[10, 14], [10, 15], [11, 14], [11, 15]]
    assert np.allclose(found[np.isfinite(found)], 1.0, rtol=1e-5)


def test_an_average_is_valid_where_any_of_its_pixels_is():
    pixels = np.full((4, 4), np.nan, np.float32)
    pixels[0, 0] = 3
    assert np.isnan(run(pixels, 20.0, (2, 2), "average")).tolist() == [[False, True], [True, True]]


@given(
    name=st.sampled_from(RESAMPLINGS),
    ratio=st.floats(0.3, 4),
    cut=st.tuples(st.integers(1, 59), st.integers(1, 59)),
    holes=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_box_has_the_bits_of_the_whole_whatever_holes_are_elsewhere(name, ratio, cut, holes):
    rng = np.random.default_rng(1)
    pixels = rng.uniform(1, 2, (160, 160)).astype(np.float32)
    if holes:
        pixels[rng.random(pixels.shape) < 0.002] = np.nan
    lattice = Lattice("EPSG:32618", -10 * ratio, 10 * ratio, 1.0, 1.0)
    source = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 4_200_000.0)
    axes = Axes.between(lattice.affine, source, pixels.shape)
    kernel = Kernel(name, (min(1.0, 1 / ratio),) * 2)
    y, x = round(4_200_000 / -10 / ratio) - 3, round(500_000 / 10 / ratio) - 3
    whole = PixelBox(y, x, y + 60, x + 60)
    part = PixelBox(y + cut[0] // 2, x + cut[1] // 2, y + cut[0], x + cut[1])
    found = []
    for box in (whole, part):
        window = axes.window(box, kernel.reach)
        rows, cols = window.box.within(whole_window(pixels).box)
        found.append(resample(pixels[rows, cols], window, axes, box, kernel))
    rows, cols = part.within(whole)
    assert found[1].tobytes() == np.ascontiguousarray(found[0][rows, cols]).tobytes()


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_a_hole_far_away_changes_no_bit(name):
    pixels = np.random.default_rng(2).uniform(1, 2, (90, 90)).astype(np.float32)
    full = run(pixels, 7.3, (100, 100), name)
    pixels[70:, 70:] = np.nan
    holed = run(pixels, 7.3, (100, 100), name)
    assert np.isnan(holed).any()
    assert full[:80, :80].tobytes() == holed[:80, :80].tobytes()


def spread(bad: np.ndarray, target: Affine, shape: tuple[int, int]) -> np.ndarray:
    axes = Axes.between(target, SOURCE, bad.shape)
    return any_overlap(bad, whole_window(bad), axes, PixelBox(0, 0, *shape))


def test_a_mask_spreads_to_every_pixel_that_it_overlaps():
    bad = np.zeros((4, 4), bool)
    bad[1, 1] = True
    shifted = spread(bad, Affine(10.0, 0.0, 5.0, 0.0, -10.0, -5.0), (3, 3))
    assert np.argwhere(shifted).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert spread(bad, Affine(5.0, 0, 0.0, 0, -5.0, 0.0), (8, 8)).sum() == 4
    beyond = spread(bad, Affine(10.0, 0, 20.0, 0, -10.0, 0.0), (4, 4))
    assert beyond[:, 2:].all()
    assert not beyond[:, :2].any()


def test_masks_hide_by_value_or_by_any_of_the_bits():
    raw = np.array([[0, 3, 8, 9]], np.uint8)
    assert hidden(raw, (8, 9), 0).tolist() == [[False, False, True, True]]
    assert hidden(raw, (), 0b1001).tolist() == [[False, True, True, True]]
    assert not hidden(raw, (), 0).any()
