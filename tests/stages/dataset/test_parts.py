"""Parts and unions of datasets keep masks, times, sensors and labels."""

from __future__ import annotations

import json

import pytest
from affine import Affine
from datasets.bundles import CORNER, UTM, ramp, write_bundle, write_tiff

from geowatch.datasets.bundle import read_bundle
from geowatch.datasets.places import image_grid
from geowatch.datasets.sources import find_series
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.catalog import SceneOptions
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.parts import (
    SplitConfig,
    SubsetConfig,
    UnionConfig,
    split_dataset,
    subset_dataset,
    union_datasets,
)
from geowatch.stages.dataset.sources import ChoiceConfig


def part(tmp_path, *sources, choice=None, **options):
    path = tmp_path / "part" / "out.kwcoco.json"
    subset_dataset(SubsetConfig(str(path), SourceConfig(tuple(map(str, sources)), **options), choice or ChoiceConfig()))
    return read_bundle(path), path


def test_a_subset_of_the_real_series_reads_as_the_same_scenes(eolearn_series, tmp_path):
    from support.eolearn_series import MASKED

    choice = ChoiceConfig(start="2016-01-01", end="2016-12-31", max_cloud=30)
    bundle, path = part(tmp_path, eolearn_series.kwcoco, choice=choice, **MASKED)
    clear = eolearn_series.cloud.mean(axis=(1, 2)) * 100 <= 30
    expected = [t for t, c in zip(eolearn_series.times, clear, strict=True) if c and t.year == 2016]
    assert len(bundle.images) == len(expected)
    # The mask was named once, and is part of the dataset from then on.
    read = find_series([path]).scenes
    known = {s.id: s for s in find_series([eolearn_series.kwcoco], SceneOptions(**MASKED)).scenes}
    assert [(s.time, s.bands, s.masks) for s in read] == [(known[s.id].time, known[s.id].bands, known[s.id].masks)
                                                         for s in read]  # fmt: skip
    assert [s.time for s in read] == expected


