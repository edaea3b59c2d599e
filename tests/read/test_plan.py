"""How bands reach the lattice, decided once, pinned, and the same whoever asks."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError, DamagedError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.documents import scenes_from_json, scenes_to_json
from geowatch.read.frames import make_frames
from geowatch.read.geometry import aligned_offset, extent_on, sampling_ratio, source_window
from geowatch.read.plan import check_fingerprints, footprint, frames_from_json, frames_to_json, lattice_of, plan_frame
from geowatch.read.scene import RasterGrid

UTM = "EPSG:32618"


def grid(shape=(200, 300), step=10.0, origin=(435_730.0, 4_179_460.0), crs=UTM) -> RasterGrid:
    return RasterGrid(shape, (step, 0.0, origin[0], 0.0, -step, origin[1]), crs)


@given(
    row=st.integers(-500_000, 500_000),
    col=st.integers(-50_000, 50_000),
    step=st.sampled_from([0.3, 10.0, 30.0, 1 / 3, 0.0008]),
    phase=st.floats(0, 0.999),
)
@settings(max_examples=60, deadline=None)
def test_a_raster_on_the_lattice_is_copied_from_where_it_is(row, col, step, phase):
    lattice = Lattice.at(UTM, step, (phase * step, phase * step / 2))
    box = PixelBox(row, col, row + 50, col + 70)
    affine = lattice.affine_of(box)
    raster = RasterGrid((50, 70), tuple(affine)[:6], UTM)
    assert aligned_offset(raster, lattice) == (row, col)
    assert extent_on(raster, lattice) == box
    off = RasterGrid((50, 70), (*tuple(affine)[:2], affine.c + step / 100, *tuple(affine)[3:6]), UTM)
    assert aligned_offset(off, lattice) is None


def test_rasters_of_other_steps_systems_or_directions_are_resampled():
    lattice = Lattice.at(UTM, 10.0)
    assert aligned_offset(grid(step=10.001), lattice) is None
    assert aligned_offset(grid(crs="EPSG:32617"), lattice) is None
    upward = RasterGrid((200, 300), (10.0, 0.0, 435_730.0, 0.0, 10.0, 4_177_460.0), UTM)
    assert aligned_offset(upward, lattice) is None


def test_kernel_scale_follows_the_grids_alone():
    assert sampling_ratio(grid(step=10.0), Lattice.at(UTM, 20.0)) == (2.0, 2.0)
    ratio = sampling_ratio(grid(), Lattice.at("EPSG:32617", 10.0))
    assert ratio == pytest.approx((1.0, 1.0), abs=0.02)
    assert ratio == sampling_ratio(grid(), Lattice.at("EPSG:32617", 10.0))


@given(y=st.integers(-200, 500), x=st.integers(-200, 500), size=st.integers(1, 200), ratio=st.floats(0.3, 4))
@settings(max_examples=60, deadline=None)
def test_the_source_window_of_a_block_holds_every_pixel_under_it(y, x, size, ratio):
    raster = grid()
    lattice = Lattice(UTM, -10 * ratio, 10 * ratio, raster.affine[5] % (10 * ratio), raster.affine[2] % (10 * ratio))
    corner = extent_on(raster, lattice)
    block = PixelBox(corner.y0 + y, corner.x0 + x, corner.y0 + y + size, corner.x0 + x + size)
    window = source_window(raster, lattice, block, (2, 2))
    left, bottom, right, top = lattice.bounds(block)
    rows = (raster.affine[5] - top) / 10, (raster.affine[5] - bottom) / 10
    cols = (left - raster.affine[2]) / 10, (right - raster.affine[2]) / 10
    if rows[0] < 200 and rows[1] > 0 and cols[0] < 300 and cols[1] > 0:
        assert window.y0 <= max(0, rows[0])
        assert window.y1 >= min(200, rows[1])
        assert window.x0 <= max(0, cols[0])
        assert window.x1 >= min(300, cols[1])


@pytest.fixture
def frame(tmp_path, write_image, noise):
    write_image(tmp_path / "t_20200601_B04.tif", noise((200, 200)))
    write_image(tmp_path / "t_20200601_B11.tif", noise((90, 110)), step=20.0)
    return make_frames(find_scenes([tmp_path]).scenes)[0]


def test_the_finest_band_asked_for_gives_the_lattice(frame):
    assert lattice_of(frame.scenes, ["swir16"]).resolution == 20
    assert lattice_of(frame.scenes, ["swir16", "red"]).resolution == 10


def test_scenes_of_several_systems_have_no_common_lattice(tmp_path, write_image, noise):
    write_image(tmp_path / "a_red.tif", noise((9, 9)))
    write_image(tmp_path / "b_red.tif", noise((9, 9)), crs="EPSG:32617")
    with pytest.raises(ImageryError, match=r"EPSG:3261[78] and EPSG:3261[78]") as caught:
        lattice_of(find_scenes([tmp_path]).scenes, ["red"])
    assert "--crs" in caught.value.hint


def test_the_extent_is_where_all_bands_are_whatever_the_bounds(frame):
    lattice = Lattice.at(UTM, 10.0)
    plan = plan_frame(frame, ["red", "swir16"], lattice)
    assert plan.extent.shape == (180, 200)
    assert footprint(frame.scenes, lattice) == plan.extent
    near = PixelBox(plan.extent.y0, plan.extent.x0, plan.extent.y0 + 5, plan.extent.x0 + 5)
    assert plan_frame(frame, ["red", "swir16"], lattice, bounds=near) == plan
    far = plan.extent.pad(9000)
    far = PixelBox(far.y0, far.x0, far.y0 + 5, far.x0 + 5)
    assert not plan_frame(frame, ["red"], lattice, bounds=far).extent


def test_a_missing_band_is_an_error_that_lists_what_there_is(frame):
    with pytest.raises(ImageryError, match="has no band 'green'; it has red, swir16"):
        plan_frame(frame, ["green"], Lattice.at(UTM, 10.0))


@pytest.mark.parametrize(("bands", "resampling"), [(["red"], "sinc"), ([], "nearest")])
def test_requests_without_sense_are_refused(frame, bands, resampling):
    with pytest.raises(ConfigError):
        plan_frame(frame, bands, Lattice.at(UTM, 10.0), resampling=resampling)


def test_shrinking_beyond_measure_is_refused_with_a_remedy(frame):
    with pytest.raises(ImageryError, match="1000 x 1000") as caught:
        plan_frame(frame, ["red"], Lattice.at(UTM, 10_000.0))
    assert "overviews" in caught.value.hint


def test_plans_come_back_from_disk_and_from_pickles_as_they_were(frame):
    plan = plan_frame(frame, ["red", "swir16"], Lattice.at(UTM, 17.0, (3.0, 5.0)), resampling="cubic")
    content = frames_to_json([plan])
    assert frames_from_json(content) == (plan,)
    assert frames_to_json(frames_from_json(content)) == content
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert scenes_from_json(scenes_to_json(frame.scenes)) == frame.scenes


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version":"9","frames":[]}', b'{"frames":[{"id":3}]}'])
def test_a_damaged_document_is_an_error_that_names_the_place(content):
    with pytest.raises(DamagedError):
        frames_from_json(content)


def test_a_file_that_changed_since_it_was_planned_is_found(frame):
    plan = plan_frame(frame, ["red"], Lattice.at(UTM, 10.0))
    check_fingerprints(plan)
    other, used = (frame.scenes[0].band(b).uri for b in ("swir16", "red"))
    os.utime(other, ns=(1, 1))
    check_fingerprints(plan)  # a band that is not read may change
    os.utime(used, ns=(1, 1))
    with pytest.raises(ImageryError, match=r"B04\.tif' changed"):
        check_fingerprints(plan)
    Path(used).unlink()
    with pytest.raises(ImageryError, match=r"B04\.tif"):
        check_fingerprints(plan)
