"""Tracking of real heatmaps, and of runs whose processes were killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import rasterio
from affine import Affine
from onnx import TensorProto, helper, numpy_helper
from rasterio.features import shapes
from scipy import ndimage
from support.eolearn_series import MASKED, write_eolearn
from support.made_heatmap import Made, make_run
from support.small_job import placed
from support.tracked import BYTES, ArrayPlanes, put_together, track_tiles

from geowatch.grid.lattice import PixelBox
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.sites.fragment import Fragment
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track
from geowatch.track.document import Tracking
from geowatch.track.scores import Scale

CLOUDS = {
    "classes": {"mode": "polygons"},
    "shaped": {"mode": "polygons", "close_px": 2, "open_px": 1, "smooth_px": 1.0, "connectivity": 8},
    "footprint": {"mode": "footprint", "classes": ("cloud",), "low": 0.4, "high": 0.9, "subpixel": True},
    "linked": {"mode": "linked", "classes": ("cloud", "shadow"), "low": 0.6, "high": 0.7, "open_px": 2, "coarse": 16},
}
SEASONS = {
    "footprint": {"aggregate": "median", "smooth_time": "60d", "low": 0.6, "high": 0.65, "close_px": 1},
    "norm": {"aggregate": "norm:4", "low": 0.64, "high": 0.66, "smooth_px": 0.7, "coarse": 4},
    "linked": {"mode": "linked", "smooth_time": "5", "low": 0.6, "high": 0.7, "subpixel": True, "start": "2017-06-01"},
}


def predicted(folder: Path, package: Path, imagery: ImageryConfig, tile_px: int) -> Path:
    """Plan and predict all of the images."""
    tile(TileConfig(run=str(folder), tile_size=tile_px, imagery=imagery))
    predict(PredictConfig(run=str(folder), model=str(package), imagery=imagery, workers=1, jit="onnxruntime"))
    return folder


@pytest.fixture(scope="module")
def clouds(shared_data, cloud_package, tmp_path_factory) -> Path:
    """Return a run over the real labelled scene, predicted by the trained cloud network, in 20 tiles."""
    folder = tmp_path_factory.mktemp("clouds")
    with np.load(shared_data("cloud_scene") / "sentinel2.npz") as scene:
        image = np.moveaxis(scene["img"], 2, 0)
    with rasterio.open(
        folder / "scene.tif", "w", driver="GTiff", height=512, width=512, count=6, dtype=image.dtype,
        crs="EPSG:32633", transform=Affine(10, 0, 499_200, 0, -10, 4_800_000),
    ) as target:  # fmt: skip
        target.write(image)
    bands = ("blue", "green", "red", "nir", "swir16", "swir22")
    return predicted(
        folder / "run", cloud_package, ImageryConfig(images=(str(folder / "scene.tif"),), bands=bands), 128
    )


@pytest.fixture(scope="module")
def seasons(shared_data, tmp_path_factory) -> Path:
    """Return a run over the real series of 68 dates; its one class is vegetation, scored by NDVI itself."""
    folder = tmp_path_factory.mktemp("seasons")
    series = write_eolearn(shared_data("eolearn"), folder)
    nodes = [helper.make_node("Clip", ["image", "least", "most"], ["scores"])]
    limits = [numpy_helper.from_array(np.float32(value), name) for name, value in (("least", 0), ("most", 1))]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1, "h", "w"]) for n in ("image", "scores")]
    graph = helper.make_graph(nodes, "ndvi", tensors[:1], tensors[1:], limits)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "ndvi.onnx")
    spec = ImportSpec(bands=("ndvi",), classes=("vegetation",), window=(64, 64), overlap=0, activation="none")
    import_onnx(folder / "ndvi.onnx", spec, folder / "package")
    return predicted(folder / "run", folder / "package", ImageryConfig(images=(str(series.folder),), **MASKED), 40)


def fragments(run: Path, digest: str) -> list[Fragment]:
    folder = run / "fragments" / digest[:12]
    return [Fragment.from_bytes(path.read_bytes()) for path in sorted(folder.rglob("*.arrow"))]


def check_cut(run: Path, options: dict) -> tuple[Tracking, set]:
    """Track a run, and its whole heatmap in one piece; return what was found, which must be the same."""
    done = track(TrackConfig(run=str(run), workers=1, **options))
    tracking = Tracking.from_json((run / "track.json").read_bytes())
    box, values = placed(run)
    scale = BYTES if values.dtype == np.uint8 else Scale(str(values.dtype))
    whole = track_tiles(tracking.search(tracking.grids[0]), ArrayPlanes(values, box, scale), 1 << 20)
    weak = tracking.mode != "footprint"
    expected = put_together(whole, tracking.connectivity, weak=weak)
    parts = fragments(run, done.digest)
    assert len(parts) >= 9
    assert put_together(parts, tracking.connectivity, weak=weak) == expected
    return tracking, expected[0]


@pytest.mark.parametrize("way", CLOUDS)
def test_real_clouds_tracked_in_tiles_are_those_of_the_scene_in_one_piece(clouds, way):
    _, found = check_cut(clouds, CLOUDS[way])
    assert len(found) > 3


@pytest.mark.parametrize("way", SEASONS)
def test_a_real_series_of_68_scenes_tracked_in_tiles_is_that_of_one_piece(seasons, way):
    tracking, found = check_cut(seasons, SEASONS[way])
    assert len(tracking.grids[0].planes) == (67 if tracking.mode == "footprint" else 25)
    assert len(found) >= 3
    if tracking.mode == "footprint":
        looked = max(found, key=lambda each: len(each.pixels)).series
        assert len(looked) > 40
        assert all(0 <= sums[0] <= px * 32768 for _, px, sums in looked)


def test_polygons_of_one_date_are_those_of_the_class_map(clouds):
    done = track(TrackConfig(run=str(clouds), workers=1))
    tracking = Tracking.from_json((clouds / "track.json").read_bytes())
    assert (tracking.mode, tracking.salient) == ("polygons", ("cloud", "shadow"))
    stitch(StitchConfig(run=str(clouds), probability=False, quicklook=False))
    with rasterio.open(clouds / "map.tif") as file:
        classes = file.read(1)
    found, _ = put_together(fragments(clouds, done.digest), 4)
    for kind in (1, 2):
        mask = classes == kind
        drawn = list(shapes(classes, mask, connectivity=4))
        mine = [each for each in found if each.kind == kind]
        assert sum(len(each.pixels) for each in mine) == mask.sum()
        assert len(mine) == len(drawn) == ndimage.label(mask)[1]


def test_killed_processes_resume_to_the_bytes_of_an_undisturbed_run(made_run, tmp_path):
    moments = [["read", 3, False], ["read", 40, True], ["encode", 5, True], ["publish", 1, False], ["publish", 7, True],
               ["rename", 4, False]]  # fmt: skip
    run = Path(shutil.copytree(made_run, tmp_path / "planned"))
    script = Path(__file__).with_name("killing_track.py")
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(run), json.dumps(moments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    tried = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["killed"] for each in tried] == [-9] * len(moments)
    assert {each["resumed"] for each in tried} == {0}
    assert min(each["left"] for each in tried) == 0 < max(each["left"] for each in tried)
    calm = made_of(tmp_path / "calm")
    assert len(calm) > 9
    for each in tried:
        assert made_of(Path(each["run"])) == calm, each


@pytest.fixture
def made_run(tmp_path: Path) -> Path:
    """Return a run with a made-up heatmap of three dates."""

    def scores(time: int, box: PixelBox) -> np.ndarray:
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1]
        first = np.rint(254 * (0.5 + 0.5 * np.sin(y / 9 + time) * np.sin(x / 7))).astype(np.uint8)
        return np.stack([first, 254 - first])

    made = Made((150, 170), ("2020-01-01", "2020-02-01", "2020-03-01"), ("site", "background"), scores)
    return make_run(tmp_path / "run", made)


def made_of(run: Path) -> dict[str, bytes]:
    """Return what tracking made: fragments and documents, by their place."""
    files = [path for path in (run / "fragments").rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}