@pytest.fixture
def mixed(tmp_path):
    """Two sensors, two places, labels, one image without a date."""
    write_tiff(tmp_path / "here_red.tif", ramp(10, 10))
    write_tiff(tmp_path / "here_q.tif", ramp(10, 10))
    write_tiff(tmp_path / "there.tif", ramp(10, 10), CORNER @ Affine.translation(1000, 0))
    mask = [{"channel": "q", "kind": "bitmask", "values": [1], "bits": 0}]
    images = [
        {"id": 1, "name": "here", "sensor_coarse": "S2", "video_id": 1, "date_captured": "2020-06-01",
         "assets": [{"file_name": "here_red.tif", "channels": "red"},
                    {"file_name": "here_q.tif", "channels": "q", "gw_masks": mask}]},
        {"id": 2, "name": "there", "sensor_coarse": "L8", "video_id": 2, "date_captured": "2020-07-01",
         "assets": [{"file_name": "there.tif", "channels": "nir"}]},
        {"id": 3, "name": "when", "sensor_coarse": "L8", "video_id": 2,
         "assets": [{"file_name": "there.tif", "channels": "nir"}]},
    ]  # fmt: skip
    annotations = [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 1, 1]} for n in (1, 2, 3)]
    return write_bundle(
        tmp_path / "x.kwcoco.json", images, annotations=annotations, categories=[{"id": 1, "name": "c"}],
        videos=[{"id": 1, "name": "here"}, {"id": 2, "name": "there"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (ChoiceConfig(only_sensor=("sentinel-2",)), ["here"]),
        (ChoiceConfig(only_sensor=("Landsat-8",)), ["there", "when"]),
        (ChoiceConfig(only_sensor=("S2",)), ["here"]),
        (ChoiceConfig(channels=("red",)), ["here"]),
        (ChoiceConfig(start="2020-06-15"), ["there", "when"]),
        (ChoiceConfig(date=("2020-06-01",)), ["here"]),
        (ChoiceConfig(latest=True), ["there"]),
        (ChoiceConfig(bbox=(-77.3, 37.9, -77.27, 37.95)), ["here"]),
        (ChoiceConfig(bbox=(-77.2, 37.9, -77.1, 37.95)), ["there", "when"]),
    ],
)
def test_each_choice_keeps_what_it_says_with_its_labels(mixed, tmp_path, choice, names):
    bundle, path = part(tmp_path, mixed, choice=choice)
    assert [image["name"] for image in bundle.images] == names
    assert {a["image_id"] for a in bundle.annotations} == {image["id"] for image in bundle.images}
    scenes = find_series([path]).scenes
    assert len(scenes) == len(names)
    assert all(scene.masks for scene in scenes if scene.id == "here")


def test_a_choice_that_leaves_nothing_says_which_it_was(mixed, tmp_path):
    with pytest.raises(ImageryError, match="of 1 images none has channel nir"):
        part(tmp_path, mixed, choice=ChoiceConfig(only_sensor=("sentinel-2",), channels=("nir",)))
    with pytest.raises(ConfigError, match="is no box"):
        part(tmp_path, mixed, choice=ChoiceConfig(bbox=(1, 2, 3)))
    with pytest.raises(ConfigError, match="'June' is no day"):
        part(tmp_path, mixed, choice=ChoiceConfig(start="June"))


def test_a_union_of_a_bundle_and_loose_files_reads_as_both(mixed, eolearn_series, tmp_path):
    path = tmp_path / "all.kwcoco.zip"
    made = union_datasets(UnionConfig(str(path), SourceConfig((str(mixed), str(eolearn_series.folder)))))
    assert (made.images, made.annotations) == (71, 3)
    assert {s.sensor for s in find_series([path]).scenes} == {"sentinel-2", "landsat-8", "image"}


def test_series_are_split_whole_with_their_labels(tmp_path):
    images, videos = [], []
    for place in range(12):
        videos.append({"id": place + 1, "name": f"place{place}"})
        for day in (1, 2):
            name = f"p{place}_2020-06-0{day}.tif"
            write_tiff(tmp_path / name, ramp(4, 4), CORNER @ Affine.translation(100 * place, 0))
            images.append({"id": len(images) + 1, "name": name, "file_name": name, "video_id": place + 1,
                           "date_captured": f"2020-06-0{day}"})  # fmt: skip
    annotations = [{"id": i["id"], "image_id": i["id"], "bbox": [0, 0, 1, 1]} for i in images]
    source = write_bundle(tmp_path / "x.kwcoco.json", images, videos=videos, annotations=annotations)
    for by, options in (("video", {}), ("space", {"block_m": 500.0}), ("time", {})):
        shares = ("train=0.5", "test=0.5")
        config = SplitConfig(str(tmp_path / by), SourceConfig((str(source),)), shares, by, seed=3, **options)
        made = split_dataset(config)
        assert [(m.images, m.annotations) for m in made] == [(12, 12), (12, 12)]
        train, test = ({i["name"] for i in read_bundle(m.file).images} for m in made)
        assert not train & test
        if by == "time":
            assert all("06-01" in name for name in train)
        else:
            assert {n.partition("_")[0] for n in train}.isdisjoint(n.partition("_")[0] for n in test)
        assert len(find_series([made[0].file]).scenes) == 12


def test_regions_keep_images_together_and_leave_out_the_others(tmp_path):
    images = []
    for place in range(6):
        name = f"p{place}_2020-06-01.tif"
        write_tiff(tmp_path / name, ramp(4, 4), CORNER @ Affine.translation(100 * place, 0))
        images.append({"id": place + 1, "name": name, "file_name": name})
    lon = [-77.2758, -77.2530, -77.2302, -77.2190]
    box = [[[(lon[i], 37), (lon[i + 1], 37), (lon[i + 1], 38), (lon[i], 38), (lon[i], 37)]] for i in range(3)]
    features = [{"type": "Feature", "properties": {"region_id": f"R{i}"},
                 "geometry": {"type": "Polygon", "coordinates": ring}} for i, ring in enumerate(box)]  # fmt: skip
    (tmp_path / "regions.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    source = write_bundle(tmp_path / "x.kwcoco.json", images)
    config = SplitConfig(
        str(tmp_path / "out"), SourceConfig((str(source),)), ("a=0.5", "b=0.5"), "region",
        regions=str(tmp_path / "regions.geojson"),
    )  # fmt: skip
    parts = [{i["name"][:2] for i in read_bundle(m.file).images} for m in split_dataset(config)]
    assert sorted(set().union(*parts)) == ["p0", "p1", "p2", "p3", "p4"]
    for pair in ({"p0", "p1"}, {"p2", "p3"}):
        assert any(pair <= part for part in parts)
    with pytest.raises(ConfigError, match="needs polygons"):
        split_dataset(SplitConfig(str(tmp_path / "o"), SourceConfig((str(source),)), by="region"))


def test_what_has_no_place_cannot_be_split_by_place(tmp_path):
    write_tiff(tmp_path / "a.tif", ramp(4, 4), crs=None)
    source = write_bundle(tmp_path / "x.kwcoco.json", [{"id": 1, "name": "a", "file_name": "a.tif"}])
    with pytest.raises(ConfigError, match="no georeference"):
        split_dataset(SplitConfig(str(tmp_path / "o"), SourceConfig((str(source),)), by="space"))


@pytest.mark.parametrize("side_m", [0.0, -1.0, float("nan"), float("inf")])
def test_blocks_of_land_without_a_size_are_refused(tmp_path, side_m):
    with pytest.raises(ConfigError, match="hold nothing"):
        split_dataset(SplitConfig(str(tmp_path), SourceConfig((str(tmp_path),)), by="space", block_m=side_m))


def test_a_bundle_without_images_is_said_to_be_empty(tmp_path):
    bundle = tmp_path / "none.kwcoco.json"
    bundle.write_text('{"images": []}')
    with pytest.raises(ImageryError, match="has no images"):
        subset_dataset(SubsetConfig(str(tmp_path / "o.kwcoco.json"), SourceConfig((str(bundle),))))
    with pytest.raises(ImageryError, match="has no images"):
        find_series([bundle])


def test_an_image_lies_where_any_of_its_files_says(tmp_path):
    for number in (1, 2):
        write_tiff(tmp_path / f"bare{number}.tif", ramp(8, 8), crs=None)
        write_tiff(tmp_path / f"placed{number}.tif", ramp(4, 4), CORNER @ Affine.translation(0, 9 * number))
    images = [
        {"id": n, "name": f"i{n}", "date_captured": "2020-06-01", "width": 8, "height": 8, "assets": [
            {"file_name": f"bare{n}.tif", "channels": "a"},
            {"file_name": f"placed{n}.tif", "channels": "b", "warp_aux_to_img": {"scale": 2}},
        ]}
        for n in (1, 2)
    ]  # fmt: skip
    bundle = read_bundle(write_bundle(tmp_path / "x.kwcoco.json", images))
    grid = image_grid(bundle, bundle.images[0])
    assert (grid.crs, grid.shape) == (UTM, (8, 8))
    # Pixels of the image are half as wide as those of its file, from the same corner on.
    assert grid.transform.almost_equals(CORNER @ Affine.translation(0, 9) @ Affine.scale(0.5))


def test_what_cannot_be_written_is_said_before_any_work(mixed, tmp_path):
    (tmp_path / "file").write_text("")
    refusals = {
        "out.csv": "no ending that says a form",
        "file/out.kwcoco.json": "is a file, and no folder",
        "x.kwcoco.json": "is a source, and would be lost",
    }
    before = mixed.read_bytes()
    for name, fact in refusals.items():
        for config in (SubsetConfig, UnionConfig):
            run = subset_dataset if config is SubsetConfig else union_datasets
            with pytest.raises(ConfigError, match=fact) as caught:
                run(config(str(tmp_path / name), SourceConfig((str(mixed),))))
            assert caught.value.hint
    assert mixed.read_bytes() == before
    (tmp_path / "d.kwcoco.json").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        part(tmp_path, mixed) and subset_dataset(
            SubsetConfig(str(tmp_path / "d.kwcoco.json"), SourceConfig((str(mixed),)))
        )
    with pytest.raises(ConfigError, match="no folder to write to"):
        split_dataset(SplitConfig(str(tmp_path / "file"), SourceConfig((str(mixed),))))
