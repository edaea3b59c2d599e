"""The report is complete on a healthy machine, and comes on a broken one too."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import metadata

import pytest

from geowatch.package.backends import BACKENDS
from geowatch.package.cache import ArtifactKey, CompiledCache
from geowatch.stages import doctor as module
from geowatch.stages.doctor import doctor


@pytest.fixture(scope="module")
def report():
    return doctor()


def rows_of(report, section: str) -> dict[str, object]:
    return {row.name: row for row in report.rows if row.section == section}


def test_core_packages_devices_backends_and_drivers_are_named(report):
    assert rows_of(report, "python")["torch"].detail == metadata.version("torch")
    assert "cores" in rows_of(report, "device")["cpu"].detail
    assert "GB" in rows_of(report, "device")["memory"].detail
    backends = rows_of(report, "backend")
    assert set(backends) == set(BACKENDS)
    assert backends["eager"].state == backends["onnxruntime"].state == "ok"
    gdal = rows_of(report, "gdal")
    assert gdal["COG"].state == gdal["VRT"].state == gdal["JP2OpenJPEG"].state == "ok"


def test_a_backend_that_is_not_installed_is_no_fault_and_has_a_remedy(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    row = module._optional("openvino", "ModuleNotFoundError: No module named 'openvino'", "openvino")
    assert (row.state, row.remedy) == ("missing", "pip install 'gw-geowatch[openvino]'")


def test_torchs_compilers_need_one_of_the_machine(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert module._compiler("inductor", {"version": "2.6"}).state == "missing"


def test_the_cache_is_shown_by_backend(tmp_path):
    key = ArtifactKey(package="p", backend="openvino", versions=(), precision="bf16", device="cpu-avx2")
    for batch in (1, 4):
        CompiledCache(tmp_path).artifact(replace(key, batch=batch), lambda f: (f / "blob").write_bytes(b"0" * 10**6))
    rows = {row.name: row.detail for row in module._cache(str(tmp_path))}
    assert rows == {"folder": f"{tmp_path}: 2 compiled networks, 2 MB", "openvino bf16": "2"}
    assert module._cache(None) == []
    assert module._cache(str(tmp_path / "nowhere"))[0].detail.endswith("0 compiled networks, 0 MB")


def test_every_extra_of_a_user_has_a_row_and_a_missing_one_its_remedy(report):
    extras = rows_of(report, "extra")
    assert set(extras) == {"train", "openvino", "tensorrt", "gdal", "aws", "argo", "search", "view", "tui"}
    for name, row in extras.items():
        assert (row.remedy == f"pip install 'gw-geowatch[{name}]'") == (row.state == "missing")


def test_the_table_shows_every_row_below_its_section(report):
    lines = report.to_text().splitlines()
    assert [line for line in lines if line and line[0] != " "] == [
        "python",
        "device",
        "backend",
        "gdal",
        "extra",
    ]
    for row in report.rows:
        assert any(line.split()[1:2] == [row.name] for line in lines)


def test_the_json_holds_the_same_rows(report):
    assert [row["name"] for row in json.loads(report.to_json())["rows"]] == [row.name for row in report.rows]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise Exception('TensorRT is not here')", "Exception: TensorRT is not here"),
        ("import os; os.abort()", "its process ended with -6"),
    ],
)
def test_a_library_that_breaks_is_a_line_and_not_the_end(monkeypatch, program, said):
    for probe in ("_TORCH", "_ONNXRUNTIME", "_OPENVINO", "_TENSORRT", "_GDAL", "_OSGEO"):
        monkeypatch.setattr(module, probe, program)
    report = doctor()
    assert rows_of(report, "backend")["eager"].state == "broken"
    assert rows_of(report, "backend")["eager"].detail == said
    assert rows_of(report, "device")["cuda"].detail == "torch cannot say"
    assert said in report.to_text()


def test_a_library_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    assert module._ask("import time; time.sleep(60)") == "no answer within 0.2 s"


def test_a_gpu_is_named_with_its_memory():
    row = module._cuda({"gpus": [["H100", 80e9]], "built_for": "13.0"})
    assert (row.state, row.detail) == ("ok", "H100 80 GB (CUDA 13.0)")


def test_a_missing_distribution_leaves_no_extras(monkeypatch):
    monkeypatch.setattr(module, "DISTRIBUTION", "no-such-distribution")
    assert module._extras() == []
