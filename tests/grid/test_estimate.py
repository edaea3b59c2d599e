"""What a plan costs: memory, bytes, seconds and price."""

import json
from dataclasses import replace

import pytest

from geowatch.errors import ConfigError, MemoryBudgetError
from geowatch.grid.counts import SweepFigures
from geowatch.grid.estimate import (
    Reach,
    Workload,
    cut_batch,
    cut_to_memory,
    estimate,
    memory_per_worker,
    packaged_rates,
    read_rates,
)
from geowatch.grid.windows import WindowLattice

LOAD = Workload(windows=WindowLattice.of((256, 256), 0.25), bands=6, classes=3, gflop_per_window=20.0)


def test_memory_follows_the_width_of_a_sweep():
    parts = dict(memory_per_worker(LOAD, 2048, 2).parts)
    wide = 2 * 2048 + 2 * 255
    assert parts["band"] == 4 * 3 * wide * 256
    assert parts["input rows"] == wide * (256 + 3 * 192) * (4 * 6 + 1)
    assert parts["core rows"] == 2 * 4096 * 2048 * 3
    assert parts["encoded cores"] == 2 * 2048 * 2048 * 3
    totals = [memory_per_worker(LOAD, 2048, cols).total_bytes for cols in (1, 2, 4)]
    assert totals == sorted(totals)
    assert memory_per_worker(LOAD, 2048, 2).total_bytes == sum(parts.values())


def test_memory_is_unknown_without_a_model():
    assert memory_per_worker(Workload(), 2048, 2) is None
    assert cut_to_memory(Workload(), 2048, 10**6) == (4, 2)


def test_a_sweep_is_cut_to_the_memory_by_its_columns_alone():
    one_by_one = replace(LOAD, batch=1)
    assert cut_to_memory(one_by_one, 512, None) == (16, 8)
    sizes = [memory_per_worker(one_by_one, 512, cols).total_bytes for cols in (1, 2, 4, 8)]
    for cols, size in zip((1, 2, 4, 8), sizes, strict=True):
        assert cut_to_memory(one_by_one, 512, size) == (16, cols)
    assert cut_to_memory(one_by_one, 512, sizes[3] - 1) == (16, 4)


def test_fewer_windows_run_at_once_before_sweeps_become_narrower():
    load = replace(LOAD, window_bytes=100_000_000)
    sizes = [memory_per_worker(replace(load, batch=n), 512, 8).total_bytes for n in (4, 2, 1)]
    assert sizes == sorted(sizes, reverse=True)
    for batch, size in zip((4, 2), sizes, strict=False):
        assert cut_batch(load, 512, size).batch == batch
        assert cut_to_memory(load, 512, size) == (16, 8)
    assert cut_batch(load, 512, sizes[0] - 1).batch == 2
    assert cut_batch(load, 512, sizes[2] - 1).batch == 1
    assert cut_to_memory(load, 512, sizes[2] - 1) == (16, 4)
    assert cut_batch(load, 512, None) == load


@pytest.mark.parametrize(
    ("batch", "lanes", "count"), [(4, 1, 4), (4, 2, 4), (4, 3, 6), (4, 8, 9), (1, 1, 2), (1, 2, 3), (5, 2, 6)]
)
def test_windows_that_are_computed_at_once_follow_batch_and_lanes(batch, lanes, count):
    load = replace(LOAD, batch=batch, lanes=lanes, window_bytes=10)
    assert load.windows_at_once == count
    assert dict(memory_per_worker(load, 256, 1).parts)["windows in the network"] == 10 * count
    assert replace(load, at_once=1).windows_at_once == 1


def test_a_region_counts_as_wide_and_high_as_it_is():
    narrow = memory_per_worker(LOAD, 2048, 2, Reach(300, 500))
    parts = dict(narrow.parts)
    assert parts["band"] == 4 * 3 * (500 + 2 * 255) * 256
    assert parts["core rows"] == 2 * (500 + 1024) * (300 + 1024) * 3
    assert narrow.total_bytes < memory_per_worker(LOAD, 2048, 1).total_bytes
    assert memory_per_worker(LOAD, 2048, 2, Reach(10**6, 10**6)) == memory_per_worker(LOAD, 2048, 2)
    assert cut_to_memory(LOAD, 2048, narrow.total_bytes, Reach(300, 500)) == (4, 2)


def test_comparing_backends_counts_where_it_holds_more_than_a_sweep():
    usual = memory_per_worker(LOAD, 512, 1)
    assert memory_per_worker(replace(LOAD, gate_bytes=10**6), 512, 1) == usual
    more = memory_per_worker(replace(LOAD, gate_bytes=10**9), 512, 1)
    held = sum(size for name, size in usual.parts if name not in {"network", "windows in the network", "process"})
    assert more.total_bytes == usual.total_bytes + 10**9 - held


def test_sweeps_are_powers_of_two_for_any_tile_size():
    for tile_px in (1, 100, 333, 700, 2048, 5000, 32768):
        rows, cols = cut_to_memory(LOAD, tile_px, None)
        assert rows & (rows - 1) == 0 == cols & (cols - 1)
        assert rows == 1 or rows * tile_px <= 8192
        assert cols == 1 or cols * tile_px <= 4096


