"""Which scenes are chosen, and what is said when none is left."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import shapely
from shapely.geometry import box

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.scene import BandSource, RasterGrid, Scene
from geowatch.read.select import Selection, footprint_lonlat, select_scenes, undated_heaps

UTM18 = RasterGrid((100, 100), (100.0, 0.0, 500_000.0, 0.0, -100.0, 4_200_000.0), "EPSG:32618")


def scene(name: str, day: str | None, cloud: float | None = None, grid: RasterGrid = UTM18) -> Scene:
    time = None if day is None else datetime.fromisoformat(f"{day}T16:00:00").replace(tzinfo=UTC)
    band = BandSource("red", "red", f"{name}.tif", 1, "uint16", grid)
    return Scene(name, "x", time, (band,), cloud_cover=cloud, center_lon=-75.0)


SCENES = (scene("a", "2020-06-01", 80.0), scene("b", "2020-06-11", 10.0), scene("c", "2020-06-21"), scene("d", None))


def chosen(**wanted) -> str:
    return "".join(s.id for s in select_scenes(SCENES, Selection(**wanted)))


def test_scenes_are_chosen_by_day_range_cloud_and_latest():
    assert chosen() == "abcd"
    assert chosen(dates=(date(2020, 6, 11),)) == "b"
    assert chosen(start=date(2020, 6, 11)) == "bcd"
    assert chosen(end=date(2020, 6, 11)) == "abd"
    assert chosen(max_cloud=50) == "bcd"
    assert chosen(latest=True) == "c"
    assert chosen(latest=True, end=date(2020, 6, 20)) == "b"


def test_the_day_is_the_suns_day():
    late = Scene("l", "x", datetime(2020, 6, 1, 1, tzinfo=UTC), SCENES[0].bands, center_lon=-120.0)
    assert select_scenes([late], Selection(dates=(date(2020, 5, 31),)))


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ({"dates": (date(2021, 1, 1),)}, "2021-01-01.*2020-06-01, 2020-06-11, 2020-06-21"),
        ({"region": box(10, 10, 11, 11)}, "none overlaps the region"),
        (
            {"dates": (date(2020, 6, 1),), "max_cloud": 5},
            "of 1 scene none has at most 5% cloud; .* the clearest with 80% cloud",
        ),
    ],
)
def test_nothing_left_is_an_error_that_says_what_there_was(wanted, what):
    with pytest.raises(ImageryError, match=what) as caught:
        select_scenes(SCENES, Selection(**wanted))
    assert caught.value.hint


def test_the_latest_of_undated_scenes_is_an_error():
    with pytest.raises(ImageryError, match="has a date"):
        select_scenes([SCENES[3]], Selection(latest=True))


@pytest.mark.parametrize(
    "wanted", [{"max_cloud": 101}, {"max_cloud": -1}, {"start": date(2021, 1, 1), "end": date(2020, 1, 1)}]
)
def test_impossible_wishes_are_refused(wanted):
    with pytest.raises(ConfigError):
        Selection(**wanted)


def test_regions_meet_scenes_where_they_touch_on_the_ground():
    west, south, _, north = footprint_lonlat(UTM18).bounds
    assert chosen(region=box(west - 1, south, west + 0.01, north)) == "abcd"
    with pytest.raises(ImageryError):
        chosen(region=box(west - 1, south, west, north).buffer(-0.01))


def test_a_scene_across_the_antimeridian_is_on_both_sides_and_nowhere_else():
    grid = RasterGrid((1000, 1000), (200.0, 0.0, 550_000.0, 0.0, -200.0, 7_200_000.0), "EPSG:32660")
    outline = footprint_lonlat(grid)
    assert outline.bounds[0] == pytest.approx(-180)
    assert outline.bounds[2] == pytest.approx(180)
    assert outline.intersects(box(179, 64, 180, 65))
    assert outline.intersects(box(-180, 64, -179.5, 65))
    assert not outline.intersects(box(-170, 60, 170, 70))


def test_a_scene_over_the_pole_reaches_it_from_every_side():
    grid = RasterGrid((100, 100), (1000.0, 0.0, -50_000.0, 0.0, -1000.0, 50_000.0), "EPSG:3413")
    outline = footprint_lonlat(grid)
    assert shapely.Point(100, 89.9).within(outline)
    assert not shapely.Point(100, 80).within(outline)


def test_pictures_without_georeference_overlap_no_region():
    photo = scene("p", None, grid=RasterGrid((9, 9), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), None))
    with pytest.raises(ImageryError):
        select_scenes([photo], Selection(region=box(0, 0, 9, 9)))


def test_undated_images_that_lie_on_each_other_are_named_and_tiles_of_a_mosaic_are_not():
    beside = RasterGrid((100, 100), (100.0, 0.0, 509_000.0, 0.0, -100.0, 4_200_000.0), "EPSG:32618")
    mosaic = [scene("west", None), scene("east", None, grid=beside), scene("dated", "2020-06-01")]
    assert not list(undated_heaps(mosaic))
    (said,) = undated_heaps([*mosaic, scene("01-06-2020", None)])
    assert said.startswith("2 images of sensor 'x' lie on each other and have no date")
    assert "01-06-2020, west;" in said
