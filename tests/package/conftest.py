"""Packages that many tests of this room need, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from geowatch.package import ImportSpec, Package, import_onnx
from geowatch.package.packaging import NetSource, package_net
from tests.package.networks import conv_net

CLOUD_BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")


@pytest.fixture
def onnx_file(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Return a function that writes a model to a file."""

    def write(model: onnx.ModelProto, name: str = "net.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture(scope="session")
def tiny_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Red and nir in, three classes out, any window."""
    root = tmp_path_factory.mktemp("tiny")
    (root / "tiny.onnx").write_bytes(conv_net().SerializeToString())
    spec = ImportSpec(bands=("red", "nir"), classes=("background", "cloud", "water"), window=(32, 32))
    return import_onnx(root / "tiny.onnx", spec, root / "package")


@pytest.fixture(scope="session")
def unet_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A U-Net of the registry: both backends run it."""
    spec = ImportSpec(bands=("red", "green", "nir"), classes=("a", "b", "c"), window=(64, 64), mean=(0.0,) * 3)
    source = NetSource(net="unet", options={"width": 4, "depth": 3}, seed=7)
    return package_net(source, spec, tmp_path_factory.mktemp("unet") / "package")


@pytest.fixture(scope="session")
def cloud_package(tmp_path_factory: pytest.TempPathFactory, shared_data: Callable[[str], Path]) -> Package:
    """The real cloud network."""
    folder = shared_data("cloud_model")
    mean, std = json.loads((folder / "model_6b_l1c.json").read_text())["data"]["dataset_statistics"]["img"]
    spec = ImportSpec(
        bands=CLOUD_BANDS,
        mean=tuple(mean),
        std=tuple(std),
        classes=("background", "cloud", "shadow"),
        window=(256, 256),
    )
    return import_onnx(folder / "model_6b_l1c.onnx", spec, tmp_path_factory.mktemp("cloud") / "package")
