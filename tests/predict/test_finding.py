"""Objects of windows on the lattice: each place is told of by one window, and turned windows tell the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import BackendError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice
from geowatch.package.box_head import BoxesSpec
from geowatch.predict.augment import transforms_of
from geowatch.predict.finding import Finder, cell_of, kept, margin_of
from geowatch.predict.recipe import BoxesPin
from geowatch.sites.detections import Detections
from geowatch.sites.suppression import suppressed

HEAD = BoxesSpec(name="spots", boxes="b", scores="s", classes=("spot",), min_score=0.3)
PIN = BoxesPin(name="spots", classes=("spot",), min_score=0.3, max_overlap=0.5, margin_px=0)


@st.composite
def lattices(draw) -> WindowLattice:
    size = draw(st.tuples(st.integers(8, 40), st.integers(8, 40)))
    return WindowLattice(size, (draw(st.integers(5, size[0])), draw(st.integers(5, size[1]))))


@settings(deadline=None, max_examples=60)
@given(lattices(), st.integers(-200, 200), st.integers(-200, 200))
def test_each_pixel_lies_in_the_cell_of_one_window(windows, y, x):
    pixel = PixelBox(y, x, y + 1, x + 1)
    down, right = windows.touching(pixel)
    telling = [(ky, kx) for ky in down for kx in right if cell_of(windows, ky, kx).covers(pixel)]
    assert len(telling) == 1
    wide = cell_of(windows, *telling[0], margin_of(windows))
    assert windows.box(*telling[0]).covers(wide)


def raw(corners: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    return {"spots.boxes": corners.astype(np.float32), "spots.scores": scores.astype(np.float32)}


def shown(objects: np.ndarray, windows: WindowLattice, place: tuple[int, int], most: int = 40) -> np.ndarray:
    """What a faithful detector says of the objects whose middle it sees: x0, y0, x1, y1 in the window."""
    box = windows.box(*place)
    y, x = objects[:, [0, 2]].mean(1), objects[:, [1, 3]].mean(1)
    here = objects[(y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1)]
    out = np.zeros((1, most, 4))
    out[0, : len(here)] = (here - [box.y0, box.x0] * 2)[:, [1, 0, 3, 2]]
    return out


@settings(deadline=None, max_examples=60)
@given(lattices(), st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_each_object_is_found_once_whatever_windows_see_it(windows, seed, margin):
    rng = np.random.default_rng(seed)
    middle = rng.integers(-160, 160, (12, 2)) / 8
    middle = middle[np.unique(np.round(middle / 6), axis=0, return_index=True)[1]]
    objects = np.concatenate([middle - 1, middle + 1], axis=1)
    margin = min(margin, margin_of(windows))
    finder = Finder((HEAD,), (PIN.model_copy(update={"margin_px": margin}),), windows)
    area = PixelBox(-24, -24, 24, 24)
    down, right = windows.touching(area)
    found = []
    for place in ((ky, kx) for ky in down for kx in right):
        said = shown(objects, windows, place)
        answer = finder.answer(raw(said, (said[..., 2] > said[..., 0]) * 0.9), transforms_of(())[0])
        found.append(finder.join([answer], [place])[0][0])
    told = Detections.joined(found)
    once = suppressed(told, 0.9)
    corners = np.stack([once.y0, once.x0, once.y1, once.x1], 1) / 16
    assert sorted(map(tuple, corners.tolist())) == sorted(map(tuple, objects.tolist()))
    if margin == 0:
        assert len(told) == len(objects)


@pytest.mark.parametrize("names", [("d4",), ("hflip",), ("rot90",), ("scale:0.5",), ("d4", "scale:2")])
def test_turned_windows_tell_of_the_same_boxes(names):
    windows = (
        WindowLattice((16, 24), (16, 24))
        if "d4" not in names and "rot90" not in names
        else WindowLattice((16, 16), (16, 16))
    )
    height, width = windows.size
    box = np.array([2.0, 3.0, 5.0, 9.0])  # y0, x0, y1, x1
    image = np.zeros((1, 1, height, width), np.float32)
    image[0, 0, 2:5, 3:9] = 1.0
    finder = Finder((HEAD,), (PIN,), windows)
    for transform in transforms_of(names):
        size = transform.size(windows.size, 1)
        scaled = np.kron(image, np.ones((1, 1, 2, 2))) if transform.scale == 2 else image
        scaled = image[:, :, ::2, ::2] if transform.scale == 0.5 else scaled
        y, x = np.nonzero(transform.turn.apply(scaled)[0, 0])
        seen = np.array([[[x.min(), y.min(), x.max() + 1, y.max() + 1]]], float)
        assert scaled.shape[2:] in {size, size[::-1]}
        (found,) = finder.answer(raw(seen, np.array([[0.9]])), transform)[0]
        assert np.abs(found.corners[0] - box).max() <= (0 if transform.scale != 0.5 else 1)


def test_boxes_at_the_border_of_their_window_are_marked():
    finder = Finder((HEAD,), (PIN,), WindowLattice((20, 20), (20, 20)))
    said = np.array([[[4, 4, 8, 8], [0.5, 9, 6, 12], [12, 10, 20, 14.0]]])
    answer = finder.answer(raw(said, np.full((1, 3), 0.9)), transforms_of(())[0])
    ((found,),) = finder.join([answer], [(1, 2)])
    assert sorted(zip((found.x0 // 16).tolist(), found.cut.tolist(), strict=True)) == [(40, 1), (44, 0), (52, 1)]


def test_the_best_of_several_looks_at_a_window_stays():
    finder = Finder((HEAD,), (PIN,), WindowLattice((20, 20), (20, 20)))
    looks = [
        finder.answer(raw(np.array([[[4, 4, 8, 8.0]]]), np.array([[score]])), transforms_of(())[0])
        for score in (0.4, 0.8, 0.1)
    ]
    ((found,),) = finder.join(looks, [(0, 0)])
    assert (found.score / 32768).round(2).tolist() == [0.8]


def test_numbers_that_are_no_pixels_are_told():
    finder = Finder((HEAD,), (PIN,), WindowLattice((20, 20), (20, 20)))
    answer = finder.answer(raw(np.array([[[0, 0, 9000, 9000.0]]]), np.array([[0.9]])), transforms_of(())[0])
    with pytest.raises(BackendError, match="more than 320 px away from window"):
        finder.join([answer], [(0, 0)])
    with pytest.raises(BackendError, match="no numbers"):
        finder.answer(raw(np.array([[[0, 0, np.nan, 9]]]), np.array([[0.9]])), transforms_of(())[0])
    with pytest.raises(BackendError, match="no numbers"):
        finder.answer(raw(np.zeros((1, 1, 4)), np.array([[np.nan]])), transforms_of(())[0])


def test_boxes_on_pixels_that_are_not_kept_are_dropped():
    found = Detections.of(np.array([[0, 0, 2, 2], [0, 4, 2, 6], [0, 90, 2, 92.0]]), np.zeros(3, int), np.ones(3))
    keep = np.ones((8, 8), bool)
    keep[1, 5] = False
    assert (kept(found, keep, PixelBox(0, 0, 8, 8)).x0 // 16).tolist() == [0]
