"""How fast tracking is, and how much memory it takes.

    python benchmarks/bench_track.py [SIDE ...]

Heatmaps of made-up scores (blobs that come and go, three classes, a fifth of the pixels without a score at each date)
of 12 dates are written as predict writes them, then ``gw track`` is run as its users run it, in one process on one
core's worth of work. For each side (4096 and 8192 px unless told) and way of tracking it prints seconds of the whole
process, megapixels of planes a second (pixels times dates, over the seconds that the run itself records, without the
start) and a processor second of the whole process, peak resident memory of the process as the system counts it, and
bytes of the fragments. Files are in the page cache. The last line is JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.made_heatmap import Made, make_run  # noqa: E402  # lies among the tests

from benchmarks.gw import gw  # noqa: E402  # lies in the project's root
from benchmarks.process import call  # noqa: E402
from geowatch.grid.lattice import PixelBox  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATES, TILE_PX = 12, 2048
CLASSES = ("No Activity", "Site Preparation", "Active Construction")
WAYS = {
    "footprint, mean": (),
    "footprint, median": ("--aggregate", "median"),
    "footprint, smoothed, opened": ("--smooth-time", "90d", "--smooth-px", "1", "--open-px", "1", "--aggregate", "max"),
    "linked": ("--mode", "linked"),
    "polygons, one date": ("--mode", "polygons", "--start", "2020-01-01", "--end", "2020-01-01"),
}


def blobs(time: int, box: PixelBox) -> NDArray[np.uint8]:
    """Return scores of three classes: some 60 sites to a thousand pixels squared, and clouds."""
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float32)
    wave = np.sin(y / 37) * np.sin(x / 41) + 0.35 * np.sin(y / 7.3 + x / 9.1) + 0.25 * np.sin(x / 3.7 - time)
    site = np.clip((wave - 0.55) * 2, 0, 1)
    early = np.clip(1 - time / DATES + 0.2 * np.sin(y / 90), 0, 1)
    scores = np.stack([1 - site, site * early, site * (1 - early)])
    stored = np.rint(scores * 254).astype(np.uint8)
    stored[:, np.sin(y / 211 + 2.1 * time) + np.sin(x / 173 - 1.3 * time) > 1.1] = 255
    return stored


def measure(run: Path, options: tuple[str, ...]) -> dict[str, Any]:
    """Track a run once; return what it took."""
    shutil.rmtree(run / "fragments", ignore_errors=True)
    shutil.rmtree(run / "lineage", ignore_errors=True)
    ran = gw("track", "--run", str(run), "--workers", "1", *options)
    record = json.loads(next((run / "lineage" / "fragments").rglob("*.json")).read_text())
    figures = record["figures"]
    return {
        "whole_s": ran.wall_s, "cpu_s": ran.cpu_s, "peak_mb": ran.peak_mb, "pieces": int(figures["pieces"]),
        "mpx_a_second": figures["plane_px"] / 1e6 / figures["seconds"],
        "mpx_a_cpu_second": figures["plane_px"] / 1e6 / ran.cpu_s, "fragment_bytes": int(figures["bytes"]),
    }  # fmt: skip


def make(run: str, side: str) -> None:
    """Make a heatmap; in a process of its own, whose memory does not count."""
    days = tuple((date(2020, 1, 1) + timedelta(30 * n)).isoformat() for n in range(DATES))
    make_run(Path(run), Made((int(side), int(side)), days, CLASSES, blobs, TILE_PX))


def main(sides: list[int]) -> None:
    """Measure each side and way; print tables."""
    found: dict[str, dict[str, Any]] = {}
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            call([sys.executable, "-W", "ignore", __file__, "--make", str(run), str(side)])
            for way, options in WAYS.items():
                figures = found[f"{side} px, {way}"] = measure(run, options)
                speed = f"{figures['whole_s']:7.1f} s {figures['mpx_a_second']:7.1f} Mpx/s"
                speed += f" {figures['mpx_a_cpu_second']:7.1f} a CPU second {figures['peak_mb']:6.0f} MB"
                size = f"{figures['pieces']:9,} pieces {figures['fragment_bytes'] / 1e6:7.1f} MB"
                print(f"{side:6} px  {way:28} {speed} {size}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(*sys.argv[2:])
    else:
        main([int(word) for word in sys.argv[1:]] or [4096, 8192])
