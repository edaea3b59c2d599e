"""What a network's tensors take is told from its graph: with shapes that are known, and as runtimes walk it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from geowatch.package.activations import activations_of
from geowatch.package.footprint import Running, footprint
from geowatch.package.importing import import_onnx
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec

PX = 32
PLANE = 4 * PX * PX


def chain(*, branches: int = 1) -> onnx.ModelProto:
    """A graph of 1 x 1 convolutions: so many branches of 8 features side by side, joined at the end."""
    weights, nodes, ends = [], [], []
    for n in range(branches):
        weights.append(numpy_helper.from_array(np.ones((8, 2, 1, 1), np.float32), f"w{n}"))
        nodes.append(helper.make_node("Conv", ["x", f"w{n}"], [f"wide{n}"]))
        nodes.append(helper.make_node("ReduceMax", [f"wide{n}"], [f"flat{n}"], axes=[1]))
        ends.append(f"flat{n}")
    nodes.append(helper.make_node("Concat", ends, ["y"], axis=1))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "chain", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    def make(model: onnx.ModelProto, classes: int):
        folder = tmp_path_factory.mktemp("graph")
        onnx.save(model, folder / "net.onnx")
        names = tuple(f"c{n}" for n in range(classes))
        spec = ImportSpec(bands=("red", "green"), classes=names, window=(PX, PX), activation="sigmoid")
        return import_onnx(folder / "net.onnx", spec, folder / "package")

    return make


def test_a_tensor_takes_memory_until_the_last_node_that_needs_it(packaged):
    told = activations_of(packaged(chain(branches=3), 3), (PX, PX))
    assert told.inputs == 2 * PLANE
    assert told.outputs == 3 * PLANE
    # Input, two branches that are done, and the third one's features; the input goes before the last is flat.
    assert told.in_order == (2 + 2 + 8) * PLANE
    assert told.depth_first >= told.in_order
    assert told.nodes == 7


def test_larger_windows_take_as_much_more_as_they_are_larger(packaged):
    package = packaged(chain(), 1)
    assert activations_of(package, (4 * PX, PX)).in_order == 4 * activations_of(package, (PX, PX)).in_order


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "eager"])
def test_a_backend_takes_more_for_larger_windows_and_deeper_networks(tmp_path, backend):
    spec = ImportSpec(bands=("a", "b"), classes=("c", "d"), window=(64, 64), activation="softmax")
    small, large = (
        package_net(NetSource(net="unet", options={"width": width, "depth": 2}), spec, tmp_path / f"{width}")
        for width in (8, 16)
    )
    at = [footprint(small, Running(backend, (side, side))).window_bytes for side in (64, 128)]
    assert at[1] == pytest.approx(4 * at[0], rel=0.01)
    assert footprint(large, Running(backend, (64, 64))).window_bytes > 1.5 * at[0]
    assert footprint(large, Running(backend)).fixed_bytes > footprint(small, Running(backend)).fixed_bytes


def test_windows_that_run_at_once_are_those_of_the_backend(tiny_package):
    at_once = {
        name: footprint(tiny_package, Running(name, threads=3)).at_once for name in ("onnxruntime", "openvino", "eager")
    }
    assert at_once == {"onnxruntime": None, "openvino": 3, "eager": 1}
    assert footprint(tiny_package, Running("onnxruntime", threads=3, fixed_batch=2)).at_once == 6
