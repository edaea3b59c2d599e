from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from geowatch.errors import ConfigError, PackageError
from geowatch.nets.registry import build_net
from geowatch.package import ImportSpec, open_backend
from geowatch.package.backends import available
from geowatch.package.packaging import NetSource, package_net
from tests.package.networks import random_windows

SPEC = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(32, 32))
NETWORKS = """
from pathlib import Path
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        first, last = nn.Conv2d(2, width, 3, padding=1), nn.Conv2d(width, 3, 1)
        self.body = nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.5), last)
    def forward(self, image):
        return self.body(image)

class TwoDates(Plain):
    def forward(self, before, after):
        return {"change": self.body(before - after)}

class FixedSize(Plain):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.rand(1, 3, 32, 32))
    def forward(self, x):
        return self.body(x) + self.place

class Strange(Plain):
    def forward(self, x):
        return "scores"

def make():
    return Plain(width=6)

class Mark(nn.Module):
    def __init__(self, path):
        super().__init__()
        Path(path).touch()
        self.body = nn.Conv2d(2, 3, 1)
    def forward(self, x):
        return self.body(x)
"""


@pytest.fixture
def networks(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my_networks.py"


def test_a_registry_package_has_weights_and_graph_and_both_answer_alike(unet_package):
    assert set(unet_package.manifest.files) == {"model.onnx", "model.safetensors"}
    assert unet_package.manifest.window.multiple_of == 8
    assert not unet_package.manifest.window.fixed
    assert unet_package.manifest.origin.kind == "registry"
    assert unet_package.manifest.gflop_per_window > 0
    x = {"x": random_windows((2, 3, 64, 64))}
    torch_says, graph_says = (
        open_backend(unet_package, n, threads=1).run(x)["scores"] for n in ("eager", "onnxruntime")
    )
    assert graph_says == pytest.approx(torch_says, abs=1e-4)


def test_weights_come_from_a_file_and_not_from_the_seed(tmp_path):
    options = {"channels": 2, "heads": {"scores": 3}, "width": 2, "depth": 1}
    trained = build_net("unet", options, seed=99)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in trained.state_dict().items()}},
        tmp_path / "w.pth",
    )
    small = {"width": 2, "depth": 1}
    digests = {
        package_net(NetSource(net="unet", options=small, weights=tmp_path / name), SPEC, tmp_path / f"p{i}")
        .manifest.files["model.safetensors"]
        .sha256
        for i, name in enumerate(("w.safetensors", "w.pth"))
    }
    drawn = package_net(NetSource(net="unet", options=small, seed=99), SPEC, tmp_path / "drawn")
    assert digests == {drawn.manifest.files["model.safetensors"].sha256}


def test_packaging_twice_gives_the_same_package(tmp_path):
    source = NetSource(net="unet", options={"width": 2, "depth": 1}, seed=3)
    assert package_net(source, SPEC, tmp_path / "a").digest == package_net(source, SPEC, tmp_path / "b").digest


@pytest.mark.parametrize("place", ["my_networks", "file"])
def test_a_module_of_your_own_becomes_a_graph_that_answers_as_it_does(networks, tmp_path, place):
    where = str(networks) if place == "file" else place
    torch.manual_seed(0)
    package = package_net(NetSource(net=f"{where}:Plain", options={"width": 8}), SPEC, tmp_path / "p")
    manifest = package.manifest
    assert set(manifest.files) == {"model.onnx"}
    assert "onnxruntime" in available(package)
    assert manifest.origin.kind == "module"
    assert manifest.inputs[0].name == "image"
    assert not manifest.window.fixed
    assert manifest.batch is None
    assert str(tmp_path).encode() not in package.read("model.onnx")


def test_a_function_that_makes_a_module_will_do(networks, tmp_path):
    assert package_net(NetSource(net="my_networks:make"), SPEC, tmp_path / "p").manifest.name == "make"


def test_two_dates_and_named_outputs_are_kept(networks, tmp_path):
    from dataclasses import replace

    package = package_net(NetSource(net="my_networks:TwoDates"), replace(SPEC, dates=2), tmp_path / "p")
    assert [(i.name, i.date) for i in package.manifest.inputs] == [("before", 0), ("after", 1)]
    assert [h.output for h in package.manifest.heads] == ["change"]


def test_a_module_of_one_size_keeps_that_size(networks, tmp_path):
    package = package_net(NetSource(net="my_networks:FixedSize"), SPEC, tmp_path / "p")
    assert package.manifest.window.fixed
    x = random_windows((5, 2, 32, 32))
    assert open_backend(package, "onnxruntime", threads=1).run({"x": x})["scores"].shape == (5, 3, 32, 32)


