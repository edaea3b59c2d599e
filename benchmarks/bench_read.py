"""Speed of exact reading: ``python benchmarks/bench_read.py [RUNS]``.

Decode: a scene of 4 bands of uint16 (deflate, blocks of 512 px) is read in strips of 192 rows x 4288 columns, as
predict reads it, and by rasterio alone in whole rows of blocks into a buffer that is used again; both in turns, medians
over the runs (5 unless told), processor time. The ratio is what reading adds: float32, scale, validity,
strips that are cut across blocks. A JPEG 2000 scene likewise.

Resampling: the same scene in strips on other lattices. The second pass works out no block's place again.

Remote: a COG from a web server on this machine that waits before each answer, by a reader and by GDAL with its own
settings (but without its look for other files beside it).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from bench_predict import BANDS, make_raster
from rasterio.shutil import copy
from rasterio.windows import Window

from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.catalog import find_scenes
from geowatch.read.frames import make_frames
from geowatch.read.gdal import SETTINGS
from geowatch.read.plan import FramePlan, lattice_of, plan_frame
from geowatch.read.reader import FrameReader, Patch

if TYPE_CHECKING:
    from support.range_server import RangeServer

ROWS, WIDTH_PX, SIDE_PX = 192, 4288, 6144
LATENCY_S = 0.05


def strips(box: PixelBox) -> list[PixelBox]:
    """Cut a box into strips of `ROWS` rows."""
    return [PixelBox(y, box.x0, min(y + ROWS, box.y1), box.x1) for y in range(box.y0, box.y1, ROWS)]


def plan_of(path: Path | str, bands: tuple[str, ...]) -> FramePlan:
    """Plan to read a file as it lies."""
    scenes = find_scenes([path]).scenes
    (frame,) = make_frames(scenes)
    return plan_frame(frame, bands, lattice_of(scenes, bands))


def ours(plan: FramePlan, box: PixelBox) -> int:
    """Read a box in strips, into arrays that are used again; return how many stored blocks were decoded."""
    values = np.empty((len(plan.bands), ROWS, box.width), np.float32)
    valid = np.empty((ROWS, box.width), bool)
    with FrameReader(plan, cache_bytes=plan.pass_bytes(box.width)) as reader:
        for strip in strips(box):
            reader.read(strip, Patch(values[:, : strip.height], valid[: strip.height]))
        return reader.blocks_decoded


def bare(path: Path, height: int, width: int) -> None:
    """Read the same pixels by rasterio alone, in whole rows of blocks."""
    with rasterio.Env(**SETTINGS), rasterio.open(path, sharing=False) as file:
        rows = file.block_shapes[0][0]
        buffer = np.empty((file.count, rows, width), file.dtypes[0])
        for y in range(0, height, rows):
            count = min(rows, height - y)
            file.read(window=Window(0, y, width, count), out=buffer[:, :count])


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time that this process spends on ``work``."""
    started = time.process_time()
    work()
    return time.process_time() - started


def decode(name: str, path: Path, plan: FramePlan, runs: int) -> None:
    """Compare a pass of strips with the bare library, in turns."""
    extent = plan.extent
    box = PixelBox(extent.y0, extent.x0, extent.y1, min(extent.x1, extent.x0 + WIDTH_PX))
    pairs = [
        (processor_seconds(lambda: bare(path, box.height, box.width)), processor_seconds(lambda: ours(plan, box)))
        for _ in range(runs)
    ]
    least, most = (statistics.median(pair[i] for pair in pairs) / box.area_px * 1e9 for i in (0, 1))
    ratios = sorted(b / a for a, b in pairs)
    print(
        f"{name:10} bare {least:6.1f}, strips {most:6.1f} ms a megapixel of {len(plan.bands)} bands; "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), "
        f"{ours(plan, box)} blocks decoded"
    )


