"""Strips slide, mirror and mask; the reader here is a stand-in that holds its pixels in memory."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.grid.lattice import PixelBox
from geowatch.grid.windows import WindowLattice
from geowatch.package.manifest import InputSpec
from geowatch.predict.strips import Look, Strips, View, overlap
from geowatch.read.reader import Patch

EXTENT = PixelBox(10, -20, 53, 25)
SPEC = InputSpec(name="x", tensor="x", bands=("red", "nir"), mean=(0.5, 0.5), std=(0.5, 0.5))


class HeldInMemory:
    """A stand-in for a frame's reader."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.values = rng.random((2, *EXTENT.shape), np.float32)
        self.valid = rng.random(EXTENT.shape) < 0.9
        self.rows_read = 0

    def read(self, box, out=None):
        assert EXTENT.covers(box)
        self.rows_read += box.height
        rows, cols = box.within(EXTENT)
        found = Patch(self.values[:, rows, cols].copy(), self.valid[rows, cols].copy())
        if out is None:
            return found
        out.values[:], out.valid[:] = found.values, found.valid
        return out


def everywhere(box):
    return np.ones(box.shape, bool)


def expected(reader, box, reach=80):
    """Prepare all pixels with NumPy's own padding, then crop."""
    pad = [(reach, reach), (reach, reach)]
    values = np.pad(reader.values, [(0, 0), *pad], mode="symmetric")
    valid = np.pad(reader.valid, pad, mode="symmetric")
    prepared = np.where(valid, (values - np.float32(0.5)) / np.float32(0.5), np.float32(0))
    keep = np.pad(reader.valid, pad, constant_values=False)
    whole = EXTENT.pad(reach)
    rows, cols = box.within(whole)
    return prepared[:, rows, cols], keep[rows, cols]


@settings(max_examples=40, deadline=None)
@given(size=st.integers(2, 20), data=st.data())
def test_strips_show_the_imagery_and_its_mirror_image_masked_pixels_at_the_mean(size, data):
    stride = data.draw(st.integers(1, size))
    windows = WindowLattice((size, size), (stride, stride))
    down, right = windows.touching(EXTENT)
    reader = HeldInMemory()
    strips = Strips(Look((reader,), ("red", "nir"), (SPEC,), EXTENT), windows, right, everywhere)
    for ky in down:
        strip = strips.row(ky)
        assert strip.box == windows.box(ky, right[0]) | windows.box(ky, right[-1])
        prepared, keep = expected(reader, strip.box)
        assert np.array_equal(strip.inputs[0], prepared)
        assert np.array_equal(strip.keep, keep)


def test_each_row_is_read_once_but_at_the_edges():
    windows = WindowLattice((8, 8), (6, 6))
    down, right = windows.touching(EXTENT)
    reader = HeldInMemory()
    strips = Strips(Look((reader,), ("red", "nir"), (SPEC,), EXTENT), windows, right, everywhere)
    for ky in down:
        strips.row(ky)
    assert reader.rows_read <= EXTENT.height + 2 * 8


def test_a_pixel_is_kept_where_all_dates_see_it_and_the_region_holds_it():
    windows = WindowLattice((8, 8), (8, 8))
    first, second = HeldInMemory(1), HeldInMemory(2)
    specs = (SPEC, SPEC.model_copy(update={"name": "y", "tensor": "y", "date": 1}))
    look = Look((first, second), ("red", "nir"), specs, EXTENT)

    def left_half(box):
        return np.broadcast_to(np.arange(box.x0, box.x1) < 0, box.shape)

    strip = Strips(look, windows, range(-2, 3), left_half).row(2)
    rows, cols = strip.box.within(EXTENT)
    both = first.valid[rows, cols] & second.valid[rows, cols]
    assert np.array_equal(strip.keep, both & left_half(strip.box))
    assert not np.array_equal(strip.inputs[0], strip.inputs[1])


def test_extents_overlap_in_what_all_share():
    assert overlap([EXTENT, PixelBox(0, 0, 20, 99)]) == PixelBox(10, 0, 20, 25)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 20), data=st.data())
def test_windows_cut_from_a_strip_are_the_strip_s_own_pixels(size, data):
    windows = WindowLattice((size, size), (data.draw(st.integers(1, size)),) * 2)
    down, right = windows.touching(EXTENT)
    strips = Strips(Look((HeldInMemory(),), ("red", "nir"), (SPEC,), EXTENT), windows, right, everywhere)
    for ky in down:
        strip = strips.row(ky)
        whole, keep = strip.inputs[0], strip.keep
        kept = []
        for kx in right:
            x = windows.box(ky, kx).x0 - strip.box.x0
            window = np.empty((2, size, size), np.float32)
            strip.cut(0, x, window)
            assert np.array_equal(window, whole[:, :, x : x + size])
            kept += [kx] if keep[:, x : x + size].any() else []
        assert strip.kept(right, windows) == tuple(kept)
        y = data.draw(st.integers(0, size))
        assert np.array_equal(strip.keep_above(strip.box.y0 + y), keep[:y])


class Planned(HeldInMemory):
    """The same with a plan, as readers of files have one."""

    class plan:  # noqa: N801 - a stand-in for FramePlan
        extent, bands = EXTENT, ("red", "nir")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_plane_sees_the_same_alone_and_beside_others(data):
    windows = WindowLattice((9, 9), (6, 6))
    down, right = windows.touching(EXTENT)
    specs = tuple(SPEC.model_copy(update={"name": f"x{d}", "date": d}) for d in range(2))
    slots = st.tuples(*[st.sampled_from([None, 0, 1, 2])] * 2).filter(any_frame)
    views = [View(data.draw(slots), EXTENT, data.draw(st.sampled_from(["any", "all"]))) for _ in range(3)]

    def strips_of(views):
        readers = tuple(Planned(seed) for seed in range(3))
        return readers, Strips(Look(readers, ("red", "nir"), specs, EXTENT, tuple(views)), windows, right, everywhere)

    readers, together = strips_of(views)
    alone = [strips_of([view])[1] for view in views]
    for ky in down:
        for view, mine, single in zip(views, together.rows(ky), alone, strict=True):
            other = single.row(ky)
            assert all(np.array_equal(a, b) for a, b in zip(mine.inputs, other.inputs, strict=True))
            assert np.array_equal(mine.keep, other.keep)
            for place, shown in zip(view.slots, mine.inputs, strict=True):
                assert place is not None or (shown == SPEC.fill).all()
    # However many planes see a frame, its rows are read once (those above the extent are mirrored from within it).
    rows = [reader.rows_read for number, reader in enumerate(readers) if any(number in v.slots for v in views)]
    assert max(rows) <= EXTENT.height + 2 * 9


def any_frame(slots):
    return any(slot is not None for slot in slots)
