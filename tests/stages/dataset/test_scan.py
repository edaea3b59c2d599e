"""What imagery there is, and what is odd about it."""

from __future__ import annotations

import csv
import json
from datetime import date

import pytest
from datasets.bundles import ramp, write_bundle, write_tiff

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.sources import find_series
from geowatch.errors import ConfigError, ImageryError
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.scan import ScanConfig, scan_dataset
from geowatch.stages.dataset.sources import ChoiceConfig


def scanned(*sources, output=None, choice=None, **options):
    source = SourceConfig(tuple(map(str, sources)), **options)
    config = ScanConfig(source, choice or ChoiceConfig(), None if output is None else str(output))
    return scan_dataset(config)


def test_the_real_series_is_summed_up(eolearn_series):
    from support.eolearn_series import MASKED

    found = scanned(eolearn_series.kwcoco, **MASKED)
    (sensor,) = found.sensors
    assert (sensor.sensor, sensor.scenes, sensor.days, sensor.bands) == ("sentinel-2", 68, 67, ("ndvi",))
    assert (sensor.first, sensor.last, sensor.longest_gap_days) == (date(2015, 7, 11), date(2017, 12, 22), 70)
    assert sensor.cloud_percent == pytest.approx(eolearn_series.cloud.mean() * 100)
    assert sensor.extent == pytest.approx((14.5513, 45.8659, 14.5643, 45.8750), abs=1e-4)
    assert [row.time for row in found.rows] == [t.isoformat() for t in eolearn_series.times]
    assert {row.masks for row in found.rows} == {("bitmask",)}


def test_what_is_broken_is_a_problem_and_the_rest_is_listed(tmp_path):
    good = write_tiff(tmp_path / "s/good_2020-06-01.tif", ramp(4, 6), nodata=0)
    (tmp_path / "s/broken_2020-06-02.tif").write_bytes(good.read_bytes()[:60])
    write_tiff(tmp_path / "s/undated.tif", ramp(4, 6), nodata=0)
    write_tiff(tmp_path / "s/nowhere_2020-06-03.tif", ramp(4, 6), crs=None, nodata=0)
    write_tiff(tmp_path / "s/bare_2020-06-04.tif", ramp(4, 6))
    images = [
        {"id": 1, "name": "k1", "file_name": "gone.tif"},
        {"id": 2, "name": "k2", "file_name": "s/good_2020-06-01.tif", "date_captured": "2020-06-01"},
    ]
    found = scanned(tmp_path / "s", write_bundle(tmp_path / "x.kwcoco.json", images))
    assert {row.id for row in found.rows} == {
        "good_2020-06-01",
        "undated",
        "nowhere_2020-06-03",
        "bare_2020-06-04",
        "k2",
    }
    odd = [(p.where, p.what) for p in found.problems]
    assert any(where == "broken_2020-06-02.tif" for where, _ in odd)
    assert any("gone.tif" in what for _, what in odd)
    assert ("undated", "has no date, as in 20200601, 2020-06-01 or 2020153") in odd
    assert ("nowhere_2020-06-03", "has no georeference") in odd
    assert ("bare_2020-06-04", "says of no pixel that it is no data: bands gray") in odd
    assert ("k2", "is of the same sensor, time and place as good_2020-06-01") in odd


def test_files_of_one_date_whose_names_say_no_band_are_told_how_they_become_one_image(tmp_path):
    for name in ("ndvi", "clm"):
        path = tmp_path / "2020-06-01" / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        write_tiff(path, ramp(4, 6), nodata=0)
    (problem,) = scanned(tmp_path).problems
    assert problem.where == "ndvi"
    assert "names end with a band's name" in problem.what


def test_a_scene_that_lacks_a_band_is_told(tmp_path):
    for day in (1, 2, 3):
        for band in ("B02", "B03") if day < 3 else ("B02",):
            write_tiff(tmp_path / f"s_2020060{day}_{band}.tif", ramp(4, 6), nodata=0)
    odd = [(p.where, p.what) for p in scanned(tmp_path).problems]
    assert odd == [("s_20200603", "lacks green, which most scenes of sentinel-2 have")]


def test_folders_with_other_json_in_them_are_walked(tmp_path):
    write_tiff(tmp_path / "a_2020-06-01.tif", ramp(4, 6), nodata=0)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text("{")
    assert [row.id for row in scanned(tmp_path).rows] == ["a_2020-06-01"]


def test_per_date_folders_are_a_series(tmp_path):
    for day in ("2020-06-01", "2020-06-11"):
        for band in ("B02", "B03"):
            write_tiff(tmp_path / day / f"{band}.tif", ramp(4, 6), nodata=0)
    assert [(row.id, str(row.day), row.bands) for row in scanned(tmp_path).rows] == [
        ("2020-06-01", "2020-06-01", ("blue", "green")), ("2020-06-11", "2020-06-11", ("blue", "green")),
    ]  # fmt: skip


def test_every_form_of_output_holds_what_was_found(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    choice = ChoiceConfig(start="2017-01-01", only_sensor=("image",))
    for ending in ("kwcoco.zip", "csv", "geojson", "json"):
        scanned(eolearn_series.folder, output=tmp_path / f"out.{ending}", choice=choice, **MASKED)
    expected = sum(t.year == 2017 for t in eolearn_series.times)
    bundled = find_series([tmp_path / "out.kwcoco.zip"]).scenes
    assert len(bundled) == expected
    assert all(scene.masks for scene in bundled)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert (len(rows), rows[0]["day"], rows[0]["bands"]) == (expected, "2017-01-01", "ndvi")
    features = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert (len(features), features[0]["properties"]["day"]) == (expected, "2017-01-01")
    assert len(json.loads((tmp_path / "out.json").read_text())["scenes"]) == expected
    assert len(list((tmp_path / "lineage").iterdir())) == 4


def test_a_bundle_of_a_bundle_holds_the_images_that_were_wanted_and_their_labels_alone(tmp_path):
    images = []
    for day in (1, 2, 3):
        write_tiff(tmp_path / f"s{day}.tif", ramp(4, 6), nodata=0)
        # Names with folders in them, and one image without a name.
        name = {} if day == 2 else {"name": f"a/b/{day}"}
        images.append({"id": day, **name, "file_name": f"s{day}.tif", "date_captured": f"2020-06-0{day}"})
    labels = [{"id": day, "image_id": day, "category_id": 1, "bbox": [0, 0, 2, 2]} for day in (1, 2, 3)]
    thing = [{"id": 1, "name": "thing"}]
    path = write_bundle(tmp_path / "x.kwcoco.json", images, annotations=labels, categories=thing)
    found = scanned(path, output=tmp_path / "out.kwcoco.json", choice=ChoiceConfig(end="2020-06-02"))
    written = read_bundle(tmp_path / "out.kwcoco.json")
    assert len(found.rows) == 2
    assert [image["id"] for image in written.images] == [1, 2]
    assert [label["image_id"] for label in written.annotations] == [1, 2]


def test_nothing_at_all_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageryError, match="no images"):
        scanned(tmp_path / "empty")
    (tmp_path / "empty/a.tif").write_bytes(b"II*\x00")
    with pytest.raises(ImageryError, match=r"a\.tif"):
        scanned(tmp_path / "empty")
    with pytest.raises(ConfigError, match="no ending"):
        scanned(tmp_path, output=tmp_path / "x.doc")
