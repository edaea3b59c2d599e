"""Passes hold every time block once, in order, and more than one only where they share frames and fit the memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_series import series_config, series_package, write_series

from geowatch.grid.estimate import Reach, Workload, memory_per_worker
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.grid.windows import WindowLattice
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.binding.parts import TimeBlock
from geowatch.stages.binding.planned import summary
from geowatch.stages.predicting import needing, passes
from geowatch.stages.predicting.context import open_session
from geowatch.stages.predicting.passes import cut_passes
from geowatch.stages.predicting.timing import loaded
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Silent

BOUNDS = PixelBox(0, 0, 128, 100)


@dataclass(frozen=True)
class Place:
    """Stands for a grid, as far as passes look at it."""

    id: str = "utm18n"
    tile_px: int = 64
    bounds: PixelBox = BOUNDS


@dataclass(frozen=True)
class Seen:
    """Stands for a frame's plan."""

    frame_id: str
    day: date | None


@dataclass(frozen=True)
class Plane:
    """Stands for a part: a plane that sees frames."""

    time: int
    frames: tuple[Seen, ...]


TILES = (Tile("utm18n", 0, 0), Tile("utm18n", 0, 1))
WIDE_PX = 100  # of two tiles of 64 pixels, what lies within the bounds
LOAD = Workload(windows=WindowLattice((32, 32), (16, 16)), bands=4, classes=2)
FRAMES = tuple(Seen(f"frame-{n}", date.fromordinal(737_000 + n)) for n in range(40))


def block(number: int, frames: list[int]) -> TimeBlock:
    return TimeBlock(Place(), number, (Plane(number, tuple(FRAMES[n] for n in frames)),), 1)  # type: ignore[arg-type]


def need(one: TimeBlock) -> int:
    memory = memory_per_worker(loaded(LOAD, [one]), Place.tile_px, 2, Reach(BOUNDS.height, WIDE_PX))
    assert memory is not None
    return memory.total_bytes


#: Blocks with gaps in time, each of some neighbouring frames.
axes = st.lists(
    st.tuples(st.integers(1, 2), st.integers(0, 34), st.integers(1, 6)), min_size=1, max_size=12
).map(
    lambda steps: [
        block(sum(step for step, _, _ in steps[: n + 1]), list(range(first, first + count)))
        for n, (_, first, count) in enumerate(steps)
    ]
)  # fmt: skip


@given(axes, st.floats(0.9, 3.0))
def test_every_block_is_in_one_pass_and_no_pass_takes_more_than_it_may(blocks, times):
    limit = int(times * need(blocks[0]))
    made = list(cut_passes(blocks, TILES, LOAD, limit))
    assert [number for one in made for number in range(one.number, one.number + one.count)] == [
        each.number for each in blocks
    ]
    assert [part for one in made for part in one.parts] == [part for each in blocks for part in each.parts]
    assert all(one.count == 1 or need(one) <= limit for one in made)


def test_neighbours_that_share_frames_are_one_pass():
    blocks = [block(3, [0, 1, 2]), block(4, [2, 3]), block(5, [3, 4])]
    assert [(one.number, one.count) for one in cut_passes(blocks, TILES, LOAD, None)] == [(3, 3)]
    assert [(one.number, one.count) for one in cut_passes(blocks, TILES, LOAD, 0)] == [(3, 1), (4, 1), (5, 1)]


def test_what_shares_no_frame_or_does_not_follow_is_a_pass_of_its_own():
    blocks = [block(0, [0, 1]), block(1, [2, 3]), block(3, [3, 4])]
    assert [(one.number, one.count) for one in cut_passes(blocks, TILES, LOAD, None)] == [(0, 1), (1, 1), (3, 1)]


def test_a_pass_is_as_long_as_memory_allows():
    blocks = [block(n, list(range(n, n + 6))) for n in range(20)]
    half = need(TimeBlock(Place(), 0, tuple(p for b in blocks[:10] for p in b.parts), 1, 10))  # type: ignore[arg-type]
    assert [one.count for one in cut_passes(blocks, TILES, LOAD, half)] == [10, 10]
    assert [one.count for one in cut_passes(blocks, TILES, LOAD, half - 1)] == [9, 9, 2]


@pytest.mark.parametrize("given_mb", [None, 800, 2000])
def test_a_plan_says_as_much_memory_as_the_passes_of_its_series_take(tmp_path, monkeypatch, given_mb):
    monkeypatch.setattr(passes, "PASS_BYTES", 2_500_000_000)  # the small network's blocks take more than the real one
    monkeypatch.setattr(needing, "SAMPLE_CACHE_BYTES", 0)  # or comparing backends takes more than so small a region
    (tmp_path / "images").mkdir()
    write_series(tmp_path / "images")
    package = series_package(tmp_path)
    memory_bytes = None if given_mb is None else given_mb * 10**6
    imagery = ImageryConfig(images=(str(tmp_path / "images"),))
    config = TileConfig(
        run=str(tmp_path / "run"), imagery=imagery, model=str(package.path), tile_size=64, memory_bytes=memory_bytes
    )
    plan = tile(config)
    cost = plan.estimate
    assert cost.least_memory_bytes < cost.memory_bytes <= (memory_bytes or 2_500_000_000)
    assert dict(summary(plan))["memory"].endswith("a worker; --memory bounds it")
    session = open_session(
        series_config(tmp_path / "run", tmp_path / "images", package, memory_bytes=memory_bytes), Silent()
    )
    tiles = tuple(session.tiles(plan.grids[0].id))
    made = list(session.passes(list(session.blocks), tiles))
    assert max(one.count for one in made) > 1
    assert max(session.need_bytes(one, tiles) for one in made) <= cost.memory_bytes
    assert tile(TileConfig(run=config.run, memory_bytes=memory_bytes)).estimate == cost  # as it is written
