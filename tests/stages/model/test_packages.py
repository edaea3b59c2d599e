from __future__ import annotations

import shutil

import pytest

import geowatch
from geowatch.errors import ConfigError, DamagedError, PackageError
from geowatch.stages.model.packages import (
    ImportConfig,
    PackageConfig,
    import_model,
    package_model,
    show_model,
    verify_model,
)
from tests.package.networks import conv_net, two_heads_net

SAID = {"bands": ("red", "nir"), "classes": ("a", "b", "c"), "window": (32, 32)}
SPEC_FILE = """
inputs:
  - {name: image, tensor: x, bands: [red, nir], mean: [0.1, 0.2], steps: [{op: scale, factor: 0.0001}]}
heads:
  - {name: land, output: land, classes: [water, forest, built]}
  - {name: cloud, output: cloud, classes: [cloud], activation: sigmoid}
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(conv_net().SerializeToString())
    return path


def test_import_show_and_verify(tmp_path, source):
    package = import_model(ImportConfig(source=source, output=tmp_path / "p", **SAID))
    summary = show_model(tmp_path / "p")
    assert summary.digest == package.digest
    assert summary.backends[0] == "onnxruntime"
    assert summary.total_bytes == sum(p.stat().st_size for p in (tmp_path / "p").glob("model.*"))
    verdict = verify_model(tmp_path / "p")
    assert all(report.passed for report in verdict.gates.values())
    assert "onnxruntime" in {identity.name for identity in verdict.gates}
    assert not verdict.refused


def test_package_a_registry_network_and_verify_both_backends(tmp_path):
    config = PackageConfig(net="unet", options={"width": 2, "depth": 1}, output=tmp_path / "p", **SAID)
    assert package_model(config).manifest.name == "unet"
    assert {"onnxruntime", "eager"} <= {i.name for i in verify_model(tmp_path / "p").gates}


def test_several_heads_come_from_a_file(tmp_path):
    (tmp_path / "net.onnx").write_bytes(two_heads_net().SerializeToString())
    (tmp_path / "spec.yaml").write_text(SPEC_FILE)
    config = ImportConfig(
        source=tmp_path / "net.onnx", output=tmp_path / "p", window=(32, 32), spec=tmp_path / "spec.yaml"
    )
    manifest = import_model(config).manifest
    assert [h.name for h in manifest.heads] == ["land", "cloud"]
    assert manifest.inputs[0].steps[0].factor == 0.0001


@pytest.mark.parametrize("text", ["inputs: 3", "surprise: []", "heads: [{name: x}]", "{", "!!python/name:os.system"])
def test_a_file_that_describes_nothing_is_refused_by_name(tmp_path, source, text):
    (tmp_path / "spec.yaml").write_text(text)
    config = ImportConfig(source=source, output=tmp_path / "p", spec=tmp_path / "spec.yaml", **SAID)
    with pytest.raises(ConfigError, match=r"spec\.yaml"):
        import_model(config)


def test_damage_is_found_by_show_and_verify(tmp_path, source):
    import_model(ImportConfig(source=source, output=tmp_path / "p", **SAID))
    content = (tmp_path / "p" / "model.onnx").read_bytes()
    (tmp_path / "p" / "model.onnx").write_bytes(content[:-1])
    for look in (show_model, verify_model):
        with pytest.raises(DamagedError):
            look(tmp_path / "p")
    shutil.rmtree(tmp_path / "p")
    with pytest.raises(PackageError):
        show_model(tmp_path / "p")


def test_the_stages_are_names_of_the_library():
    assert geowatch.import_model is import_model
    assert geowatch.verify_model is verify_model
