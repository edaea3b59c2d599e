"""The rooms keep their order, and the shell stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "torch",
    "rasterio",
    "dask",
    "distributed",
    "numpy",
    "shapely",
    "pyproj",
    "pydantic",
    "zarr",
    "onnxruntime",
)


def loaded_after(program: str) -> set[str]:
    """Names of the modules that a program loads in a fresh interpreter."""
    ending = "\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program + ending], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def run_shell(*args: str, **environment: str) -> str:
    return (
        f"import os, sys\nos.environ.update({environment!r})\nsys.argv = ['gw', *{args!r}]\n"
        "from gw_cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )


def test_imports_go_down_only():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_importing_the_library_loads_nothing_heavy():
    assert not loaded_after("import geowatch, geowatch.errors") & set(HEAVY)


@pytest.mark.parametrize(
    ("args", "environment"),
    [
        (("--help",), {}),
        (("--version",), {}),
        (("predict", "--help"), {}),
        (("model", "--help"), {}),
        ((), {"_GW_COMPLETE": "bash_complete", "COMP_WORDS": "gw pre", "COMP_CWORD": "1"}),
        ((), {"_GW_COMPLETE": "bash_complete", "COMP_WORDS": "gw predict --bl", "COMP_CWORD": "2"}),
    ],
    ids=[
        "help",
        "version",
        "help of a command",
        "help of a group",
        "completing a command",
        "completing an option",
    ],
)
def test_help_and_completion_load_nothing_heavy(args, environment):
    assert not loaded_after(run_shell(*args, **environment)) & set(HEAVY)


def test_help_loads_no_command():
    modules = loaded_after(run_shell("--help"))
    assert not [name for name in modules if name.startswith("gw_cli.commands.")]
