"""What is written as a bundle reads back as it was, here and with the field's own package."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from datasets.bundles import CORNER, UTM, ramp, write_tiff
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.kwcoco_out import document_of_scenes, save_document
from geowatch.datasets.sources import find_series
from geowatch.datasets.videos import groups_of, video_spaces
from geowatch.errors import StoreError
from geowatch.read.catalog import SceneOptions
from geowatch.read.scene import RasterGrid


def kwcoco_validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the package's own command."""
    tool = Path(sys.executable).parent / "kwcoco"
    return subprocess.run([tool, "validate", "--corrupted=True", path], capture_output=True, text=True, check=False)


def test_the_real_series_comes_back_as_it_was(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    known = find_series([eolearn_series.folder], SceneOptions(**MASKED)).scenes
    known = tuple(replace(s, cloud_cover=12.5, sensor="sentinel-2-l1c") for s in known)
    path = tmp_path / "deep" / "series.kwcoco.zip"
    save_document(document_of_scenes(known, path.parent), path)
    assert find_series([path]).scenes == known
    checked = kwcoco_validate(path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_products_of_two_sensors_come_back_with_their_numbers_and_masks(shared_data, tmp_path):
    folders = [shared_data("sentinel2_l1c"), shared_data("landsat8_l1")]
    known = find_series(folders, SceneOptions(mask=("fill", "cloud"))).scenes
    path = tmp_path / "two.kwcoco.json"
    save_document(document_of_scenes(known, tmp_path), path)
    read = find_series([path]).scenes
    assert {s.id: replace(s, priority=0) for s in read} == {s.id: replace(s, priority=0) for s in known}
    bundle = read_bundle(path)
    # Neither says when it was, and a video is a series in time.
    assert bundle.videos == []
    dated = [replace(scene, time=datetime(2020, 6, 1, tzinfo=UTC)) for scene in known]
    videos = document_of_scenes(dated, tmp_path)["videos"]
    assert [v["name"] for v in videos] == ["epsg32616-1", "epsg32618-2"]


def test_a_mask_band_between_others_keeps_its_place(tmp_path):
    write_tiff(tmp_path / "s_2020-06-01.tif", ramp(4, 6, 4))
    options = SceneOptions(bands=("red", "q", "nir", "rgb"), mask_band="q", mask_values=(3,), mask_bits=8)
    known = find_series([tmp_path / "s_2020-06-01.tif"], options).scenes
    document = document_of_scenes(known, tmp_path)
    assert document["images"][0]["assets"][0]["channels"] == "red|bitmask|nir|rgb_4"
    save_document(document, tmp_path / "x.kwcoco.json")
    assert find_series([tmp_path / "x.kwcoco.json"]).scenes == known


def test_a_file_of_several_days_is_several_images(shared_data, tmp_path):
    path = shared_data("ftw_s2") / "inference-img.tif"
    options = SceneOptions(
        bands=("red", "green", "blue", "nir"), stack=(date(2021, 4, 1), date(2021, 9, 1)), sensor="sentinel-2-l2a"
    )
    known = find_series([path], options).scenes
    assert [s.solar_day for s in known] == [date(2021, 4, 1), date(2021, 9, 1)]
    save_document(document_of_scenes(known, tmp_path), tmp_path / "x.kwcoco.json")
    read = find_series([tmp_path / "x.kwcoco.json"]).scenes
    assert [(s.time, s.bands) for s in read] == [(s.time, s.bands) for s in known]


def test_scenes_without_georeference_and_without_a_date_come_back(tmp_path):
    for name in ("a", "b"):
        write_tiff(tmp_path / f"{name}.tif", ramp(4, 6), crs=None)
    known = find_series([tmp_path]).scenes
    save_document(document_of_scenes(known, tmp_path), tmp_path / "x.kwcoco.json")
    assert find_series([tmp_path / "x.kwcoco.json"]).scenes == known


def test_the_package_places_pixels_where_we_do(tmp_path):
    kwcoco = pytest.importorskip("kwcoco")
    write_tiff(tmp_path / "s2_B04.tif", ramp(8, 12))
    write_tiff(tmp_path / "s2_B11.tif", ramp(4, 6), CORNER @ Affine.scale(2))
    save_document(document_of_scenes(find_series([tmp_path]).scenes, tmp_path), tmp_path / "x.kwcoco.json")
    image = kwcoco.CocoDataset(tmp_path / "x.kwcoco.json").coco_image(1)
    shown = image.imdelay("red|swir16", space="video", interpolation="nearest").finalize()
    np.testing.assert_array_equal(shown[..., 0], ramp(8, 12)[0])
    np.testing.assert_array_equal(shown[..., 1], np.kron(ramp(4, 6)[0], np.ones((2, 2))))


def test_equal_bundles_have_equal_bytes_and_nothing_half_written_stays(tmp_path):
    write_tiff(tmp_path / "a_2020-06-01.tif", ramp(4, 6))
    document = document_of_scenes(find_series([tmp_path]).scenes, tmp_path)
    for folder in ("one", "two"):
        save_document(document, tmp_path / folder / "x.kwcoco.zip")
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["x.kwcoco.zip"]
    assert (tmp_path / "one/x.kwcoco.zip").read_bytes() == (tmp_path / "two/x.kwcoco.zip").read_bytes()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        save_document(document, tmp_path / "file" / "x.kwcoco.json")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12), st.randoms())
def test_groups_do_not_depend_on_the_order_of_the_edges(edges, random):
    shuffled = random.sample(edges, len(edges))
    assert groups_of(edges, 10) == groups_of(shuffled, 10)
    assert all(groups_of(edges, 10)[a] == groups_of(edges, 10)[b] for a, b in edges)


BOXES = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 8), st.integers(1, 8), st.sampled_from([1, 2]))


@settings(deadline=None)
@given(st.lists(BOXES, min_size=1, max_size=8))
def test_a_video_holds_all_pixels_of_its_images(boxes):
    grids = [
        RasterGrid((rows, cols), (10 * s, 0, 300_000 + 100 * x, 0, -10 * s, 4_200_000 - 100 * y), UTM)
        for x, y, rows, cols, s in boxes
    ]
    spaces = video_spaces(grids)
    for grid, space in zip(grids, spaces, strict=True):
        col, row = ~space.transform @ grid.transform @ (0, 0)
        end = ~space.transform @ grid.transform @ (grid.shape[1], grid.shape[0])
        assert min(col, row) >= -1e-6
        assert end[0] <= space.shape[1] + 1e-6
        assert end[1] <= space.shape[0] + 1e-6
    for a, one in zip(grids, spaces, strict=True):
        for b, other in zip(grids, spaces, strict=True):
            apart = a.bounds[2] < b.bounds[0] or b.bounds[2] < a.bounds[0] or a.bounds[3] < b.bounds[1]
            apart = apart or b.bounds[3] < a.bounds[1]
            assert apart or one.number == other.number


def test_a_series_is_listed_by_time(tmp_path):
    for day in ("2020-06-11", "2020-06-01", "2020-06-21"):
        write_tiff(tmp_path / f"s_{day}.tif", ramp(4, 6))
    images = document_of_scenes(find_series([tmp_path]).scenes, tmp_path)["images"]
    assert [(i["frame_index"], i["date_captured"][:10]) for i in images] == [
        (0, "2020-06-01"), (1, "2020-06-11"), (2, "2020-06-21"),
    ]  # fmt: skip
    assert images[0]["timestamp"] == datetime.fromisoformat(images[0]["date_captured"]).astimezone(UTC).timestamp()
