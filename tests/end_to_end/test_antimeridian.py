"""A region over the antimeridian, from its outline to what people open: made images in zones 60 and 1."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import onnx
import pyarrow as pa
import pytest
import shapely
from affine import Affine
from onnx import TensorProto, helper, numpy_helper
from pyproj import Geod, Transformer
from support.small_job import write_raster

from geowatch.package.importing import import_onnx
from geowatch.package.manifest import HeadSpec
from geowatch.package.spec import ImportSpec
from geowatch.sites.schema import problems
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track

GEOD = Geod(ellps="WGS84")
LAT, STEP = -16.5, 10.0
DISCS = {"across": (0.0, 0.0, 150.0), "west": (-350.0, 150.0, 80.0), "east": (350.0, -150.0, 80.0)}
"""Metres east and north of the antimeridian, radius."""
DAYS = ("2020-06-01", "2020-06-11", "2020-06-21")


def bright_where_bright(folder):
    """Make a package of a network that finds bright pixels."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[1] = 20.0
    inputs = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])
    outputs = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2, 32, 32])
    held = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([0, -20], np.float32), "b")]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w", "b"], ["y"])], "bright", [inputs], [outputs], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir()
    onnx.save(model, folder / "bright.onnx")
    heads = (HeadSpec(name="scores", output="y", classes=("ground", "bright")),)
    spec = ImportSpec(bands=("red", "green", "blue"), heads=heads, window=(32, 32))
    import_onnx(folder / "bright.onnx", spec, folder / "package")
    return folder / "package"


def image_of(path, crs, x):
    """Write an image of a zone that reaches over the antimeridian on both sides."""
    side = 160
    _, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(180.0, LAT)
    affine = Affine(
        STEP, 0, round(x / STEP) * STEP - side / 2 * STEP, 0, -STEP, round(y / STEP) * STEP + side / 2 * STEP
    )
    columns, rows = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    xs, ys = affine @ (columns.ravel(), rows.ravel())
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(xs, ys)
    bright = np.zeros(side * side, bool)
    for east, north, radius in DISCS.values():
        there = np.full((2, side * side), [[180 + east / 106_700], [LAT + north / 110_600]])
        bright |= GEOD.inv(lon, lat, *there)[2] < radius
    values = np.where(bright, 9000, 500).astype(np.uint16).reshape(side, side)
    return write_raster(path, np.repeat(values[None], 3, axis=0), affine, crs)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("antimeridian")
    for crs in ("EPSG:32660", "EPSG:32701"):
        x, _ = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(180.0, LAT)
        for day in DAYS:
            image_of(folder / f"images/{crs[-2:]}_{day}.tif", crs, x)
    across, along = 600 / 106_700, 400 / 110_600
    ring = [[180 - across, LAT - along], [180 + across, LAT - along], [180 + across, LAT + along],
            [180 - across, LAT + along], [180 - across, LAT - along]]  # fmt: skip
    region = folder / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    images, run = ImageryConfig(images=(str(folder / "images"),)), str(folder / "run")
    tile(TileConfig(region=str(region), run=run, resolution=STEP, tile_size=32, geojson=True))
    predict(PredictConfig(run=run, model=str(bright_where_bright(folder / "model")), workers=1, imagery=images))
    track(TrackConfig(run=run, classes=("bright",), workers=1))
    consolidate(ConsolidateConfig(run=run, region_id="FJ_R001"))
    return folder / "run"


def test_a_site_over_the_antimeridian_is_one(run):
    sites = pa.ipc.open_file(run / "sites/sites.arrow").read_all().to_pylist()
    found = sorted(row["area_m2"] for row in sites)
    assert found == pytest.approx(sorted(np.pi * radius**2 for *_, radius in DISCS.values()), rel=0.08)
    plan = json.loads((run / "plan/plan.json").read_text())
    assert len(plan["grids"]) == 2


def test_its_outlines_are_cut_there_in_every_file(run):
    tables = [geopandas.read_parquet(run / "sites/sites.parquet")]
    tables += [
        geopandas.read_file(run / f"sites/sites.{ending}", layer="sites") for ending in ("fgb", "gpkg", "geojson")
    ]
    for table in tables:
        west, _, east, _ = table.total_bounds
        assert -180 <= west < east <= 180
        assert table.geometry.is_valid.all()
        for outline in table.geometry:
            widths = [part.bounds[2] - part.bounds[0] for part in shapely.get_parts(outline)]
            assert max(widths) < 0.004
            m2 = sum(abs(GEOD.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(outline))
            assert min(abs(m2 / (np.pi * radius**2) - 1) for *_, radius in DISCS.values()) < 0.08


def test_smart_models_are_one_polygon_that_goes_on_beyond_180(run):
    models = [json.loads(path.read_text()) for path in sorted((run / "sites/site_models").iterdir())]
    region = json.loads((run / "sites/region_models/FJ_R001.geojson").read_text())
    assert not [wrong for document in (*models, region) for wrong in problems(document)]
    heads = [document["features"][0] for document in models] + region["features"]
    for head in heads:
        outline = shapely.geometry.shape(head["geometry"])
        assert outline.geom_type == "Polygon"
        assert outline.exterior.is_ccw
        assert outline.bounds[2] - outline.bounds[0] < 0.02
        assert outline.bounds[0] > 179 or outline.bounds[2] < -179
        assert head["properties"]["mgrs"][:2] in ("60", "01")


def test_the_catalogue_says_where_it_is_as_geojson_has_it(run):
    collection = json.loads((run / "sites/stac/collection.json").read_text())
    west, _, east, _ = collection["extent"]["spatial"]["bbox"][0]
    assert 179.9 < west < 180
    assert -180 < east < -179.9


def test_outer_rings_of_every_geojson_run_against_the_clock(run):
    files = [*run.glob("plan/*.geojson"), *run.glob("sites/**/*.geojson"), *(run / "sites/stac").iterdir()]
    documents = [json.loads(path.read_text()) for path in files]
    features = [each for document in documents for each in document.get("features", [document])]
    outlines = [shapely.geometry.shape(each["geometry"]) for each in features if each.get("geometry")]
    assert len(outlines) > 20
    for part in shapely.get_parts(outlines):
        assert part.exterior.is_ccw
        assert part.bounds[2] - part.bounds[0] < 0.1


def test_the_report_shows_the_place_and_not_the_world(run):
    from PIL import Image

    page = (run / "sites/report.html").read_text()
    assert "NaN" not in page
    with Image.open(run / "sites/sites.png") as picture:
        assert 0.5 < picture.width / picture.height < 2.5
