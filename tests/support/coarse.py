"""A network with a dropout node and a layer of a quarter of the resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from geowatch.package.importing import import_onnx
from geowatch.package.spec import ImportSpec


def write_package(folder: Path, seed: int, bands: tuple[str, ...] = ("red", "green", "blue")) -> Path:
    """Write a network with a dropout node and a layer of a quarter of the resolution, and its package."""
    rng = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.6, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["fine"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["fine"], ["bent"]),
        helper.make_node("AveragePool", ["bent"], ["coarse"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Dropout", ["coarse", "ratio"], ["noisy"]),
        helper.make_node("Conv", ["noisy", "w2"], ["scores4"]),
        helper.make_node("Resize", ["scores4", "", "scales"], ["logits"], mode="nearest"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3, "h", "w"])
    stored = [
        weights("w1", 8, 3, 3, 3),
        weights("w2", 3, 8, 1, 1),
        numpy_helper.from_array(np.array(0.4, np.float32), "ratio"),
        numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales"),
    ]
    graph = helper.make_graph(nodes, "coarse", [image], [logits], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir()
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    spec = ImportSpec(
        bands=bands, classes=("background", "water", "forest"), window=(32, 32), mean=(0.3,) * 3, std=(0.2,) * 3,
        overlap=8, activation="softmax",
    )  # fmt: skip
    import_onnx(folder / "net.onnx", spec, folder / "package")
    return folder / "package"
