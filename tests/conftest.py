"""Fixtures for all tests: real data beside the checkout, and what to do when it is not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.eolearn_series import EolearnSeries

#: Files whose tests take long begin first, so that no process is left alone with one at the end.
LONGEST = ("test_cloud_scene.py", "test_sentinel_scene.py", "test_kills.py", "test_exactness.py")

# The same examples on every machine, however fast it is; `--hypothesis-profile=default` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file nothing moves."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep compiled networks out of the user's own cache."""
    os.environ["GW_CACHE"] = str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that gives a folder of real data, or skips by name.

    With ``GW_REQUIRE_DATA=1`` a missing folder fails the test instead.
    """

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            reason = f"real data '{name}' is not beside this checkout"
            if os.environ.get("GW_REQUIRE_DATA") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def eolearn_series(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> EolearnSeries:
    """Return the real series of 68 dates as GeoTIFFs with dates in their names, and as a kwcoco bundle."""
    from tests.support.eolearn_series import write_eolearn

    return write_eolearn(shared_data("eolearn"), tmp_path_factory.mktemp("eolearn"))


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ONNX file of a small network, made here: a stand-in for a trained one.

    It takes 3 bands (red, green, blue) of any size and gives logits of 3 classes. A mean over the whole window is
    part of it, so that its output depends on where windows lie, as a trained network's does.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(7)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.6, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("GlobalAveragePool", ["r1"], ["mean"]),
        helper.make_node("Sub", ["r1", "mean"], ["centred"]),
        helper.make_node("Conv", ["centred", "w2"], ["logits"], pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 3, 8, 3, 3)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("network") / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session")
def tiny_package(tiny_network: Path) -> Path:
    """Return a package of the stand-in network: windows of 32 px, overlap 8."""
    from geowatch.package.importing import import_onnx
    from geowatch.package.spec import ImportSpec

    spec = ImportSpec(
        bands=("red", "green", "blue"),
        classes=("background", "water", "forest"),
        window=(32, 32),
        mean=(0.3, 0.3, 0.3),
        std=(0.2, 0.2, 0.2),
        overlap=8,
        activation="softmax",
    )
    path = tiny_network.parent / "tiny-package"
    import_onnx(tiny_network, spec, path)
    return path
