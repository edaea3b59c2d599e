"""Runs of other kinds: photographs, several dates, several UTM zones, several heads, other stored types."""

import json

import numpy as np
import onnx
import pytest
import rasterio
import zarr
from affine import Affine
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from pyproj import Transformer
from support.small_job import config_of, plan_job, speckled, write_raster

from geowatch.errors import CoverageError, ImageryError, RecipeMismatchError
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.run import RunConfig, run
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig

PLAIN = Affine(10, 0, 500_000, 0, -10, 4_000_000)


def run_all(folder, images, package, **tile):
    imagery = ImageryConfig(images=tuple(map(str, images)))
    config = RunConfig(
        tile=TileConfig(run=str(folder), tile_size=64, imagery=imagery, **tile),
        predict=PredictConfig(model=str(package), imagery=imagery, workers=1),
    )
    return run(config).stitched


def test_a_photograph_gives_a_map_of_its_own_size(tiny_package, tmp_path):
    values = (speckled(75, 110) // 32).astype(np.uint8)
    Image.fromarray(np.moveaxis(values, 0, 2)).save(tmp_path / "photo.png")
    made = run_all(tmp_path / "run", [tmp_path / "photo.png"], tiny_package)
    assert "item.json" not in made.files
    with rasterio.open(tmp_path / "run/map.tif") as opened:
        assert opened.shape == (75, 110)
        assert opened.crs is None
        assert (opened.read(1) != 255).all()


def test_each_date_has_its_map_and_its_place_on_the_time_axis(tiny_package, tmp_path):
    for day, seed in (("2020-06-11", 2), ("2020-06-01", 1)):
        write_raster(tmp_path / f"images/scene_{day}.tif", speckled(70, 80, seed), PLAIN)
    made = run_all(tmp_path / "run", [tmp_path / "images"], tiny_package)
    maps = [name for name in made.files if name.startswith("map")]
    assert len(maps) == 2
    assert "2020-06-01" in maps[0]
    group = zarr.open_group(tmp_path / "run/heatmap.zarr", mode="r")
    assert group["scores"].shape[0] == 2
    days = np.asarray(group["time"]).astype("datetime64[s]").astype("datetime64[D]")
    assert days.tolist() == [np.datetime64("2020-06-01").item(), np.datetime64("2020-06-11").item()]
    first, second = np.asarray(group["scores"])
    assert not np.array_equal(first, second)


def test_a_region_in_two_utm_zones_is_mapped_on_both_and_every_place_once(tiny_package, tmp_path):
    # Zones 17 and 18 meet at 78 degrees west; the imagery is in the zone of neither's centre.
    lonlat = Affine(0.0001, 0, -78.004, 0, -0.0001, 36.004)
    image = write_raster(tmp_path / "scene.tif", np.maximum(speckled(80, 80), 1), lonlat, "EPSG:4326")
    corners = [(-78.003, 36.003), (-77.997, 36.003), (-77.997, 35.997), (-78.003, 35.997), (-78.003, 36.003)]
    region = tmp_path / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    plan_job_zones(tmp_path / "run", region, image, tiny_package)
    seen = []
    for grid, crs in (("utm17n", "EPSG:32617"), ("utm18n", "EPSG:32618")):
        with rasterio.open(tmp_path / f"run/map-{grid}.tif") as opened:
            assert opened.crs.to_string() == crs
            rows, cols = np.nonzero(opened.read(1) != 255)
            to_lonlat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
            lon, _ = to_lonlat.transform(*(opened.transform @ (cols + 0.5, rows + 0.5)))
            seen.append(lon)
    assert seen[0].max() < -78 <= seen[1].min()
    # 600 pixels of 0.0001 degrees in the square, each of about 9 x 11.1 m, on grids of 10 m.
    area = sum(map(len, seen)) * 100
    assert area == pytest.approx(540.6 * 666, rel=0.03)


def plan_job_zones(folder, region, image, package):
    from geowatch.stages.tile import tile

    tile(TileConfig(region=str(region), run=str(folder), resolution=10, tile_size=32))
    predict(config_of(folder, image, package))
    stitch(StitchConfig(run=str(folder)))


def test_a_zone_without_imagery_counts_as_uncovered(tiny_package, tmp_path):
    # The image lies west of the meridian, the region on both sides of it.
    lonlat = Affine(0.0001, 0, -78.008, 0, -0.0001, 36.004)
    image = write_raster(tmp_path / "scene.tif", np.maximum(speckled(80, 70), 1), lonlat, "EPSG:4326")
    corners = [(-78.003, 36.003), (-77.997, 36.003), (-77.997, 35.997), (-78.003, 35.997), (-78.003, 36.003)]
    region = tmp_path / "region.geojson"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [corners]}))
    plan_job_zones(tmp_path / "run", region, image, tiny_package)
    account = json.loads((tmp_path / "run/coverage.json").read_text())
    assert list(account["grids_without_imagery"]) == ["utm18n"]
    # 20 of 60 columns of the square have imagery.
    assert account["coverage"] == pytest.approx(1 / 3, abs=0.04)
    with pytest.raises(CoverageError):
        stitch(StitchConfig(run=str(tmp_path / "run"), require_coverage=0.9))


