"""All that one run leaves is valid as its own field has it, and every format says the same of the same sites.

The images are the real series of Sentinel-2; the network is a stand-in that tells four phases from NDVI alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import geopandas
import jsonschema
import numpy as np
import onnx
import pandas as pd
import pyogrio
import pystac
import pytest
import rasterio
import shapely
from onnx import TensorProto, helper, numpy_helper
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import shape
from support.eolearn_series import MASKED, write_eolearn

from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.dataset.export import ExportConfig, export_dataset
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.run import RunConfig, run
from geowatch.stages.stitch import StitchConfig
from geowatch.stages.tile import TileConfig
from geowatch.stages.track import TrackConfig, track

PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
#: Logits of the phases are a * NDVI + b.
SLOPES, OFFSETS = (14.0, 4.0, -8.0, 0.0), (-6.0, -1.0, 3.0, 0.5)
#: Degrees in files for the web are rounded to 7 decimals; corners lie this much off at most.
WEB_DEGREES = 1e-7
DAYS = ("start", "end")


@dataclass(frozen=True)
class Made:
    """A finished run."""

    run: Path
    sites: geopandas.GeoDataFrame
    seen: geopandas.GeoDataFrame

    def path(self, name: str) -> Path:
        return self.run / "sites" / name


@pytest.fixture(scope="module")
def made(shared_data, tmp_path_factory) -> Made:
    """Take the first 24 dates of the real series through the whole chain."""
    folder = tmp_path_factory.mktemp("agree")
    series = write_eolearn(shared_data("eolearn"), folder, dates=24)
    package = stand_in(folder)
    imagery = ImageryConfig(images=(str(series.folder),), **MASKED)
    where = str(folder / "run")
    run(
        RunConfig(
            tile=TileConfig(run=where, tile_size=50, imagery=imagery),
            predict=PredictConfig(run=where, imagery=imagery, model=str(package), workers=1, jit="onnxruntime"),
            stitch=StitchConfig(run=where),
        )
    )
    track(TrackConfig(run=where, classes=PHASES[1:3], smooth_time="60d", low=0.4, high=0.6, mode="footprint"))
    consolidate(ConsolidateConfig(run=where, region_id="ZZ_R001", min_area=2000.0, phases="argmax"))
    export_dataset(ExportConfig(where))
    sites, seen = (geopandas.read_parquet(folder / f"run/sites/{name}.parquet") for name in ("sites", "observations"))
    return Made(folder / "run", sites, seen)


def stand_in(folder: Path) -> Path:
    """Package a network whose four scores follow from NDVI."""
    constants = [
        numpy_helper.from_array(np.array(values, np.float32).reshape(1, 4, 1, 1), name)
        for name, values in (("a", SLOPES), ("b", OFFSETS))
    ]
    nodes = [helper.make_node("Mul", ["ndvi", "a"], ["scaled"]), helper.make_node("Add", ["scaled", "b"], ["logits"])]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "h", "w"])
        for name, count in (("ndvi", 1), ("logits", 4))
    ]
    graph = helper.make_graph(nodes, "phases", tensors[:1], tensors[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "net.onnx")
    spec = ImportSpec(bands=("ndvi",), classes=PHASES, window=(64, 64))
    return Path(import_onnx(folder / "net.onnx", spec, folder / "package").path)


def document(path: Path) -> Any:
    return json.loads(path.read_text())


def test_there_is_enough_to_compare(made):
    assert len(made.sites) >= 5
    assert made.sites["end"].notna().any()
    assert set(made.seen["phase"]) == set(PHASES)


def test_site_models_and_the_region_model_pass_the_programmes_schema(made, shared_data):
    schema = document(shared_data("smart") / "smart.schema.json")
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    models = sorted(made.path("site_models").glob("*.geojson"))
    assert [path.stem for path in models] == sorted(made.sites["site_id"])
    for path in (*models, made.path("region_models/ZZ_R001.geojson")):
        assert [error.message for error in check.iter_errors(document(path))] == [], path.name


def test_the_bundle_passes_kwcoco_validate_and_its_rasters_open(made):
    bundle = made.run / "predictions.kwcoco.json"
    command = [Path(sys.executable).parent / "kwcoco", "validate", "--corrupted=True", "--missing=True", bundle]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    images = document(bundle)["images"]
    assert len(images) == len([*made.run.glob("map-*.tif")]) > 20
    for asset in (asset for image in images for asset in image["assets"]):
        with rasterio.open(made.run / asset["file_name"]) as file:
            assert (file.width, file.height, file.crs.to_epsg()) == (asset["width"], asset["height"], 32633)
            file.checksum(1)
    tracks = {each["name"] for each in document(bundle)["tracks"]}
    assert tracks == set(made.sites["site_id"])


def test_every_raster_is_a_valid_cloud_optimised_geotiff(made):
    rasters = sorted(path for path in made.run.rglob("*.tif") if path.is_file() and "lineage" not in path.parts)
    assert len(rasters) > 40
    for path in rasters:
        valid, errors, warnings = cog_validate(path, strict=True)
        assert (valid, errors, warnings) == (True, [], []), path.name


def test_the_stac_documents_pass_the_core_schemas(made):
    from pystac.validation.local_validator import VERSION, get_local_schema_cache
    from referencing import Registry, Resource

    schemas = get_local_schema_cache()
    registry: Any = Registry().with_resources([(uri, Resource.from_contents(each)) for uri, each in schemas.items()])
    paths = [*made.path("stac").glob("*.json"), *made.run.glob("item*.json")]
    assert len(paths) > 40
    for path in paths:
        content = document(path)
        kind = "collection" if content["type"] == "Collection" else "item"
        uri = f"https://schemas.stacspec.org/v{VERSION}/{kind}-spec/json-schema/{kind}.json"
        check = jsonschema.Draft7Validator(schemas[uri], registry=registry)
        wrong = [error.message for error in check.iter_errors(content | {"stac_version": VERSION})]
        assert wrong == [], (path.name, wrong[:3])
        for asset in content.get("assets", {}).values():
            assert (path.parent / asset["href"]).exists(), (path.name, asset["href"])


def test_the_collection_is_walked_by_pystac_and_holds_the_sites(made):
    collection = pystac.Collection.from_file(str(made.path("stac/collection.json")))
    items = {item.id: item for item in collection.get_items()}
    sites = items["ZZ_R001-sites"]
    bounds = made.sites.to_crs(4326).total_bounds
    for west, south, east, north in (sites.bbox, collection.extent.spatial.bboxes[0]):
        assert west <= bounds[0] < bounds[2] <= east
        assert south <= bounds[1] < bounds[3] <= north


def test_the_report_is_one_well_formed_page_that_asks_nothing_of_a_network(made):
    page = made.path("report.html").read_text()
    reader = Page()
    reader.feed(page)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object", "embed"} & reader.tags
    assert all(each.startswith("data:") or made.path(each).exists() for each in reader.addresses if each[:1] != "#")
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", page)
    for site_id in made.sites["site_id"]:
        assert site_id in page


class Page(HTMLParser):
    """Keeps what is open, and every tag and address."""

    VOID = ("meta", "br", "hr", "img", "input", "col")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "srcset"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("name", "layer"),
    [("sites.gpkg", "sites"), ("sites.fgb", None), ("sites.geojson", None)],
    ids=["gpkg", "fgb", "web"],
)
def test_gdal_and_geopandas_read_the_same_sites_from_every_file(made, name, layer):
    info = pyogrio.read_info(made.path(name), layer=layer)
    assert info["features"] == len(made.sites)
    found = geopandas.read_file(made.path(name), layer=layer).sort_values("number", ignore_index=True)
    web = name.endswith("geojson")
    assert found.crs == ("EPSG:4326" if web else "EPSG:32633")
    for column in ("site_id", "key", "number", "grid", "status", "area_px", "n_observations"):
        assert found[column].tolist() == made.sites[column].tolist(), column
    for column in DAYS:
        assert days(found[column]) == days(made.sites[column]), column
    for column, off in (("area_m2", 0.051), ("score", 5e-5), ("peak", 5e-5)):
        assert np.allclose(found[column], made.sites[column], rtol=0, atol=off), column
    same_places(found.geometry, made.sites.to_crs(4326).geometry if web else made.sites.geometry, web=web)


def days(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(day) else pd.Timestamp(day).date().isoformat() for day in column]


def same_places(found: Any, expected: Any, *, web: bool) -> None:
    for mine, true in zip(found, expected, strict=True):
        if not web:
            assert mine.normalize() == shapely.multipolygons(shapely.get_parts(true)).normalize() or mine.equals(true)
        else:
            assert shapely.hausdorff_distance(mine, true) < WEB_DEGREES
            assert mine.is_valid


def test_the_table_of_sites_says_the_same(made):
    table = pd.read_csv(made.path("sites.csv"))
    assert table["site_id"].tolist() == made.sites["site_id"].tolist()
    for column in DAYS:
        assert days(table[column]) == days(made.sites[column])
    assert np.allclose(table["area_m2"], made.sites["area_m2"])
    summary = pd.read_csv(made.path("summary.csv")).set_index("class").loc["all"]
    assert summary["sites"] == len(made.sites)
    assert summary["area_km2"] == pytest.approx(made.sites["area_m2"].sum() / 1e6, abs=1e-6)
    assert summary["ongoing"] == made.sites["end"].isna().sum()


def test_areas_are_those_of_the_outlines(made):
    assert np.allclose(made.sites.geometry.area, made.sites["area_px"] * 100, rtol=0.02)


def test_site_models_say_the_same(made):
    places = made.sites.to_crs(4326).geometry
    region = {
        each["properties"]["site_id"]: each
        for each in document(made.path("region_models/ZZ_R001.geojson"))["features"]
        if each["properties"]["type"] == "site_summary"
    }
    assert list(region) == made.sites["site_id"].tolist()
    for (_, row), place in zip(made.sites.iterrows(), places, strict=True):
        site, *seen = document(made.path(f"site_models/{row['site_id']}.geojson"))["features"]
        own = made.seen[made.seen["site_id"] == row["site_id"]]
        assert len(own) == row["n_observations"]
        first, last = (site["properties"][key] for key in ("start_date", "end_date"))
        own = own[[first <= day <= last for day in days(own["date"])]]  # a site model shows a site's own days
        assert len(own)
        assert [each["properties"]["observation_date"] for each in seen] == list(days(own["date"]))
        assert [each["properties"]["current_phase"].split(", ")[0] for each in seen] == own["phase"].tolist()
        for each in (site, region[row["site_id"]]):
            assert each["properties"]["start_date"] == days(made.sites["start"])[row["number"]]
            ended = days(made.sites["end"])[row["number"]]
            assert ended is None or each["properties"]["end_date"] == ended
            assert each["properties"]["score"] == pytest.approx(row["score"], abs=1e-6)
        for each in seen:
            assert shapely.hausdorff_distance(shape(each["geometry"]), place) < WEB_DEGREES


def test_observations_say_the_same_in_every_file(made):
    found = geopandas.read_file(made.path("sites.gpkg"), layer="observations")
    by_date = geopandas.read_file(made.path("sites.gpkg"), layer="sites_by_date")
    assert len(found) == len(by_date) == len(made.seen) == made.sites["n_observations"].sum()
    for table in (found, by_date):
        assert table["site_id"].tolist() == made.seen["site_id"].tolist()
        assert days(table["date"]) == days(made.seen["date"])
        assert table["phase"].tolist() == made.seen["phase"].tolist()
        assert np.allclose(table["score"], made.seen["score"], atol=5e-5)
    scores = np.stack(made.seen["scores"].to_list())
    assert np.allclose(found["score_active_construction"], scores[:, 2], atol=5e-5)
