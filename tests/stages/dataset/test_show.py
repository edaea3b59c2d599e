"""The contact sheet shows every day, and what of it is hidden."""

from __future__ import annotations

import io
import json
from datetime import date
from typing import ClassVar

import numpy as np
import pytest
from affine import Affine
from datasets.bundles import CORNER, ramp, write_bundle, write_tiff
from PIL import Image

from geowatch.errors import ConfigError
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.sheet import ContactSheet, Thumbnail, draw_contact_sheet, spread
from geowatch.stages.dataset.show import ShowConfig, show_dataset
from geowatch.stages.dataset.sources import ChoiceConfig
from geowatch.stages.working.events import Silent

MASK = np.array([236, 72, 110])


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def near(picture, color, most=70):
    return (np.abs(picture - color).sum(axis=-1) < most).any()


def thumbnail(day, hidden=None, value=90):
    seen = np.ones((40, 40), bool)
    covered = np.zeros((40, 40), bool) if hidden is None else hidden
    return Thumbnail(day, "s2", np.full((40, 40, 3), value, np.uint8), seen, covered)


def test_a_mask_is_bordered_and_counted():
    hidden = np.zeros((40, 40), bool)
    hidden[10:30, 10:30] = True
    look = thumbnail(date(2020, 6, 1), hidden)
    assert look.hidden_share == 0.25
    with_mask = pixels(draw_contact_sheet(ContactSheet("t", "s", (look,), 4)))
    without = pixels(draw_contact_sheet(ContactSheet("t", "s", (thumbnail(date(2020, 6, 1)),), 4)))
    assert near(with_mask, MASK)
    assert not near(without, MASK)


def test_years_are_rows_of_their_own():
    days = [date(2019, 12, 30), date(2020, 1, 2), date(2020, 1, 9), None]
    sheet = ContactSheet("t", "s", tuple(thumbnail(day) for day in days), 10)
    tall = pixels(draw_contact_sheet(sheet)).shape
    flat = pixels(
        draw_contact_sheet(ContactSheet("t", "s", tuple(thumbnail(date(2020, 1, 2)) for _ in days), 10))
    ).shape
    assert tall[0] > flat[0] + 200


def test_the_ends_of_a_long_series_are_shown():
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread(list(range(3)), 4) == [0, 1, 2]


def test_the_real_series_is_drawn(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    path = tmp_path / "sheet.png"
    source = SourceConfig((str(eolearn_series.kwcoco),), **MASKED)
    sites = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"start_date": "2015-08-25"}, "geometry": {"type": "Polygon", "coordinates":
         [[[14.555, 45.868], [14.56, 45.868], [14.56, 45.872], [14.555, 45.872], [14.555, 45.868]]]}}]}  # fmt: skip
    (tmp_path / "sites.geojson").write_text(json.dumps(sites))
    choice = ChoiceConfig(end="2015-12-31", region=str(eolearn_series.region))
    done = show_dataset(ShowConfig(source, choice, str(path), outlines=str(tmp_path / "sites.geojson"), thumb_px=60))
    assert done.images == len({t.date() for t in eolearn_series.times if t.year == 2015})
    picture = pixels(path.read_bytes())
    assert near(picture, np.array([255, 214, 10]))
    assert near(picture, np.array([58, 140, 68]))


def test_what_is_hidden_is_what_the_mask_says(eolearn_series, tmp_path, monkeypatch):
    from support.eolearn_series import MASKED

    drawn = []
    monkeypatch.setattr("geowatch.stages.dataset.show.draw_contact_sheet", lambda sheet: drawn.append(sheet) or b"")
    source = SourceConfig((str(eolearn_series.kwcoco),), **MASKED)
    show_dataset(ShowConfig(source, ChoiceConfig(end="2016-06-30"), str(tmp_path / "x.png"), thumb_px=101))
    shares = {time.date(): cloud.mean() for time, cloud in zip(eolearn_series.times, eolearn_series.cloud, strict=True)}
    for thumbnail in drawn[0].thumbnails:
        assert thumbnail.hidden_share == pytest.approx(shares[thumbnail.day], abs=0.06)


