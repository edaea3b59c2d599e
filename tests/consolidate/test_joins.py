"""Components leave as soon as they are whole, and nothing waits that need not."""

from __future__ import annotations

import numpy as np
import pytest
from support.consolidated import search_for
from support.tracked import ArrayPlanes, track_tiles

from geowatch.consolidate.joins import Seams, join_tiles
from geowatch.grid.lattice import PixelBox


def masks(mask: np.ndarray) -> ArrayPlanes:
    stored = (mask * 254).astype(np.uint8)[None, None]
    return ArrayPlanes(stored, PixelBox(0, 0, *mask.shape))


def joined(mask: np.ndarray, tile_px: int, connectivity: int = 4) -> list[tuple[int, int]]:
    """Return the size of each component with the number of tiles that had come when it left."""
    fragments = track_tiles(search_for(connectivity=connectivity), masks(mask), tile_px)
    tiles = np.array([(each.tile.iy, each.tile.ix) for each in fragments], dtype=np.int32)
    come = 0

    def one_by_one():
        nonlocal come
        for place, fragment in enumerate(fragments):
            come += 1
            yield [(place, fragment)]

    seams = Seams.of(tiles[:, 0], tiles[:, 1], connectivity)
    out = []
    for whole in join_tiles(one_by_one(), seams, 0, connectivity):
        sizes = np.bincount(whole.component, weights=whole.found.area_px).astype(int)
        out += [(size, come) for size in sizes.tolist()]
    return out


def test_a_component_leaves_with_its_last_tile():
    mask = np.zeros((9, 9), bool)
    mask[1, 1] = True  # inside the first tile
    mask[1, 5:8] = True  # across the second and the third
    mask[4:8, 1] = True  # across the fourth and the seventh
    assert joined(mask, 3) == [(1, 1), (3, 3), (4, 7)]


def test_a_side_without_a_neighbour_does_not_wait():
    mask = np.zeros((3, 6), bool)
    mask[:, 2] = True
    fragments = track_tiles(search_for(), masks(mask), 3)
    # Only the first tile is in the plan: its right side looks at nothing.
    seams = Seams.of(np.array([0], np.int32), np.array([0], np.int32))
    chunks = iter([[(0, fragments[0])]])
    whole = next(join_tiles(chunks, seams, 0))
    assert len(whole.found) == 1


@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_ring_around_many_tiles_is_one_component(connectivity):
    mask = np.zeros((20, 20), bool)
    mask[[1, -2], 1:-1] = mask[1:-1, [1, -2]] = True
    mask[10, 10] = True
    found = joined(mask, 3, connectivity)
    assert sorted(size for size, _ in found) == [1, 68]
    assert found[0][0] == 1  # what lies within leaves first


def test_a_long_way_round_is_found():
    # Two arms that meet only in the last row: they are one as soon as that is known.
    mask = np.zeros((9, 9), bool)
    mask[:, [0, 8]] = True
    mask[8] = True
    assert joined(mask, 3) == [(25, 9)]
