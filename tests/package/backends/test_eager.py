from __future__ import annotations

import pytest

from geowatch.errors import BackendError, GwError
from geowatch.package import Package, open_backend
from geowatch.package.backends import available
from geowatch.package.bundle import record_of, save_package
from tests.package.backend_conformance import BackendConformance
from tests.package.networks import random_windows


class TestOnRegistryNet(BackendConformance):
    name = "eager"

    @pytest.fixture
    def package(self, unet_package: Package) -> Package:
        return unet_package


def test_both_kinds_of_package_run_by_torch(unet_package, tiny_package):
    assert "eager" in available(unet_package)
    assert "eager" in available(tiny_package)


def test_other_sizes_run_where_the_package_says_so(unet_package):
    backend = open_backend(unet_package, "eager", threads=1)
    assert backend.run({"x": random_windows((1, 3, 8, 40))})["scores"].shape == (1, 3, 8, 40)
    with pytest.raises(BackendError, match="allowed sizes"):
        backend.run({"x": random_windows((1, 3, 12, 40))})


def _republished(package: Package, tmp_path, **changes) -> Package:
    manifest = package.manifest.model_copy(update=changes)
    return save_package(tmp_path / "changed", manifest, {name: package.read(name) for name in manifest.files})


@pytest.mark.parametrize(
    ("kwargs", "fact"),
    [
        ({"channels": 3, "heads": {"scores": 3}, "width": 8, "depth": 3}, "shape"),
        ({"channels": 3, "heads": {"scores": 3}, "width": 4, "depth": 2}, "weight"),
        ({"channels": 3, "heads": {"scores": 3}, "width": 4, "depth": 60}, "depth"),
        ({"channels": 3, "colour": 1}, "colour"),
    ],
)
def test_options_that_do_not_fit_the_weights_are_refused(unet_package, tmp_path, kwargs, fact):
    net = unet_package.manifest.net.model_copy(update={"kwargs": kwargs})
    package = _republished(unet_package, tmp_path, net=net)
    with pytest.raises(GwError, match=fact):
        open_backend(package, "eager", threads=1)


def test_a_network_that_is_not_of_the_registry_is_refused(unet_package, tmp_path):
    net = unet_package.manifest.net.model_copy(update={"name": "os:system"})
    with pytest.raises(GwError, match="no network is called 'os:system'"):
        open_backend(_republished(unet_package, tmp_path, net=net), "eager", threads=1)


def test_weights_that_are_no_safetensors_are_refused(unet_package, tmp_path):
    files = {name: unet_package.read(name) for name in unet_package.manifest.files}
    files["model.safetensors"] = b"\x80\x04pickle"
    records = {name: record_of(content) for name, content in files.items()}
    manifest = unet_package.manifest.model_copy(update={"files": records})
    package = save_package(tmp_path / "bad", manifest, files)
    with pytest.raises(GwError, match="no safetensors file"):
        open_backend(package, "eager", threads=1)
