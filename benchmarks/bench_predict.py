"""Memory and time of predict on large rasters: ``python benchmarks/bench_predict.py 4096 16384``.

Each size runs in a process of its own, one worker of one thread, so that its peak memory is its own. The raster is
synthetic: 4 bands of uint16, deflate, in 512 px blocks. The network is a small convolutional one made here; seconds
outside the network are wall seconds less seconds inside the backend.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BANDS = ("red", "green", "blue", "nir")


def make_raster(path: Path, side_px: int) -> None:
    """Write a smooth random raster, block row by block row.

    It begins where a sweep begins, so that every size has whole sweeps and none is narrower than another.
    """
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    rng = np.random.default_rng(1)
    base = np.kron(rng.integers(500, 6000, (4, 64, 64)), np.ones((1, 8, 8), int))
    with rasterio.open(
        path, "w", driver="GTiff", width=side_px, height=side_px, count=4, dtype="uint16", crs="EPSG:32618",
        transform=Affine(10, 0, 491_520, 0, -10, 4_505_600), tiled=True, blockxsize=512, blockysize=512,
        compress="deflate", zlevel=1, bigtiff="if_safer",
    ) as target:  # fmt: skip
        target.descriptions = BANDS
        target.scales = (1e-4,) * 4
        for row in range(0, side_px, 512):
            for col in range(0, side_px, 512):
                noise = rng.integers(0, 400, (1, 512, 512))
                target.write((base + noise).astype(np.uint16), window=Window(col, row, 512, 512))


def make_package(folder: Path) -> None:
    """Package a small network: two 3 x 3 convolutions of 8 channels, 3 classes, windows of 256 px."""
    from onnx import TensorProto, helper, numpy_helper

    from geowatch.package.importing import import_onnx
    from geowatch.package.spec import ImportSpec

    rng = np.random.default_rng(2)
    weights = [("w1", (8, 4, 3, 3)), ("w2", (3, 8, 3, 3))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w2"], ["scores"], pads=[1, 1, 1, 1]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 256, 256])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3, 256, 256])],
        [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "small.onnx").write_bytes(model.SerializeToString())
    spec = ImportSpec(bands=BANDS, classes=("a", "b", "c"), window=(256, 256), activation="softmax", overlap=64)
    import_onnx(folder / "small.onnx", spec, folder / "package")


def measure(side_px: int, folder: Path) -> dict[str, float]:
    """Predict one raster in this process."""
    from geowatch.package.backends import onnxruntime as ort
    from geowatch.stages.binding.imagery import ImageryConfig
    from geowatch.stages.predict import PredictConfig, predict
    from geowatch.stages.tile import TileConfig, tile

    inside = 0.0
    original = ort.OnnxRuntimeBackend.run

    def timed(self: object, inputs: object) -> object:
        nonlocal inside
        started = time.perf_counter()
        result = original(self, inputs)
        inside += time.perf_counter() - started
        return result

    ort.OnnxRuntimeBackend.run = timed  # type: ignore[method-assign]
    images = ImageryConfig(images=(str(folder / f"{side_px}.tif"),))
    run = str(folder / f"run-{side_px}")
    tile(TileConfig(run=run, imagery=images, model=str(folder / "package")))
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    done = predict(PredictConfig(run=run, model=str(folder / "package"), imagery=images, workers=1))
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    megapixels = side_px * side_px / 1e6
    return {
        "side_px": side_px,
        "tiles": done.tiles,
        "windows": done.figures["windows"],
        "peak_mb": after.ru_maxrss / 1024,
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "network_s": inside,
        "outside_s_per_mpx": (wall - inside) / megapixels,
    }


def main() -> None:
    """Measure each size; print a table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(int(sys.argv[2]), Path(sys.argv[3]))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_package(folder)
        rows = []
        for side in map(int, sys.argv[1:] or ("4096", "16384")):
            make_raster(folder / f"{side}.tif", side)
            command = [sys.executable, "-W", "ignore", __file__, "--one", str(side), str(folder)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(ran.stdout.splitlines()[-1]))
            print("  ".join(f"{k} {v:,.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()))
    if len(rows) > 1:
        print(f"peak memory, largest over smallest raster: {rows[-1]['peak_mb'] / rows[0]['peak_mb']:.3f}")


if __name__ == "__main__":
    main()
