"""Series come together from all kinds of sources."""

from __future__ import annotations

import json

import pytest
from datasets.bundles import ramp, write_bundle, write_tiff
from support.range_server import serve

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.sources import find_series
from geowatch.errors import ConfigError, CorruptImageError
from geowatch.read.frames import make_frames


def collection(hrefs):
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": f"i{day:02}", "collection": "sentinel-2-l2a", "geometry": None,
         "properties": {"datetime": f"2020-06-{day:02}T10:00:00Z", "eo:cloud_cover": day},
         "assets": {"red": {"href": href, "type": "image/tiff", "eo:bands": [{"name": "B04", "common_name": "red"}]}}}
        for day, href in enumerate(hrefs, 1)]}  # fmt: skip


def test_a_collection_of_many_items_is_a_series(tmp_path):
    for day in range(1, 13):
        write_tiff(tmp_path / f"f{day}.tif", ramp(4, 6))
    path = tmp_path / "items.json"
    path.write_text(json.dumps(collection([f"f{day}.tif" for day in range(1, 13)])))
    scenes = find_series([path]).scenes
    assert [(s.id, s.sensor, s.cloud_cover) for s in scenes][::11] == [
        ("i01", "sentinel-2-l2a", 1), ("i12", "sentinel-2-l2a", 12),
    ]  # fmt: skip
    assert len(make_frames(scenes)) == 12


def test_items_elsewhere_are_asked_about_side_by_side_and_stay_in_order(tmp_path):
    for day in range(1, 25):
        write_tiff(tmp_path / f"web/f{day}.tif", ramp(4, 6))
    path = tmp_path / "items.json"
    with serve(tmp_path / "web") as server:
        path.write_text(json.dumps(collection([f"{server.url}/f{day}.tif" for day in range(1, 25)])))
        assert [s.id for s in find_series([path]).scenes] == [f"i{day:02}" for day in range(1, 25)]
        (tmp_path / "web/f7.tif").write_bytes(b"II*\x00")
        refused = []
        assert len(find_series([path], refused=refused.append).scenes) == 23
        assert "f7.tif" in refused[0].fact
        with pytest.raises(CorruptImageError, match=r"f7\.tif"):
            find_series([path])


def test_a_bundle_elsewhere_is_read_with_its_files(tmp_path):
    write_tiff(tmp_path / "web/d/a.tif", ramp(4, 6))
    write_bundle(tmp_path / "web/x.kwcoco.json", [{"id": 1, "name": "a", "file_name": "d/a.tif"}])
    with serve(tmp_path / "web") as server:
        (scene,) = find_series([f"{server.url}/x.kwcoco.json"]).scenes
        assert scene.bands[0].uri == f"{server.url}/d/a.tif"
        assert len(read_bundle(f"{server.url}/x.kwcoco.json").images) == 1


def test_scenes_of_one_name_are_counted_and_bundles_lie_below_files(tmp_path):
    write_tiff(tmp_path / "loose/a_2020-06-01.tif", ramp(4, 6))
    write_tiff(tmp_path / "b/a.tif", ramp(4, 6))
    entry = {"id": 1, "name": "a_2020-06-01", "file_name": "a.tif", "date_captured": "2020-06-01T05:30:00"}
    bundle = write_bundle(tmp_path / "b/x.kwcoco.json", [entry])
    scenes = find_series([bundle, tmp_path / "loose"]).scenes
    assert [s.id for s in scenes] == ["a_2020-06-01.1", "a_2020-06-01.2"]
    (frame,) = make_frames(scenes)
    assert "loose" in frame.scenes[0].bands[0].uri


def test_a_series_is_named_only_where_there_is_a_bundle(tmp_path):
    write_tiff(tmp_path / "a_2020-06-01.tif", ramp(4, 6))
    with pytest.raises(ConfigError, match="none is given"):
        find_series([tmp_path], video="v")
