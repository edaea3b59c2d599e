"""The coarse pass: cells of the lattice that are the same for every tile, and what it may and may not lose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.tracked import ArrayPlanes, put_together, track_tiles

from geowatch.grid.lattice import PixelBox
from geowatch.sites.fragment import FULL_SCORE
from geowatch.track.coarse import candidates
from geowatch.track.search import Search
from geowatch.track.timewise import Aggregate

BOX = PixelBox(-37, 21, 63, 141)
SEARCH = Search(
    mode="footprint", salient=(0,), planes=(0, 1, 2), days=(0, 30, 60), low=FULL_SCORE // 2, high=FULL_SCORE // 2,
    aggregate=Aggregate("median"), coarse=8,
)  # fmt: skip


def discs(radius: float) -> ArrayPlanes:
    y, x = np.mgrid[BOX.y0 : BOX.y1, BOX.x0 : BOX.x1]
    near = np.min([np.hypot(y - cy, x - cx) for cy, cx in ((-10, 50), (20, 90), (41, 118), (33, 40))], axis=0)
    plane = np.where(near <= radius, 200, 20).astype(np.uint8)
    return ArrayPlanes(np.stack([plane] * 3)[:, np.newaxis], BOX)


@pytest.mark.parametrize("cell", [3, 8, 16])
@pytest.mark.parametrize("mode", ["footprint", "linked", "polygons"])
def test_sites_larger_than_a_cell_are_found_as_without_a_coarse_pass(cell, mode):
    planes, search = discs(1.2 * cell), replace(SEARCH, coarse=cell, mode=mode)
    expected = put_together(track_tiles(replace(search, coarse=1), planes, 64), 4)
    assert len(expected[0]) >= 3
    assert put_together(track_tiles(search, planes, 64), 4) == expected


def test_a_cell_is_the_same_whichever_tile_asks():
    planes = discs(9)
    whole = candidates(SEARCH, planes, BOX)
    assert whole is not None
    assert 0.02 < whole.cells.mean() < 0.5
    for box in (PixelBox(-37, 21, -3, 60), PixelBox(11, 30, 50, 99), PixelBox(40, 100, 63, 141)):
        part = candidates(SEARCH, planes, box)
        assert part is not None
        assert np.array_equal(part.pixels(box), whole.pixels(box))


def test_work_is_done_only_where_cells_are_candidates():
    planes = discs(9)
    looked = []

    class Watched(ArrayPlanes):
        def read(self, plane, box, classes):
            looked.append(box)
            return super().read(plane, box, classes)

    empty = Watched(np.zeros_like(planes.stored), BOX)
    assert sum(part.piece_count for part in track_tiles(SEARCH, empty, 64)) == 0
    # Each tile's cells are read once a plane, and then nothing any more.
    assert len(looked) == 3 * len(BOX.blocks(64))
