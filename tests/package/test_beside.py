from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from geowatch.errors import PackageError
from geowatch.package import ImportSpec, import_onnx
from tests.package.networks import conv_net, random_windows
from tests.package.test_importing import SPEC, probabilities


@pytest.fixture
def apart(tmp_path):
    """A graph and its numbers in two files of a folder, as exporters write them."""
    folder = tmp_path / "net"
    folder.mkdir()
    onnx.save_model(
        conv_net(),
        folder / "net.onnx",
        save_as_external_data=True,
        location="net.onnx.data",
        size_threshold=0,
    )
    assert (folder / "net.onnx.data").stat().st_size > 0
    return folder / "net.onnx"


def pointed(path, **said):
    """Write the graph again with other words on where its tensor is."""
    net = onnx.load_model(path, load_external_data=False)
    tensor = net.graph.initializer[0]
    words = {entry.key: entry.value for entry in tensor.external_data} | said
    del tensor.external_data[:]
    for key, word in words.items():
        tensor.external_data.add(key=key, value=word)
    path.write_bytes(net.SerializeToString())
    return path


def test_numbers_in_a_file_beside_the_graph_are_taken_into_the_package(apart, onnx_file, tmp_path):
    package = import_onnx(apart, SPEC, tmp_path / "apart")
    whole = import_onnx(onnx_file(conv_net()), SPEC, tmp_path / "whole")
    windows = {"x": random_windows((2, 2, 32, 32))}
    np.testing.assert_array_equal(probabilities(package, windows)["scores"], probabilities(whole, windows)["scores"])
    stored = onnx.ModelProto.FromString(package.read("model.onnx")).graph.initializer
    assert all(t.data_location == TensorProto.DEFAULT and not t.external_data for t in stored)
    digest = hashlib.sha256(apart.with_name("net.onnx.data").read_bytes()).hexdigest()
    assert package.manifest.origin.weights_sha256 == digest
    assert whole.manifest.origin.weights_sha256 is None


def test_what_torch_exports_unasked_is_taken(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    net = torch.nn.Conv2d(2, 3, 3, padding=1).eval()
    torch.onnx.export(net, (torch.zeros(1, 2, 32, 32),), tmp_path / "net.onnx", dynamo=True, verbose=False)
    package = import_onnx(
        tmp_path / "net.onnx", ImportSpec(bands=("red", "nir"), classes=("a", "b", "c")), tmp_path / "p"
    )
    x = random_windows((1, 2, 32, 32))
    with torch.no_grad():
        wanted = torch.softmax(net(torch.from_numpy(x)), 1).numpy()
    (name,) = (part.name for part in package.manifest.inputs)
    np.testing.assert_allclose(probabilities(package, {name: x})["scores"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "", "link.bin", "\\\\host\\x"]
)
def test_files_out_of_the_graphs_folder_are_never_read(apart, tmp_path, location):
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    (apart.parent / "a").mkdir()
    (apart.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(PackageError, match="out of its folder") as caught:
        import_onnx(pointed(apart, location=location), SPEC, tmp_path / "package")
    assert repr(location) in caught.value.fact
    assert caught.value.hint


def test_a_cache_that_links_both_files_to_one_place_is_followed(apart, tmp_path):
    seen = tmp_path / "snapshot"
    seen.mkdir()
    (seen / "net.onnx").symlink_to(apart)
    (seen / "net.onnx.data").symlink_to(apart.with_name("net.onnx.data"))
    assert import_onnx(seen / "net.onnx", SPEC, tmp_path / "package").manifest.origin.weights_sha256


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ({"location": "gone.bin"}, r"not there \('gone.bin'\)"),
        ({"offset": "9999999"}, "bytes 9999999"),
        ({"length": "-4"}, r"\+ -4"),
        ({"offset": "x"}, "bytes x"),
    ],
)
def test_a_file_that_is_missing_or_too_short_is_named(apart, tmp_path, said, fact):
    with pytest.raises(PackageError, match=fact) as caught:
        import_onnx(pointed(apart, **said), SPEC, tmp_path / "package")
    assert caught.value.hint


def test_the_limit_counts_all_files(apart, tmp_path):
    limit = apart.stat().st_size + 8
    with pytest.raises(PackageError, match="files beside it have") as caught:
        import_onnx(apart, replace(SPEC, max_bytes=limit), tmp_path / "package")
    assert "--max-bytes" in str(caught.value.hint)