def resample(path: Path) -> None:
    """Read the middle of the scene on other lattices, twice."""
    scenes = find_scenes([path]).scenes
    (frame,) = make_frames(scenes)
    own = lattice_of(scenes, BANDS)
    cases = {
        "half a pixel off, bilinear": (Lattice.at(own.crs, 10.0, (5.0, 5.0)), "bilinear"),
        "to 20 m, average": (Lattice.at(own.crs, 20.0), "average"),
        "other UTM zone, bilinear": (Lattice.at("EPSG:32617", 10.0), "bilinear"),
    }
    for name, (lattice, resampling) in cases.items():
        plan = plan_frame(frame, BANDS, lattice, resampling=resampling)
        middle = plan.extent.pad(-plan.extent.height // 3)
        with FrameReader(plan, cache_bytes=plan.pass_bytes(middle.width)) as reader:
            for run in ("first", "again"):
                planned, started = reader.blocks_planned, time.perf_counter()
                for strip in strips(middle):
                    reader.read(strip)
                speed = middle.area_px / (time.perf_counter() - started) / 1e6
                print(f"{name:28} {run:6} {speed:6.1f} Mpx/s, {reader.blocks_planned - planned} blocks planned")


def remote(folder: Path) -> None:
    """Read a tile's worth of a COG from a slow server."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.range_server import serve

    with serve(folder) as server:
        plan = plan_of(f"{server.url}/cog.tif", BANDS)
        server.latency_s = LATENCY_S
        box = PixelBox(plan.extent.y0 + 512, plan.extent.x0 + 512, plan.extent.y0 + 2048, plan.extent.x0 + 2048)
        for name, seconds in _remote_passes(server, plan, box):
            asked = server.take()
            size = sum(a.body_bytes for a in asked) / 1e6
            print(f"{name:28} {seconds:6.2f} s, {len(asked):3} requests, {size:6.1f} MB, {LATENCY_S * 1e3:.0f} ms each")


def _remote_passes(server: RangeServer, plan: FramePlan, box: PixelBox) -> Iterator[tuple[str, float]]:
    server.take()
    with FrameReader(plan, cache_bytes=1 << 28) as reader:
        for name in ("1536 x 1536 px at once", "the same again"):
            started = time.perf_counter()
            reader.read(box)
            yield name, time.perf_counter() - started
    with FrameReader(plan, cache_bytes=plan.pass_bytes(box.width)) as reader:
        started = time.perf_counter()
        for strip in strips(box):
            reader.read(strip)
        yield "in strips", time.perf_counter() - started
    started = time.perf_counter()
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
        rasterio.open(f"/vsicurl/{server.url}/cog.tif") as file,
    ):
        file.read(window=Window(512, 512, 1536, 1536))
    yield "GDAL as it comes", time.perf_counter() - started


def main() -> None:
    """Measure; print tables."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image, cog, jp2 = folder / "scene.tif", folder / "cog.tif", folder / "scene_red.jp2"
        make_raster(image, SIDE_PX)
        decode("GeoTIFF", image, plan_of(image, BANDS), runs)
        with rasterio.open(image) as file:
            part = {**file.profile, "driver": "JP2OpenJPEG", "count": 1, "height": 2048, "width": 4096}
            part = {k: v for k, v in part.items() if k not in {"compress", "tiled", "interleave", "bigtiff"}}
            part |= {"blockxsize": 1024, "blockysize": 1024, "QUALITY": "100", "REVERSIBLE": "YES"}
            with rasterio.open(jp2, "w", **part) as out:
                out.write(file.read(1, window=Window(0, 0, 4096, 2048)), 1)
        decode("JPEG 2000", jp2, plan_of(jp2, ("red",)), runs)
        resample(image)
        copy(str(image), str(cog), driver="COG", COMPRESS="DEFLATE", LEVEL=1, BLOCKSIZE=512, OVERVIEWS="NONE")
        remote(folder)


if __name__ == "__main__":
    main()
