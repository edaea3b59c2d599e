"""Layers inside a network, by name."""

import numpy as np
import pytest
from onnx import helper
from support.shell import gw

from geowatch.errors import PackageError
from geowatch.package import import_onnx, load_package, open_backend
from geowatch.package.layers import find_layer, layers_of, with_layer
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec
from tests.package.networks import conv, model, random_windows, value, weights

SPEC = ImportSpec(bands=("red", "nir"), classes=("a", "b", "c"), window=(16, 24), activation="softmax")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    nodes = [
        conv("x", "fine"),
        helper.make_node("Relu", ["fine"], ["bent"], "bend"),
        helper.make_node("MaxPool", ["bent"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["half"], ["whole"]),
        helper.make_node("MaxPool", ["bent"], ["uneven"], kernel_shape=[2, 1], strides=[2, 1]),
        helper.make_node("ReduceMean", ["uneven"], ["one"], axes=[1, 2, 3]),
        helper.make_node("Mul", ["bent", "whole"], ["weighed"]),
        helper.make_node("Add", ["weighed", "one"], ["y"]),
    ]
    net = model(nodes, [value("x", ("n", 2, "h", "w"))], [value("y", None)], w=weights(3, 2))
    (folder / "net.onnx").write_bytes(net.SerializeToString())
    import_onnx(folder / "net.onnx", SPEC, folder / "package")
    return load_package(folder / "package")


def test_layers_are_listed_that_have_whole_steps(package):
    assert {layer.name: (layer.channels, layer.reduction) for layer in layers_of(package)} == {
        "fine": (3, 1),
        "bent": (3, 1),
        "half": (3, 2),
        "weighed": (3, 1),
        "y": (3, 1),
    }


def test_a_layer_is_found_by_its_tensor_or_its_node(package):
    assert find_layer(package, "bend") == find_layer(package, "bent")


@pytest.mark.parametrize("name", ["bentt", "uneven", "whole", "nothing at all"])
def test_what_is_no_layer_or_has_no_whole_steps_is_refused(package, name):
    with pytest.raises(PackageError, match=f"no layer '{name}'") as caught:
        find_layer(package, name)
    assert "--layers" in caught.value.hint


def test_a_package_with_a_layer_gives_what_the_network_gives_and_the_layer(package):
    feed = {"image": random_windows((2, 2, 16, 24))}
    feed = {package.manifest.inputs[0].name: feed["image"]}
    derived = with_layer(package, find_layer(package, "half"), "features")
    assert derived.digest != package.digest
    plain = open_backend(package, "onnxruntime", threads=1).run(feed)
    found = open_backend(derived, "onnxruntime", threads=1).run(feed)
    assert set(found) == {*plain, "features"}
    for name, scores in plain.items():
        assert np.allclose(found[name], scores, atol=1e-5)
    assert found["features"].shape == (2, 3, 8, 12)
    assert (found["features"] >= 0).all()
    assert found["features"].any()


def test_the_output_itself_is_a_layer_and_a_heads_name_is_taken(package):
    head = package.manifest.heads[0]
    derived = with_layer(package, find_layer(package, "y"), "features")
    found = open_backend(derived, "onnxruntime", threads=1).run(
        {package.manifest.inputs[0].name: random_windows((1, 2, 16, 24))}
    )
    assert np.array_equal(found["features"], found[head.name])
    with pytest.raises(PackageError, match="already"):
        with_layer(package, find_layer(package, "y"), head.name)


def test_a_registry_networks_module_is_a_layer_by_its_path(tmp_path):
    import torch

    from geowatch.nets.registry import restore_net

    spec = ImportSpec(bands=("red", "nir"), classes=("a", "b"), window=(32, 32))
    package = package_net(NetSource(net="unet", options={"width": 4, "depth": 2}), spec, tmp_path / "unet")
    layer = find_layer(package, "down.1")
    assert (layer.channels, layer.reduction) == (16, 4)
    derived = with_layer(package, layer, "features")
    x = random_windows((1, 2, 32, 32), seed=5)
    found = open_backend(derived, "onnxruntime", threads=1).run({package.manifest.inputs[0].name: x})["features"]
    kwargs, path = package.manifest.net.kwargs, "model.safetensors"
    net = restore_net("unet", kwargs, package.read(path), path)
    with torch.inference_mode():
        expected = net.down[1](net.down[0](net.stem(torch.from_numpy(x)))).numpy()
    assert np.allclose(found, expected, atol=1e-4)
    with pytest.raises(PackageError, match=r"no layer 'down\.7'"):
        find_layer(package, "down.7")


def test_the_command_lists_them(package):
    said = gw("model", "show", package.path, "--layers")
    assert [line.split()[-1] for line in said.splitlines()] == ["layer", "fine", "bent", "half", "weighed", "y"]
    assert '"reduction": 2' in gw("model", "show", package.path, "--layers", "--json")
