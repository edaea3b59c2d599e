"""What every part of a session is given: how much to measure, with what, and where results go."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.gw import Job, Setup, has_option, settle
from benchmarks.machine import cores, isa
from benchmarks.material import Material
from benchmarks.results import Part, Results, Run, interleave
from benchmarks.scale import Scale

__all__ = ["PEER_PYTHON", "WORK", "Session", "warmed"]

WORK = Path(__file__).resolve().parent / "work"
"""Where all that is made for measuring lies; not under version control."""

PEER_PYTHON = WORK / "peers" / "bin" / "python"
"""Interpreter of the peers' environment; `make bench` makes it."""


@dataclass(frozen=True)
class Session:
    """One session."""

    scale: Scale
    """How much is measured."""
    results: Results
    """Where results are kept."""
    material: Material
    """Rasters and networks."""
    started_s: float
    """When it began, on the monotonic clock."""

    @classmethod
    def begin(cls, scale: Scale, state: str) -> Session:
        """Begin a session, or go on with one that was stopped."""
        (WORK / "runs").mkdir(parents=True, exist_ok=True)
        return cls(scale, Results(WORK / scale.name, state), Material(WORK / "material"), time.monotonic())

    def say(self, text: str) -> None:
        """Tell the user, with minutes and seconds since the start."""
        spent = int(self.spent_s)
        print(f"{spent // 60:3d}:{spent % 60:02d}  {text}", file=sys.stderr, flush=True)

    @property
    def spent_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_s

    def job(self, side_px: int) -> Job:
        """What a predict of a raster of such a side works on."""
        raster = warmed(self.material.raster(side_px))
        return Job(raster, self.material.package(), WORK / "runs", cache=WORK / "cache")

    def interleave(
        self,
        part: Part,
        cases: Mapping[str, Callable[[], Run]],
        rounds: int,
        fewer: Mapping[str, int] | None = None,
    ) -> None:
        """Run cases in turns; those named in ``fewer`` leave after so many rounds."""
        interleave(part, cases, rounds, self.say, fewer)

    def setup(self, setup: Setup, job: Job) -> Setup:
        """Settle a setup's backend, once a session for each precision, window and number of threads."""

        def find() -> str:
            self.say(f"  {setup.name}: gw chooses a backend")
            return settle(setup, job).backend or ""

        name = f"{setup.precision}, {setup.window_px} px, {setup.threads} threads"
        return replace(setup, backend=self.results.part("backends").once(name, find))

    def base(self) -> Setup:
        """Plain predict in one process: fp32, windows of 256 with 64 px of overlap, one thread a core."""
        return Setup("fp32", threads=cores())

    def free_window_px(self) -> int:
        """Side of the window that was fastest in the part `windows`, or the plain one before that part has run."""
        return int(self.results.part("windows").facts.get("fastest_px", 256))

    def reduced(self) -> str | None:
        """Precision below fp32 that this processor has instructions for and gw offers, if any."""
        able = {"avx512_bf16", "amx_tile", "bf16"} & set(isa())
        return "bf16" if able and has_option("--precision") else None


def warmed(path: Path) -> Path:
    """Bring a file into the page cache, so that no run pays for the disk."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
    return path
