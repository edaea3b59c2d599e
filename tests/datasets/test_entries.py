"""A bundle whose entries hold what they cannot mean is refused by name, never met by a traceback."""

from __future__ import annotations

import copy
import json
from contextlib import suppress

import pytest
from datasets.bundles import ramp, write_bundle, write_tiff
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geowatch.datasets.bundle import read_bundle
from geowatch.errors import GwError, ImageryError
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.convert import ConvertConfig, convert_dataset
from geowatch.stages.dataset.parts import SplitConfig, UnionConfig, split_dataset, union_datasets
from geowatch.stages.dataset.scan import ScanConfig, scan_dataset
from geowatch.stages.dataset.validate import ValidateConfig, validate_dataset

ASSET = {
    "file_name": "a.tif", "channels": "red|nir", "width": 8, "height": 8, "warp_aux_to_img": {"scale": 1.0},
    "band_metas": [{"nodata": 0}, {}], "quantization": {"quant_min": 0, "quant_max": 100, "orig_min": 0, "orig_max": 1},
    "gw_bands": [{"channel": "red", "name": "red", "native": "red", "scale": 0.1, "offset": 0, "nodata": 0}],
    "gw_masks": [{"channel": "nir", "kind": "bitmask", "values": [1], "bits": 0}],
}  # fmt: skip
IMAGE = {
    "id": 1, "name": "i", "file_name": None, "video_id": 1, "frame_index": 0, "sensor_coarse": "S2", "width": 8,
    "height": 8, "date_captured": "2020-06-01T10:00:00", "cloud_cover": 3, "warp_img_to_vid": {"offset": [0, 0]},
    "assets": [ASSET],
}  # fmt: skip
TABLES = {
    "videos": [{"id": 1, "name": "v"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "track_id": 1, "bbox": [1, 1, 5, 5]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"counts": [30, 4, 30], "size": [8, 8]}},
    ],
    "categories": [{"id": 1, "name": "thing"}],
    "tracks": [{"id": 1, "name": "t"}],
}
ODD = (None, "", "x", -1, 0, 1.5, float("inf"), float("nan"), [], {}, [None], {"a": 1}, True, [[1]], ["x"])


def places(value, path=()):
    """Yield the path to everything in a document, the document itself left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


PLACES = list(places({"images": [IMAGE], **TABLES}))


def spoilt(path, odd):
    document = copy.deepcopy({"images": [IMAGE], **TABLES})
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    return document


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("spoilt")
    write_tiff(made / "a.tif", ramp(8, 8, 2))
    write_tiff(made / "other_2020-06-02.tif", ramp(8, 8, 2))
    return made


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.sampled_from(PLACES), st.sampled_from(ODD))
def test_whatever_stands_in_an_entry_every_command_works_or_says_what_is_wrong(folder, path, odd):
    bundle = folder / "x.kwcoco.json"
    bundle.write_text(json.dumps(spoilt(path, odd)))
    source = SourceConfig((str(bundle),))
    both = SourceConfig((str(bundle), str(folder / "other_2020-06-02.tif")))
    parts = ("a=0.5", "b=0.5")
    for run in (
        lambda: scan_dataset(ScanConfig(source, output=str(folder / "scanned.kwcoco.json"))),
        lambda: union_datasets(UnionConfig(str(folder / "union.kwcoco.json"), both)),
        lambda: split_dataset(SplitConfig(str(folder / "split"), both, parts, by="space")),
        lambda: validate_dataset(ValidateConfig(str(bundle), schema=False)),
        lambda: convert_dataset(ConvertConfig(str(folder / "coco.json"), source, to="coco")),
    ):
        with suppress(GwError):
            run()


@pytest.mark.parametrize(
    ("path", "odd", "told"),
    [
        (("images", 0, "assets", 0, "gw_masks", 0), None, r"image 1 .* has assets\[0\]\.gw_masks\[0\] null"),
        (("annotations", 0, "bbox", 1), None, r"annotation 1 .* has bbox \[1, null"),
        (("annotations", 1, "image_id"), None, r"annotation 2 .* has image_id null"),
        (("images", 0, "date_captured"), {"a": 1}, r"image 1 .* has date_captured"),
    ],
)
def test_messages_name_the_entry_the_place_and_what_stands_there(tmp_path, path, odd, told):
    made = spoilt(path, odd)
    bundle = write_bundle(tmp_path / "x.kwcoco.json", made.pop("images"), **made)
    with pytest.raises(ImageryError, match=told):
        read_bundle(bundle)


def test_labels_of_a_class_that_is_not_there_are_not_united(folder, tmp_path):
    made = spoilt(("annotations", 0, "category_id"), 7)
    bundle = write_bundle(folder / "y.kwcoco.json", made.pop("images"), **made)
    source = SourceConfig((str(bundle), str(folder / "other_2020-06-02.tif")))
    with pytest.raises(ImageryError, match="category_id 7"):
        union_datasets(UnionConfig(str(tmp_path / "u.kwcoco.json"), source))
