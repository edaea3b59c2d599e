"""A video that says the order of its images and not their times keeps its order, or is refused."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from datasets.bundles import ramp, write_bundle, write_tiff

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.sources import find_series
from geowatch.datasets.undated import undated_of
from geowatch.errors import ImageryError
from geowatch.read.frames import make_frames


@pytest.fixture
def video(tmp_path):
    """Write a video of four images of one place, listed backwards, with these times."""

    def write(times=(None,) * 4, indexes=(0, 1, 2, 10)):
        images = []
        for index, time in reversed(list(zip(indexes, times, strict=True))):
            number = len(images) + 1
            write_tiff(tmp_path / f"{number}.tif", np.full((1, 6, 8), 10 + (index or 0), "uint8"))
            image = {"id": number, "name": f"i{number}", "video_id": 7, "frame_index": index, "date_captured": time,
                     "file_name": f"{number}.tif", "channels": "gray", "sensor_coarse": "S2"}  # fmt: skip
            images.append(image)
        return write_bundle(tmp_path / "x.kwcoco.json", images, videos=[{"id": 7, "name": "flight"}])

    return write


def test_images_of_a_video_without_times_are_frames_in_their_order(video):
    found = find_series([video()])
    frames = make_frames(found.scenes)
    assert [frame.day for frame in frames] == [date(1970, 1, 1 + n) for n in (0, 1, 2, 10)]
    assert [frame.scenes[0].id for frame in frames] == ["i4", "i3", "i2", "i1"]
    (note,) = found.notes
    assert "the 4 images of video 'flight' have no time" in note
    assert "counted from 1970-01-01" in note


def test_times_win_over_the_order(video):
    days = ("2020-06-04", "2020-06-03", "2020-06-02", "2020-06-01")
    found = find_series([video(days)])
    assert [frame.scenes[0].id for frame in make_frames(found.scenes)] == ["i1", "i2", "i3", "i4"]
    assert found.notes == ()


def test_a_video_that_dates_some_of_its_images_is_refused(video):
    with pytest.raises(ImageryError, match="has no time, nor has another of its video"):
        find_series([video(("2020-06-01", None, None, "2020-06-04"))])
    refused = []
    kept = find_series([video(("2020-06-01", None, None, "2020-06-04"))], refused=refused.append).scenes
    assert (len(kept), len(refused)) == (2, 2)


@pytest.mark.parametrize("index", [None, -1, 10**9, 0.5])
def test_without_an_order_nothing_is_made_up(video, index):
    bundle = read_bundle(video(indexes=(0, 1, 2, index)) if index is None else video())
    bundle.images[0]["frame_index"] = index
    assert undated_of(bundle).days == {}


def test_images_of_no_video_stay_undated(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4))
    images = [{"id": n, "name": f"i{n}", "file_name": "a.tif", "frame_index": n} for n in (1, 2)]
    path = write_bundle(tmp_path / "x.kwcoco.json", images)
    assert [scene.time for scene in find_series([path]).scenes] == [None, None]
    assert json.loads(path.read_text())["videos"] == []