def test_every_head_has_its_array_and_its_map(tmp_path):
    rng = np.random.default_rng(3)
    weights = [numpy_helper.from_array(rng.normal(0, 2, (k, 3, 1, 1)).astype(np.float32), f"w{k}") for k in (2, 3)]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", k, 32, 32]) for n, k in (("a", 2), ("b", 3))]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w2"], ["a"]), helper.make_node("Conv", ["x", "w3"], ["b"])],
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        outputs,
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "two.onnx")
    from geowatch.package.manifest import HeadSpec

    heads = (
        HeadSpec(name="land", output="a", classes=("bare", "grown"), colors=("#b08a5b", "#1b6e2e")),
        HeadSpec(name="use", output="b", classes=("none", "field", "town"), colors=("#00000000", "#e3c44a", "#c4281b")),
    )
    spec = ImportSpec(bands=("red", "green", "blue"), heads=heads, window=(32, 32))
    import_onnx(tmp_path / "two.onnx", spec, tmp_path / "package")
    image = write_raster(tmp_path / "scene.tif", speckled(70, 80), PLAIN)
    made = run_all(tmp_path / "run", [image], tmp_path / "package")
    assert {"map-land.tif", "map-use.tif"} <= set(made.files)
    with rasterio.open(tmp_path / "run/probability-use.tif") as opened:
        assert opened.descriptions == ("none", "field", "town")
    group = zarr.open_group(tmp_path / "run/heatmap.zarr", mode="r")
    assert group["land"].shape[1] == 2
    assert group["use"].shape[1] == 3


@pytest.mark.parametrize("stored", ["uint16", "float16", "float32"])
def test_scores_may_be_stored_finer(tiny_package, tmp_path, stored):
    image = write_raster(tmp_path / "scene.tif", speckled(70, 80), PLAIN)
    scores = {}
    for kind in ("uint8", stored):
        folder = tmp_path / kind
        plan_job(folder, None, image, 64)
        predict(config_of(folder, image, tiny_package, stored=kind))
        stitch(StitchConfig(run=str(folder)))
        with rasterio.open(folder / "probability.tif") as opened:
            read = opened.read(masked=True)
            scores[kind] = read.astype(np.float64) * opened.scales[0]
    assert np.array_equal(scores["uint8"].mask, scores[stored].mask)
    assert np.abs(scores["uint8"] - scores[stored]).max() <= 0.5 / 254 + 2e-3
    assert scores[stored].sum(axis=0).min() > 0.99


def test_a_region_beside_the_imagery_is_an_error(tiny_package, tmp_path):
    image = write_raster(tmp_path / "scene.tif", speckled(70, 80), PLAIN)
    region = tmp_path / "region.geojson"
    ring = [(10, 50), (10.1, 50), (10.1, 50.1), (10, 50.1), (10, 50)]
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    with pytest.raises(ImageryError) as caught:
        run_all(tmp_path / "run", [image], tiny_package, region=str(region))
    assert caught.value.hint


def test_a_dry_run_of_the_whole_line_writes_nothing(tiny_package, tmp_path):
    image = write_raster(tmp_path / "scene.tif", speckled(70, 80), PLAIN)
    imagery = ImageryConfig(images=(str(image),))
    config = RunConfig(
        tile=TileConfig(run=str(tmp_path / "run"), tile_size=64, imagery=imagery, dry_run=True),
        predict=PredictConfig(model=str(tiny_package), imagery=imagery),
    )
    done = run(config)
    assert done.plan.tile_count == 4
    assert done.predicted is None
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_window_that_it_began_with(tiny_package, tmp_path):
    image = write_raster(tmp_path / "scene.tif", speckled(70, 80), PLAIN)
    plan_job(tmp_path / "run", None, image, 64)
    predict(config_of(tmp_path / "run", image, tiny_package, window=48, shard=(1, 2)))
    with pytest.raises(RecipeMismatchError, match=r"stride_px: \(44, 44\) here, \(40, 40\) in the run"):
        predict(config_of(tmp_path / "run", image, tiny_package, overlap=4))
    assert predict(config_of(tmp_path / "run", image, tiny_package)).tiles == 4
