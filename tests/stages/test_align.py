"""Align as users meet it: nothing twice, shares, resume, damage, another cube, and predict that reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.bright import write_scene
from support.small_job import config_of, placed

from geowatch.errors import InputError, InterruptedRunError, MemoryBudgetError, PlanMismatchError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import TileTable
from geowatch.read.cubeformat import BLOCK_PX, Block
from geowatch.read.cubeplan import blocks_under, group_blocks, share_of
from geowatch.read.cubesampler import Place, WindowSampler
from geowatch.read.reader import FrameReader
from geowatch.stages.align import AlignConfig, align
from geowatch.stages.binding.aligned import ALIGNED, open_frames, open_sampler
from geowatch.stages.binding.imagery import ImageryConfig, read_bound
from geowatch.stages.predict import predict
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Silent
from geowatch.store import open_store
from geowatch.store.plans import read_plan

CORNERS = [(-77.26, 37.905), (-77.22, 37.905), (-77.22, 37.925), (-77.26, 37.925), (-77.26, 37.905)]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    for number, day in enumerate(("2020-06-01", "2020-06-11", "2020-06-21")):
        write_scene(folder, day, number)
    return folder


@pytest.fixture
def planned(scenes, tmp_path):
    """Return a function that plans a run of the series."""

    def plan(name: str, tile_size: int = 256) -> str:
        region = tmp_path / "region.geojson"
        region.write_text(json.dumps({"type": "Polygon", "coordinates": [CORNERS]}))
        run = str(tmp_path / name)
        imagery = ImageryConfig(images=(str(scenes),))
        tile(TileConfig(region=str(region), run=run, tile_size=tile_size, imagery=imagery))
        return run

    return plan


def contents(folder: str | Path) -> dict[str, bytes]:
    store = open_store(folder)
    return {key: store.get(key) for key in store.list()}


def test_a_run_is_aligned_once(planned):
    run = planned("run")
    first = align(AlignConfig(run, workers=1))
    assert (first.frames, first.blocks, first.done_before) == (3, 6, 0)
    assert first.figures["blocks"] == 6
    assert first.figures["write_bytes"] > 0
    made = contents(first.cube)
    again = align(AlignConfig(run, workers=1))
    assert (again.done_before, again.left_bytes) == (6, 0)
    assert contents(again.cube) == made
    lineage = list(open_store(run).list("lineage/cube/"))
    assert len(lineage) == 1
    record = json.loads(open_store(run).get(lineage[0]))
    assert len(record["sources"]) == 3


def test_a_dry_run_says_the_bytes_and_writes_nothing(planned):
    run = planned("run")
    before = contents(run)
    done = align(AlignConfig(run, dry_run=True))
    assert done.left_bytes == 6 * BLOCK_PX**2 * (4 * 2 + 1)
    assert contents(run) == before


def test_runs_with_other_tiles_share_a_cube(planned, tmp_path):
    cube = str(tmp_path / "cube")
    first = align(AlignConfig(planned("a", 256), cube=cube, workers=1))
    other = planned("b", 512)
    second = align(AlignConfig(other, cube=cube, workers=1))
    assert (first.done_before, second.done_before, second.blocks) == (0, 6, 6)
    assert json.loads(open_store(other).get(ALIGNED))["cube"] == cube


def test_shares_make_each_block_once_and_the_same_bytes(planned, tmp_path):
    whole = align(AlignConfig(planned("whole"), workers=1))
    run = planned("shared")
    parts = [align(AlignConfig(run, shard=(i, 4), workers=1)) for i in (3, 1, 4, 2)]
    assert sum(part.blocks for part in parts) == whole.blocks
    assert all(part.done_before == 0 for part in parts)
    assert contents(parts[0].cube) == contents(whole.cube)


@pytest.mark.slow
def test_dask_workers_make_the_same_bytes(planned):
    one = align(AlignConfig(planned("one"), workers=1))
    two = align(AlignConfig(planned("two"), workers=2))
    assert contents(two.cube) == contents(one.cube)
    assert two.figures["blocks"] == 6


class Stopping(Silent):
    """Asks to stop after some blocks."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.done = 0.0

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:
        if stage == "align":
            self.done = done

    def stopping(self) -> bool:
        return self.done >= self.after


