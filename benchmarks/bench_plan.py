"""How long a plan of a million tiles takes, and how much memory.

    python benchmarks/bench_plan.py [tiles]

Plans a country with a jagged coast, islands and lakes, and writes it as a run folder does. Prints the number
of tiles, processor seconds and microseconds a tile for each part, and the process's peak memory. The target
is at most 5 µs a tile and 300 MB, all in. The last line is JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from shapely.geometry import mapping

from geowatch.grid.choice import LatticeChoice
from geowatch.grid.estimate import Workload
from geowatch.grid.plan import PlanRequest, make_plan
from geowatch.grid.region import Area, parse_region
from geowatch.grid.rings import polygon_of_rings
from geowatch.grid.sweeps import cut_sweeps, shard_of
from geowatch.grid.windows import WindowLattice
from geowatch.store import LocalStore
from geowatch.store.plans import read_plan, read_tiles, write_plan

TILE_PX = 256
#: Area of the country: a million tiles at 10 m. More tiles are finer ones, since the Earth is no larger.
AREA_M2 = 1_000_000 * (TILE_PX * 10.0) ** 2


def jagged(center: tuple[float, float], radius_deg: float, corners: int, rng: np.random.Generator) -> list[list[float]]:
    """Return a closed ring around ``center`` whose radius is rough at all scales."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    waves = 2 ** np.arange(1, int(np.log2(corners)) - 1)
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    rough = sum(np.sin(n * angle + p) / n**0.9 for n, p in zip(waves, phases, strict=True))
    radius = radius_deg * (1 + 0.25 * rough / np.abs(rough).max())
    lon, lat = center[0] + 1.2 * radius * np.cos(angle), center[1] + radius * np.sin(angle)
    ring = np.stack([lon, lat], axis=1)
    return [*ring.tolist(), ring[0].tolist()]


def country() -> Area:
    """Return a country with 20,000 corners of coast and 30 lakes."""
    rng = np.random.default_rng(7)
    radius = (AREA_M2 / np.pi / 1.2 / 0.68) ** 0.5 / 111_000
    lakes = [jagged((10 + x, 47 + y), radius / 60, 200, rng) for x, y in rng.uniform(-radius / 2, radius / 2, (30, 2))]
    area = polygon_of_rings([jagged((10, 47), radius, 20_000, rng), *lakes], [])
    if area is None:
        raise SystemExit("the country has no area")
    return area


@contextmanager
def timed(name: str, tiles: int, spent: list[float]) -> Iterator[None]:
    start = time.process_time()
    yield
    seconds = time.process_time() - start
    spent.append(seconds)
    print(f"{name:<28}{seconds:8.2f} s {seconds / tiles * 1e6:8.2f} µs a tile")


def main(tiles: int) -> None:
    load = Workload(windows=WindowLattice.of((256, 256), 0.25), bands=6, classes=3, gflop_per_window=20.0)
    document = {"type": "Feature", "properties": {}, "geometry": mapping(country())}
    choice = LatticeChoice(crs="EPSG:3035", resolution=(AREA_M2 / tiles) ** 0.5 / TILE_PX)
    spent: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        with timed("read the region", tiles, spent):
            region = parse_region(document)
        with timed("plan", tiles, spent):
            plan, tables = make_plan(PlanRequest(region, choice, tile_px=TILE_PX, load=load))
        with timed("write", plan.tile_count, spent):
            write_plan(store, plan, tables)
        total = sum(spent)
        with timed("(read back)", plan.tile_count, []):
            again = read_plan(store)
            tables = {grid.id: read_tiles(store, again, grid.id) for grid in again.grids}
        with timed("(cut, and take share 3/64)", plan.tile_count, []):
            share = shard_of(cut_sweeps(tables, again.sweep_tiles, at_least=64), 3, 64)
            held = sum(len(sweep.tiles) for sweep in share)
        size = sum(store.size(key) or 0 for key in store.list("plan/"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{plan.tile_count:,} tiles, {plan.estimate.windows:,} windows, redundancy {plan.estimate.redundancy:.2f}")
    print(
        f"{total / plan.tile_count * 1e6:.2f} µs a tile of processor time, {peak:.0f} MB peak, "
        f"{size / 1e6:.1f} MB written"
    )
    print(f"share 3/64 holds {held:,} tiles in {len(share):,} sweeps")
    figures = {"tiles": plan.tile_count, "us_a_tile": total / plan.tile_count * 1e6, "plan_mb": size / 1e6}
    print(json.dumps({**figures, "cpu_s": total}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