def test_too_little_memory_is_refused_with_what_would_do():
    with pytest.raises(MemoryBudgetError, match="for one tile of 8192 px, and may take 600 MB") as caught:
        cut_to_memory(LOAD, 8192, 600_000_000)
    assert "--tile-size" in caught.value.hint
    smaller = int(caught.value.hint.split("--tile-size ")[1].split(",")[0])
    assert cut_to_memory(LOAD, smaller, 600_000_000)[1] >= 1
    with pytest.raises(MemoryBudgetError) as caught:
        cut_to_memory(LOAD, 256, 1_000_000)
    assert "--tile-size" not in caught.value.hint
    enough = int(caught.value.hint.split("--memory ")[1].removesuffix("MB")) * 10**6
    assert cut_to_memory(LOAD, 256, enough)


FIGURES = [SweepFigures(4, 1, 1000, 30, 5000), SweepFigures(2, 1, 500, 10, 2000)]


def test_figures_of_all_grids_add_up():
    cost = estimate(FIGURES, LOAD, memory_per_worker(LOAD, 256, 1), packaged_rates(), "g5.xlarge")
    assert (cost.tiles, cost.sweeps, cost.output_px, cost.windows) == (6, 2, 1500, 40)
    assert cost.redundancy == pytest.approx(40 * 256 * 256 / 1500)
    assert cost.read_bytes == 7000 * 6 * 2
    assert cost.write_bytes == 1500 * 3
    assert cost.seconds == pytest.approx(40 * 20 / 9000)
    assert cost.price == pytest.approx(cost.seconds / 3600 * 1.006)
    assert (cost.currency, cost.machine) == ("USD", "g5.xlarge")


def test_what_is_unknown_stays_unknown():
    figures = [SweepFigures(4, 1, 1000, None, None)]
    cost = estimate(figures, Workload(), None, packaged_rates(), None)
    assert (cost.tiles, cost.output_px) == (4, 1000)
    assert [cost.windows, cost.redundancy, cost.read_bytes, cost.write_bytes] == [None] * 4
    assert [cost.memory_bytes, cost.seconds, cost.price] == [None] * 3


def test_times_multiply_work_and_not_memory():
    once = estimate(FIGURES, LOAD, None, packaged_rates(), None)
    many = estimate(FIGURES, Workload(**{**LOAD.__dict__, "times": 5}), None, packaged_rates(), None)
    assert many.windows == 5 * once.windows
    assert many.write_bytes == 5 * once.write_bytes
    assert many.redundancy == once.redundancy


def test_reading_counts_where_it_is_slower_than_the_network():
    slow = Workload(**{**LOAD.__dict__, "gflop_per_window": 1e-9})
    cost = estimate(FIGURES, slow, None, packaged_rates(), "laptop")
    assert cost.seconds == pytest.approx(7000 * 6 * 2 / 2e8)


def test_the_packaged_rates_say_where_they_are_from():
    rates = packaged_rates()
    assert rates.default in rates.machines
    assert rates.date
    assert all("Speed" in machine.source for machine in rates.machines.values())


def test_rates_of_one_s_own():
    machine = {"description": "d", "gflops": 1, "read_bytes_per_s": 1, "price_per_hour": 2, "source": "me"}
    document = {
        "schema_version": "1",
        "date": "2026-01-01",
        "currency": "EUR",
        "default": "own",
        "machines": {"own": machine},
    }
    assert read_rates(json.dumps(document)).machine(None)[1].price_per_hour == 2
    with pytest.raises(ConfigError, match="no machine 'x'") as caught:
        read_rates(json.dumps(document)).machine("x")
    assert "own" in caught.value.hint
    machine["gflops"] = 0
    with pytest.raises(ConfigError, match=r"machines\.own\.gflops"):
        read_rates(json.dumps(document))
    with pytest.raises(ConfigError, match="rates"):
        read_rates("no json")


def test_planes_of_a_block_share_frames_and_have_bands_and_cores_of_their_own():
    one = dict(memory_per_worker(replace(LOAD, bands=24, dates=4), 1024, 1).parts)
    block = dict(memory_per_worker(replace(LOAD, bands=24, dates=7, planes=4, held_bands=42), 1024, 1).parts)
    wide = 1024 + 2 * 255
    assert block["band"] == 4 * one["band"]
    assert block["input rows"] == wide * (256 + 3 * 192) * (4 * 42 + 4) < 2 * one["input rows"]
    assert block["core rows"] == 3 * 4 * one["core rows"] // 2
    assert block["encoded cores"] == 4 * one["encoded cores"]
    assert block["batches"] == one["batches"]


def test_planes_of_a_block_read_their_frames_once():
    figures = [SweepFigures(tiles=1, sweeps=1, output_px=10, windows=2, input_px=100)]
    rates = packaged_rates()
    apart = estimate(figures, replace(LOAD, bands=24, dates=4, times=8), None, rates, None)
    shared = replace(LOAD, bands=24, dates=7, times=8, planes=4, held_bands=42)
    assert estimate(figures, shared, None, rates, None).read_bytes * 24 * 4 == apart.read_bytes * 42
