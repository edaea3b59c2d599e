"""The command lines of the README, in real processes: what they print, how they exit, what a signal does."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.bright import write_network, write_scene

GW = [sys.executable, "-m", "gw_cli"]
RUN = ["run", "--images", "scenes", "--model", "pkg", "--tile-size", "128", "--window", "64", "--workers", "1"]
"""Windows have a size, as else the fastest here is taken, which a busy machine may find another."""
WAITS = """
import os, sys, time
from pathlib import Path
from geowatch.stitch import publish
from gw_cli.main import main

plain, told = publish.write_marker, Path(sys.argv.pop(1))

def write_marker(*args, **kwargs):
    plain(*args, **kwargs)
    os.write(1, b"a tile is done\\n")
    while not told.exists():
        time.sleep(0.005)

publish.write_marker = write_marker
main()
"""
"""``gw`` that says when a tile is done, and goes on once it is told that the signal is sent."""


def gw(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GW, *args], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A scene and a package."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "scenes").mkdir()
    write_scene(folder / "scenes", "2020-06-01", 1)
    write_network(folder / "cloud.onnx")
    describe = ["--bands", "blue,green,red,nir", "--classes", "ground,cloud"]
    assert gw(folder, "model", "import", "cloud.onnx", *describe, "-o", "pkg").returncode == 0
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder) -> str:
    """Digest of the map of a run that nobody interrupts."""
    done = gw(folder, *RUN, "--run", "calm")
    assert done.returncode == 0, done.stderr
    return digest(folder / "calm" / "map.tif")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_run_prints_what_it_made_and_nothing_else(folder):
    done = gw(folder, "run", "--run", "small", "--images", "scenes", "--model", "pkg", "--workers", "1")
    assert (done.returncode, done.stderr) == (0, "")
    headline, *made = done.stdout.splitlines()
    assert headline == "1 map, 100% of the region has scores"
    assert "small/map.tif" in made
    assert "small/quicklook.png" in made
    assert all((folder / path).exists() for path in made)


def test_three_commands_find_what_the_last_one_left(folder):
    for words in (["tile", "--images", "scenes"], ["predict", "--model", "pkg", "--images", "scenes"], ["stitch"]):
        done = gw(folder, *words, "--run", "steps")
        assert done.returncode == 0, done.stderr
    assert gw(folder, "status", "--run", "steps", "--json").stdout.count('"stitched": true') == 1
    assert digest(folder / "steps" / "map.tif") != ""


def test_a_dry_run_shows_the_cost_and_writes_nothing(folder):
    done = gw(folder, "tile", "--run", "dry", "--images", "scenes", "--model", "pkg", "--dry-run")
    assert done.returncode == 0
    assert {"tiles", "windows", "memory"} <= {line.split()[0] for line in done.stdout.splitlines()}
    assert not (folder / "dry").exists()
    assert gw(folder, "run", "--run", "dry", "--images", "scenes", "--model", "pkg", "--dry-run").returncode == 0
    assert not (folder / "dry").exists()


def test_a_file_and_settings_reach_the_stages(folder):
    (folder / "run.yaml").write_text("tile: {tile_size: 256}\nimages: [scenes]\nmodel: pkg\nworkers: 1\n")
    done = gw(folder, "run", "--run", "filed", "--config", "run.yaml", "--set", "quicklook=false")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "filed" / "plan" / "plan.json").read_text())["grids"][0]["tile_px"] == 256
    assert not (folder / "filed" / "quicklook.png").exists()


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["tile", "nowhere.geojson"], "nowhere.geojson"),
        (["predict", "--run", "no-run"], "no-run"),
        (["run", "--images", "nothing*.tif", "--model", "pkg", "--run", "n1"], "nothing"),
        (["run", "--images", "scenes", "--model", "no-package", "--run", "n2"], "no-package"),
        (["predict", "--run", "no-run", "--set", "blnd=hann"], "unknown key 'blnd'"),
        (["model", "show", "no-package"], "no-package"),
        (["stitch", "--run", "no-run"], "no-run"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_two_lines(folder, words, fact):
    done = gw(folder, *words)
    assert done.returncode == 2, done.stderr
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert fact in first
    assert second.startswith("hint: ")
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_that_the_same_command_finishes(folder, undisturbed, number):
    run, told = f"stopped-{number.name}", folder / f"told-{number.name}"
    words = [*RUN, "--run", run]
    program = [sys.executable, "-c", WAITS, str(told), *words]
    started = subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = started.stdout.readline()
    started.send_signal(number)
    told.touch()
    _, err = started.communicate(timeout=60)
    assert first == "a tile is done\n", err
    assert started.returncode == 75, err
    assert "Traceback" not in err
    assert not (folder / run / "map.tif").exists()
    assert gw(folder, *words).returncode == 0
    assert digest(folder / run / "map.tif") == undisturbed


def test_a_damaged_tile_is_found_and_made_again(folder, undisturbed):
    shard = max((folder / "calm" / "heatmap.zarr").glob("*/c/*/*/*/*"), key=lambda path: path.stat().st_size)
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = gw(folder, "verify", "--run", "calm")
    assert (found.returncode, "1 damaged" in found.stdout) == (1, True)
    assert gw(folder, "verify", "--run", "calm", "--repair").returncode == 0
    assert gw(folder, "predict", "--run", "calm").returncode == 0
    assert gw(folder, "verify", "--run", "calm").returncode == 0