def test_a_stopped_call_goes_on_where_it_was(planned):
    whole = align(AlignConfig(planned("whole"), workers=1))
    run = planned("stopped")
    with pytest.raises(InterruptedRunError) as stopped:
        align(AlignConfig(run, workers=1), Stopping(2))
    assert stopped.value.exit_code == 75
    resumed = align(AlignConfig(run, workers=1))
    assert 2 <= resumed.done_before < 6
    assert contents(resumed.cube) == contents(whole.cube)


def test_check_makes_damaged_blocks_again(planned):
    run = planned("run")
    cube = Path(align(AlignConfig(run, workers=1)).cube)
    whole = contents(cube)
    one, two, *_ = sorted(p for p in cube.rglob("*") if "/red/c/" in str(p) and p.is_file())
    one.write_bytes(one.read_bytes()[:-9] + b"123456789")
    two.unlink()
    assert align(AlignConfig(run, dry_run=True)).done_before == 5  # the sizes alone tell of the one that is gone
    looked = align(AlignConfig(run, check=True, dry_run=True))
    assert (looked.damaged, looked.done_before) == (2, 4)
    done = align(AlignConfig(run, check=True, workers=1))
    assert (done.damaged, done.done_before) == (2, 4)
    assert contents(cube) == whole


def test_too_little_memory_is_refused_before_anything_is_written(planned):
    run = planned("run")
    before = contents(run)
    with pytest.raises(MemoryBudgetError, match="for a block of 4 bands"):
        align(AlignConfig(run, memory_bytes=100 << 20))
    assert contents(run) == before