def test_loading_and_running_a_package_runs_no_code_of_its_module(networks, tmp_path):
    from geowatch.package import load_package

    mark = tmp_path / "mark"
    package_net(NetSource(net="my_networks:Mark", options={"path": str(mark)}), SPEC, tmp_path / "p")
    mark.unlink()
    networks.unlink()
    backend = open_backend(load_package(tmp_path / "p"), "onnxruntime", threads=1)
    backend.run({"x": np.zeros((1, 2, 32, 32), np.float32)})
    assert not mark.exists()


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_weights_file_with_code_in_it_is_refused_and_does_not_run(tmp_path):
    mark = tmp_path / "mark"
    torch.save({"weight": Trap(str(mark))}, tmp_path / "w.pth")
    with pytest.raises(PackageError, match="more than weights") as caught:
        package_net(NetSource(net="unet", weights=tmp_path / "w.pth"), SPEC, tmp_path / "p")
    assert "state_dict" in str(caught.value.hint)
    assert not mark.exists()


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save(torch.nn.Conv2d(2, 3, 1), tmp_path / "w.pth")
    with pytest.raises(PackageError, match="more than weights"):
        package_net(NetSource(net="unet", weights=tmp_path / "w.pth"), SPEC, tmp_path / "p")


@pytest.mark.parametrize(
    ("net", "options", "fact"),
    [
        ("my_networks:Nothing", {}, "has no 'Nothing'"),
        ("no_such_module:Net", {}, "cannot import no_such_module"),
        ("nowhere/file.py:Net", {}, r"no Python file at nowhere/file\.py"),
        ("my_networks:Plain", {"depth": 3}, "does not take"),
        ("my_networks:Path", {}, "no torch module"),
        ("my_networks:", {}, "names no class"),
        ("my_networks:Strange", {}, "returns a str"),
    ],
)
def test_a_module_that_cannot_be_used_is_refused_by_name(networks, tmp_path, net, options, fact):
    with pytest.raises(PackageError, match=fact):
        package_net(NetSource(net=net, options=options), SPEC, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_bands_that_do_not_fit_the_module_are_refused(networks, tmp_path):
    from dataclasses import replace

    with pytest.raises(PackageError, match=r"fails on inputs of .*\(2, 3, 32, 32\)"):
        package_net(NetSource(net="my_networks:Plain"), replace(SPEC, bands=("red", "nir", "blue")), tmp_path / "p")


def test_unknown_networks_and_options_name_the_known(tmp_path):
    with pytest.raises(ConfigError, match="'vnet'") as caught:
        package_net(NetSource(net="vnet"), SPEC, tmp_path / "p")
    assert "unet" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="'colour'"):
        package_net(NetSource(net="unet", options={"colour": 1}), SPEC, tmp_path / "p")


def test_a_window_that_the_network_cannot_take_is_refused(tmp_path):
    from dataclasses import replace

    with pytest.raises(PackageError, match="fails on inputs"):
        package_net(NetSource(net="unet"), replace(SPEC, window=(30, 30)), tmp_path / "p")


@pytest.mark.parametrize("net", ["unet", "my_networks:Plain"])
def test_the_graph_answers_as_the_network_for_any_number_of_windows_and_any_size(networks, tmp_path, net):
    options = {"width": 4, "depth": 2} if net == "unet" else {}
    package = package_net(NetSource(net=net, options=options), SPEC, tmp_path / "p")
    graph, ours = (open_backend(package, name) for name in ("onnxruntime", "eager"))
    for n, height, width in ((1, 32, 32), (5, 32, 32), (2, 64, 48)):
        x = {package.manifest.inputs[0].name: random_windows((n, 2, height, width))}
        found, wanted = graph.run(x)["scores"], ours.run(x)["scores"]
        assert found.shape == (n, 3, height, width)
        assert found == pytest.approx(wanted, abs=1e-4)


def test_a_network_that_counts_its_pixels_keeps_its_answers_at_other_sizes(networks, tmp_path):
    """A graph that held the width at which it was exported would answer wrongly at another one."""
    forward = "\n    def forward(self, x):\n        return self.body(x) * float(x.shape[-1])\n"
    networks.write_text(f"{NETWORKS}\nclass Counts(Plain):{forward}")
    package = package_net(NetSource(net=f"{networks}:Counts"), SPEC, tmp_path / "p")
    assert not package.manifest.window.fixed
    backend = open_backend(package, "onnxruntime")
    small, large = (backend.run({"x": np.ones((1, 2, n, n), np.float32)})["scores"] for n in (32, 64))
    assert large[0, :, 20, 20] == pytest.approx(2 * small[0, :, 20, 20], rel=1e-4)
