"""Bundles put together and taken apart keep their labels, masks and files."""

from __future__ import annotations

import json

import pytest
from datasets.bundles import ramp, write_bundle, write_tiff

from geowatch.datasets.anchors import anchored, assets_of, named_from, part_of, united
from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.kwcoco_out import save_document
from geowatch.datasets.sources import find_series


@pytest.fixture
def two(tmp_path):
    """Two bundles in folders of their own, with a class, a series and an image in common."""
    found = []
    write_tiff(tmp_path / "common/c_2020-06-03.tif", ramp(4, 4))
    for number, name in enumerate(("one", "two"), 1):
        write_tiff(tmp_path / name / f"a_2020-06-0{number}.tif", ramp(4, 4, 2))
        mask = [{"channel": "q", "kind": "bitmask", "values": [1], "bits": 0}]
        images = [
            {"id": 5, "name": "a", "file_name": None, "video_id": 9, "timestamp": 1_591_000_000 + number,
             "assets": [{"file_name": f"a_2020-06-0{number}.tif", "channels": "red|q", "gw_masks": mask}]},
            {"id": 6, "name": "c", "file_name": "../common/c_2020-06-03.tif", "video_id": 9, "timestamp": 5},
        ]  # fmt: skip
        annotations = [
            {"id": 1, "image_id": 5, "category_id": 3, "track_id": 4, "bbox": [0, 0, number, 1]},
            {"id": 2, "image_id": 6, "category_id": 3, "track_id": 4, "bbox": [0, 0, 1, 1]},
        ]
        path = write_bundle(
            tmp_path / name / "d.kwcoco.json", images, annotations=annotations, videos=[{"id": 9, "name": "v"}],
            categories=[{"id": 3, "name": "field"}], tracks=[{"id": 4, "name": "t"}],
        )  # fmt: skip
        found.append(anchored(read_bundle(path)))
    return found


def test_a_union_has_each_thing_once(two, tmp_path):
    whole = united(two, tmp_path / "x.kwcoco.json")
    assert [i["name"] for i in whole.images] == ["a", "c", "a.2"]
    assert [len(whole.tables[t]) for t in ("videos", "categories", "tracks", "annotations")] == [1, 1, 1, 3]
    assert {a["image_id"] for a in whole.annotations} == {1, 2, 3}
    assert {(a["category_id"], a["track_id"]) for a in whole.annotations} == {(1, 1)}
    assert whole.images[0]["assets"][0]["gw_masks"][0]["values"] == [1]


def test_a_union_of_a_dataset_with_itself_is_that_dataset(two, tmp_path):
    once = united(two[:1], tmp_path / "x.kwcoco.json")
    twice = united([two[0], two[0]], tmp_path / "x.kwcoco.json")
    assert once.document == twice.document


def test_series_of_one_name_and_other_sizes_stay_apart(two, tmp_path):
    two[1].videos[0]["width"] = 50
    whole = united(two, tmp_path / "x.kwcoco.json")
    assert [v["name"] for v in whole.videos] == ["v", "v-2"]


def test_files_are_found_from_wherever_the_bundle_is_written(two, tmp_path):
    whole = united(two, tmp_path / "x.kwcoco.json")
    path = tmp_path / "deep/er/all.kwcoco.json"
    save_document(named_from(whole.document, path.parent), path)
    names = {asset["file_name"] for image in json.loads(path.read_text())["images"] for asset in assets_of(image)}
    assert names == {"../../one/a_2020-06-01.tif", "../../two/a_2020-06-02.tif", "../../common/c_2020-06-03.tif"}
    assert "c" in {s.id for s in find_series([path]).scenes}


def test_a_part_has_the_labels_of_its_images_only(two):
    part = part_of(two[0], two[0].images[1:])
    assert ([a["id"] for a in part.annotations], len(part.videos), len(part.categories)) == ([2], 1, 1)
    assert part.document["images"] == part.images
