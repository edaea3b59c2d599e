"""Scenes with bright blobs, and an ONNX network that finds them: for trying docs and image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import rasterio
from onnx import TensorProto, helper
from rasterio.transform import from_origin

BANDS = ("blue", "green", "red", "nir")
SIDE_PX = 600


def write_scene(folder: Path, day: str, seed: int) -> None:
    """Write a scene of four bands: dark ground with bright blobs, as uint16 digital numbers."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    generator = np.random.default_rng(seed)
    image = generator.normal(1200, 80, (len(BANDS), SIDE_PX, SIDE_PX))
    for row, column, radius in generator.integers((60, 60, 15), (540, 540, 60), (8, 3)):
        image[:, (rows - row) ** 2 + (columns - column) ** 2 < radius**2] += 5000
    profile = {
        "driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": len(BANDS), "dtype": "uint16",
        "crs": "EPSG:32618", "transform": from_origin(300_000, 4_200_000, 10, 10), "nodata": 0, "tiled": True,
    }  # fmt: skip
    with rasterio.open(folder / f"scene_{day}.tif", "w", **profile) as file:
        file.write(np.clip(image, 1, 10_000).astype("uint16"))
        file.update_tags(TIFFTAG_DATETIME=f"{day.replace('-', ':')} 15:40:00")
        for index, name in enumerate(BANDS, 1):
            file.set_band_description(index, name)
        file.scales = (0.0001,) * len(BANDS)


def write_network(path: Path) -> None:
    """Write an ONNX network that calls a pixel cloud where the mean of its bands is bright."""
    weights = np.stack([np.full((4, 1, 1), -10, "float32"), np.full((4, 1, 1), 10, "float32")])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights", "bias"], ["logits"])],
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 4, "h", "w"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2, "h", "w"])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("bias", TensorProto.FLOAT, [2], [12.0, -12.0]),
        ],
    )
    _save(graph, path)


def write_change_network(path: Path) -> None:
    """Write an ONNX network of two inputs that calls a pixel changed where it became brighter."""
    weights = np.stack([np.full((4, 1, 1), -10, "float32"), np.full((4, 1, 1), 10, "float32")])
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["after", "before"], ["gain"]),
            helper.make_node("Conv", ["gain", "weights", "bias"], ["logits"]),
        ],
        "brighter",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4, "h", "w"]) for name in ("before", "after")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2, "h", "w"])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("bias", TensorProto.FLOAT, [2], [6.0, -6.0]),
        ],
    )
    _save(graph, path)


def write_both_dates(path: Path, scenes: list[Path]) -> None:
    """Write the bands of several scenes into one file without words, one scene after the other."""
    with rasterio.open(scenes[0]) as first:
        profile = first.profile | {"count": first.count * len(scenes)}
    with rasterio.open(path, "w", **profile) as file:
        for place, scene in enumerate(scenes):
            with rasterio.open(scene) as source:
                file.write(source.read(), [place * source.count + band for band in source.indexes])


def _save(graph: onnx.GraphProto, path: Path) -> None:
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
