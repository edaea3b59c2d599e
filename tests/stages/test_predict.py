"""How the work of one call is divided among processes."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geowatch.grid.tiles import Tile
from geowatch.predict.recipe import BackendPin, Recipe
from geowatch.stages.predict import _Work, _workers
from geowatch.stages.predicting.config import PredictConfig
from geowatch.stages.working.dividing import divided, longest


@dataclass(frozen=True)
class Sweep:
    """What `divided` needs of a job."""

    tiles: tuple[Tile, ...]


def sweeps(*sizes):
    return [Sweep(tuple(Tile("grid", iy, ix) for ix in range(size))) for iy, size in enumerate(sizes)]


@given(sizes=st.lists(st.integers(1, 40), max_size=12), workers=st.integers(1, 6))
def test_every_tile_is_computed_once_and_no_worker_waits_long(sizes, workers):
    jobs = sweeps(*sizes)
    parts = divided(jobs, workers, lambda _, tiles: Sweep(tiles))
    assert sorted(t for part in parts for t in part.tiles) == sorted(t for job in jobs for t in job.tiles)
    assert len(parts) <= max(len(jobs), 4 * workers)
    most = longest([len(part.tiles) for part in parts], workers)
    fair = sum(sizes) / workers
    assert most <= max(1.15 * fair, fair + max((len(p.tiles) for p in parts), default=0))


@pytest.mark.parametrize(
    ("sizes", "workers", "parts"),
    [
        ((8, 8), 2, [8, 8]),  # even already: windows on a further cut would be computed twice
        ((8,), 2, [4, 4]),
        ((8, 8, 8), 2, [4, 4, 8, 8]),
        ((8,) * 9, 2, [8] * 9),
        ((16,), 1, [16]),
        ((1, 1), 4, [1, 1]),
    ],
)
def test_work_is_cut_no_more_often_than_it_needs(sizes, workers, parts):
    assert sorted(
        len(part.tiles) for part in divided(sweeps(*sizes), workers, lambda _, tiles: Sweep(tiles))
    ) == sorted(parts)


def machine(device, threads, gflop):
    """Return a session and work of 100 tiles as far as the number of processes depends on them."""
    pin = BackendPin(name="some", version="1", precision="fp32", device=device, threads=threads)
    recipe = Recipe(
        package="p", imagery="i", window_px=(256, 256), stride_px=(192, 192), blend="hann", dates=1, heads=(),
        backend=pin,
    )  # fmt: skip
    manifest = SimpleNamespace(gflop_per_window=gflop)
    plan, package = SimpleNamespace(tile_px=1024), SimpleNamespace(manifest=manifest)
    return SimpleNamespace(recipe=recipe, plan=plan, package=package, members=()), _Work(
        [], total=100, before=0, memory_bytes=0
    )


@pytest.mark.parametrize(
    ("device", "threads", "gflop", "processes"),
    [
        ("cpu-avx512", None, 10.0, 4),  # networks side by side, four a process
        ("cpu-avx512", 1, 10.0, 16),  # one network of one thread a process
        ("cpu-avx512", None, 1e-3, 1),  # done before processes would have started
        ("cuda sm_90", None, 10.0, 1),  # one accelerator
    ],
)
def test_processes_where_nobody_says_how_many(monkeypatch, device, threads, gflop, processes):
    monkeypatch.setattr("geowatch.stages.predict.cores", lambda: 16)
    assert _workers(PredictConfig(), *machine(device, threads, gflop)) == processes
    assert _workers(PredictConfig(workers=3), *machine(device, threads, gflop)) == 3


def test_work_for_a_running_scheduler_is_cut_for_workers_of_one_thread(monkeypatch):
    monkeypatch.setattr("geowatch.stages.predict.cores", lambda: 16)
    assert _workers(PredictConfig(scheduler="tcp://there:8786"), *machine("cpu-avx512", None, 10.0)) == 16
