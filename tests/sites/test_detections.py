"""Boxes as columns: who owns them, their order, and their bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import DamagedError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.sites.detections import SUB_PX, Detections, detections_key


@st.composite
def boxes(draw, most: int = 30, reach: int = 60, kinds: int = 2) -> Detections:
    """Boxes around the lattice's origin, on both sides of it."""
    n = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = rng.integers(-reach * SUB_PX, reach * SUB_PX, (n, 2))
    high = low + rng.integers(1, draw(st.sampled_from([40, 400])), (n, 2))
    found = Detections.of(np.concatenate([low, high], 1) / SUB_PX, rng.integers(0, kinds, n), rng.random(n).round(1))
    columns = {name: getattr(found, name) for name in Detections.__slots__}
    return Detections(**{**columns, "cut": rng.integers(0, 2, n).astype(np.uint8)})


@settings(deadline=None, max_examples=60)
@given(boxes(), st.integers(1, 50))
def test_each_box_belongs_to_one_tile_whatever_their_size(found, tile_px):
    owners = np.zeros(len(found), int)
    for core in PixelBox(-120, -120, 120, 120).blocks(tile_px):
        owners += found.centred_in(core)
    assert (owners == 1).all()


@settings(deadline=None, max_examples=60)
@given(boxes(), st.randoms(use_true_random=False))
def test_files_have_the_same_bytes_in_whatever_order_boxes_came(found, random):
    order = list(range(len(found)))
    random.shuffle(order)
    content = found.ordered().to_bytes()
    assert found.where(np.array(order, int)).ordered().to_bytes() == content
    assert Detections.from_bytes(content).to_bytes() == content


def test_a_centre_on_a_border_belongs_to_the_pixel_after_it():
    found = Detections.of(np.array([[2, 2, 6, 6], [-6, -6, -2, -2], [-1, -1, 1, 1.0]]), np.zeros(3, int), np.ones(3))
    assert found.row.tolist() == found.column.tolist() == [4, -4, 0]


def test_corners_are_whole_sixteenths_and_what_has_no_area_is_left_out():
    corners = np.array([[0.04, 0.03, 1, 1], [5, 5, 5.01, 9]])
    found = Detections.of(corners, np.zeros(2, int), np.array([0.25, 1.0]), origin=(-10, 100))
    assert [getattr(found, name).tolist() for name in ("y0", "x0", "y1", "x1")] == [[-159], [1600], [-144], [1616]]
    assert found.score.tolist() == [8192]


def test_what_is_no_file_of_boxes_is_told_by_name():
    content = Detections.empty().to_bytes()
    for broken in (b"", content[:-20], content.replace(b"gw.detections", b"gw.detectives")):
        with pytest.raises(DamagedError, match=r"'x\.arrow'"):
            Detections.from_bytes(broken, "'x.arrow'")


def test_a_tile_has_a_key_of_its_own_for_each_head_and_block():
    assert detections_key("0123456789abcdef", "ships", 3, Tile("utm18n", -1, 2)) == (
        "detections/0123456789ab/ships/3/utm18n/-1_2.arrow"
    )
