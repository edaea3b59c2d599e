"""Scenes from STAC items, as catalogs of today write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geowatch.errors import CorruptImageError, ImageryError
from geowatch.read.catalog import SceneOptions, find_scenes

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_18SUG_20200601_0_L2A",
        "collection": properties.pop("collection", "sentinel-2-l2a"),
        "geometry": None,
        "properties": {
            "datetime": "2020-06-01T15:59:11.024000Z",
            "platform": "sentinel-2a",
            "eo:cloud_cover": 3.5,
            **properties,
        },
        "assets": assets,
        "links": [],
    }


def asset(href: str, **more: Any) -> dict[str, Any]:
    return {"href": href, "type": COG, "roles": ["data"], **more}


@pytest.fixture
def folder(tmp_path, write_image, noise):
    for name in ("red", "nir", "both"):
        shape = (2, 20, 20) if name == "both" else (20, 20)
        write_image(tmp_path / "data" / f"{name}.tif", noise(shape))
    write_image(tmp_path / "data" / "scl.tif", np.full((10, 10), 9, "uint8"), step=20.0)
    return tmp_path


def put(folder: Path, content: object, name: str = "item.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def scene_of(folder: Path, content: object, **options: Any):
    scenes = find_scenes([put(folder, content)], SceneOptions(**options)).scenes
    assert len(scenes) == 1
    return scenes[0]


def test_an_item_of_stac_1_0_gives_names_numbers_and_mask(folder):
    bands = [{"scale": 0.0001, "offset": -0.1, "nodata": 0}]
    scene = scene_of(
        folder,
        item(
            {
                "B04": asset(
                    "data/red.tif", **{"eo:bands": [{"name": "B04", "common_name": "red"}], "raster:bands": bands}
                ),
                "nir": asset("data/nir.tif", **{"raster:bands": bands}),
                "scl": asset("data/scl.tif"),
                "thumbnail": {"href": "gone.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
                "info": {"href": "gone.xml", "type": "application/xml"},
            }
        ),
        mask=("cloud",),
    )
    assert (scene.id, scene.sensor, scene.cloud_cover) == ("S2A_18SUG_20200601_0_L2A", "sentinel-2-l2a", 3.5)
    assert [(b.name, b.scale, b.offset, b.nodata) for b in scene.bands] == [
        ("red", 0.0001, -0.1, 0.0),
        ("nir", 0.0001, -0.1, 0.0),
    ]
    assert scene.band("B04").name == "red"
    assert [(m.kind, m.bad_values) for m in scene.masks] == [("scl", (8, 9))]
    assert scene.fingerprints[-1].uri.endswith("item.json")


def test_an_item_of_stac_1_1_with_several_bands_in_one_asset(folder):
    bands = [
        {"name": "B04", "eo:common_name": "red", "raster:scale": 0.0001, "nodata": 0},
        {"name": "B08", "eo:common_name": "nir", "raster:scale": 0.0002},
    ]
    scene = scene_of(folder, {**item({"image": asset("data/both.tif", bands=bands)}), "stac_version": "1.1.0"})
    assert [(b.name, b.index, b.scale) for b in scene.bands] == [("red", 1, 0.0001), ("nir", 2, 0.0002)]


def test_a_collection_of_items_gives_one_scene_each_with_the_baselines_offset(folder):
    old, new = (item({"red": asset("data/red.tif")}, **{"s2:processing_baseline": b}) for b in ("02.14", "05.09"))
    new = {**new, "id": "new"}
    content = {"type": "FeatureCollection", "features": [old, new]}
    scenes = find_scenes([put(folder, content)]).scenes
    assert [(s.id, s.bands[0].scale, s.bands[0].offset) for s in scenes] == [
        ("S2A_18SUG_20200601_0_L2A", 1e-4, 0.0),
        ("new", 1e-4, -0.1),
    ]


def test_an_offset_that_was_applied_is_not_applied_again(folder):
    applied = {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True}
    assert scene_of(folder, item({"red": asset("data/red.tif")}, **applied)).bands[0].offset == 0


def test_masks_that_the_item_explains_are_used(folder):
    fields = [
        {"name": "fill", "offset": 0, "length": 1},
        {"name": "cloud_shadow", "offset": 4, "length": 1},
        {"name": "cloud_confidence", "offset": 8, "length": 2},
    ]
    quality = asset("data/scl.tif", **{"classification:bitfields": fields})
    scene = scene_of(folder, item({"red": asset("data/red.tif"), "quality": quality}), mask=("fill", "shadow"))
    assert [m.bad_bits for m in scene.masks] == [0b10001]
    assert [b.name for b in scene.bands] == ["red"]


def test_landsat_level_2_items_know_their_numbers(folder):
    content = item({"red": asset("data/red.tif")}, collection="landsat-c2-l2", platform="landsat-8")
    scene = scene_of(folder, content)
    assert (scene.sensor, scene.bands[0].scale, scene.bands[0].offset) == ("landsat-8-l2", 0.0000275, -0.2)


def test_bands_that_no_item_names_are_called_as_the_sensor_or_the_user_says(folder):
    assert [b.name for b in scene_of(folder, item({"B04": asset("data/red.tif")})).bands] == ["red"]
    older = item({"B4": asset("data/nir.tif")}, collection="other", platform="landsat-5")
    assert [b.name for b in scene_of(folder, older).bands] == ["nir08"]
    both = item({"image": asset("data/both.tif")})
    assert [b.name for b in scene_of(folder, both).bands] == ["image_1", "image_2"]
    assert [b.name for b in scene_of(folder, both, bands=("red", "nir")).bands] == ["red", "nir"]
    named = item({"image": asset("data/both.tif", **{"eo:bands": [{"name": "B02"}, {"name": "B08"}]})})
    assert [b.name for b in scene_of(folder, named, bands=("red", "nir")).bands] == ["blue", "nir"]


def test_a_folder_of_items_is_read_by_its_items_alone(folder):
    put(folder, item({"red": asset("./data/red.tif")}))
    assert [s.id for s in find_scenes([folder]).scenes] == ["S2A_18SUG_20200601_0_L2A"]


def test_items_in_a_folder_may_lead_to_files_of_the_folder_that_was_given(folder):
    (folder / "items").mkdir()
    put(folder / "items", item({"red": asset("../data/red.tif")}))
    assert find_scenes([folder / "items", folder], SceneOptions(roots=(folder,))).scenes
    with pytest.raises(ImageryError, match="leads outside"):
        find_scenes([folder / "items"])


def test_assets_in_places_that_are_not_read_are_told_and_items_of_nothing_else_are_errors(folder):
    remote = asset("gs://bucket/nir.tif?key=secret")
    catalog = find_scenes([put(folder, item({"red": asset("data/red.tif"), "nir": remote}))])
    assert any("1 remote" in n for n in catalog.notes)
    with pytest.raises(ImageryError, match=r"gs://bucket/nir\.tif") as caught:
        find_scenes([put(folder, item({"nir": remote}))])
    assert "secret" not in str(caught.value)


def catalog_of(*links: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "c",
        "links": [{"rel": rel, "href": href} for rel, href in links],
    }


def test_a_catalog_gives_the_scenes_of_all_items_that_it_leads_to_each_once(folder):
    for name in ("one", "two"):
        put(folder, {**item({"red": asset("data/red.tif")}), "id": name}, f"{name}.json")
    put(folder, catalog_of(("item", "one.json"), ("item", "two.json"), ("parent", "catalog.json")), "child.json")
    path = put(folder, catalog_of(("child", "child.json"), ("item", "./two.json"), ("self", "x.json")), "catalog.json")
    assert [s.id for s in find_scenes([path]).scenes] == ["one", "two"]


def test_a_catalog_may_not_lead_outside_its_folder(folder):
    put(folder, item({"red": asset("data/red.tif")}))
    (folder / "sub").mkdir()
    path = put(folder / "sub", catalog_of(("item", "../item.json")), "catalog.json")
    with pytest.raises(ImageryError, match="leads outside"):
        find_scenes([path])
    assert find_scenes([path], SceneOptions(roots=(folder,))).scenes


@pytest.mark.parametrize("href", ["/etc/passwd", "../../x.tif"])
def test_assets_outside_are_refused(folder, href):
    with pytest.raises(ImageryError, match="leads outside its folder"):
        find_scenes([put(folder, item({"red": asset(href)}))])


def test_a_missing_asset_is_named(folder):
    with pytest.raises(ImageryError, match="asset 'red'"):
        find_scenes([put(folder, item({"red": asset("data/gone.tif")}))])


@pytest.mark.parametrize("content", ["{", "[]", '{"type": "Feature", "assets": 3}'])
def test_json_that_is_no_item_is_an_error_by_name(folder, content):
    path = folder / "item.json"
    path.write_text(content)
    with pytest.raises((ImageryError, CorruptImageError), match="item"):
        find_scenes([path])
