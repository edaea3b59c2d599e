"""The product as its users run it: the command line, timed as a whole process."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.process import Ran, call
from benchmarks.results import ROOT

__all__ = ["Job", "Setup", "command", "gw", "has_option", "predict", "settle"]


@dataclass(frozen=True)
class Setup:
    """One way to run predict."""

    name: str
    """What the tables call it."""
    window_px: int = 256
    """Side of a window."""
    overlap_px: int = 64
    """Overlap of windows."""
    precision: str = "fp32"
    """Arithmetic of the network."""
    threads: int = 1
    """Threads of one network."""
    workers: int = 1
    """Worker processes."""
    backend: str | None = None
    """Backend; None lets gw measure and choose."""
    batch: int | None = None
    """Most windows at once; None takes the default."""
    more: tuple[str, ...] = ()
    """Further options."""

    def options(self) -> list[str]:
        """Options of `gw predict`."""
        words = ["--jit", self.backend or "auto"]
        words += ["--threads", str(self.threads), "--workers", str(self.workers), *self.more]
        if has_option("--precision"):
            words += ["--precision", self.precision]
        return words + (["--batch", str(self.batch)] if self.batch else [])


@dataclass(frozen=True)
class Job:
    """What a predict works on."""

    raster: Path
    """The image."""
    package: Path
    """The network."""
    folder: Path
    """Where run folders may lie."""
    cache: Path | None = None
    """Folder of compiled networks."""
    tile_px: int | None = None
    """Side of a tile; None takes the default."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Further environment."""


def command(*words: str) -> list[str]:
    """Return the command line of gw."""
    return [sys.executable, "-W", "ignore", "-m", "gw_cli", *words]


def gw(*words: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run gw."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT), str(ROOT / "cli"))))
    return call(command(*words), {"PYTHONPATH": path, **(env or {})})


@cache
def has_option(option: str, *words: str) -> bool:
    """Whether a command of gw knows an option."""
    return f"{option} " in gw(*(words or ("predict",)), "--help").output


def predict(setup: Setup, job: Job, *, keep: Path | None = None) -> dict[str, Any]:
    """Plan (not timed), then time ``gw predict`` in a fresh run folder.

    Returns:
        ``whole_s``, seconds of the whole process; ``steady_s``, seconds of the work without the start; processor
        seconds; peak memory; and what the run says of itself. The run folder stays as ``keep``, if that is given.
    """
    run = job.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    size = ["--tile-size", str(job.tile_px)] if job.tile_px else []
    lattice = ["--window", str(setup.window_px), "--overlap", str(setup.overlap_px)]
    common = ["--run", str(run), "--images", str(job.raster), "--model", str(job.package)]
    env = {**job.env, **({"GW_CACHE": str(job.cache)} if job.cache else {})}
    gw("tile", *common, *lattice, *size, env=env)
    ran = gw("predict", *common, *lattice, *setup.options(), "--log-json", env=env)
    found = {"whole_s": ran.wall_s, "cpu_s": ran.cpu_s, "peak_mb": ran.peak_mb, **told_by(run)}
    found["windows_a_second"] = pace(ran.output)
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
        keep.parent.mkdir(parents=True, exist_ok=True)
        run.replace(keep)
    shutil.rmtree(run, ignore_errors=True)
    return found


def pace(log: str) -> float | None:
    """Return windows a second from the first to the last word of progress: what it is once everything works."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith('{"event": "progress"')]
    seen = [(event["time"], event["windows"]) for event in events if event.get("windows")]
    if len(seen) < 3 or seen[-1][0] == seen[0][0]:
        return None
    return float((seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]))


def told_by(run: Path) -> dict[str, Any]:
    """Read what a finished run says of itself, in its recipe and its lineage."""
    record = json.loads(max((run / "lineage" / "heatmap.zarr").rglob("*.json")).read_text())
    recipe = json.loads((run / "recipe.json").read_text())
    figures = record["figures"]
    return {
        "steady_s": figures["seconds"],
        "windows": int(figures["windows"]),
        "write_bytes": int(figures["write_bytes"]),
        "window_px": recipe["window_px"],
        "stride_px": recipe["stride_px"],
        "heads": [head["name"] for head in recipe["heads"]],
        "backend": recipe["backend"],
    }


def settle(setup: Setup, job: Job) -> Setup:
    """Let gw choose the backend once, so that every timed run takes the same; the cache of compiled forms is warm."""
    return replace(setup, backend=predict(setup, job)["backend"]["name"])
