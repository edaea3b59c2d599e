"""Speed of windows at random places, from a cube and from images: ``python benchmarks/bench_cube.py [WINDOWS]``.

A window is 256 px, 12 dates and 6 bands. The images are COGs (deflate, blocks of 512 px) of the real Sentinel-2 scene
(bands of 10, 20 and 60 m) and the real Landsat scene of ../shared/data. **The series is made of one scene**: mirrored
to twice its side (Landsat's to eight times) and moved by some pixels from date to date. All pixels are real, and no
two dates are equal; it is no real series. Each case is read on a grid:

- native: the grid of the finest bands; bands of 10 m are copied, the others are resampled;
- 15 m: all bands are resampled, in the same CRS;
- other zone: all bands are warped to the next UTM zone;
- landsat: 30 m, all bands are copied.

Both sides read the same windows in turns, by one thread and by two, and must give the same bytes; figures are medians
over windows. Warm: the files are in the system's cache, and each reader of images may keep 32 MB of decoded blocks.
Cold: all files' pages are dropped before each window (`posix_fadvise`), and readers are opened anew.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy

from geowatch.grid.lattice import Lattice
from geowatch.read.catalog import find_scenes
from geowatch.read.cube import CubeReader
from geowatch.read.cubeformat import CubeLayout
from geowatch.read.cubekeys import Contents, frame_key
from geowatch.read.cubesampler import Place, SeriesWindow, WindowSampler
from geowatch.read.cubewrite import publish_block, publish_frame, read_block
from geowatch.read.frames import make_frames
from geowatch.read.options import SceneOptions
from geowatch.read.plan import FramePlan, Resampling, lattice_of, plan_frame
from geowatch.read.reader import BoxReader, FrameReader
from geowatch.store import LocalStore

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DATES, SIDE_PX, THREADS = 12, 256, 2
#: What a reader of images may keep of one date: as much as predict gives it where tiles are 2048 px wide.
CACHE_BYTES = 32 << 20
SENTINEL = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16", "B01": "coastal"}
LANDSAT = {"B2": "blue", "B3": "green", "B4": "red", "B5": "nir", "B6": "swir16", "B7": "swir22"}


@dataclass(frozen=True)
class Case:
    """A series on a grid."""

    name: str
    plans: tuple[FramePlan, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Aligned:
    """A series as a cube."""

    store: LocalStore
    layouts: tuple[CubeLayout, ...]
    pixels: int
    """Pixels of bands."""
    seconds: float


def moved(pixels: NDArray[np.uint16], by: int, times: int) -> NDArray[np.uint16]:
    """Return a scene mirrored again and again to ``times`` its side, and moved by some pixels."""
    while times > 1:
        wide = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
        pixels, times = np.concatenate([wide, wide[::-1]]), times // 2
    return np.roll(pixels, (by, 3 * by), axis=(0, 1))


def write_series(scene: Path, bands: Iterable[str], folder: Path, times: int) -> tuple[Path, ...]:
    """Write a series of COGs made of one scene, a file a band and date."""
    made = []
    for band in bands:
        (source,) = scene.glob(f"*_{band}.*")
        with rasterio.open(source) as file:
            pixels, profile = file.read(1), file.profile
        for number in range(DATES):
            day = date(2020, 6, 1) + timedelta(days=5 * number)
            path = folder / f"{day}_{band}.tif"
            # The same distance on the ground in every band: 60 m or a multiple of it.
            write_cog(path, moved(pixels, number * round(60 / profile["transform"].a), times), profile)
            made.append(path)
    return tuple(made)


def write_cog(path: Path, pixels: NDArray[np.uint16], profile: dict[str, object]) -> None:
    """Write pixels as a COG."""
    plain = path.with_suffix(".plain.tif")
    size = {"height": pixels.shape[0], "width": pixels.shape[1]}
    kept = {k: v for k, v in profile.items() if k in {"crs", "transform", "dtype", "count", "nodata"}}
    with rasterio.open(plain, "w", driver="GTiff", **kept, **size) as file:
        file.write(pixels, 1)
    copy(str(plain), str(path), driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=512, OVERVIEWS="NONE")
    plain.unlink()


def cases(folder: Path) -> Iterator[Case]:
    """Yield the cases that are measured."""
    for name in ("s2", "l8"):
        (folder / name).mkdir()
    files = write_series(DATA / "sentinel2_l1c", SENTINEL, folder / "s2", 2)
    plans = planned(folder / "s2", tuple(SENTINEL.values()), None)
    crs = plans[0].lattice.crs
    yield Case("native", plans, files)
    yield Case("15 m", planned(folder / "s2", tuple(SENTINEL.values()), Lattice.at(crs, 15.0)), files)
    yield Case("other zone", planned(folder / "s2", tuple(SENTINEL.values()), Lattice.at("EPSG:32617", 10.0)), files)
    files = write_series(DATA / "landsat8_l1", LANDSAT, folder / "l8", 8)
    yield Case("landsat", planned(folder / "l8", tuple(LANDSAT.values()), None, scale=1e-4), files)


def planned(
    folder: Path, bands: tuple[str, ...], lattice: Lattice | None, resampling: Resampling = "bilinear", **given: float
) -> tuple[FramePlan, ...]:
    """Plan to read a series on a lattice, its own by default."""
    scenes = find_scenes([folder], SceneOptions(**given)).scenes
    frames = make_frames(scenes)
    assert len(frames) == DATES
    on = lattice or lattice_of(scenes, bands)
    return tuple(plan_frame(frame, bands, on, resampling=resampling) for frame in frames)


def aligned(case: Case, folder: Path, windows: Sequence[Place]) -> Aligned:
    """Make the blocks of a cube that windows touch, in one process."""
    store = LocalStore(folder)
    started, count = time.perf_counter(), 0
    layouts = tuple(CubeLayout(plan, frame_key(plan, Contents(store).of(plan))) for plan in case.plans)
    for layout in layouts:
        publish_frame(store, layout)
        with FrameReader(layout.stored_plan, cache_bytes=layout.plan.pass_bytes(4096)) as reader:
            for block in sorted({block for place in windows for block in layout.blocks(place.box)}):
                publish_block(store, layout, block, read_block(layout, reader, block))
                count += (block.box & layout.plan.extent).area_px * len(layout.planes)
    return Aligned(store, layouts, count, time.perf_counter() - started)


def readers_of(case: Case, cube: Aligned) -> dict[str, Callable[[], Sequence[BoxReader]]]:
    """Return how the two sides open their readers."""
    return {
        "images": lambda: [FrameReader(plan, cache_bytes=CACHE_BYTES) for plan in case.plans],
        "cube": lambda: [CubeReader(cube.store, layout) for layout in cube.layouts],
    }


def places(plans: Sequence[FramePlan], count: int) -> list[Place]:
    """Return windows at random places within the series."""
    with WindowSampler([FrameReader(plan, cache_bytes=0) for plan in plans], (SIDE_PX, SIDE_PX)) as sampler:
        rng = np.random.default_rng(20261122)
        return [sampler.draw(rng, DATES) for _ in range(count)]


@dataclass(frozen=True)
class Setting:
    """How windows are read."""

    threads: int = 1
    cold: bool = False


@dataclass
class Seconds:
    """What windows took on each side."""

    wall: dict[str, list[float]] = field(default_factory=lambda: {"images": [], "cube": []})
    processor: dict[str, list[float]] = field(default_factory=lambda: {"images": [], "cube": []})

    def add(self, side: str, sampler: WindowSampler, place: Place) -> SeriesWindow:
        """Read a window and note how long it took."""
        wall, processor = time.perf_counter(), time.process_time()
        found = sampler.read(place)
        self.wall[side].append(time.perf_counter() - wall)
        self.processor[side].append(time.process_time() - processor)
        return found


def measure(case: Case, cube: Aligned, windows: Sequence[Place], settings: Sequence[Setting]) -> dict[Setting, Seconds]:
    """Read windows by both sides, in each setting, all in turns. All bytes are compared."""
    files = [*case.files, *(p for p in cube.store.root.rglob("*") if p.is_file())]
    seconds = {setting: Seconds() for setting in settings}
    with ExitStack() as stack:
        opened = {
            (setting, side): stack.enter_context(WindowSampler(make(), (SIDE_PX, SIDE_PX), threads=setting.threads))
            for setting in settings
            for side, make in readers_of(case, cube).items()
        }
        for place in windows:
            first: SeriesWindow | None = None
            for (setting, side), sampler in opened.items():
                if setting.cold:
                    forget(files)
                    for reader in sampler.readers:
                        reader.close()
                found = seconds[setting].add(side, sampler, place)
                first = first or found
                assert found.values.tobytes() == first.values.tobytes()
                assert found.valid.tobytes() == first.valid.tobytes()
                del found  # the next window finds its memory free, whatever its turn: fresh pages would cost it 20%
    return seconds


def forget(files: Iterable[Path]) -> None:
    """Drop files from the system's cache."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def report(case: Case, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Measure a case and print its rows; return seconds of images and cube for each setting."""
    windows = places(case.plans, count)
    cube = aligned(case, folder, windows)
    stored = sum(p.stat().st_size for p in folder.rglob("*") if "/c/" in str(p))
    images = sum(path.stat().st_size for path in case.files)
    print(
        f"{case.name}: {len(windows)} windows, COGs of {images / 1e6:.0f} MB; aligned {cube.pixels / 1e6:.0f} "
        f"megapixels of bands in {cube.seconds:.1f} s, {stored / cube.pixels:.2f} bytes each",
        flush=True,
    )
    found = {}
    measured = measure(case, cube, windows, (Setting(), Setting(threads=THREADS)))
    measured |= measure(case, cube, windows[: max(4, count // 3)], (Setting(cold=True),))
    for setting, seconds in measured.items():
        name = f"{'cold' if setting.cold else 'warm'}, {setting.threads} thread{'s' if setting.threads > 1 else ''}"
        print(f"  {name:15} {compared(seconds.wall)}; processor {compared(seconds.processor)}", flush=True)
        found[name] = {f"{side}_s": statistics.median(seconds.wall[side]) for side in ("images", "cube")}
        found[name] |= {f"{side}_cpu_s": statistics.median(seconds.processor[side]) for side in ("images", "cube")}
    return found


def compared(seconds: dict[str, list[float]]) -> str:
    """Say what both sides took, and the ratio."""
    images, cube = (statistics.median(seconds[side]) * 1e3 for side in ("images", "cube"))
    return f"images {images:7.1f} ms, cube {cube:6.1f} ms, ratio {images / cube:5.1f}"


def main() -> None:
    """Measure; print tables. The last line is JSON."""
    found = {}
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    with tempfile.TemporaryDirectory() as temporary:
        for number, case in enumerate(cases(Path(temporary))):
            # Warping takes long enough to be measured by fewer windows.
            windows = count // 4 if case.name == "other zone" else count
            found[case.name] = report(case, Path(temporary) / f"cube{number}", windows)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