def test_photographs_without_a_place_are_drawn_too(tmp_path):
    write_tiff(tmp_path / "a_2020-06-01.tif", ramp(30, 40, 3, "uint8"), crs=None)
    assert show_dataset(ShowConfig(SourceConfig((str(tmp_path),)), output=str(tmp_path / "x.png"))).images == 1


def test_two_bands_make_no_picture(tmp_path):
    write_tiff(tmp_path / "a_2020-06-01.tif", ramp(30, 40, 3, "uint8"))
    with pytest.raises(ConfigError, match="2 bands make no picture"):
        show_dataset(ShowConfig(SourceConfig((str(tmp_path),)), ChoiceConfig(channels=("red", "green"))))
    with pytest.raises(ConfigError, match="no ending that says a form"):
        show_dataset(ShowConfig(SourceConfig((str(tmp_path),)), output="x.jpg"))


def test_one_image_of_many_is_the_one_in_the_middle(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    assert spread([None] * 5, 1) == [2]
    source = SourceConfig((str(eolearn_series.kwcoco),), **MASKED)
    assert show_dataset(ShowConfig(source, output=str(tmp_path / "x.png"), most=1)).images == 1


def test_pictures_without_place_and_date_are_shown_side_by_side(tmp_path):
    for name in "abc":
        write_tiff(tmp_path / f"{name}.tif", ramp(6, 8), crs=None)
    assert show_dataset(ShowConfig(SourceConfig((str(tmp_path),)), output=str(tmp_path / "x.png"))).images == 3


def test_places_far_apart_make_no_sheet(tmp_path):
    write_tiff(tmp_path / "here_2020-06-01.tif", ramp(6, 8))
    write_tiff(tmp_path / "there_2020-06-02.tif", ramp(6, 8), CORNER @ Affine.translation(90_000, 0))
    with pytest.raises(ConfigError, match="so far apart") as caught:
        show_dataset(ShowConfig(SourceConfig((str(tmp_path),)), output=str(tmp_path / "x.png")))
    assert "--bbox" in caught.value.hint


def test_places_that_are_hardly_seen_are_told_to_be_shown_one_by_one(tmp_path):
    class Heard(Silent):
        notes: ClassVar[list[str]] = []

        def note(self, text: str) -> None:
            self.notes.append(text)

    write_tiff(tmp_path / "here_2020-06-01.tif", ramp(6, 8))
    write_tiff(tmp_path / "there_2020-06-02.tif", ramp(6, 8), CORNER @ Affine.translation(200, 0))
    source = SourceConfig((str(tmp_path),))
    assert show_dataset(ShowConfig(source, output=str(tmp_path / "x.png")), Heard()).images == 2
    assert any("--video" in note for note in Heard.notes)
    Heard.notes.clear()
    choice = ChoiceConfig(date=("2020-06-01",))
    show_dataset(ShowConfig(source, choice, output=str(tmp_path / "x.png")), Heard())
    assert Heard.notes == []


def test_a_long_title_and_a_long_legend_stay_on_the_page(tmp_path):
    for number in range(14):
        write_tiff(tmp_path / f"s{number}_2020-06-{number + 1:02}.tif", ramp(6, 8))
    images = [
        {"id": n, "name": f"i{n}", "file_name": f"s{n}_2020-06-{n + 1:02}.tif", "date_captured": f"2020-06-{n + 1:02}",
         "sensor_coarse": f"a sensor with the long name {n}", "channels": "red"}
        for n in range(14)
    ]  # fmt: skip
    source = SourceConfig((str(write_bundle(tmp_path / "x.kwcoco.json", images)),))
    sizes = []
    for title in ("short", "long " * 40):
        show_dataset(ShowConfig(source, output=str(tmp_path / "x.png"), thumb_px=40, columns=3, title=title))
        with Image.open(tmp_path / "x.png") as picture:
            sizes.append(picture.size)
    assert sizes[1][0] > 1500 > sizes[0][0]
    assert sizes[1][1] < sizes[0][1]
