"""How fast fragments become sites, and how much memory that takes.

    python benchmarks/bench_consolidate.py [tiles ...]

Makes run folders of square regions of so many tiles (default 625, 2500 and 10000), each with about 100 polygons a
tile, tracked over four dates: pieces of a smooth random field whose tiles fit each other, so that polygons cross
seams and corners. Consolidates each in a process of its own, into the tables alone, and prints polygons, seconds,
polygons a second and the process's peak memory. The last line is JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geowatch.grid.choice import LatticeChoice
from geowatch.grid.lattice import PixelBox
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import Fragment, fragment_key
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.store import LocalStore
from geowatch.store.plans import write_plan
from geowatch.track.document import TRACKING, GridPlanes, Tracking
from geowatch.track.finding import find
from geowatch.track.scores import Scale

TILE_PX, DATES, CLASSES = 256, 4, ("background", "thing")
#: Tiles along a side of the field, which then repeats.
FIELD_TILES = 4
#: Pixels over which the field is smooth, such that a tile holds about 100 polygons.
SMOOTH_PX = 3.6


class Field:
    """Planes of a random field that goes on beyond its sides as it began."""

    scale = Scale("uint8", 254, 255)
    class_count = len(CLASSES)

    def __init__(self) -> None:
        side = FIELD_TILES * TILE_PX
        rough = ndimage.gaussian_filter(np.random.default_rng(1).random((side, side)), SMOOTH_PX, mode="wrap")
        share = 1 / (1 + np.exp(-3 * ((rough - rough.mean()) / rough.std() - 1)))
        self.thing = np.rint(254 * share).astype(np.uint8)

    def read(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[Any]:
        """Return stored values; each date is a little different."""
        rows = np.arange(box.y0, box.y1) % len(self.thing)
        columns = np.arange(box.x0, box.x1) % len(self.thing)
        thing = np.minimum(self.thing[np.ix_(rows, columns)], 254 - 3 * plane)
        return np.stack([254 - thing, thing])[list(classes)]


def moved(fragment: Fragment, tile: Tile) -> Fragment:
    """Return what was found in a tile as if it had been found in another."""
    down, right = (TILE_PX * np.int32(b - a) for a, b in ((fragment.tile.iy, tile.iy), (fragment.tile.ix, tile.ix)))
    return replace(
        fragment, tile=tile, box=tile.core(TILE_PX), y=fragment.y + down, x=fragment.x + right,
        run_y=fragment.run_y + down, run_x0=fragment.run_x0 + right, run_x1=fragment.run_x1 + right,
    )  # fmt: skip


def run_folder(folder: Path, side: int) -> Iterator[int]:
    """Write a run folder of ``side`` x ``side`` tiles; yield the pieces of each."""
    store, box = LocalStore(folder), PixelBox(0, 0, side * TILE_PX, side * TILE_PX)
    choice = LatticeChoice(crs="EPSG:32618", resolution=10.0)
    plan, tables = make_plan(PlanRequest(lattice=choice, footprint=box, tile_px=TILE_PX))
    write_plan(store, plan, tables)
    times = tuple(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=16 * date) for date in range(DATES))
    grids = (GridPlanes(grid=plan.grids[0].id, times=times, planes=tuple(range(DATES))),)
    tracking = Tracking(
        plan=plan.id, scores="recipe:none", head="scores", classes=CLASSES, salient=CLASSES[1:], mode="footprint",
        low=0.4, high=0.4, grids=grids,
    )  # fmt: skip
    store.put(TRACKING, tracking.to_json())
    search, field = tracking.search(grids[0]), Field()
    found: dict[tuple[int, int], Fragment] = {}
    for tile in tables[grids[0].grid]:
        place = (tile.iy % FIELD_TILES, tile.ix % FIELD_TILES)
        if place not in found:
            first = Tile(tile.grid, *place)
            found[place] = find(search, field, first, first.core(TILE_PX))
        fragment = moved(found[place], tile)
        store.put(fragment_key(tracking.digest, tile), fragment.to_bytes())
        yield fragment.piece_count


def measured(run: str) -> dict[str, float]:
    """Consolidate a run in this process."""
    before = time.process_time(), time.perf_counter()
    done = consolidate(ConsolidateConfig(run=run, deliver=False))
    cpu_s, wall_s = time.process_time() - before[0], time.perf_counter() - before[1]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"polygons": done.sites, "seconds": wall_s, "cpu_seconds": cpu_s, "peak_mb": peak_mb}


def main() -> None:
    results = []
    for tiles in [int(word) for word in sys.argv[1:]] or [625, 2500, 10_000]:
        side = round(tiles**0.5)
        with tempfile.TemporaryDirectory() as folder:
            pieces = sum(run_folder(Path(folder), side))
            command = [sys.executable, __file__, "--measure", folder]
            figures = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        results.append({"tiles": side**2, "pieces": pieces, **figures})
        speed = figures["polygons"] / figures["cpu_seconds"]
        print(
            f"{side**2:>7,} tiles {pieces:>9,} pieces {figures['polygons']:>9,} polygons {figures['seconds']:7.1f} s "
            f"({figures['cpu_seconds']:.1f} s of a core) {speed:8,.0f} polygons/s {figures['peak_mb']:6,.0f} MB",
            flush=True,
        )
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measured(sys.argv[2])))
    else:
        main()
