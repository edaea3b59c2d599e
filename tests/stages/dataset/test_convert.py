"""Labels come in from COCO, rasters and GeoJSON, go back, and are the same pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from datasets.bundles import CORNER, UTM, ramp, write_bundle, write_tiff
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from geowatch.datasets.bundle import read_bundle
from geowatch.errors import ConfigError, ImageryError, RegionError
from geowatch.stages.binding.regions import read_features_file
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.convert import ConvertConfig, convert_dataset
from geowatch.stages.dataset.validate import ValidateConfig, validate_dataset
from geowatch.stages.working.events import Silent


def converted(output, *sources, **options):
    return convert_dataset(ConvertConfig(str(output), SourceConfig(tuple(map(str, sources))), **options))


def classes_of(bundle):
    names = {c["id"]: c["name"] for c in bundle.categories}
    return sorted(names[a["category_id"]] for a in bundle.annotations)


VALUES = arrays(np.uint8, (7, 9), elements=st.integers(0, 3))


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(VALUES)
def test_masks_come_back_as_the_same_pixels(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("masks")
    write_tiff(folder / "images/a.tif", ramp(7, 9), crs=None)
    (folder / "labels").mkdir()
    Image.fromarray(values).save(folder / "labels/a.png")
    options = {"labels": str(folder / "labels"), "classes": ("one", "two", "three")}
    if not values.any():
        with pytest.raises(ImageryError, match="no label"):
            converted(folder / "x.kwcoco.json", folder / "images", **options)
        return
    converted(folder / "x.kwcoco.json", folder / "images", **options)
    converted(folder / "back", folder / "x.kwcoco.json", to="masks")
    names = json.loads((folder / "back/classes.json").read_text())
    numbers = {int(k): ["none", "one", "two", "three"].index(v) for k, v in names.items()}
    back = np.asarray(Image.open(folder / "back/a.png"))
    np.testing.assert_array_equal(np.vectorize(lambda v: numbers.get(v, 0))(back), values)


def test_masks_with_a_place_of_their_own_and_of_another_size_lie_where_they_should(tmp_path):
    write_tiff(tmp_path / "i/geo.tif", ramp(8, 8))
    write_tiff(tmp_path / "i/plain.tif", ramp(8, 8), crs=None)
    mask = np.zeros((1, 2, 2), "uint8")
    mask[0, 0, 1] = 5
    write_tiff(tmp_path / "l/geo.tif", mask, CORNER @ Affine.translation(2, 2) @ Affine.scale(2))
    Image.fromarray(mask[0]).save(tmp_path / "l/plain.png")
    converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "l"), classes=("5=hut",))
    bundle = read_bundle(tmp_path / "x.kwcoco.json")
    names = {i["id"]: i["name"] for i in bundle.images}
    boxes = {names[a["image_id"]]: a["bbox"] for a in bundle.annotations}
    assert boxes == {"geo": [4, 2, 2, 2], "plain": [4, 0, 4, 4]}
    assert classes_of(bundle) == ["hut", "hut"]
    checked = validate_dataset(ValidateConfig(str(tmp_path / "x.kwcoco.json")))
    assert not [p for p in checked.problems if "time" not in p.what]


def test_masks_of_another_crs_or_several_bands_are_refused(tmp_path):
    write_tiff(tmp_path / "i/a.tif", ramp(8, 8))
    write_tiff(tmp_path / "l/a.tif", ramp(8, 8, 1, "uint8"), crs="EPSG:32619")
    with pytest.raises(ImageryError, match="has CRS EPSG:32619"):
        converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "l"))
    write_tiff(tmp_path / "l/a.tif", ramp(8, 8, 2, "uint8"))
    with pytest.raises(ImageryError, match="has 2 bands"):
        converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "l"))


def test_geojson_labels_fall_on_the_images_of_their_time_and_come_back(eolearn_series, tmp_path):
    ring = [[14.555, 45.868], [14.56, 45.868], [14.56, 45.872], [14.555, 45.872], [14.555, 45.868]]
    shapes = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"kind": "field", "id": "f1", "start_date": "2016-01-01",
         "end_date": "2016-12-31"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": {"kind": "far"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
    ]}  # fmt: skip
    (tmp_path / "l.geojson").write_text(json.dumps(shapes))
    done = converted(
        tmp_path / "x.kwcoco.json", eolearn_series.kwcoco, labels=str(tmp_path / "l.geojson"), class_field="kind"
    )
    assert (done.images, done.labels) == (68, sum(t.year == 2016 for t in eolearn_series.times))
    bundle = read_bundle(tmp_path / "x.kwcoco.json")
    assert ([c["name"] for c in bundle.categories], [t["name"] for t in bundle.tables["tracks"]]) == (["field"], ["f1"])
    converted(tmp_path / "back.geojson", tmp_path / "x.kwcoco.json", to="geojson")
    features = json.loads((tmp_path / "back.geojson").read_text())["features"]
    back = np.array(features[0]["geometry"]["coordinates"][0])
    assert len(features) == done.labels
    assert features[0]["properties"]["class"] == "field"
    assert features[0]["properties"]["time"].startswith("2016-01-07")
    assert {tuple(p) for p in np.round(back, 6)} == {tuple(p) for p in ring}


def test_coco_of_others_becomes_kwcoco_and_goes_back(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(tmp_path / "p.png")
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 2, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "bbox": [1, 1, 4, 4]},
        {
            "id": 2,
            "image_id": 1,
            "category_id": 2,
            "iscrowd": 1,
            "segmentation": {"size": [8, 8], "counts": [0, 3, 61]},
        },
    ]
    coco = write_bundle(
        tmp_path / "instances.json", [{"id": 1, "file_name": "p.png", "width": 8, "height": 8}],
        annotations=annotations, categories=[{"id": 2, "name": "roof", "supercategory": "house"}],
    )  # fmt: skip
    converted(tmp_path / "out/x.kwcoco.json", coco)
    bundle = read_bundle(tmp_path / "out/x.kwcoco.json")
    assert bundle.images[0]["file_name"] == "../p.png"
    assert [a["area"] for a in bundle.annotations] == [16, 3]
    assert not [
        p
        for p in validate_dataset(ValidateConfig(str(tmp_path / "out/x.kwcoco.json"))).problems
        if "time" not in p.what
    ]
    converted(tmp_path / "back.json", tmp_path / "out/x.kwcoco.json", to="coco")
    back = json.loads((tmp_path / "back.json").read_text())
    assert back["images"][0] == {"id": 1, "file_name": "p.png", "width": 8, "height": 8}
    assert [a["area"] for a in back["annotations"]] == [16, 3]
    assert [a["bbox"] for a in back["annotations"]] == [[1, 1, 4, 4], [0, 0, 1, 3]]
    assert len(back["annotations"][0]["segmentation"][0]) == 8


def test_outlines_with_holes_go_to_coco_as_run_lengths(tmp_path):
    write_tiff(tmp_path / "i/a.tif", ramp(5, 5), crs=None)
    mask = np.ones((5, 5), "uint8")
    mask[2, 2] = 0
    (tmp_path / "l").mkdir()
    Image.fromarray(mask).save(tmp_path / "l/a.png")
    converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "l"))
    converted(tmp_path / "c.json", tmp_path / "x.kwcoco.json", to="coco")
    (entry,) = json.loads((tmp_path / "c.json").read_text())["annotations"]
    assert entry["segmentation"] == {"size": [5, 5], "counts": [0, 12, 1, 12]}


def test_georeferenced_labels_come_back_as_georeferenced_rasters(tmp_path):
    write_tiff(tmp_path / "i/a.tif", ramp(5, 5))
    write_tiff(tmp_path / "l/a.tif", np.eye(5, dtype="uint8")[None])
    converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "l"))
    converted(tmp_path / "back", tmp_path / "x.kwcoco.json", to="masks")
    with rasterio.open(tmp_path / "back/a.tif") as file:
        assert (file.crs.to_string(), file.transform) == (UTM, CORNER)
        np.testing.assert_array_equal(file.read(1), np.eye(5))


def test_what_cannot_be_converted_says_why(tmp_path):
    write_tiff(tmp_path / "a_B02.tif", ramp(4, 4))
    write_tiff(tmp_path / "a_B03.tif", ramp(4, 4))
    with pytest.raises(ConfigError, match="no ending that says a form"):
        converted(tmp_path / "x.json", tmp_path)
    with pytest.raises(ImageryError, match="has 2 files, and COCO knows one"):
        converted(tmp_path / "x.json", tmp_path, to="coco")
    with pytest.raises(ImageryError, match="neither a folder nor GeoJSON"):
        converted(tmp_path / "x.kwcoco.json", tmp_path, labels=str(tmp_path / "none"))
    write_tiff(tmp_path / "l/a.tif", ramp(4, 4, 1, "uint8"))
    with pytest.raises(ConfigError, match="is a file, and no folder"):
        converted(tmp_path / "a_B02.tif", tmp_path, to="masks")
    with pytest.raises(ConfigError, match="cannot be read"):
        converted(tmp_path / "x.kwcoco.json", tmp_path / "a_B02.tif", labels=str(tmp_path / "l"), classes=("x=y",))


def test_site_models_label_the_images_with_the_phase_of_their_day(shared_data, tmp_path):
    models = shared_data("smart") / "site_models"
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/BR_R002_0000.geojson").write_bytes((models / "BR_R002_0000.geojson").read_bytes())
    site = json.loads((models / "BR_R002_0000.geojson").read_text())["features"]
    lon, lat = np.array(site[0]["geometry"]["coordinates"][0]).T
    west, south, east, north = lon.min(), lat.min(), lon.max(), lat.max()
    place = Affine((east - west) / 20, 0, west, 0, (south - north) / 20, north)
    for day in ("2016-05-01", "2016-12-01", "2015-01-01"):
        write_tiff(tmp_path / f"i/s_{day}.tif", ramp(20, 20), place, "EPSG:4326")
    converted(tmp_path / "x.kwcoco.json", tmp_path / "i", labels=str(tmp_path / "sites"))
    bundle = read_bundle(tmp_path / "x.kwcoco.json")
    days = {image["id"]: image["date_captured"][:10] for image in bundle.images}
    names = {c["id"]: c["name"] for c in bundle.categories}
    seen = [f["properties"] for f in site[1:]]
    expected = {
        day: [o["current_phase"] for o in seen if o["observation_date"] <= day][-1]
        for day in ("2016-05-01", "2016-12-01")
    }
    assert {days[a["image_id"]]: names[a["category_id"]] for a in bundle.annotations} == expected
    assert {t["name"] for t in bundle.tables["tracks"]} == {"BR_R002_0000"}


def test_labels_without_a_place_on_the_earth_are_not_dropped_from_geojson_in_silence(tmp_path):
    for name, crs in (("a", None), ("b", UTM)):
        write_tiff(tmp_path / f"i/{name}.tif", ramp(5, 5), crs=crs)
        write_tiff(tmp_path / f"l/{name}.tif", np.eye(5, dtype="uint8")[None], crs=crs)
    both, plain = tmp_path / "both.kwcoco.json", tmp_path / "plain.kwcoco.json"
    converted(both, tmp_path / "i", labels=str(tmp_path / "l"))
    converted(plain, tmp_path / "i/a.tif", labels=str(tmp_path / "l"))
    notes = Notes()
    convert_dataset(ConvertConfig(str(tmp_path / "x.geojson"), SourceConfig((str(both),)), to="geojson"), notes)
    assert notes.said == ["left out, as their images have no georeference: 5 of 10 labels"]
    assert len(json.loads((tmp_path / "x.geojson").read_text())["features"]) == 5
    with pytest.raises(ImageryError, match="none of the 5 labels is on an image with a georeference"):
        converted(tmp_path / "y.geojson", plain, to="geojson")
    assert not (tmp_path / "y.geojson").exists()


def test_a_single_feature_is_a_label_too(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(5, 5))
    west, south, east, north = -78, 37, -76, 39
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"class": "field"}, "geometry": shape}
    (tmp_path / "l.geojson").write_text(json.dumps(feature))
    done = converted(tmp_path / "x.kwcoco.json", tmp_path / "a.tif", labels=str(tmp_path / "l.geojson"))
    assert done.labels == 1
    (tmp_path / "l.geojson").write_text(json.dumps(shape))
    assert [known for _, known in read_features_file(str(tmp_path / "l.geojson"))] == [{}]


def feature(west, south, east, north, **known):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {"class": "field"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    } | known


def test_labels_of_all_the_earth_leave_those_of_other_places_alone(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(5, 5))
    far = [(100, 10, 101, 11), (105, -38, 106, -37), (9, 0, 10, 1), (-77, 89.9, -76, 90), (-77, -90, -76, -89)]
    features = [feature(-170, -80, 170, 80), *(feature(*box) for box in far), feature(0, 0, 1, 1, geometry=None)]
    (tmp_path / "l.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    done = converted(tmp_path / "x.kwcoco.json", tmp_path / "a.tif", labels=str(tmp_path / "l.geojson"))
    (label,) = read_bundle(tmp_path / "x.kwcoco.json").annotations
    assert done.labels == 1
    assert label["area"] == pytest.approx(25)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"features": [feature(500_000, 4_000_000, 500_100, 4_000_100)]}, "no longitude and latitude"),
        ({"features": [feature(0, 0, 1, 1)], "crs": {"properties": {"name": "EPSG:32618"}}}, "crs is 'EPSG:32618'"),
        ({"features": [feature(0, 0, 1, 1, geometry=None)]}, "has a geometry"),
    ],
)
def test_labels_in_another_crs_or_without_a_place_are_refused_in_words(tmp_path, known, said):
    write_tiff(tmp_path / "a.tif", ramp(5, 5))
    (tmp_path / "l.geojson").write_text(json.dumps({"type": "FeatureCollection"} | known))
    with pytest.raises(RegionError, match=said):
        converted(tmp_path / "x.kwcoco.json", tmp_path / "a.tif", labels=str(tmp_path / "l.geojson"))


class Notes(Silent):
    """Keeps what a user is told."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)
