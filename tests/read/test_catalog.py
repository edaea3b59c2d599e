"""Which scenes a folder, a glob or a list of files holds."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.scene import Scene

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def only(sources, **options) -> Scene:
    scenes = find_scenes(sources, SceneOptions(**options)).scenes
    assert len(scenes) == 1
    return scenes[0]


def names(scene: Scene) -> list[str]:
    return [b.name for b in scene.bands]


def test_files_that_differ_by_the_band_are_one_scene(shared_data):
    folder = shared_data("sentinel2_l1c")
    for sources in ([folder], [folder / "*.jp2"], sorted(folder.glob("*.jp2"))):
        scene = only(sources)
        assert scene.id == "s2"
        assert names(scene)[:4] == ["coastal", "blue", "green", "red"]
        assert {"nir", "nir08", "swir16", "swir22"} <= set(names(scene))
        assert scene.band("B8A").name == "nir08"


def test_one_note_tells_of_all_wrong_suffixes(shared_data):
    notes = find_scenes([shared_data("sentinel2_l1c")]).notes
    assert sum("by content" in n for n in notes) == 1
    assert any("reflectance" in n for n in notes)


def test_landsats_single_digits_are_landsats_bands_and_its_quality_is_a_mask(shared_data):
    scene = only([shared_data("landsat8_l1")], mask=("fill", "cloud"))
    assert names(scene) == ["blue", "green", "red", "nir08", "swir16", "swir22"]
    assert scene.band("nir").native == "B5"
    assert [(m.kind, m.bad_bits) for m in scene.masks] == [("bqa", 0b10001)]


def test_scenes_of_several_days_in_one_folder_stay_apart(tmp_path, write_image, noise):
    for day in ("20200601", "20200606"):
        for band in ("B02", "B8A"):
            write_image(tmp_path / f"T18SUG_{day}T155911_{band}_20m.tif", noise((9, 9)))
    scenes = find_scenes([tmp_path]).scenes
    assert [s.id for s in scenes] == ["T18SUG_20200601T155911", "T18SUG_20200606T155911"]
    assert scenes[0].time == datetime(2020, 6, 1, 15, 59, 11, tzinfo=UTC)


def test_of_a_band_at_two_resolutions_the_finer_is_read(tmp_path, write_image, noise):
    write_image(tmp_path / "t_B02_20m.tif", noise((9, 9)), step=20.0)
    write_image(tmp_path / "t_B02_10m.tif", noise((18, 18)))
    assert only([tmp_path]).band("blue").grid.steps == (10.0, 10.0)


def test_bands_named_alone_take_the_folders_name(tmp_path, write_image, noise):
    for band in ("red", "nir"):
        write_image(tmp_path / "field_2021-07-03" / f"{band}.tif", noise((9, 9)))
    scene = only([tmp_path])
    assert scene.id == "field_2021-07-03"
    assert scene.solar_day.isoformat() == "2021-07-03"


def test_bands_of_one_file_are_named_by_option_description_or_number(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x.tif", noise((2, 9, 9)))
    assert names(only([path])) == ["b1", "b2"]
    assert names(only([path], bands=("red", "nir"))) == ["red", "nir"]
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Red", "B08")
    assert names(only([path])) == ["red", "b08"]


def test_a_wrong_number_of_names_is_an_error_with_both_numbers(tmp_path, write_image, noise):
    path = write_image(tmp_path / "x.tif", noise((2, 9, 9)))
    with pytest.raises(ImageryError, match=r"has 2 bands, and --bands names 3"):
        find_scenes([path], SceneOptions(bands=("a", "b", "c")))


def test_files_of_a_band_each_are_told_how_they_become_one_image(tmp_path, write_image, noise):
    for name in ("alpha", "beta"):
        (tmp_path / "2020-06-01").mkdir(exist_ok=True)
        write_image(tmp_path / "2020-06-01" / f"{name}.tif", noise((8, 8)))
    assert len(find_scenes([tmp_path]).scenes) == 2
    with pytest.raises(ImageryError, match="has 1 band, and --bands names 2") as refused:
        find_scenes([tmp_path], SceneOptions(bands=("red", "nir")))
    assert "red.tif" in refused.value.hint
    for name, band in (("alpha", "red"), ("beta", "nir")):
        (tmp_path / "2020-06-01" / f"{name}.tif").rename(tmp_path / "2020-06-01" / f"{band}.tif")
    assert names(only([tmp_path])) == ["nir", "red"]  # as the hint says


def test_a_photograph_has_red_green_and_blue(tmp_path):
    path = tmp_path / "photo.jpg"
    with rasterio.open(path, "w", driver="JPEG", width=20, height=10, count=3, dtype="uint8") as dataset:
        dataset.write(np.full((3, 10, 20), 99, "uint8"))
    scene = only([path])
    assert names(scene) == ["red", "green", "blue"]
    assert (scene.sensor, scene.bands[0].grid.crs, scene.time) == ("image", None, None)


def test_what_files_declare_comes_before_presets_and_options_before_both(tmp_path, write_image, noise):
    path = write_image(tmp_path / "t_B02.tif", noise((9, 9)))
    assert only([path]).bands[0].scale == 1e-4
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.5,), (2.0,)
    assert (only([path]).bands[0].scale, only([path]).bands[0].offset) == (0.5, 2.0)
    assert only([path], scale=3.0).bands[0].scale == 3.0
    assert only([path], nodata=7).bands[0].nodata == 7


def test_a_preset_names_its_scale_and_a_level_1_landsat_needs_the_sun(tmp_path, write_image, noise):
    path = write_image(tmp_path / "t_B4.tif", noise((9, 9)))
    band = only([path], sensor="landsat-9-l2").bands[0]
    assert (band.scale, band.offset, band.nodata) == (0.0000275, -0.2, 0.0)
    with pytest.raises(ImageryError, match="sun's elevation") as caught:
        find_scenes([path], SceneOptions(sensor="landsat-8-l1"))
    assert "--sun-elevation" in caught.value.hint
    with pytest.raises(ConfigError, match="-3"):
        find_scenes([path], SceneOptions(sensor="landsat-8-l1", sun_elevation_deg=-3))


def test_a_mask_band_of_the_users_own_hides_by_values_or_bits(tmp_path, write_image, noise):
    write_image(tmp_path / "x.tif", noise((2, 9, 9)))
    scene = only([tmp_path], bands=("red", "quality"), mask_band="quality", mask_bits=6)
    assert names(scene) == ["red"]
    assert scene.masks[0].bad_bits == 6


def test_a_file_given_twice_is_one_scene_and_equal_names_are_told_apart(tmp_path, write_image, noise):
    for folder in ("a", "b"):
        write_image(tmp_path / folder / "x_red.tif", noise((9, 9)))
    scenes = find_scenes([tmp_path, tmp_path / "a" / "x_red.tif"]).scenes
    assert sorted(s.id for s in scenes) == ["a_x", "b_x"]


def test_other_files_are_passed_over_but_broken_images_are_not(tmp_path, write_image, noise):
    write_image(tmp_path / "x_red.tif", noise((64, 64)), overviews=(2,))
    (tmp_path / "notes.txt").write_text("seen")
    (tmp_path / "region.json").write_text('{"type": "FeatureCollection", "features": []}')
    (tmp_path / ".hidden.tif").write_text("x")
    shutil.copy(tmp_path / "x_red.tif", tmp_path / "y_red.tif.ovr")
    assert only([tmp_path]).id == "x"
    (tmp_path / "z_red.tif").write_text("no image")
    with pytest.raises(ImageryError, match=r"z_red\.tif"):
        find_scenes([tmp_path])


def test_a_source_that_holds_nothing_is_told_even_beside_others(tmp_path, write_image, noise):
    (tmp_path / "full").mkdir()
    (tmp_path / "bare").mkdir()
    write_image(tmp_path / "full" / "x_red.tif", noise((64, 64)))
    with pytest.raises(ImageryError, match="bare' holds no images"):
        find_scenes([tmp_path / "full", tmp_path / "bare"])
    told = []
    assert len(find_scenes([tmp_path / "full", tmp_path / "bare"], refused=told.append).scenes) == 1
    assert "bare" in told[0].fact
    assert len(find_scenes([tmp_path / "*"]).scenes) == 1  # a glob may match more than it means


@pytest.mark.parametrize("source", ["gone", "gone/*.tif", "."])
def test_sources_without_images_are_errors_that_name_them(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageryError, match=source.replace("*", r"\*").replace(".", r"\.")):
        find_scenes([source])


def test_unknown_mask_classes_are_refused():
    with pytest.raises(ConfigError, match="fog"):
        SceneOptions(mask=("fog",))
