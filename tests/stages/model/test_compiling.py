from __future__ import annotations

import pytest
from affine import Affine
from support.small_job import config_of, placed, plan_job, speckled, write_raster

from geowatch.errors import BackendError, ConfigError, ImageryError, PackageError
from geowatch.package.cache import CompiledCache
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.model.compiling import CompileConfig, compile_model
from geowatch.stages.model.quantising import QuantiseConfig, quantise_model
from geowatch.stages.predict import predict
from geowatch.stages.predicting import choosing


@pytest.fixture(scope="module")
def imagery(tmp_path_factory):
    affine = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    path = write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", speckled(150, 170), affine)
    return ImageryConfig(images=(str(path),))


def test_what_was_compiled_ahead_starts_warm(tmp_path, tiny_package, imagery, monkeypatch):
    pytest.importorskip("openvino")
    cache = str(tmp_path / "cache")
    config = CompileConfig(
        package=str(tiny_package),
        cache=cache,
        jit=("openvino", "onnxruntime"),
        precision=("fp32", "bf16"),
        imagery=imagery,
    )
    found = compile_model(config)
    said = {(each.spec.name, each.spec.precision): each for each in found}
    assert said["openvino", "fp32"].gate.classes > 1
    assert said["openvino", "fp32"].seconds_per_window > 0
    assert "not in bf16" in said["onnxruntime", "bf16"].refused
    monkeypatch.setattr(choosing, "sample_windows", lambda *args: pytest.fail("sampled"))
    monkeypatch.setattr(
        "geowatch.package.backends.openvino.OpenVinoBackend._compile", lambda *args: pytest.fail("compiled")
    )
    plan_job(tmp_path / "run", None, imagery.images[0], 64)
    predict(config_of(tmp_path / "run", imagery.images[0], tiny_package, jit="openvino", cache=cache))
    assert placed(tmp_path / "run")[1].any()


def test_without_imagery_it_compiles_but_keeps_no_verdict(tmp_path, tiny_package):
    (found,) = compile_model(CompileConfig(package=str(tiny_package), cache=str(tmp_path), jit=("onnxruntime",)))
    assert found.gate.passed
    assert len(list(CompiledCache(tmp_path).entries())) == 1
    assert not list(tmp_path.glob("verdicts/*/*"))


def test_left_out_it_takes_what_is_quick_to_compile(tmp_path, tiny_package, monkeypatch):
    from geowatch.stages.model import compiling

    monkeypatch.setattr(compiling, "is_slow", lambda name: name != "onnxruntime")
    found = compile_model(CompileConfig(package=str(tiny_package), cache=str(tmp_path)))
    assert {each.spec.name for each in found} == {"onnxruntime"}


@pytest.mark.parametrize(
    ("options", "error", "fact"),
    [
        ({"cache": None}, ConfigError, "no cache"),
        ({"jit": ("magic",)}, ConfigError, "magic"),
        ({"precision": ("fp8",)}, ConfigError, "fp8"),
        ({"jit": ("onnxruntime",), "precision": ("bf16",)}, BackendError, "not in bf16"),
        ({"package": "/nowhere"}, PackageError, "no package"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, tiny_package, options, error, fact):
    given = {"package": str(tiny_package), "cache": str(tmp_path), **options}
    with pytest.raises(error, match=fact):
        compile_model(CompileConfig(**given))


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    from geowatch.package import ImportSpec
    from geowatch.package.packaging import NetSource, package_net

    spec = ImportSpec(bands=("red", "green", "blue"), classes=("a", "b"), window=(64, 64), mean=(0.4,) * 3)
    source = NetSource(net="unet", options={"width": 4, "depth": 2}, seed=7)
    return package_net(source, spec, tmp_path_factory.mktemp("unet") / "package")


def test_a_window_that_the_network_does_not_take_is_refused(tmp_path, unet):
    with pytest.raises(ConfigError, match="takes no windows of 65 px"):
        compile_model(CompileConfig(package=str(unet.path), cache=str(tmp_path), window=65))


def test_quantising_judges_on_windows_that_it_did_not_calibrate_on(tmp_path, unet, imagery, monkeypatch):
    from geowatch.stages.model import quantising

    seen = []
    honest = quantising.quantise_package
    monkeypatch.setattr(
        quantising,
        "quantise_package",
        lambda package, windows, output: seen.append(windows) or honest(package, windows, output),
    )
    monkeypatch.setattr(
        quantising,
        "gather_evidence",
        lambda m, r, windows, **o: seen.append(windows) or (_ for _ in ()).throw(LookupError),
    )
    with pytest.raises(LookupError):
        quantise_model(QuantiseConfig(package=str(unet.path), output=tmp_path / "int8", imagery=imagery))
    calibrated, judged = ([w.tobytes() for w in windows["x"]] for windows in seen)
    assert calibrated
    assert judged
    assert not set(calibrated) & set(judged)


def test_quantising_tells_how_far_each_backend_is_from_the_reference(tmp_path, unet, imagery):
    found = quantise_model(QuantiseConfig(package=str(unet.path), output=tmp_path / "int8", imagery=imagery))
    assert (tmp_path / "int8" / "model.int8.onnx").exists()
    assert {*found.gates, *found.refused} >= {"onnxruntime"}
    assert all("agreement" in str(said) for said in (*found.gates.values(), *found.refused.values()))


def test_quantising_needs_imagery(tmp_path, unet):
    with pytest.raises(ConfigError, match="nothing to calibrate on"):
        quantise_model(QuantiseConfig(package=str(unet.path), output=tmp_path / "int8"))
    missing = ImageryConfig(images=(str(tmp_path / "nowhere.tif"),))
    with pytest.raises(ImageryError):
        quantise_model(QuantiseConfig(package=str(unet.path), output=tmp_path / "int8", imagery=missing))
