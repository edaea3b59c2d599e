"""What a reader gives: values, validity, mosaics, masks, and errors that name file and band."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.plan import FramePlan, lattice_of, plan_frame
from geowatch.read.reader import FrameReader, Patch

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
LATTICE = Lattice.at("EPSG:32618", 10.0)
OTHER_ZONE = Lattice.at("EPSG:32617", 10.0)


def plan_of(path: Path, wanted: list[str], *, lattice: Lattice = LATTICE, order="first", **options) -> FramePlan:
    frames = make_frames(find_scenes([path], SceneOptions(**options)).scenes, order=order)
    assert len(frames) == 1
    return plan_frame(frames[0], wanted, lattice)


def read_all(plan: FramePlan) -> Patch:
    with FrameReader(plan, cache_bytes=2**24) as reader:
        return reader.read(plan.extent)


def test_values_are_stored_numbers_times_scale_plus_offset(tmp_path, write_image, noise):
    pixels = noise((40, 50))
    write_image(tmp_path / "x_red.tif", pixels)
    patch = read_all(plan_of(tmp_path, ["red"], scale=0.5, offset=-3.0))
    assert patch.values.dtype == np.float32
    assert np.array_equal(patch.values[0], pixels.astype("float32") * np.float32(0.5) + np.float32(-3))
    assert patch.valid.all()


def test_channels_come_in_the_order_asked_for(tmp_path, write_image, noise):
    write_image(tmp_path / "x.tif", noise((3, 20, 30)))
    options = {"bands": ("blue", "green", "red")}
    ab, ba = (read_all(plan_of(tmp_path, b, **options)) for b in (["blue", "red"], ["red", "blue"]))
    assert np.array_equal(ab.values, ba.values[::-1])


def test_nan_and_infinity_are_invalid_and_never_reach_values(tmp_path, write_image):
    pixels = np.ones((30, 30), "float32")
    pixels[3, 4], pixels[5, 6], pixels[7, 8] = np.nan, np.inf, -np.inf
    write_image(tmp_path / "x_red.tif", pixels)
    patch = read_all(plan_of(tmp_path, ["red"]))
    assert np.isfinite(patch.values).all()
    assert (~patch.valid).sum() == 3


def test_a_pixel_is_valid_only_where_all_bands_are(tmp_path, write_image, noise):
    red, nir = noise((30, 30)), noise((30, 30), seed=1)
    red[2, 3] = nir[4, 5] = 0
    write_image(tmp_path / "x_red.tif", red, nodata=0)
    write_image(tmp_path / "x_nir.tif", nir, nodata=0)
    patch = read_all(plan_of(tmp_path, ["red", "nir"]))
    assert sorted(np.argwhere(~patch.valid).tolist()) == [[2, 3], [4, 5]]


def test_nodata_that_the_type_cannot_hold_hides_nothing(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((30, 30)))
    assert read_all(plan_of(tmp_path, ["red"], nodata=-9999.0)).valid.all()


def test_alpha_hides_pixels(tmp_path):
    pixels = np.full((4, 20, 20), 200, "uint8")
    pixels[3, :5] = 0
    with rasterio.open(tmp_path / "photo.png", "w", driver="PNG", count=4, height=20, width=20, dtype="uint8") as d:
        d.write(pixels)
    plan = plan_of(tmp_path, ["red", "green", "blue"], lattice=Lattice.of_pixels())
    patch = read_all(plan)
    assert plan.extent == PixelBox(0, 0, 20, 20)
    assert patch.valid.sum() == 300
    assert not patch.valid[:5].any()


def overlapping(tmp_path, write_image) -> None:
    """Three scenes of one day, 20 x 20, each 10 pixels east of the last, each with a hole."""
    for i, value in enumerate((100, 200, 300)):
        pixels = np.full((20, 20), value, "uint16")
        pixels[5:10, 5:8] = 0
        name = f"s{i}_20200601T1000{i}0_red.tif"
        write_image(tmp_path / name, pixels, nodata=0, origin=(500_000.0 + 100 * i, 4_200_000.0))


def test_the_first_valid_scene_covers_those_below(tmp_path, write_image):
    overlapping(tmp_path, write_image)
    patch = read_all(plan_of(tmp_path, ["red"]))
    row = patch.values[0, 0]
    assert row.tolist() == [100] * 20 + [200] * 10 + [300] * 10
    hole = patch.values[0, 7]
    assert hole[5:8].tolist() == [0, 0, 0]  # only the first scene is there
    assert not patch.valid[7, 5:8].any()
    assert hole[15:18].tolist() == [100, 100, 100]


def test_the_order_in_which_scenes_are_given_changes_nothing(tmp_path, write_image):
    overlapping(tmp_path, write_image)
    scenes = find_scenes([tmp_path]).scenes
    plans = [plan_frame(make_frames(s)[0], ["red"], LATTICE) for s in (scenes, scenes[::-1])]
    assert plans[0] == plans[1]


def test_an_earlier_folder_lies_on_top(tmp_path, write_image):
    for name in ("a", "b"):
        write_image(tmp_path / name / f"{name}_20200601_red.tif", np.full((9, 9), ord(name), "uint16"))
    frame = make_frames(find_scenes([tmp_path / "b", tmp_path / "a"]).scenes)[0]
    assert read_all(plan_frame(frame, ["red"], LATTICE)).values.max() == ord("b")


def test_median_takes_the_middle_of_valid_scenes(tmp_path, write_image):
    for i, value in enumerate((10, 20, 90)):
        pixels = np.full((600, 20), value, "uint16")
        pixels[i, 0] = 0
        write_image(tmp_path / f"s{i}_20200601_red.tif", pixels, nodata=0)
    plan = plan_of(tmp_path, ["red"], order="median")
    patch = read_all(plan)
    assert patch.values[0, :4, 0].tolist() == [55, 50, 15, 20]
    with FrameReader(plan, cache_bytes=0) as reader:
        box = PixelBox(plan.extent.y0 + 1, plan.extent.x0, plan.extent.y0 + 3, plan.extent.x0 + 2)
        assert np.array_equal(reader.read(box).values, patch.values[:, 1:3, :2])


def test_the_median_of_two_values_near_the_largest_is_finite(tmp_path, write_image):
    for i in range(2):
        pixels = np.full((8, 8), 3e38 if i else 2e38, "float32")
        pixels[0, 0] = 4
        write_image(tmp_path / f"s{i}_20200601_red.tif", pixels)
    values = read_all(plan_of(tmp_path, ["red"], order="median")).values
    assert values[0, 0, 0] == 4
    assert np.array_equal(np.unique(values[0].ravel()[1:]), np.float32([2.5e38]))


def test_masks_hide_what_they_are_asked_to(tmp_path, write_image, noise):
    write_image(tmp_path / "t_20200601_B04.tif", noise((40, 40)))
    scl = np.full((20, 20), 4, "uint8")
    scl[3, 4], scl[10, 10] = 9, 3
    write_image(tmp_path / "t_20200601_SCL.tif", scl, step=20.0)
    clear = read_all(plan_of(tmp_path, ["red"]))
    cloud = read_all(plan_of(tmp_path, ["red"], mask=("fill", "cloud")))
    assert clear.valid.all()
    assert np.argwhere(~cloud.valid).tolist() == [[6, 8], [6, 9], [7, 8], [7, 9]]


def test_a_pixel_that_any_hidden_pixel_overlaps_is_hidden_on_coarse_grids(tmp_path, write_image, noise):
    write_image(tmp_path / "t_20200601_B4.tif", noise((60, 60)))
    qa = np.zeros((60, 60), "uint16")
    qa[31, 32] = 1 << 4
    write_image(tmp_path / "t_20200601_QA_PIXEL.tif", qa)
    plan = plan_of(tmp_path, ["red"], lattice=Lattice.at("EPSG:32618", 30.0), mask=("shadow",))
    patch = read_all(plan)
    assert (~patch.valid).sum() == 1


@pytest.mark.parametrize("crs", ["EPSG:32618", "EPSG:32617"])
def test_what_lies_under_a_mask_changes_nothing(tmp_path, write_image, noise, crs):
    patches = []
    scl = np.full((40, 40), 4, "uint8")
    scl[10:20, 15:25] = 9
    under = np.kron(scl == 9, np.ones((2, 2), bool))
    for name, junk in (("a", 1), ("b", 60_000)):
        folder = tmp_path / name
        write_image(folder / "t_20200601_B04.tif", np.where(under, junk, noise((80, 80))).astype("uint16"))
        write_image(folder / "t_20200601_SCL.tif", scl, step=20.0)
        origin = (3.7, 4.1) if crs == "EPSG:32618" else (0.0, 0.0)
        plan = plan_of(folder, ["red"], lattice=Lattice.at(crs, 10.0, origin), mask=("cloud",))
        patches.append(read_all(plan))
    assert not patches[0].valid.all()
    assert patches[0].valid.any()
    assert np.array_equal(patches[0].values, patches[1].values)


def test_a_second_read_of_a_planned_block_costs_no_planning(tmp_path, write_image, noise, monkeypatch):
    write_image(tmp_path / "x_red.tif", noise((300, 300)), step=20.0)
    plan = plan_of(tmp_path, ["red"], lattice=OTHER_ZONE)
    with FrameReader(plan, cache_bytes=0) as reader:
        reader.read(plan.extent)
        planned = reader.blocks_planned
        monkeypatch.setattr("geowatch.read.source.source_window", None)  # planning again would fail
        reader.read(plan.extent)
        assert planned == reader.blocks_planned > 1


def test_neighbours_share_resampled_blocks(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((200, 200)), step=20.0)
    plan = plan_of(tmp_path, ["red"], lattice=OTHER_ZONE)
    with FrameReader(plan, cache_bytes=2**24) as reader:
        reader.read(plan.extent)
        before = reader.requests, reader.bytes_read
        assert before[1] > 0
        reader.read(plan.extent.pad(-30))
        assert (reader.requests, reader.bytes_read) == before


def test_overviews_serve_coarse_grids_and_stay_exact(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((1024, 1024)), overviews=(2, 4, 8), tiled=True)
    plan = plan_of(tmp_path, ["red"], lattice=Lattice.at("EPSG:32618", 47.0, (3.0, 9.0)))
    assert plan.scenes[0].bands[0].factor == 4
    whole = read_all(plan)
    part = PixelBox(plan.extent.y0 + 11, plan.extent.x0 + 13, plan.extent.y0 + 99, plan.extent.x1)
    with FrameReader(plan, cache_bytes=2**20) as reader:
        assert np.array_equal(reader.read(part).values, whole.values[:, 11:99, 13:])
        assert reader.bytes_read < 256 * 256 * 2 * 1.2


def test_reads_beyond_the_extent_are_refused_with_the_numbers(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((30, 30)))
    plan = plan_of(tmp_path, ["red"])
    with (
        FrameReader(plan, cache_bytes=0) as reader,
        pytest.raises(ImageryError, match=str(plan.extent.to_list()[0])),
    ):
        reader.read(plan.extent.pad(1))


def test_a_reader_serves_several_threads(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((600, 600)), step=20.0)
    plan = pickle.loads(pickle.dumps(plan_of(tmp_path, ["red"])))
    whole = read_all(plan)
    wrong: list[PixelBox] = []
    with FrameReader(plan, cache_bytes=2**21) as reader:

        def work(start: int) -> None:
            for block in plan.extent.blocks(200)[start::3]:
                box = block & plan.extent
                rows, cols = box.within(plan.extent)
                if not np.array_equal(reader.read(box).values, whole.values[:, rows, cols]):
                    wrong.append(box)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_rotated_image_is_resampled_and_stays_exact(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x_red.tif", noise((300, 300)))
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = dataset.transform @ Affine.rotation(20.0)
    plan = plan_of(path, ["red"])
    assert not plan.scenes[0].bands[0].straight
    whole = read_all(plan)
    assert 0.5 < whole.valid.mean() < 0.8
    box = PixelBox(plan.extent.y0 + 70, plan.extent.x0 + 90, plan.extent.y0 + 231, plan.extent.x1 - 5)
    rows, cols = box.within(plan.extent)
    with FrameReader(plan, cache_bytes=0) as reader:
        assert np.array_equal(reader.read(box).values, whole.values[:, rows, cols])


DAMAGE = {
    "deflate": {"driver": "GTiff", "compress": "deflate"},
    "plain": {"driver": "GTiff"},
    "lzw": {"driver": "GTiff", "compress": "lzw", "tiled": True},
    "png": {"driver": "PNG"},
    "jpeg": {"driver": "JPEG"},
    "jp2": {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"},
    "jpeg in tiff": {"driver": "GTiff", "compress": "jpeg", "tiled": True, "blockxsize": 128, "blockysize": 128},
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("keep", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_truncated_file_is_an_error_that_names_it_never_a_part(tmp_path, write_image, noise, kind, keep, threads):
    path = tmp_path / "x_red.tif"
    write_image(path, (noise((400, 400)) % 250).astype("uint8"), crs=None, **DAMAGE[kind])
    content = path.read_bytes()
    plan = plan_of(path, ["red"], lattice=Lattice.of_pixels())
    path.write_bytes(content[: int(len(content) * keep)])
    with (
        pytest.raises(CorruptImageError, match=r"x_red\.tif"),
        FrameReader(plan, cache_bytes=0, threads=threads) as reader,
    ):
        reader.read(plan.extent)


def test_damage_inside_a_file_names_band_and_file(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x_red.tif", noise((400, 400)), compress="deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    with pytest.raises(CorruptImageError, match=r"band 1 of .*x_red\.tif"):
        read_all(plan_of(tmp_path, ["red"]))


def test_bands_of_several_resolutions_make_one_cube(shared_data):
    catalog = find_scenes([shared_data("sentinel2_l1c")], SceneOptions(sensor="sentinel-2-l1c"))
    bands = ["blue", "swir16", "coastal"]
    lattice = lattice_of(catalog.scenes, bands)
    assert lattice.resolution == 10
    plan = plan_frame(make_frames(catalog.scenes)[0], bands, lattice)
    box = PixelBox(plan.extent.y0, plan.extent.x0, plan.extent.y0 + 128, plan.extent.x0 + 200)
    with FrameReader(plan, cache_bytes=2**24) as reader:
        patch = reader.read(box)
    assert patch.values.shape == (3, 128, 200)
    assert patch.valid.all()
    assert 0 < patch.values.min() < patch.values.max() < 1.5


def test_landsat_numbers_become_reflectance_by_the_suns_elevation(shared_data):
    options = SceneOptions(sensor="landsat-8-l1", sun_elevation_deg=30.0)
    scenes = find_scenes([shared_data("landsat8_l1")], options).scenes
    plan = plan_frame(make_frames(scenes)[0], ["blue"], lattice_of(scenes, ["blue"]))
    assert plan.lattice.phase_x == plan.lattice.phase_y == 15.0
    patch = read_all(plan)
    with rasterio.open(shared_data("landsat8_l1") / "l8_B2.tif") as dataset:
        expected = (2e-5 * dataset.read(1) - 0.1) / 0.5
    assert np.allclose(patch.values[0], expected, atol=1e-6)
