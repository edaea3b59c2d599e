"""What a small region with many dates costs, and whether memory follows the length of its series.

    python benchmarks/bench_series.py [DATES ...]

Series of made-up images (500 x 500 px of an index, one each 5 days, a third of each under clouds) of 100, 200 and 400
dates unless told go through ``gw predict`` with the shipped network of seasons, which looks at 37 dates of a year for
a plane each 10 days. Each series is predicted twice, in turn: with the memory that predict takes where nobody limits
it, so that time blocks which see the same images are computed in one pass, and block by block (``--memory`` as small
as it goes). It prints processor seconds of the whole process, milliseconds of them a plane, how often each image was
read, and peak resident memory. Both ways give the same bytes, which is checked. The last line is JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.gw import gw  # noqa: E402  # lies in the project's root

SIDE_PX, EVERY_DAYS, TILE_PX = 500, 5, 512
#: Ways of the table, and the memory that predict is given.
WAYS: dict[str, tuple[str, ...]] = {"blocks together": (), "block by block": ("--memory", "600MB")}


def write_images(folder: Path, dates: int) -> None:
    """Write the images of a series: a field that is green in summer, under clouds of its own each day."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    place = ndimage.gaussian_filter(rng.standard_normal((SIDE_PX, SIDE_PX)), 6).astype(np.float32) * 8
    profile = {
        "driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": "float32", "nodata": -9999.0,
        "crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5_000_000), "tiled": True, "blockxsize": 256,
        "blockysize": 256, "compress": "deflate",
    }  # fmt: skip
    for number in range(dates):
        day = date(2015, 1, 3) + timedelta(days=EVERY_DAYS * number)
        values = (0.45 - 0.3 * np.cos(2 * np.pi * (day.timetuple().tm_yday + 20 * place) / 365)).astype(np.float32)
        sky = ndimage.zoom(rng.standard_normal((12, 12)), SIDE_PX / 12, order=1)
        values[sky > np.quantile(sky, 2 / 3)] = -9999.0
        with rasterio.open(folder / f"field_{day.isoformat()}.tif", "w", **profile) as target:
            target.write(values, 1)


def measure(folder: Path, dates: int, options: tuple[str, ...]) -> dict[str, Any]:
    """Predict a series once, in a fresh run folder; return what it took."""
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    imagery = ("--images", str(folder / "images"), "--bands", "ndvi", "--sensor", "index")
    common = ("--run", str(run), "--model", str(folder / "season"))
    gw("tile", *common, *imagery, "--tile-size", str(TILE_PX))
    ran = gw("predict", *common, *imagery, "--jit", "onnxruntime", "--time-block", "4", "--workers", "1", *options)
    record = json.loads(next((run / "lineage" / "heatmap.zarr").rglob("*.json")).read_text())["figures"]
    files = sorted(path for path in (run / "heatmap.zarr").rglob("*") if path.is_file())
    planes = record["valid_px"] / SIDE_PX**2
    return {
        "cpu_s": ran.cpu_s, "whole_s": ran.wall_s, "peak_mb": ran.peak_mb, "ms_a_plane": 1e3 * ran.cpu_s / planes,
        "reads_an_image": record["read_bytes"] / (4 * SIDE_PX**2 * dates),
        "digest": sha256(b"".join(path.read_bytes() for path in files)).hexdigest(),
    }  # fmt: skip


def main(lengths: list[int]) -> None:
    """Measure each length and way; print tables."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gw("model", "package", "--net", "season", "--output", str(folder / "season"))
        for dates in lengths:
            shutil.rmtree(folder / "images", ignore_errors=True)
            write_images(folder / "images", dates)
            for way, options in WAYS.items():
                figures = found[f"{dates} dates, {way}"] = measure(folder, dates, options)
                print(
                    f"{dates:5} dates  {way:16} {figures['cpu_s']:7.1f} s {figures['ms_a_plane']:7.0f} ms a plane, "
                    f"each image read {figures['reads_an_image']:5.2f} times {figures['peak_mb']:6.0f} MB",
                    flush=True,
                )
            if len({found[f"{dates} dates, {way}"]["digest"] for way in WAYS}) > 1:
                raise SystemExit("error: passes changed the heatmap")
    print(json.dumps(found))


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [100, 200, 400])
