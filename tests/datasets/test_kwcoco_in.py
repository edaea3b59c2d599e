"""A kwcoco bundle is read as the scenes that it describes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import numpy as np
import pytest
from affine import Affine
from datasets.bundles import CORNER, UTM, ramp, write_bundle, write_tiff

from geowatch.datasets.bundle import is_bundle, read_bundle
from geowatch.datasets.kwcoco_in import scenes_of_bundle
from geowatch.datasets.sources import find_series
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.catalog import SceneOptions, find_scenes
from geowatch.read.documents import scenes_from_json, scenes_to_json
from geowatch.read.frames import make_frames
from geowatch.read.plan import lattice_of, plan_frame
from geowatch.read.reader import FrameReader
from geowatch.read.select import Selection


def scenes(path, options=None, **named):
    return [f.scene for f in scenes_of_bundle(read_bundle(path), options or SceneOptions(), **named)]


def pixels(scene, *bands, resampling="nearest"):
    """Values (C, H, W) and validity of a whole scene on its own lattice."""
    lattice = lattice_of([scene], bands)
    plan = plan_frame(make_frames([scene])[0], bands, lattice, resampling=resampling)
    with FrameReader(plan, cache_bytes=1 << 24) as reader:
        return reader.read(plan.extent), plan


def image(number=1, **fields):
    return {"id": number, "name": f"image{number}", "file_name": None, **fields}


@pytest.fixture
def two_assets(tmp_path):
    """A bundle of one Sentinel-2 image: red and nir of 10 m, B8A of 20 m, all georeferenced."""
    write_tiff(tmp_path / "a/rn.tif", ramp(8, 12, 2), nodata=0)
    write_tiff(tmp_path / "a/b8a.tif", ramp(4, 6), CORNER @ Affine.scale(2))
    assets = [
        {"file_name": "a/rn.tif", "channels": "red|nir", "warp_aux_to_img": {"scale": 1}},
        {"file_name": "a/b8a.tif", "channels": "B8A", "warp_aux_to_img": {"scale": 2}},
    ]
    entry = image(sensor_coarse="S2", timestamp=1_590_999_359, assets=assets, cloud_cover=12.5)
    return write_bundle(tmp_path / "data.kwcoco.json", [entry])


def test_assets_of_two_resolutions_are_bands_of_one_scene(two_assets):
    (scene,) = scenes(two_assets)
    assert [(b.name, b.native, b.index, b.grid.steps) for b in scene.bands] == [
        ("red", "red", 1, (10, 10)), ("nir", "nir", 2, (10, 10)), ("nir08", "B8A", 1, (20, 20)),
    ]  # fmt: skip
    assert (scene.id, scene.sensor, scene.cloud_cover) == ("image1", "sentinel-2", 12.5)
    assert scene.time == datetime(2020, 6, 1, 8, 15, 59, tzinfo=UTC)
    assert {b.grid.crs for b in scene.bands} == {UTM}
    assert scene.bands[0].nodata == 0


@pytest.mark.parametrize(
    ("written", "channels", "sensor", "bands"),
    [
        ("Sentinel-2", "B2|B03|B8A", "sentinel-2", ["blue", "green", "nir08"]),
        ("sentinel2", "B04|B8", "sentinel-2", ["red", "nir"]),
        ("L8", "B4|B5", "landsat-8", ["red", "nir08"]),
        ("Landsat 9", "SR_B4|SR_B5", "landsat-9", ["red", "nir08"]),
        ("L5", "B3|B4", "landsat-5", ["red", "nir08"]),
        ("L7", "B3|B5|B8", "landsat-7", ["red", "swir16", "pan"]),
        ("WV", "B3|B4", "WV", ["b3", "b4"]),
    ],
)
def test_bands_are_called_as_their_sensor_numbers_them(tmp_path, written, channels, sensor, bands):
    write_tiff(tmp_path / "a.tif", ramp(4, 4, len(bands)))
    entry = image(sensor_coarse=written, assets=[{"file_name": "a.tif", "channels": channels}])
    (scene,) = scenes(write_bundle(tmp_path / "data.kwcoco.json", [entry]))
    assert (scene.sensor, [band.name for band in scene.bands]) == (sensor, bands)


def test_pixels_are_those_of_the_files(two_assets):
    (scene,) = scenes(two_assets)
    patch, plan = pixels(scene, "red", "nir08")
    np.testing.assert_array_equal(patch.values[0], ramp(8, 12, 2)[0])
    np.testing.assert_array_equal(patch.values[1], np.kron(ramp(4, 6)[0], np.ones((2, 2))))
    assert plan.lattice.crs == UTM


def test_a_zipped_bundle_and_the_old_word_for_assets_are_read(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    path = write_bundle(tmp_path / "data.kwcoco.zip", [image(auxiliary=[{"file_name": "a.tif", "channels": "pan"}])])
    assert [b.name for s in scenes(path) for b in s.bands] == ["pan"]
    assert is_bundle(path)


def test_files_without_georeference_take_it_from_the_document_and_from_their_siblings(tmp_path):
    for name in ("world", "sibling"):
        write_tiff(tmp_path / f"{name}.tif", ramp(4, 6), crs=None)
    write_tiff(tmp_path / "own.tif", ramp(16, 24), CORNER @ Affine.scale(0.5))
    world = {"type": "affine", "matrix": [[20, 0, 500_000], [0, -20, 4_000_000], [0, 0, 1]]}
    assets = [
        {"file_name": "world.tif", "channels": "a", "warp_to_wld": world, "wld_crs_info": {"auth": ["EPSG", "32633"]}},
        {"file_name": "sibling.tif", "channels": "b", "warp_aux_to_img": {"scale": 2, "offset": [2, 0]}},
        {"file_name": "own.tif", "channels": "c", "warp_aux_to_img": {"scale": 0.5}},
    ]
    (scene,) = scenes(write_bundle(tmp_path / "x.kwcoco.json", [image(assets=assets)]))
    a, b, c = (band.grid for band in scene.bands)
    assert (a.crs, a.affine) == ("EPSG:32633", (20, 0, 500_000, 0, -20, 4_000_000))
    assert (b.crs, b.affine) == (UTM, (20, 0, 300_020, 0, -20, 4_200_000))
    assert (c.crs, c.affine) == (UTM, (CORNER @ Affine.scale(0.5))[:6])


def test_the_world_transform_of_an_image_reaches_its_assets(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 6), crs=None)
    entry = image(
        assets=[{"file_name": "a.tif", "channels": "a", "warp_aux_to_img": {"scale": 2}}],
        warp_to_wld=[[10, 0, 300_000], [0, -10, 4_200_000]], wld_crs_info={"auth": ["EPSG", 32618]},
    )  # fmt: skip
    (scene,) = scenes(write_bundle(tmp_path / "x.kwcoco.json", [entry]))
    assert (scene.bands[0].grid.crs, scene.bands[0].grid.affine) == (UTM, (20, 0, 300_000, 0, -20, 4_200_000))


def test_without_any_georeference_the_video_is_the_lattice(tmp_path):
    # Two images of one place: the second is stored at twice the size and two video pixels further right.
    base = ramp(6, 8)
    write_tiff(tmp_path / "one.tif", base, crs=None)
    write_tiff(tmp_path / "two.tif", np.kron(base, np.ones((1, 2, 2), "uint16")), crs=None)
    images = [
        image(1, video_id=1, date_captured="2020-06-01T10:00:00", assets=[{"file_name": "one.tif", "channels": "g"}]),
        image(2, video_id=1, date_captured="2020-06-02", assets=[{"file_name": "two.tif", "channels": "g"}],
              warp_img_to_vid={"scale": 0.5, "offset": [2, 0]}),
    ]  # fmt: skip
    path = write_bundle(tmp_path / "x.kwcoco.json", images, videos=[{"id": 1, "name": "v"}])
    first, second = scenes(path, video="v")
    lattice = lattice_of([first, second], ["green"])
    assert (lattice.crs, lattice.step_x, lattice.step_y, lattice.phase_x) == (None, 1, 1, 0)
    plans = [plan_frame(f, ["green"], lattice, resampling="average") for f in make_frames([first, second])]
    assert [p.extent.to_list() for p in plans] == [[0, 0, 6, 8], [0, 2, 6, 10]]
    for plan in plans:
        with FrameReader(plan, cache_bytes=1 << 20) as reader:
            np.testing.assert_array_equal(reader.read(plan.extent).values[0], base[0])


def test_a_plain_coco_image_is_a_scene_too(tmp_path):
    write_tiff(tmp_path / "p.tif", ramp(4, 4, 3, "uint8"), crs=None)
    (scene,) = scenes(write_bundle(tmp_path / "coco.json", [{"id": 7, "file_name": "p.tif"}]))
    assert (scene.id, scene.time, len(scene.bands), scene.sensor) == ("p", None, 3, "image")
    assert is_bundle(tmp_path / "coco.json")


def test_stac_is_no_bundle(tmp_path):
    (tmp_path / "item.json").write_text(json.dumps({"type": "Feature", "assets": {}}))
    assert not is_bundle(tmp_path / "item.json")


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({"timestamp": 1_590_999_359}, datetime(2020, 6, 1, 8, 15, 59, tzinfo=UTC)),
        ({"timestamp": "2020-06-01T10:15:59+02:00"}, datetime(2020, 6, 1, 8, 15, 59, tzinfo=UTC)),
        ({"datetime": "2020-06-01T08:15:59.123456789Z"}, datetime(2020, 6, 1, 8, 15, 59, 123456, tzinfo=UTC)),
        ({"date_captured": "2020/06/01 08:15:59"}, datetime(2020, 6, 1, 8, 15, 59, tzinfo=UTC)),
        ({"date_captured": "", "timestamp": None}, None),
        ({"timestamp": 0, "date_captured": "2020-06-01"}, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_every_way_that_they_are_written(tmp_path, fields, time):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    (scene,) = scenes(write_bundle(tmp_path / "x.kwcoco.json", [image(assets=[{"file_name": "a.tif"}], **fields)]))
    assert scene.time == time


def test_a_date_alone_stays_that_day_by_the_sun(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    entry = image(assets=[{"file_name": "a.tif"}], date_captured="2020-06-01")
    (scene,) = scenes(write_bundle(tmp_path / "x.kwcoco.json", [entry]))
    assert scene.solar_day == date(2020, 6, 1)


def test_quantised_numbers_become_values(tmp_path):
    write_tiff(tmp_path / "a.tif", np.array([[[-9999, 100, 10_100, 5100]]], "int16"))
    scale = {"orig_min": -1, "orig_max": 1, "quant_min": 100, "quant_max": 10_100, "nodata": -9999}
    entry = image(assets=[{"file_name": "a.tif", "channels": "ndvi", "quantization": scale}])
    (scene,) = scenes(write_bundle(tmp_path / "x.kwcoco.json", [entry]))
    patch, _ = pixels(scene, "ndvi")
    np.testing.assert_allclose(patch.values[0, 0], [0, -1, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(patch.valid[0], [False, True, True, True])


def test_masks_hide_what_they_say(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(2, 2))
    write_tiff(tmp_path / "m.tif", np.array([[[0, 1], [2, 4]]], "uint8"))
    assets = [{"file_name": "a.tif", "channels": "red"}, {"file_name": "m.tif", "channels": "cloudmask"}]
    path = write_bundle(tmp_path / "x.kwcoco.json", [image(assets=assets)])
    found = find_series([path])
    assert [b.name for b in found.scenes[0].bands] == ["red", "cloudmask"]
    assert "--mask-band cloudmask" in found.notes[0]
    (masked,) = find_series([path], SceneOptions(mask_band="cloudmask", mask_values=(1, 2))).scenes
    patch, _ = pixels(masked, "red")
    np.testing.assert_array_equal(patch.valid, [[True, False], [False, True]])
    document = json.loads(path.read_text())
    document["images"][0]["assets"][1]["gw_masks"] = [{"channel": "cloudmask", "bits": 4}]
    path.write_text(json.dumps(document))
    found = find_series([path])
    patch, _ = pixels(found.scenes[0], "red")
    assert ([b.name for b in found.scenes[0].bands], found.notes) == (["red"], ())
    np.testing.assert_array_equal(patch.valid, [[True, True], [True, False]])


def test_the_scene_classification_is_known_by_its_name(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(1, 4))
    write_tiff(tmp_path / "s.tif", np.array([[[0, 4, 9, 3]]], "uint8"))
    assets = [{"file_name": "a.tif", "channels": "red"}, {"file_name": "s.tif", "channels": "SCL"}]
    path = write_bundle(tmp_path / "x.kwcoco.json", [image(assets=assets, sensor_coarse="S2")])
    (scene,) = scenes(path, SceneOptions(mask=("fill", "cloud")))
    patch, _ = pixels(scene, "red")
    np.testing.assert_array_equal(patch.valid[0], [False, True, False, True])


def test_the_real_series_is_the_same_from_its_bundle_and_from_its_folder(eolearn_series):
    from support.eolearn_series import MASKED

    options = SceneOptions(**MASKED)
    bundled = find_series([eolearn_series.kwcoco], options).scenes
    loose = find_scenes([eolearn_series.folder], options).scenes
    assert [(s.id, s.time, s.bands, s.masks) for s in bundled] == [(s.id, s.time, s.bands, s.masks) for s in loose]
    assert len(bundled) == 68
    patch, _ = pixels(bundled[14], "ndvi")
    clear = ~eolearn_series.cloud[14]
    np.testing.assert_array_equal(patch.valid, clear)
    np.testing.assert_array_equal(patch.values[0][clear], eolearn_series.ndvi[14][clear])


def test_what_cannot_be_meant_is_not_opened(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    there = {"assets": [{"file_name": "a.tif"}]}
    gone = {"assets": [{"file_name": "gone.tif"}]}
    images = [
        image(1, date_captured="2020-06-10T10:00:00", **there),
        image(2, date_captured="2020-06-10T10:00:00", cloud_cover=80, **gone),
        image(3, date_captured="2020-05-10T10:00:00", **gone),
        image(4, date_captured="2020-07-10T10:00:00", **gone),
    ]
    path = write_bundle(tmp_path / "x.kwcoco.json", images)
    selection = Selection(max_cloud=50, start=date(2020, 6, 1), end=date(2020, 6, 30))
    assert [s.id for s in scenes(path, selection=selection)] == ["image1"]
    assert [s.id for s in scenes(path, selection=Selection(dates=(date(2020, 6, 10),), max_cloud=50))] == ["image1"]


def test_one_video_of_several_is_chosen_by_name(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4), crs=None)
    images = [image(n, video_id=n, assets=[{"file_name": "a.tif"}]) for n in (1, 2)]
    videos = [{"id": 1, "name": "north"}, {"id": 2, "name": "south"}]
    path = write_bundle(tmp_path / "x.kwcoco.json", images, videos=videos)
    assert [s.id for s in find_series([path], video="south").scenes] == ["image2"]
    with pytest.raises(ConfigError) as caught:
        find_series([path])
    assert "--video: north, south" in caught.value.hint
    with pytest.raises(ConfigError, match="no video 'east'"):
        find_series([path], video="east")


BAD = [
    ({"images": 3}, "no list 'images'"),
    ({"images": [{"id": "x"}]}, "id 'x' is no number"),
    ({"images": [{"id": 1}, {"id": 1}]}, "id '1' is used twice"),
    ({"images": [{"id": 1, "video_id": 9, "file_name": "a.tif"}]}, "video_id 9, which none of the 0 videos has"),
    ({"images": [{"id": 1, "name": "x"}]}, "names no file"),
    ({"images": [{"id": 1, "file_name": "gone.tif"}]}, "is not there"),
    ({"images": [{"id": 1, "file_name": "/vsizip/a.zip/a.tif"}]}, "is at '/vsizip"),
    ({"images": [{"id": 1, "assets": [{"file_name": "a.tif", "channels": "red|green"}]}]}, "names 2 channels"),
    ({"images": [{"id": 1, "assets": [{"file_name": "a.tif", "channels": "red||"}]}]}, "cannot be read"),
    ({"images": [{"id": 1, "assets": [{"file_name": "a.tif", "warp_aux_to_img": 4}]}]}, "warp_aux_to_img of assets"),
    ({"images": [{"id": 1, "file_name": "a.tif", "date_captured": "yesterday"}]}, "date_captured 'yesterday'"),
    ({"images": [{"id": 1, "file_name": "a.tif", "timestamp": 1e30}]}, "timestamp '1e+30'"),
    ({"images": [{"id": 1, "file_name": "a.tif", "quantization": {"quant_max": 0}}]}, "says no values"),
    ({"images": [{"id": 1, "file_name": "a.tif", "gw_masks": [{"channel": "q"}]}]}, "names channel 'q'"),
]


@pytest.mark.parametrize(("document", "fact"), BAD, ids=[fact for _, fact in BAD])
def test_a_bad_document_is_refused_with_the_value_and_a_hint(tmp_path, document, fact):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    path = tmp_path / "x.kwcoco.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ImageryError) as caught:
        scenes(path)
    assert fact in caught.value.fact
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"{", b"", b"II*\x00", b"[" * 100_000, b"PK\x03\x04rest"])
def test_what_is_no_document_is_refused(tmp_path, content):
    path = tmp_path / "x.kwcoco.json"
    path.write_bytes(content)
    with pytest.raises(ImageryError) as caught:
        read_bundle(path)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_numbers_that_are_none_do_not_reach_a_runs_documents(two_assets):
    document = json.loads(two_assets.read_text())
    document["images"][0]["cloud_cover"] = float("nan")
    band = {"channel": "red", "name": "red", "native": "red", "scale": None, "nodata": float("nan")}
    document["images"][0]["assets"][0]["gw_bands"] = [band]
    two_assets.write_text(json.dumps(document))
    (scene,) = scenes(two_assets)
    assert (scene.cloud_cover, scene.band("red").nodata, scene.band("red").scale) == (None, None, 1.0)
    assert scenes_from_json(scenes_to_json([scene])) == (scene,)
