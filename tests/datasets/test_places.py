"""A file's own georeference wins over what a bundle declares, and a difference is told."""

from __future__ import annotations

import pytest
from affine import Affine
from datasets.bundles import CORNER, UTM, ramp, write_bundle, write_tiff

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.checks import file_problems
from geowatch.datasets.georeference import distance_px
from geowatch.datasets.kwcoco_out import world_of
from geowatch.datasets.places import image_footprint, image_grid
from geowatch.datasets.sources import find_series
from geowatch.read.scene import RasterGrid


@pytest.fixture
def bundle(tmp_path):
    """Write an image of one file, 8 x 8 pixels at `CORNER`, declared to be at some place."""

    def write(declared, crs=UTM, **fields):
        write_tiff(tmp_path / "a.tif", ramp(8, 8), crs=crs)
        world = world_of(RasterGrid((8, 8), declared[:6], UTM))
        image = {"id": 1, "name": "i", "file_name": "a.tif", "width": 8, "height": 8, **world, **fields}
        return read_bundle(write_bundle(tmp_path / "x.kwcoco.json", [image]))

    return write


MOVED = CORNER @ Affine.translation(12, 0)


def test_what_agrees_is_not_spoken_of(bundle):
    found = bundle(CORNER @ Affine.translation(0.2, 0))
    assert list(file_problems(found, found.images[0])) == []
    assert find_series([found.place]).notes == ()


def test_a_file_is_where_its_georeference_says_and_the_difference_is_told(bundle):
    found = bundle(MOVED)
    grid = image_grid(found, found.images[0])
    series = find_series([found.place])
    assert grid.transform == CORNER == series.scenes[0].bands[0].grid.transform
    assert "12.0 pixels off" in series.notes[0]
    assert [p.what for p in file_problems(found, found.images[0])] == [
        "is declared to be elsewhere than its georeference says (12.0 pixels off)"
    ]


def test_what_is_declared_places_a_file_that_says_nothing(bundle):
    found = bundle(MOVED, crs=None)
    assert (
        image_grid(found, found.images[0]).transform
        == MOVED
        == find_series([found.place]).scenes[0].bands[0].grid.transform
    )
    assert find_series([found.place]).notes == ()


def test_what_is_declared_places_a_file_that_is_not_there_and_chooses_without_opening_it(bundle, tmp_path):
    found = bundle(MOVED)
    (tmp_path / "a.tif").unlink()
    assert image_grid(found, found.images[0]).transform == MOVED
    assert image_footprint(found, found.images[0]) is not None


def test_a_declared_crs_that_is_none_does_not_keep_a_file_from_being_read(bundle):
    found = bundle(CORNER, wld_crs_info={"auth": ["EPSG", "99999999"]})
    assert len(find_series([found.place]).scenes) == 1
    assert "inf pixels" in find_series([found.place]).notes[0]


def test_another_crs_is_compared_on_the_ground():
    grid = RasterGrid((8, 8), CORNER[:6], UTM)
    assert distance_px(grid, CORNER, "EPSG:32618") == 0
    # EPSG:6347 is UTM 18N on NAD83 (2011), a metre or two away.
    assert distance_px(grid, CORNER, "EPSG:6347") < 0.5
    assert distance_px(grid, CORNER, "EPSG:32619") > 1000
