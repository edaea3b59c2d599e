"""Whole processes, timed from outside: wall time, processor time and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.results import ROOT

__all__ = ["Ran", "call", "module"]


@dataclass(frozen=True)
class Ran:
    """A process that ended well."""

    wall_s: float
    """Seconds from its start to its end."""
    cpu_s: float
    """Processor seconds of it and its children."""
    peak_mb: float
    """Largest resident memory of it or one of its children, in 10**6 bytes."""
    output: str
    """What it printed."""

    @property
    def last_line(self) -> dict[str, Any]:
        """What it printed last, as JSON."""
        found: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return found


def call(command: Sequence[str], env: Mapping[str, str] | None = None) -> Ran:
    """Run a command in the project's root. Raises RuntimeError, with the end of its output, where it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command), stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, env={**os.environ, **(env or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited {process.returncode}:\n{text[-3000:]}")
    return Ran(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, text)


def module(name: str, request: Mapping[str, Any], python: str = sys.executable, threads: int = 0) -> Ran:
    """Run ``python -m benchmarks.NAME`` with a request as JSON; it prints its answer as its last line."""
    env = {"PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))}
    if threads:
        env["OMP_NUM_THREADS"] = str(threads)
    return call([python, "-W", "ignore", "-m", f"benchmarks.{name}", json.dumps(request)], env)
