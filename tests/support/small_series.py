"""A small series with everything that is hard: clouds, images of different extent, a gap of months, two sensors.

Its network is a stand-in: four dates go in, and what comes out depends on each of them and on where windows lie.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from affine import Affine
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from geowatch.grid.lattice import PixelBox
from geowatch.package.bundle import Package
from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.predicting.timing import TimeConfig
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import open_store
from geowatch.store.plans import read_plan
from support.small_job import speckled, write_raster

#: Days of the images: about every two weeks, with a gap of three months.
DAYS = tuple(date(2020, 1, 3) + timedelta(days=d) for d in (0, 12, 25, 40, 53, 66, 160, 171, 185, 199, 213, 226))
#: Images that are smaller; one plane sees nothing but these.
SMALL = (2, 3, 4, 5, 8, 11)
DATES, CLASSES = 4, ("same", "changed")
SENSORS = ("sentinel-2-l2a", "landsat-8-l2")


def write_series(folder: Path, days: tuple[date, ...] = DAYS, shape: tuple[int, int] = (70, 90)) -> list[Path]:
    """Write one image a day; some are smaller and lie elsewhere, and each has a cloud of nodata."""
    files = []
    for day in days:
        number = DAYS.index(day)
        values = speckled(*shape, seed=number)
        values[:, 5 * number % 50 : 5 * number % 50 + 15, 20:60] = 0
        small = number in SMALL
        if small:
            values = values[:, 11:, 7:]
        shift = (70, -110) if small else (0, 0)
        affine = Affine(10, 0, 500_000 + shift[0], 0, -10, 4_000_000 + shift[1])
        files.append(write_raster(folder / f"image_{day.isoformat()}.tif", values, affine))
    return files


def write_bundle(folder: Path, files: list[Path], channels: str = "red|green|blue") -> Path:
    """List images as a kwcoco bundle of two sensors, in turn; the second one's bands are called ``channels``."""
    images: list[dict[str, Any]] = []
    for number, file in enumerate(files):
        stamp = file.stem.removeprefix("image_")
        images.append(
            {
                "id": number + 1, "name": file.stem, "file_name": str(file), "video_id": 1, "frame_index": number,
                "date_captured": f"{stamp}T10:00:00Z", "sensor_coarse": SENSORS[number % 2],
                "channels": channels if number % 2 else "red|green|blue",
            }
        )  # fmt: skip
    bundle = {"videos": [{"id": 1, "name": "v"}], "images": images, "annotations": [], "categories": []}
    path = folder / "series.kwcoco.json"
    path.write_text(json.dumps(bundle))
    return path


def write_network(path: Path, *, by_date: bool = False, dates: int = DATES) -> Path:
    """Write a network of ``dates`` (n, t, 3, h, w): scores of all dates, or of each with ``by_date``."""
    rng = np.random.default_rng(11)
    made = numpy_helper.from_array
    k = len(CLASSES) * (dates if by_date else 1)
    tables = [
        made(rng.normal(0, 0.5, (8, 3 * dates, 3, 3)).astype(np.float32), "w1"),
        made(rng.normal(0, 0.5, (k, 8, 3, 3)).astype(np.float32), "w2"),
    ]
    nodes = [
        helper.make_node("Shape", ["x"], ["n_"], start=0, end=1),
        helper.make_node("Shape", ["x"], ["hw"], start=3, end=5),
        helper.make_node("Constant", [], ["joined"], value=made(np.array([3 * dates], np.int64), "j")),
        helper.make_node("Concat", ["n_", "joined", "hw"], ["flat4"], axis=0),
        helper.make_node("Reshape", ["x", "flat4"], ["bands"]),
        helper.make_node("Conv", ["bands", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("GlobalAveragePool", ["r1"], ["mean"]),
        helper.make_node("Sub", ["r1", "mean"], ["centred"]),
        helper.make_node("Conv", ["centred", "w2"], ["y" if not by_date else "flat_y"], pads=[1, 1, 1, 1]),
    ]
    shape: list[Any] = ["n", len(CLASSES), "h", "w"]
    if by_date:
        split = made(np.array([dates, len(CLASSES)], np.int64), "s")
        nodes += [
            helper.make_node("Constant", [], ["split"], value=split),
            helper.make_node("Concat", ["n_", "split", "hw"], ["shape5"], axis=0),
            helper.make_node("Reshape", ["flat_y", "shape5"], ["y"]),
        ]
        shape = ["n", dates, len(CLASSES), "h", "w"]
    graph = helper.make_graph(
        nodes, "series", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", dates, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], tables,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def series_package(folder: Path, *, by_date: bool = False, **options: Any) -> Package:
    """Package the stand-in: windows of 32 px, 60 days of the past, a plane each 30 days."""
    given = {"series_sampling": "uniform", "series_span_days": 60, "series_step_days": 30, **options}
    spec = ImportSpec(
        bands=("red", "green", "blue"), classes=CLASSES, window=(32, 32), dates=DATES, mean=(0.3,) * 3,
        std=(0.2,) * 3, overlap=8, activation="softmax", **given,
    )  # fmt: skip
    return import_onnx(write_network(folder / "series.onnx", by_date=by_date), spec, folder / "package")


def plan_series(folder: Path, images: Path, tile_size: int = 64) -> None:
    """Plan on the lattice of the whole series."""
    imagery = ImageryConfig(images=(str(images),))
    tile(TileConfig(run=str(folder), tile_size=tile_size, imagery=imagery))


def run_series(
    folder: Path, images: Path, package: Package, tile_size: int = 64, time: TimeConfig | None = None, **options: Any
) -> Path:
    """Plan and predict; return the run folder."""
    plan_series(folder, images, tile_size)
    config = series_config(folder, images, package, time, **options)
    predict(config)
    return folder


def series_config(
    folder: Path, images: Path, package: Package, time: TimeConfig | None = None, **options: Any
) -> PredictConfig:
    """Return a configuration of predict: one process unless told otherwise."""
    given: dict[str, Any] = {"workers": 1, "imagery": ImageryConfig(images=(str(images),)), **options}
    return PredictConfig(run=str(folder), model=str(package.path), time=time or TimeConfig(), **given)


def planes(folder: Path) -> tuple[PixelBox, dict[str, NDArray[np.generic]]]:
    """Return where a heatmap is within the bounds, and its planes (K, H, W) by their time, read with a Zarr library."""
    import zarr

    grid = read_plan(open_store(folder)).grids[0]
    group = zarr.open_group(folder / "heatmap.zarr", mode="r")
    rows, cols = grid.bounds.within(grid.array_box)
    values = np.asarray(group["scores"][:, :, rows, cols])
    times = np.asarray(group["time"]).astype("datetime64[s]")
    return grid.bounds, {str(t): v for t, v in zip(times, values, strict=True)}
