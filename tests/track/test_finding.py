"""Pieces of tiles put together are those of the whole raster, and those of a plain reference."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from support.consolidated import blinks
from support.tracked import BYTES, ArrayPlanes, put_together, track_tiles

from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import AGGREGATED, FULL_SCORE, Fragment
from geowatch.track.finding import find
from geowatch.track.scores import NONE, Scale
from geowatch.track.search import Search
from geowatch.track.timewise import Aggregate, MovingMean

calm = settings(deadline=None, max_examples=60)


def blobs(seed: int, shape: tuple[int, int, int, int], scale: Scale = BYTES) -> np.ndarray:
    """Return smooth random planes (T, K, H, W) with holes in them, different ones at each date."""
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.random(shape), (0.4, 0, 1.2, 1.2), mode="wrap")
    rough = (rough - rough.min()) / max(1e-9, float(np.ptp(rough)))
    stored = np.rint(rough * scale.top).astype(scale.stored)
    hidden = ndimage.gaussian_filter(rng.random((shape[0], *shape[2:])), (0, 1, 1)) < 0.44
    stored[np.broadcast_to(hidden[:, None], shape)] = scale.fill
    return stored


@st.composite
def searches(draw, times: int, classes: int):
    mode = draw(st.sampled_from(["footprint", "linked", "polygons"]))
    low = draw(st.integers(0, 60)) * FULL_SCORE // 100
    wanted = draw(st.sets(st.integers(0, classes - 1), min_size=1))
    return Search(
        mode=mode,
        salient=tuple(sorted(wanted)),
        planes=tuple(sorted(draw(st.sets(st.integers(0, times - 1), min_size=1)))),
        days=(),
        low=low,
        high=low + draw(st.integers(0, 30)) * FULL_SCORE // 100,
        aggregate=Aggregate.parse(draw(st.sampled_from(["mean", "max", "median", "norm:2", "norm:5"]))),
        smooth_time=draw(st.sampled_from([None, None, MovingMean(2, False), MovingMean(20, True)])),
        smooth_px=draw(st.sampled_from([0.0, 0.0, 0.7, 1.0])),
        open_px=draw(st.sampled_from([0, 0, 1, 2])),
        close_px=draw(st.sampled_from([0, 0, 1, 2])),
        connectivity=draw(st.sampled_from([4, 8])),
        subpixel=draw(st.booleans()),
        coarse=draw(st.sampled_from([1, 1, 2, 5])),
        split_days=draw(st.sampled_from([None, 4, 10])) if mode == "footprint" else None,
        link_days=draw(st.sampled_from([None, 9, 20])) if mode == "linked" else None,
    )


@st.composite
def jobs(draw, tallest=26):
    times, classes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    height, width = draw(st.integers(1, tallest)), draw(st.integers(1, 26))
    y, x = draw(st.integers(-40, 40)), draw(st.integers(-40, 40))
    search = draw(searches(times, classes))
    days = tuple(int(9 * plane) for plane in search.planes)
    stored = blobs(draw(st.integers(0, 10_000)), (times, classes, height, width))
    planes = ArrayPlanes(stored, PixelBox(y, x, y + height, x + width))
    return replace(search, days=days), planes


@settings(calm, max_examples=150)
@given(jobs(), st.integers(3, 14), st.sampled_from([1, 5000, 1 << 20]))
def test_pieces_of_tiles_put_together_are_those_of_the_whole_raster(job, tile_px, stack_bytes):
    search, planes = job
    weak = search.mode != "footprint"
    whole, tiled = (
        put_together(found, search.connectivity, weak=weak, split_days=search.split_days)
        for found in (
            track_tiles(search, planes, 1 << 12),
            track_tiles(search, planes, tile_px, stack_bytes=stack_bytes),
        )
    )
    assert tiled == whole


@calm
@given(jobs(tallest=90))
def test_strips_of_a_tile_change_no_byte(job):
    search, planes = job
    one, strips = (find(search, planes, Tile("g", 0, 0), planes.box, stack_bytes=most) for most in (1 << 30, 1))
    assert strips.to_bytes() == one.to_bytes()
    assert Fragment.from_bytes(one.to_bytes()) == one


@calm
@given(jobs())
def test_pieces_are_those_of_a_plain_reference(job):
    search, planes = job
    search = replace(search, coarse=1, smooth_px=0.0, subpixel=False, split_days=None)
    weak = search.mode != "footprint"
    found, _ = put_together(track_tiles(search, planes, 1 << 12), search.connectivity, weak=weak)
    expected = set()
    for (plane, kind), (mask, scores) in reference(search, planes).items():
        structure = np.ones((3, 3)) if search.connectivity == 8 else None
        labels, count = ndimage.label(mask, structure)
        for label in range(1, count + 1):
            at = labels == label
            where = {(y + planes.box.y0, x + planes.box.x0) for y, x in np.argwhere(at).tolist()}
            strong = int((scores[at] >= search.high).sum())
            if not strong and not weak:
                continue
            expected.add((plane, kind, frozenset(where), strong, int(scores[at].sum()), int(scores[at].max())))
    assert {(c.plane, c.kind, c.pixels, c.strong_px, c.score_sum, c.peak) for c in found} == expected


@calm
@given(jobs(), st.integers(3, 14), st.integers(0, 10_000), st.sampled_from([None, 8, 9, 18, 27]))
def test_links_are_those_of_pixels_that_remember_one_by_one(job, tile_px, seed, link_days):
    search, planes = job
    search = replace(search, mode="linked", coarse=1, smooth_px=0.0, link_days=link_days)
    if seed % 3:
        planes = ArrayPlanes(blinks(seed, (6, *planes.stored.shape[1:])), planes.box)
        search = replace(search, planes=(0, 1, 2, 4, 5), days=(0, 9, 18, 36, 45), low=16384, high=16384)
    found, links = put_together(track_tiles(search, planes, tile_px), search.connectivity)
    hidden = {plane: ~known for (plane, _), (_, _, known) in with_known(search, planes).items()}
    expected: dict = {}
    for y in range(planes.box.y0, planes.box.y1):
        for x in range(planes.box.x0, planes.box.x1):
            at = {each.plane: each for each in found if (y, x) in each.pixels}
            last, seen = None, False
            for plane, day in zip(search.planes, search.days, strict=True):
                now = at.get(plane)
                if now is None:
                    seen |= not hidden[plane][y - planes.box.y0, x - planes.box.x0]
                    continue
                near = last is not None and search.link_days is not None and day - last[1] <= search.link_days
                if last is not None and (near or not seen):
                    before = expected.get((last[0], now), (0, 0))
                    expected[last[0], now] = before[0] + (not seen), before[1] + seen
                last, seen = (now, day), False
    assert links == expected


def with_known(search: Search, planes: ArrayPlanes) -> dict:
    """Return masks, scores, and where there are any."""
    return {key: (mask, scores, scores != NONE) for key, (mask, scores) in reference(search, planes).items()}


def reference(search: Search, planes: ArrayPlanes) -> dict:
    """Do the same pixel by pixel, with fractions."""
    stored = planes.stored[list(search.planes)]
    if search.mode == "polygons":
        return _reference_classes(search, stored)
    stack = [[_salience(stored[t][:, y, x], search.salient) for t in range(len(stored))] for y, x in _places(stored)]
    stack = [_smoothed(search, series) for series in stack]
    height, width = stored.shape[2:]
    layers = {}
    if search.mode == "footprint":
        values = np.array([_aggregated(search, series) for series in stack]).reshape(height, width)
        layers[AGGREGATED, 0] = values
    else:
        for t, plane in enumerate(search.planes):
            layers[plane, 0] = np.array([series[t] for series in stack]).reshape(height, width)
    return {key: (_shaped(search, (v >= search.low) & (v != NONE), v != NONE), v) for key, v in layers.items()}


def _reference_classes(search: Search, stored: np.ndarray) -> dict:
    count, classes, height, width = stored.shape
    fields = np.array(
        [
            [
                _smoothed(search, [_salience(stored[t][k : k + 1, y, x], (0,)) for t in range(count)])
                for y, x in _places(stored)
            ]
            for k in range(classes)
        ]
    )
    fields = np.moveaxis(fields.reshape(classes, height, width, count), -1, 0)
    layers = {}
    for t, plane in enumerate(search.planes):
        none = fields[t][0] == NONE
        best = np.where(none, -1, np.argmax(fields[t], axis=0))
        chosen = np.where(np.isin(best, search.salient), best, -1)
        for y, x in np.argwhere(chosen >= 0).tolist():
            if fields[t][chosen[y, x], y, x] < search.low:
                chosen[y, x] = -1
        free = (chosen < 0) & ~none
        for kind in search.salient:
            mask = _shaped(search, chosen == kind, ~none) & ((chosen == kind) | free)
            free &= ~mask
            layers[plane, kind] = mask, fields[t][kind]
    return layers


def _places(stored: np.ndarray):
    return [(y, x) for y in range(stored.shape[2]) for x in range(stored.shape[3])]


def _half_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)


def _salience(values: np.ndarray, wanted: tuple[int, ...]) -> int:
    if values[0] == 255:
        return NONE
    return round(Fraction(min(254, sum(int(values[k]) for k in wanted)) * FULL_SCORE, 254))


def _smoothed(search: Search, series: list[int]) -> list[int]:
    if search.smooth_time is None:
        return series
    out = []
    for start, stop in search.smooth_time.spans(search.days):
        seen = [value for value in series[start:stop] if value != NONE]
        out.append(_half_up(Fraction(sum(seen), len(seen))) if seen else NONE)
    return out


def _aggregated(search: Search, series: list[int]) -> int:
    seen = sorted(value for value in series if value != NONE)
    if not seen:
        return NONE
    if search.aggregate.kind == "max":
        return seen[-1]
    if search.aggregate.kind == "median":
        return _half_up(Fraction(seen[(len(seen) - 1) // 2] + seen[len(seen) // 2], 2))
    if search.aggregate.kind == "mean":
        return _half_up(Fraction(sum(seen), len(seen)))
    power = search.aggregate.power
    return round((sum((value / FULL_SCORE) ** power for value in seen) / len(seen)) ** (1 / power) * FULL_SCORE)


def _shaped(search: Search, mask: np.ndarray, seen: np.ndarray) -> np.ndarray:
    pad = 10
    mask = np.pad(mask, pad)
    for radius, steps in ((search.open_px, "ed"), (search.close_px, "de")):
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        disc = y**2 + x**2 <= (radius + 0.5) ** 2
        for step in steps if radius else "":
            mask = (ndimage.binary_erosion if step == "e" else ndimage.binary_dilation)(mask, disc)
    return mask[pad:-pad, pad:-pad] & seen


def test_a_score_that_equals_a_threshold_reaches_it():
    stored = np.array([[[[126, 127, 128, 255]]]], np.uint8)
    half = FULL_SCORE // 2
    for mode in ("footprint", "linked", "polygons"):
        search = Search(
            mode=mode, salient=(0,), planes=(0,), days=(0,), low=half, high=half, aggregate=Aggregate("mean")
        )
        (part,) = track_tiles(search, ArrayPlanes(stored, PixelBox(0, 0, 1, 4)), 4)
        assert (part.area_px.tolist(), part.strong_px.tolist(), part.x.tolist()) == ([2], [2], [1])


def test_a_piece_inside_a_tile_without_a_strong_pixel_is_left_out_and_one_at_its_side_is_kept():
    plane = np.zeros((8, 16), np.uint8)
    plane[3, 3], plane[3, 12:], plane[0, 5] = 200, 150, 150
    plane[5, 3:5] = 150
    search = Search(
        mode="footprint", salient=(0,), planes=(0,), days=(0,), low=16384, high=20000, aggregate=Aggregate("max")
    )
    left, right = track_tiles(search, ArrayPlanes(plane[np.newaxis, np.newaxis], PixelBox(0, 0, 8, 16)), 8)
    assert list(zip(left.y.tolist(), left.x.tolist(), strict=True)) == [(0, 5), (3, 3)]
    assert list(zip(right.y.tolist(), right.x.tolist(), strict=True)) == [(3, 12)]
    linked = track_tiles(
        replace(search, mode="linked"), ArrayPlanes(plane[np.newaxis, np.newaxis], PixelBox(0, 0, 8, 16)), 8
    )
    assert [part.piece_count for part in linked] == [3, 1]


def test_series_count_and_add_what_was_seen_of_a_piece_at_each_date():
    stored = blobs(4, (5, 3, 40, 50))
    planes = ArrayPlanes(stored, PixelBox(0, 0, 40, 50))
    search = Search(
        mode="footprint", salient=(0,), planes=(0, 1, 3, 4), days=(0, 1, 2, 3), low=22000, high=22000,
        aggregate=Aggregate("max"),
    )  # fmt: skip
    found, _ = put_together(track_tiles(search, planes, 16), 4)
    assert len(found) > 1
    units = np.array([round(Fraction(value * FULL_SCORE, 254)) for value in range(255)] + [0])
    for each in found:
        y, x = np.array(sorted(each.pixels)).T
        for plane in search.planes:
            values = stored[plane][:, y, x]
            seen = values[0] != 255
            expected = (plane, int(seen.sum()), tuple(units[values[:, seen]].sum(axis=1).tolist()))
            assert expected in each.series or not seen.any()
        assert {plane for plane, *_ in each.series} <= set(search.planes)


@pytest.mark.parametrize("mode", ["footprint", "linked", "polygons"])
def test_an_outline_stays_between_pixels_where_nothing_was_seen_beyond(mode):
    plane = np.array([[0, 0, 0, 0], [0, 200, 255, 0], [0, 0, 0, 0]], np.uint8)
    search = Search(
        mode=mode, salient=(0,), planes=(0,), days=(0,), low=16384, high=16384, aggregate=Aggregate("max"),
        subpixel=True,
    )  # fmt: skip
    (part,) = track_tiles(search, ArrayPlanes(plane[np.newaxis, np.newaxis], PixelBox(0, 0, 3, 4)), 4)
    shares = dict(zip(part.edge_side.tolist(), part.edge_share.tolist(), strict=True))
    across = round(65535 * (25802 - 16384) / 25802)
    assert shares == {0: across, 1: 32768, 2: across, 3: across}


def test_a_gap_that_two_classes_would_close_over_is_the_first_ones_alone():
    best = np.array([[2, 1, 2], [0, 2, 0], [2, 1, 2]])
    stored = (200 * (best == np.arange(3)[:, None, None])).astype(np.uint8)[np.newaxis]
    search = Search(
        mode="polygons", salient=(0, 1), planes=(0,), days=(0,), low=0, high=0, aggregate=Aggregate("mean"), close_px=1
    )
    found, _ = put_together(track_tiles(search, ArrayPlanes(stored, PixelBox(0, 0, 3, 3)), 4), 4)
    assert sorted((each.kind, len(each.pixels)) for each in found) == [(0, 3), (1, 1), (1, 1)]


def test_what_opening_takes_from_a_class_no_other_class_closes_over():
    best = np.ones((9, 9), int)
    best[:, 4] = 0
    stored = (200 * (best == np.arange(2)[:, None, None])).astype(np.uint8)[np.newaxis]
    search = Search(
        mode="polygons", salient=(0, 1), planes=(0,), days=(0,), low=0, high=0, aggregate=Aggregate("mean"), open_px=1,
        close_px=1,
    )  # fmt: skip
    found, _ = put_together(track_tiles(search, ArrayPlanes(stored, PixelBox(0, 0, 9, 9)), 16), 4)
    assert sorted((each.kind, len(each.pixels)) for each in found) == [(1, 36), (1, 36)]
