from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from support.small_job import config_of, placed, plan_job, speckled, write_raster

from geowatch.errors import BackendError, ConfigError, ImageryError, RecipeMismatchError
from geowatch.package import load_package
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.model.trials import image_windows
from geowatch.stages.predict import predict
from geowatch.stages.predicting import choosing
from geowatch.stages.predicting.choosing import threads_of
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.predicting.looks import LooksConfig
from geowatch.store import open_store


class Heard:
    """Events that are remembered."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def progress(self, *args, **figures):
        pass

    def stopping(self):
        return False


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    affine = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    return write_raster(tmp_path_factory.mktemp("scene") / "scene.tif", speckled(150, 170), affine)


@pytest.fixture
def planned(tmp_path, scene, tiny_package):
    """Return a function that predicts a planned run with other options."""

    def run(name="run", **options):
        folder = tmp_path / name
        if not folder.exists():
            plan_job(folder, None, scene, 64)
        heard = Heard()
        done = predict(config_of(folder, scene, tiny_package, **options), heard)
        return folder, done, heard.notes

    return run


def recipe_of(folder):
    return read_recipe(open_store(folder))


def test_without_a_wish_the_most_trusted_backend_runs_in_full_precision(planned):
    folder, done, _ = planned()
    pin = recipe_of(folder).backend
    assert (pin.name, pin.precision, pin.threads) == ("onnxruntime", "fp32", None)
    assert "agreement" in done.reason


def test_a_backend_and_a_precision_that_are_asked_for_are_pinned(planned):
    pytest.importorskip("openvino")
    folder, _, _ = planned(jit="openvino", precision="bf16")
    pin = recipe_of(folder).backend
    assert (pin.name, pin.precision) == ("openvino", "bf16")


def test_two_backends_give_the_same_map_but_for_the_last_bits(planned):
    pytest.importorskip("openvino")
    first, second = (placed(planned(name, jit=name)[0])[1] for name in ("onnxruntime", "openvino"))
    assert np.abs(first.astype(int) - second).max() <= 1


LOGITS = LooksConfig(tta=("hflip",), tta_space="logit")
UNSURE = LooksConfig(uncertainty=("entropy",))


@pytest.mark.parametrize(
    ("name", "looks", "fused"),
    [
        ("openvino", LooksConfig(), True),
        ("openvino", LOGITS, False),
        ("openvino", UNSURE, False),
        ("onnxruntime", LooksConfig(), False),
    ],
)
def test_an_activation_is_compiled_with_its_network_where_nothing_wants_what_comes_before(planned, name, looks, fused):
    pytest.importorskip("openvino")
    folder, _, _ = planned(jit=name, looks=looks)
    recipe = recipe_of(folder)
    assert recipe.fused == fused
    assert recipe.heads[0].activation == "softmax"


def test_fused_or_not_gives_the_same_map(planned):
    pytest.importorskip("openvino")
    maps = [placed(planned(name, jit=name)[0])[1] for name in ("openvino", "onnxruntime")]
    plain = placed(planned("unsure", jit="openvino", looks=UNSURE)[0])[1]
    assert len(np.unique(plain)) > 50
    for other in maps:
        assert np.abs(plain.astype(int) - other).max() <= 1


def test_measuring_writes_a_table_before_the_recipe_is_pinned(planned):
    folder, done, notes = planned(jit="auto", window=32)
    (table,) = [note for note in notes if note.startswith("backends measured")]
    assert "onnxruntime fp32" in table
    assert "ms a window" in table
    assert recipe_of(folder).backend.name in done.reason


@pytest.mark.parametrize(
    "other", [{"jit": "openvino"}, {"precision": "bf16"}, {"jit": "openvino", "precision": "bf16"}, {"device": "cuda"}]
)
def test_a_resume_with_another_backend_is_refused_with_the_difference(planned, other):
    folder, _, _ = planned()
    before = (folder / "recipe.json").read_bytes()
    with pytest.raises(RecipeMismatchError) as caught:
        planned(**other)
    for name, value in other.items():
        assert f"--{name}: {value} here" in caught.value.fact
    assert (folder / "recipe.json").read_bytes() == before


@pytest.mark.parametrize("again", [{}, {"jit": "auto"}, {"jit": "all"}, {"jit": "onnxruntime", "precision": "fp32"}])
def test_a_resume_that_asks_for_nothing_else_obeys_the_recipe(planned, again):
    planned()
    _, done, _ = planned(**again)
    assert done.reason == "as the run's recipe says"


def test_other_threads_are_free_where_no_value_depends_on_them(planned):
    planned(threads=1)
    folder, done, _ = planned(threads=2)
    assert recipe_of(folder).backend.threads is None
    assert done.reason == "as the run's recipe says"


def test_other_threads_are_refused_where_values_depend_on_them(planned, monkeypatch):
    folder, _, _ = planned()
    pinned = recipe_of(folder)
    pinned = pinned.model_copy(update={"backend": pinned.backend.model_copy(update={"threads": 2})})
    with pytest.raises(RecipeMismatchError, match="--threads: 1 here, 2 in the run"):
        choosing.obeyed(PredictConfig(threads=1), pinned)


def test_a_backend_that_fails_the_gate_is_refused_and_pins_nothing(planned, monkeypatch):
    monkeypatch.setattr("geowatch.package.prove.pass_gate", refuse)
    with pytest.raises(BackendError, match="agreement 12%"):
        planned(jit="onnxruntime")


def refuse(*args, **_given):
    raise BackendError("backend differs: agreement 12%")


def test_the_default_falls_back_and_says_so(planned, monkeypatch):
    pytest.importorskip("openvino")
    from geowatch.package import prove

    honest = prove.pass_gate
    monkeypatch.setattr(
        prove, "pass_gate", lambda m, b, e, **g: refuse() if b.identity.name == "onnxruntime" else honest(m, b, e, **g)
    )
    folder, _, notes = planned()
    assert recipe_of(folder).backend.name == "openvino"
    assert "onnxruntime fp32 was passed over: backend differs: agreement 12%" in notes


@pytest.mark.parametrize(
    ("options", "fact"),
    [({"jit": "magic"}, "--jit got 'magic'"), ({"precision": "fp8"}, "--precision got 'fp8'")],
)
def test_what_does_not_exist_is_refused_with_what_does(planned, options, fact):
    with pytest.raises(ConfigError, match=fact) as caught:
        planned(**options)
    assert "choose from" in caught.value.hint


def test_a_warm_start_compiles_gates_and_reads_nothing_ahead(planned, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    cache = str(tmp_path / "cache")
    first, _, _ = planned("first", jit="openvino", cache=cache)
    monkeypatch.setattr(choosing, "sample_windows", lambda *args: pytest.fail("sampled"))
    monkeypatch.setattr(
        "geowatch.package.backends.openvino.OpenVinoBackend._compile", lambda *args: pytest.fail("compiled")
    )
    second, _, _ = planned("second", jit="openvino", cache=cache)
    assert np.array_equal(placed(first)[1], placed(second)[1])


def test_a_start_with_a_graph_backend_imports_no_torch_and_no_pandas(planned, tmp_path, scene, tiny_package):
    folder, _, _ = planned(jit="onnxruntime")
    (folder / "recipe.json").unlink()
    script = (
        "import sys\n"
        "from geowatch.stages.predict import PredictConfig, predict\n"
        f"predict(PredictConfig(run={str(folder)!r}, jit='onnxruntime', workers=1))\n"
        "loaded = {'torch', 'pandas', 'distributed'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_measuring_again_asks_the_cache(planned, tmp_path, monkeypatch):
    cache = str(tmp_path / "cache")
    first, _, _ = planned("first", jit="auto", cache=cache)
    monkeypatch.setattr(choosing, "sample_windows", lambda *args: pytest.fail("sampled"))
    second, done, notes = planned("second", jit="auto", cache=cache)
    assert recipe_of(second).backend == recipe_of(first).backend
    assert recipe_of(second).window_px == recipe_of(first).window_px
    assert not notes
    assert done.reason.endswith("passed the gate before")


def test_the_gate_says_when_the_imagery_shows_one_class_only(planned, tmp_path, monkeypatch):
    monkeypatch.setattr("geowatch.package.gate.decisions", lambda head, p: np.zeros(len(p)))
    _, _, notes = planned(cache=str(tmp_path / "cache"))
    assert any("one class only" in note for note in notes)
    assert not list((tmp_path / "cache").glob("verdicts/*/*"))


def test_larger_windows_are_tried_only_where_nothing_stands_against_them(planned, monkeypatch):
    tried = []
    monkeypatch.setattr(choosing, "autotune", lambda p, a, cuts: tried.append([c.size for c in cuts]) or stop())
    for options in ({}, {"window": 32}, {"overlap": 8.0}, {"memory_bytes": 10**9}):
        with pytest.raises(LookupError):
            planned(jit="auto", **options)
    assert len(tried[0]) == 3
    assert [len(sizes) for sizes in tried[1:]] == [1, 1, 1]


def stop():
    raise LookupError


def test_larger_windows_overlap_by_the_same_pixels():
    from geowatch.grid.windows import WindowLattice

    made = choosing._resized(WindowLattice((64, 64), (48, 40)), (256, 128))
    assert (made.size, made.stride) == ((256, 128), (240, 104))


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 16])
def test_workers_never_have_more_threads_than_cores(workers, monkeypatch):
    monkeypatch.setattr(choosing, "cores", lambda: 8)
    assert workers * threads_of(PredictConfig(), workers, None) <= max(8, workers)
    assert threads_of(PredictConfig(), workers, 5) == 5
    assert threads_of(PredictConfig(scheduler="tcp://host:8786"), workers, None) == 1


def test_a_package_in_eight_bits_runs_when_asked(tmp_path, scene):
    from geowatch.package import ImportSpec
    from geowatch.package.int8 import quantise_package
    from geowatch.package.packaging import NetSource, package_net

    spec = ImportSpec(bands=("red", "green", "blue"), classes=("a", "b"), window=(64, 64), mean=(0.1,) * 3)
    plain = package_net(NetSource(net="unet", options={"width": 4, "depth": 2}, seed=7), spec, tmp_path / "plain")
    made = quantise_package(
        plain, {"x": np.random.default_rng(0).random((4, 3, 64, 64), np.float32)}, tmp_path / "int8"
    )
    loose = made.manifest.gate.model_copy(update={"reduced_agreement": 0.5})
    (tmp_path / "int8" / "manifest.json").write_bytes(made.manifest.model_copy(update={"gate": loose}).document())
    plan_job(tmp_path / "run", None, scene, 64)
    predict(config_of(tmp_path / "run", scene, tmp_path / "int8", jit="onnxruntime", precision="int8"))
    assert recipe_of(tmp_path / "run").backend.precision == "int8"


def test_a_plane_under_cloud_and_much_nodata_do_not_keep_a_run_from_starting(tmp_path, tiny_package):
    """The gate looks for pixels to compare backends on: they may lie on another day, and between the first places."""
    affine = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    clear, hidden = speckled(400, 400), np.zeros((3, 400, 400), np.uint16)
    clear[:, :, 20:] = 0
    clear[:, 20:] = 0
    write_raster(tmp_path / "images/scene_20200101.tif", hidden, affine)
    write_raster(tmp_path / "images/scene_20200111.tif", clear, affine)
    plan_job(tmp_path / "run", None, tmp_path / "images", 128)
    predict(config_of(tmp_path / "run", tmp_path / "images", tiny_package))
    first, second = placed(tmp_path / "run")[1][:, 0] != 255
    assert not first.any()
    assert second[:20, :20].any()


@pytest.mark.parametrize("jit", [None, "onnxruntime", "auto"])
def test_a_cloudy_week_is_an_empty_map_and_not_remembered_as_a_proof(tmp_path, tiny_package, jit, monkeypatch):
    """Nothing is compared where all imagery is masked, and nothing is computed either: that is no refusal."""
    affine = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    scene = write_raster(tmp_path / "scene_20200608.tif", np.zeros((3, 70, 70), np.uint16), affine)
    plan_job(tmp_path / "run", None, scene, 128)
    monkeypatch.setattr("geowatch.package.prove.pass_gate", lambda *_args, **_how: pytest.fail("compared on nothing"))
    heard, cache = Heard(), tmp_path / "cache"
    done = predict(config_of(tmp_path / "run", scene, tiny_package, jit=jit, cache=str(cache)), heard)
    assert (placed(tmp_path / "run")[1] == 255).all()
    assert "not compared" in done.reason or jit == "auto"
    assert [note for note in heard.notes if "no pixel of 2020-06-08 is valid in" in note]
    assert not list(cache.glob("verdicts/*"))


def test_trials_of_a_package_want_a_valid_pixel(tmp_path, tiny_package):
    affine = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    scene = write_raster(tmp_path / "scene.tif", np.zeros((3, 70, 70), np.uint16), affine)
    imagery = ImageryConfig(images=(str(scene),))
    with pytest.raises(ImageryError, match=r"no image of .*scene\.tif has a valid pixel"):
        image_windows(load_package(str(tiny_package)), imagery, (32, 32), 2, Heard())
