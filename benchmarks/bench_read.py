"""Speed of exact reading: ``python benchmarks/bench_read.py``.

A synthetic scene of 4096 x 4096 pixels, 4 bands of uint16, is read in strips of 192 rows as predict reads it: as it
lies, resampled in its own CRS, and in another CRS. The last line reads the same place twice: the second time no block's
place is worked out again.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench_predict import BANDS, make_raster

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.plan import lattice_of, plan_frame
from geowatch.read.reader import FrameReader

ROWS = 192


def strips(box: PixelBox) -> list[PixelBox]:
    """Cut a box into strips of `ROWS` rows."""
    return [PixelBox(y, box.x0, min(y + ROWS, box.y1), box.x1) for y in range(box.y0, box.y1, ROWS)]


def main() -> None:
    """Measure; print a table."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "4096.tif")
        make_raster(image, 4096)
        scenes = find_scenes([image]).scenes
        (frame,) = make_frames(scenes)
        own = lattice_of(scenes, BANDS)
        cases = {
            "as it lies": (own, "bilinear"),
            "bilinear, half a pixel off": (Lattice.at(own.crs, 10.0, (5.0, 5.0)), "bilinear"),
            "average to 20 m": (Lattice.at(own.crs, 20.0), "average"),
            "bilinear, other UTM zone": (Lattice.at("EPSG:32617", 10.0), "bilinear"),
        }
        for name, (lattice, resampling) in cases.items():
            plan = plan_frame(frame, BANDS, lattice, resampling=resampling)
            middle = plan.extent.pad(-plan.extent.height // 4)
            with FrameReader(plan, cache_bytes=1 << 30) as reader:
                for run in ("first", "again"):
                    planned, started = reader.blocks_planned, time.perf_counter()
                    for strip in strips(middle):
                        reader.read(strip)
                    seconds = time.perf_counter() - started
                    speed = middle.area_px / seconds / 1e6
                    blocks = reader.blocks_planned - planned
                    print(f"{name:28} {run:6} {speed:7.1f} Mpx/s of {len(BANDS)} bands, {blocks} blocks planned")


if __name__ == "__main__":
    main()
