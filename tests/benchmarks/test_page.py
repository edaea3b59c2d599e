"""The page of the benchmarks says what its results say."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import pictures, spread, targets
from benchmarks.figures import end_to_ends
from benchmarks.page import files
from benchmarks.targets import Target

ROOT = Path(__file__).resolve().parents[2]
SIDE = 2000

MACHINE = {
    "date": "2026-01-01", "processor": "P", "family": "1", "cores": 2, "isa": ["avx2"], "memory_gb": 8.0,
    "virtual": True, "system": "S", "python": "3.11", "libraries": {"numpy": "2"}, "minutes": 1.0,
}  # fmt: skip


def session(**parts):
    """A document of results: the machine, and parts by name as (facts, cases)."""
    made = {"machine": {"state": "s", "facts": MACHINE, "cases": {}, "done": True}}
    return made | {n: {"state": "s", "facts": f, "cases": c, "done": True} for n, (f, c) in parts.items()}


def end_to_end(steady, network=(3.0, 6.0), peer=(8.0, 8.0)):
    backend = {"name": "b", "precision": "fp32"}
    about = {"backend": backend, "window_px": [256, 256], "stride_px": [192, 192], "batch": 4, "windows": 9}
    alone = [{"alone_s": 0.5}, {"alone_s": 1.0}]
    cases = {
        "fp32": [{"steady_s": s, "whole_s": s + 1, "peak_mb": 500.0} for s in steady],
        "network of fp32": [{"alone_s": n} for n in network],
        "blend of fp32": alone,
        "decode": alone,
        "write": alone,
        "MONAI": [
            {"steady_s": s, "whole_s": s + 4, "peak_mb": 3e3, "read_s": 1, "infer_s": 6, "write_s": 1} for s in peer
        ],
    }
    tried = [{"mode": "constant", "batch": 4, "channels_last": True, "steady_s": 8.0}]
    cases["Other"] = [run | {"steady_s": 2 * run["steady_s"]} for run in cases["MONAI"]]
    best = {"MONAI": {"mode": "constant"}, "Other": {"mode": "mean"}, "settings of MONAI": tried}
    return {"end_to_end_2000": ({"side_px": SIDE, "threads": 2, "setup of fp32": about}, cases), "peers": (best, {})}


def test_the_published_page_is_what_its_results_give():
    if not (ROOT / "docs" / "benchmarks" / "results.json").exists():
        pytest.skip("nothing is published yet: make bench")
    check = [sys.executable, "-m", "benchmarks", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_slow_round_slows_both_sides_of_a_ratio():
    (size,) = end_to_ends(session(**end_to_end(steady=(4.5, 9.0))))
    way = size.ways[0]
    assert (way.ratio.low, way.ratio.high) == (1.0, 1.0)
    assert way.network_ratio.median == 1.5
    assert way.outside.median == pytest.approx((1.5 + 3.0) / 2 / 4)


def test_pixels_a_second_are_over_the_fastest_peer():
    (size,) = end_to_ends(session(**end_to_end(steady=(4.0, 4.0))))
    assert size.over_fastest(size.ways[0]) == 2.0


def test_a_target_that_is_missed_says_by_how_much():
    found = {t.name: t.verdict for t in targets.targets(session(**end_to_end(steady=(5.4, 10.8))))}
    assert found["end to end over the sum of the floors, 2000², fp32"] == "missed by 9%"
    assert Target("speed", 2.0, 1.5, at_least=True).verdict == "missed by 25%"
    assert Target("speed", 2.0, 2.5, at_least=True).verdict == "met"


def test_what_was_not_measured_is_left_out():
    made = files(session())
    assert list(made) == ["README.md"]
    assert "MONAI" not in made["README.md"]
    assert "![" not in made["README.md"]


def test_pictures_and_tables_hold_the_same_figures():
    made = files(session(**end_to_end(steady=(4.5, 9.0))))
    assert "1.00x" in made["floors.svg"]
    assert "| 1.00 (1.00 to 1.00) |" in made["README.md"]
    assert json.dumps(made).count("peers.svg") == 2


@pytest.mark.parametrize("module", [pictures, spread, targets], ids=lambda m: m.__name__)
def test_examples_hold(module):
    assert doctest.testmod(module).failed == 0


def test_figures_of_time_and_places_stand_in_tables_of_their_own():
    parts = {
        "series": {
            "100 dates, blocks together": {"cpu_s": 9.0, "ms_a_plane": 90.0, "reads_an_image": 1.0, "peak_mb": 512.3},
        },
        "track": {
            "4096 px, linked": {
                "mpx_a_second": 30.0, "mpx_a_cpu_second": 20.0, "whole_s": 9.5, "pieces": 7000, "peak_mb": 300.0,
            },
        },
        "consolidate": [{"tiles": 625, "polygons": 60_000, "seconds": 12.0, "cpu_seconds": 11.0, "peak_mb": 400.0}],
        "cube": {
            "native": {"warm, 1 thread": {"images_s": 0.4, "cube_s": 0.1, "images_cpu_s": 0.6, "cube_cpu_s": 0.1}},
        },
    }  # fmt: skip
    page = files(session(**{name: ({"rows": rows}, {}) for name, rows in parts.items()}))["README.md"]
    assert "| 100 | blocks together | 9.0 | 90 | 1.00 | 512 |" in page
    assert "| 4096² | linked | 30.0 | 20.0 | 9.5 | 7,000 | 300 |" in page
    assert "| 625 | 60,000 | 12.0 | 5,000 | 400 |" in page
    assert "| native | warm, 1 thread | 400.0 | 100.0 | 4.0 | 6.0 |" in page


def test_parts_that_were_measured_before_are_named():
    document = session(cube=({"rows": {}}, {}))
    assert "Measured before" not in files(document)["README.md"]
    document["cube"]["state"] = "before"
    assert "Measured before, with the sources `before`: cube." in files(document)["README.md"]
