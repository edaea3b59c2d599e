"""What is wrong with a bundle is found, and nothing is found where nothing is."""

from __future__ import annotations

import pytest
from affine import Affine
from datasets.bundles import CORNER, ramp, write_bundle, write_tiff

from geowatch.stages.dataset.validate import ValidateConfig, validate_dataset


def problems(path, **options):
    return [(p.where, p.what) for p in validate_dataset(ValidateConfig(str(path), **options)).problems]


def test_the_real_series_has_no_problem(eolearn_series):
    assert problems(eolearn_series.kwcoco) == []


@pytest.fixture
def entry(tmp_path):
    """A good image of two files."""
    write_tiff(tmp_path / "a.tif", ramp(8, 8))
    write_tiff(tmp_path / "b.tif", ramp(4, 4), CORNER @ Affine.scale(2))
    assets = [
        {"file_name": "a.tif", "channels": "red", "width": 8, "height": 8},
        {"file_name": "b.tif", "channels": "nir", "warp_aux_to_img": {"scale": 2}},
    ]
    return {"id": 1, "name": "i", "file_name": None, "video_id": 1, "frame_index": 0, "width": 8, "height": 8,
            "date_captured": "2020-06-01T10:00:00", "assets": assets}  # fmt: skip


def spoil(entry, **fields):
    return {**entry, **fields}


def asset(entry, number, **fields):
    return {**entry, "assets": [{**a, **(fields if i == number else {})} for i, a in enumerate(entry["assets"])]}


BAD = {
    "gone": (lambda e: [asset(e, 0, file_name="gone.tif")], "is not there"),
    "size": (lambda e: [asset(e, 0, width=9)], "is said to have 8 x 9 pixels and has 8 x 8"),
    "warp": (lambda e: [asset(e, 1, warp_aux_to_img={"scale": 2, "offset": 3})], "1.5 pixels from where"),
    "channels": (lambda e: [asset(e, 0, channels="red|nir")], "names 2 channels"),
    "undated": (lambda e: [spoil(e, date_captured=None)], "is in a series and has no time"),
    "twice": (lambda e: [e, spoil(e, id=2, frame_index=1)], "2 have this name"),
    "frames": (lambda e: [e, spoil(e, id=2, name="j")], "has frame_index 0"),
    "order": (
        lambda e: [e, spoil(e, id=2, name="j", frame_index=1, date_captured="2020-05-01T10:00:00")],
        "was taken before frame 0",
    ),
    "schema": (lambda e: [spoil(e, name=5)], "5 is not valid"),
    "time": (lambda e: [spoil(e, date_captured="soon")], "date_captured 'soon'"),
}


@pytest.mark.parametrize("which", BAD)
def test_each_problem_is_found(entry, tmp_path, which):
    make, what = BAD[which]
    videos = [{"id": 1, "name": "v"}]
    good = write_bundle(tmp_path / "good.kwcoco.json", [entry], videos=videos)
    assert problems(good) == []
    bad = write_bundle(tmp_path / "bad.kwcoco.json", make(entry), videos=videos)
    assert any(what in said for _, said in problems(bad)), problems(bad)


def test_labels_that_point_nowhere_are_found(entry, tmp_path):
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]},
        {"id": 2, "image_id": 1, "bbox": [20, 0, 5, 5]},
    ]
    path = write_bundle(tmp_path / "x.kwcoco.json", [entry], annotations=annotations, videos=[{"id": 1, "name": "v"}])
    assert [w for w, _ in problems(path, schema=False)] == ["annotation 1", "annotation 2"]


def test_files_need_not_be_there_if_nobody_asks(entry, tmp_path):
    path = write_bundle(
        tmp_path / "x.kwcoco.json", [asset(entry, 0, file_name="gone.tif")], videos=[{"id": 1, "name": "v"}]
    )
    assert problems(path, files=False) == []


def test_images_of_no_series_are_not_compared_with_each_other(entry, tmp_path):
    loose = {key: value for key, value in entry.items() if key != "video_id"}
    earlier = {**loose, "id": 2, "name": "j", "date_captured": "2020-05-01T10:00:00"}
    path = write_bundle(tmp_path / "x.kwcoco.json", [loose, earlier, {**earlier, "id": 3, "name": "k"}])
    assert problems(path) == []


def test_a_time_that_is_none_is_told_once(entry, tmp_path):
    path = write_bundle(tmp_path / "data.kwcoco.json", [spoil(entry, date_captured="yesterday", video_id=None)])
    assert len([what for _, what in problems(path, schema=False) if "is no time" in what]) == 1
