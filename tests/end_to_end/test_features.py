"""Vectors of a layer, one for each place: the same in any tiling, and good for finding a place again."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
import yaml
import zarr
from affine import Affine
from support.coarse import write_package
from support.shell import gw
from support.small_job import config_of, plan_job, write_raster

from geowatch.errors import ConfigError, InputError
from geowatch.stages.features import FeaturesConfig, features
from geowatch.stages.predict import predict
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.store import open_store
from geowatch.store.plans import read_plan


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return write_package(tmp_path_factory.mktemp("package") / "net", 1)


@pytest.fixture(scope="module")
def stored(package, region, scene):
    def run(folder, tile_size=64):
        plan_job(folder, region, scene, tile_size)
        predict(config_of(folder, scene, package, looks=LooksConfig(features="coarse")))
        return folder

    return run


@pytest.fixture(scope="module")
def first(stored, tmp_path_factory):
    return stored(tmp_path_factory.mktemp("first") / "run")


def table(folder):
    vectors = np.load(folder / "features/vectors.npy", mmap_mode="r")
    places = pq.read_table(folder / "features/places.parquet").to_pydict()
    assert len(vectors) == len(places["id"])
    return np.asarray(vectors), places


@pytest.mark.parametrize("tile_size", [32, 128])
def test_where_tiles_are_cut_changes_no_vector(stored, first, tmp_path, tile_size):
    other = stored(tmp_path / "run", tile_size)
    made = []
    for folder in (first, other):
        features(FeaturesConfig(run=str(folder), cells=12, min_valid=0.25))
        made.append(table(folder))
    assert made[0][1] == made[1][1]
    assert made[0][0].tobytes() == made[1][0].tobytes()
    assert len(made[0][0]) > 100


def test_a_vector_is_the_mean_and_the_deviation_of_what_is_stored_there(first):
    done = features(FeaturesConfig(run=str(first), cells=16))
    vectors, places = table(first)
    assert (done.count, done.size) == vectors.shape
    assert vectors.shape[1] == 16
    assert vectors.dtype == np.float32
    grid = read_plan(open_store(first)).grids[0]
    array = np.asarray(zarr.open_group(first / "heatmap.zarr", mode="r")["features"])[0]
    for vector, name, share in list(zip(vectors, places["id"], places["valid_share"], strict=True))[::7]:
        y, x = (int(part) * 4 for part in name.split("/")[1].split("_"))
        top, left = grid.array_box.y0 // 4, grid.array_box.x0 // 4
        # Squares reach beyond the array where the region does.
        patch = array[:, max(0, y - top) : y + 4 - top, max(0, x - left) : x + 4 - left].reshape(8, -1)
        seen = patch[:, np.isfinite(patch[0])]
        assert share == pytest.approx(seen.shape[1] / 16)
        assert np.allclose(vector, np.concatenate([seen.mean(1), seen.std(1)]), atol=1e-5)


def test_places_say_where_they_are(first):
    features(FeaturesConfig(run=str(first), cells=24))
    _, places = table(first)
    outline = shapely.from_wkb(places["geometry"][5])
    # 24 pixels of 10 m.
    west, south, east, north = outline.bounds
    assert (north - south) * 111_000 == pytest.approx(240, rel=0.03)
    assert 0 < east - west < 0.01
    metadata = pq.read_schema(first / "features/places.parquet").metadata
    assert json.loads(metadata[b"geo"])["columns"]["geometry"]["encoding"] == "WKB"


def test_polygons_get_a_vector_each_however_small(first, tmp_path):
    features(FeaturesConfig(run=str(first), cells=16))
    vectors, places = table(first)
    whole = shapely.from_wkb(places["geometry"][20])
    shapes = {"same": whole, "tiny": whole.centroid.buffer(1e-6), "elsewhere": shapely.box(0, 0, 1, 1)}
    document = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "id": name, "properties": {}, "geometry": shapely.geometry.mapping(shape)}
            for name, shape in shapes.items()
        ],
    }
    (tmp_path / "polygons.geojson").write_text(json.dumps(document))
    features(FeaturesConfig(run=str(first), polygons=str(tmp_path / "polygons.geojson")))
    found, named = table(first)
    assert named["id"] == ["same", "tiny"]
    assert np.allclose(found[0], vectors[20], atol=1e-5)
    assert not found[1][8:].any()


def test_what_cannot_be_pooled_is_refused(first, job, tmp_path):
    with pytest.raises(ConfigError, match="every 4 px") as caught:
        features(FeaturesConfig(run=str(first), cells=10))
    assert "multiples of 4" in caught.value.hint
    with pytest.raises(ConfigError, match="median"):
        features(FeaturesConfig(run=str(first), pool="median"))
    with pytest.raises(InputError, match="has no features") as caught:
        features(FeaturesConfig(run=str(job(tmp_path / "plain"))))
    assert "--features LAYER" in caught.value.hint


def test_what_fails_leaves_nothing_behind(first, tmp_path, stored):
    folder = stored(tmp_path / "run")
    with pytest.raises(InputError, match="no place has features"):
        features(FeaturesConfig(run=str(folder), polygons=str(elsewhere(tmp_path))))
    assert not list((folder / "features").glob("*")) if (folder / "features").exists() else True


def elsewhere(folder):
    path = folder / "elsewhere.geojson"
    path.write_text(json.dumps(shapely.geometry.mapping(shapely.box(0, 0, 1, 1))))
    return path


def test_a_picture_without_a_place_on_the_earth_has_vectors_too(package, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9000, (3, 80, 90)).astype(np.uint16)
    scene = write_raster(tmp_path / "scene.tif", values, Affine.identity(), crs=None)
    plan_job(tmp_path / "run", None, scene, 64)
    predict(config_of(tmp_path / "run", scene, package, looks=LooksConfig(features="coarse")))
    said = gw("features", "--run", tmp_path / "run", "--cells", "16", "--pool", "mean")
    assert "vectors.npy" in said
    vectors, places = table(tmp_path / "run")
    assert vectors.shape == (30, 8)
    assert shapely.from_wkb(places["geometry"][0]).bounds == (0, 0, 16, 16)


@pytest.mark.slow
def test_places_are_found_again_at_another_date(shared_data, tmp_path):
    """Windows of 64 px of one date look for themselves in the other, by cosine, after standardising each date.

    The network is the cloud network's encoder. It wants two bands that the image lacks: near infrared and red stand
    in for the two of short-wave infrared.
    """
    (tmp_path / "scenes").mkdir()
    with rasterio.open(shared_data("ftw_s2") / "inference-img.tif") as source:
        values, profile = source.read(), source.profile | {"count": 4, "driver": "GTiff"}
    for date, day in enumerate(("2020-06-01", "2020-09-01")):
        with rasterio.open(tmp_path / f"scenes/scene_{day}.tif", "w", **profile) as target:
            target.write(values[4 * date : 4 * date + 4])
            target.descriptions = ("red", "green", "blue", "nir")
            target.scales = (1e-4,) * 4
    folder = shared_data("cloud_model")
    mean, std = json.loads((folder / "model_6b_l1c.json").read_text())["data"]["dataset_statistics"]["img"]
    inputs = [
        {"name": "seen", "tensor": "input", "bands": ["blue", "green", "red", "nir"], "mean": mean[:4], "std": std[:4]},
        {"name": "stand-in", "tensor": "input", "bands": ["nir", "red"], "mean": mean[4:], "std": std[4:]},
    ]
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump({"inputs": inputs}))
    gw(
        "model", "import", folder / "model_6b_l1c.onnx", "--spec", tmp_path / "spec.yaml", "--classes",
        "background,cloud,shadow", "--window", "256", "-o", tmp_path / "package",
    )  # fmt: skip
    gw(
        "run", "--images", tmp_path / "scenes", "--model", tmp_path / "package", "--run", tmp_path / "run",
        "--features", "/model/encoder/_blocks.9/Add_output_0", "--no-quicklook", "--no-probability",
    )  # fmt: skip
    gw("features", "--run", tmp_path / "run", "--cells", "64")
    vectors, places = table(tmp_path / "run")
    time, ids = np.array(places["time_index"]), np.array(places["id"])
    dates = [vectors[time == t] for t in (0, 1)]
    assert (ids[time == 0] == ids[time == 1]).all()
    dates = [(date - date.mean(axis=0)) / (date.std(axis=0) + 1e-9) for date in dates]
    dates = [date / np.linalg.norm(date, axis=1, keepdims=True) for date in dates]
    likeness = dates[0] @ dates[1].T
    better = (likeness > np.diag(likeness)[:, np.newaxis]).sum(axis=1)
    assert len(better) > 50
    assert (better < 5).mean() >= 0.8, (better < 5).mean()