def test_a_worker_stays_within_the_memory_that_is_planned(shared_data, tmp_path):
    bands = "red,green,blue,nir,swir16,coastal"
    program = f"""
from pathlib import Path
from geowatch.stages.align import AlignConfig, align
from geowatch.stages.binding.aligned import open_frames
from geowatch.stages.binding.aligning import cache_within, needed_bytes
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.tile import TileConfig, tile
imagery = ImageryConfig(images=({str(shared_data("sentinel2_l1c"))!r},))
tile(TileConfig(run={str(tmp_path)!r}, imagery=imagery))
align(AlignConfig({str(tmp_path)!r}, channels=tuple("{bands}".split(",")), workers=1))
layout = open_frames({str(tmp_path)!r})[0].layout
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) << 10  # of this process alone; `getrusage` knows its parent's
print(peak, needed_bytes(layout) + cache_within(layout, None))
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    peak, planned_bytes = map(int, ran.stdout.split())
    assert 0.5 * planned_bytes < peak <= planned_bytes


def test_other_bands_than_the_runs_are_refused(planned):
    run = planned("run")
    align(AlignConfig(run, channels=("red", "nir"), workers=1))
    assert read_bound(open_store(run)).bands == ("red", "nir")
    with pytest.raises(PlanMismatchError, match="reads the bands red, nir"):
        align(AlignConfig(run, channels=("red",)))


def test_windows_of_a_run_are_those_of_its_images(planned):
    run = planned("run")
    align(AlignConfig(run, workers=1))
    bound = read_bound(open_store(run))
    plans = bound.frames[read_plan(open_store(run)).grids[0].id]
    direct = WindowSampler([FrameReader(plan, cache_bytes=0) for plan in plans], (64, 96))
    with direct, open_sampler(run, (64, 96), threads=2) as sampler:
        rng = np.random.default_rng(4)
        for _ in range(12):
            place = sampler.draw(rng, 2)
            assert len(set(place.times)) == 2 == len(place.times)
            assert sampler.bounds.covers(place.box)
            found, expected = sampler.read(place), direct.read(place)
            assert found.values.shape == (2, 4, 64, 96)
            assert found.values.tobytes() == expected.values.tobytes()
            assert found.valid.tobytes() == expected.valid.tobytes()


def test_what_lies_beyond_a_frame_is_invalid_in_its_window(planned):
    run = planned("run")
    align(AlignConfig(run, workers=1))
    with open_sampler(run, (8, 8)) as sampler:
        extent = sampler.readers[0].plan.extent
        box = PixelBox(extent.y0 - 5, extent.x0 + 340, extent.y0 + 5, extent.x0 + 350)
        window = sampler.read(Place((0, 2), box))
    assert not window.valid[:, :5].any()
    assert window.valid[:, 5:].all()
    assert not window.values[:, :, :5].any()


def test_a_cube_needs_no_images_when_windows_are_drawn(planned, scenes, monkeypatch):
    run = planned("run")
    align(AlignConfig(run, workers=1))
    monkeypatch.setattr(FrameReader, "read", None)
    with open_sampler(run, (32, 32)) as sampler:
        assert sampler.read(sampler.draw(np.random.default_rng(1), 3)).valid.all()
    assert len(open_frames(run)) == 3


def test_predict_takes_the_cube_and_gives_the_same_heatmap(planned, scenes, tiny_package, monkeypatch):
    plain, cubed = planned("plain"), planned("cubed")
    predict(config_of(Path(plain), scenes, tiny_package))
    align(AlignConfig(cubed, channels=("red", "green", "blue"), workers=1))
    monkeypatch.setattr("geowatch.stages.binding.aligned.FrameReader", None)
    predict(config_of(Path(cubed), scenes, tiny_package))
    (box, expected), (where, found) = placed(Path(plain)), placed(Path(cubed))
    assert where == box
    assert np.array_equal(found, expected)


def test_predict_reads_images_where_the_cube_ends(planned, scenes, tiny_package):
    plain, partly = planned("plain"), planned("partly")
    predict(config_of(Path(plain), scenes, tiny_package))
    align(AlignConfig(partly, channels=("red", "green", "blue"), shard=(1, 4), workers=1))
    predict(config_of(Path(partly), scenes, tiny_package))
    assert np.array_equal(placed(Path(plain))[1], placed(Path(partly))[1])


def test_a_note_of_other_imagery_is_not_believed(planned, scenes, tiny_package):
    run = planned("run")
    align(AlignConfig(run, channels=("red", "green", "blue"), workers=1))
    store = open_store(run)
    note = json.loads(store.get(ALIGNED))
    note["imagery"] = "0" * 64
    store.put(ALIGNED, json.dumps(note).encode())
    predict(config_of(Path(run), scenes, tiny_package))
    with pytest.raises(InputError, match="has no cube"):
        open_frames(run)


def test_blocks_under_tiles_are_those_that_their_pixels_touch():
    rng = np.random.default_rng(0)
    for _ in range(50):
        tile_px, margin = int(rng.integers(1, 3000)), int(rng.integers(0, 1500))
        iy, ix = (rng.integers(-4, 4, 5).astype(np.int32) for _ in range(2))
        bounds = PixelBox(-3000, -2500, 3500, 4000)
        found = {tuple(b) for b in blocks_under(TileTable("g", iy, ix), tile_px, bounds, margin).tolist()}
        expected = set()
        for y, x in zip(iy.tolist(), ix.tolist(), strict=True):
            core = PixelBox(y * tile_px, x * tile_px, (y + 1) * tile_px, (x + 1) * tile_px) & bounds
            if core:
                expected |= {(b.y0 // BLOCK_PX, b.x0 // BLOCK_PX) for b in core.pad(margin).blocks(BLOCK_PX)}
        assert found == expected


def test_every_block_is_in_one_group_and_every_group_in_one_share(planned):
    run = planned("run")
    align(AlignConfig(run, dry_run=True))
    align(AlignConfig(run, workers=1))
    layouts = [reader.layout for reader in open_frames(run)]
    blocks = np.array([(b.iy, b.ix) for b in layouts[0].blocks(layouts[0].plan.extent)])
    for shares in (1, 2, 3, 7):
        groups = group_blocks([(layout, blocks) for layout in layouts], at_least=shares)
        taken = [group for i in range(shares) for group in share_of(groups, i + 1, shares)]
        assert taken == groups
        each = [(g.layout.key, b) for g in groups for b in g.blocks]
        assert len(each) == len(set(each)) == 3 * len(blocks)
        assert all(isinstance(b, Block) for g in groups for b in g.blocks)
