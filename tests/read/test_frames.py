"""Frames: scenes of one sensor and solar day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.frames import make_frames
from geowatch.read.scene import BandSource, RasterGrid, Scene

GRID = RasterGrid((9, 9), (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_200_000.0), "EPSG:32618")
PIXELS = RasterGrid((9, 9), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None)


def scene(name: str, time: str | None, *, sensor="s", grid=GRID, **more) -> Scene:
    moment = None if time is None else datetime.fromisoformat(time).replace(tzinfo=UTC)
    return Scene(name, sensor, moment, (BandSource("red", "red", name, 1, "uint8", grid),), **more)


def test_one_sensor_and_solar_day_is_one_frame_oldest_first_undated_last():
    scenes = [
        scene("u", None),
        scene("b", "2020-06-02T10:00"),
        scene("a1", "2020-06-01T10:00"),
        scene("a2", "2020-06-01T10:01"),
        scene("o", "2020-06-01T10:00", sensor="other"),
    ]
    frames = make_frames(scenes)
    assert [f.id for f in frames] == ["2020-06-01_other", "2020-06-01_s", "2020-06-02_s", "undated_s"]
    assert [s.id for s in frames[1].scenes] == ["a1", "a2"]
    assert frames[3].day is None


def test_scenes_on_both_sides_of_midnight_utc_are_one_day_by_the_sun():
    scenes = [
        scene("a", "2020-06-01T23:59", center_lon=150.0),
        scene("b", "2020-06-02T00:01", center_lon=150.0),
    ]
    assert [f.id for f in make_frames(scenes)] == ["2020-06-02_s"]


def test_priority_comes_before_time_and_time_before_name():
    scenes = [
        scene("z", "2020-06-01T10:00"),
        scene("y", "2020-06-01T10:00"),
        scene("x", "2020-06-01T09:00"),
        scene("w", "2020-06-01T11:00", priority=-1),
    ]
    assert [s.id for s in make_frames(scenes)[0].scenes] == ["w", "x", "y", "z"]


def test_least_cloudy_puts_clear_scenes_on_top_and_unknown_ones_below():
    scenes = [scene("a", None), scene("b", None, cloud_cover=40.0), scene("c", None, cloud_cover=5.0)]
    assert [s.id for s in make_frames(scenes, order="least-cloudy")[0].scenes] == ["c", "b", "a"]


def test_pictures_without_georeference_do_not_lie_on_each_other():
    with pytest.raises(ImageryError, match="2 images have no georeference"):
        make_frames([scene("a", None, grid=PIXELS), scene("b", None, grid=PIXELS)])


def test_equal_names_and_unknown_orders_are_refused():
    with pytest.raises(ImageryError, match="'a'"):
        make_frames([scene("a", None), scene("a", None)])
    with pytest.raises(ConfigError, match="best"):
        make_frames([scene("a", None)], order="best")
