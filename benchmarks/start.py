"""How long gw takes before it works: its help, one window, and the first window of a large run.

``python -m benchmarks.start '{...}'`` predicts as the command does and prints when the first windows were scored.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gw import Job, Setup, gw, predict
from benchmarks.process import call, module
from benchmarks.results import Run
from benchmarks.session import WORK, Session

__all__ = ["main", "measure"]

_EMPTY = "import click\n@click.group()\ndef cli():\n    'Empty.'\ncli(['--help'])"


def measure(session: Session) -> None:
    """Time starts, with the cache of compiled networks filled."""
    part = session.results.part("start")
    if part.done:
        return
    small, large = replace(session.job(256), tile_px=256), session.job(session.scale.main_px)
    setup = replace(session.setup(session.base(), large), name="start")
    predict(setup, small)
    part.note(side_px=session.scale.main_px, backend=setup.backend)
    cases: dict[str, Callable[[], Run]] = {
        "gw --help": lambda: {"whole_s": gw("--help").wall_s},
        "empty click program": lambda: {"whole_s": call([sys.executable, "-c", _EMPTY]).wall_s},
        "gw predict, one window": partial(predict, setup, small),
        "first windows of a large run": partial(_first, setup, large),
    }
    session.interleave(part, cases, session.scale.rounds)
    part.finish()


def _first(setup: Setup, job: Job) -> Run:
    """Time from the start of a process to its first scored windows."""
    run = WORK / "runs" / "first"
    shutil.rmtree(run, ignore_errors=True)
    gw("tile", "--run", str(run), "--images", str(job.raster), "--model", str(job.package), "--overlap", "64")
    request = {
        "run": str(run), "model": str(job.package), "raster": str(job.raster), "jit": setup.backend,
        "threads": setup.threads, "cache": str(job.cache), "began": time.time(),
    }  # fmt: skip
    found = module("start", request).last_line
    shutil.rmtree(run)
    return found


class _FirstWindows:
    """Hears events until windows were scored; then asks to stop."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.windows = 0.0

    def note(self, text: str) -> None:
        """Nothing is asked of notes."""

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:  # noqa: ARG002  # Events
        """Keep the moment of the first windows."""
        if self.at is None and figures.get("windows"):
            self.at, self.windows = time.time(), figures["windows"]

    def stopping(self) -> bool:
        """Stop when there is nothing more to hear."""
        return self.at is not None


def main() -> None:
    """Predict as the request says, up to the first windows."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    from geowatch.errors import InterruptedRunError
    from geowatch.stages.binding.imagery import ImageryConfig
    from geowatch.stages.predict import PredictConfig, predict

    heard = _FirstWindows()
    cache = {"cache": request["cache"]} if "cache" in PredictConfig.__dataclass_fields__ else {}
    config = PredictConfig(
        run=request["run"], model=request["model"], imagery=ImageryConfig(images=(request["raster"],)),
        jit=request["jit"], threads=request["threads"], workers=1, **cache,
    )  # fmt: skip
    with suppress(InterruptedRunError):
        predict(config, heard)
    if heard.at is None:
        raise SystemExit(f"no window was scored in {Path(request['run'])}")
    print(json.dumps({"first_s": heard.at - request["began"], "windows": heard.windows}))


if __name__ == "__main__":
    main()
