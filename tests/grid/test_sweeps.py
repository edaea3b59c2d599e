"""Sweeps: aligned blocks that cover each tile once, and shares on which workers agree without talking."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError
from geowatch.grid.sweeps import Sweep, cut_sweeps, shard_of, sweep_order
from geowatch.grid.tiles import Tile, TileTable

quick = settings(max_examples=60, deadline=None)
blocks = st.tuples(st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]))


def table(grid, rows):
    columns = np.array(sorted(rows), dtype=np.int32).reshape(-1, 2)
    return TileTable(grid, columns[:, 0].copy(), columns[:, 1].copy())


@st.composite
def plans(draw):
    """One to three grids of any tiles."""
    indices = st.sets(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=40)
    return {grid: table(grid, draw(indices)) for grid in draw(st.sampled_from(["a", "ab", "abc"]))}


def every(tables):
    return [tile for held in tables.values() for tile in held]


@quick
@given(plans(), blocks, st.integers(1, 50))
def test_each_tile_is_in_exactly_one_sweep_of_one_aligned_block(tables, sweep_tiles, at_least):
    sweeps = cut_sweeps(tables, sweep_tiles, at_least=at_least)
    rows, cols = sweeps.tiles
    tiles = [tile for sweep in sweeps for tile in sweep.tiles]
    assert sorted(tiles) == sorted(every(tables))
    assert len(sweeps) == len(list(sweeps)) >= min(at_least, len(tiles))
    seen = [{(tile.grid, tile.iy // rows, tile.ix // cols) for tile in sweep.tiles} for sweep in sweeps]
    assert all(len(block) == 1 for block in seen)
    assert len(set.union(*seen)) == len(seen)
    assert all(list(sweep.tiles) == sorted(sweep.tiles) for sweep in sweeps)


@quick
@given(plans(), blocks, st.integers(1, 8), st.integers(1, 30))
def test_shares_partition_the_sweeps_in_order(tables, sweep_tiles, shards, at_least):
    sweeps = cut_sweeps(tables, sweep_tiles, at_least=at_least)
    shares = [list(shard_of(sweeps, index, shards)) for index in range(shards)]
    assert list(itertools.chain(*shares)) == list(sweeps)
    largest = max(len(sweep.tiles) for sweep in sweeps)
    held = [sum(len(sweep.tiles) for sweep in share) for share in shares]
    assert max(held) <= sum(held) / shards + largest
    as_tuple = tuple(sweeps)
    assert [list(shard_of(as_tuple, index, shards)) for index in range(shards)] == shares


@quick
@given(plans(), blocks, st.sets(st.integers(0, 100)), st.integers(1, 6))
def test_what_is_done_moves_no_block_and_no_share(tables, sweep_tiles, picks, shards):
    tiles = every(tables)
    done = {tiles[pick] for pick in picks if pick < len(tiles)}
    whole = cut_sweeps(tables, sweep_tiles)
    expected = [
        [
            Sweep(s.grid, left)
            for s in shard_of(whole, i, shards)
            if (left := tuple(t for t in s.tiles if t not in done))
        ]
        for i in range(shards)
    ]
    masks = {grid: np.array([tile in done for tile in held]) for grid, held in tables.items()}
    for given_as in (done.__contains__, masks):
        rest = cut_sweeps(tables, sweep_tiles, done=given_as)
        assert [list(shard_of(rest, i, shards)) for i in range(shards)] == expected
        assert [list(shard_of(whole, i, shards).without(given_as)) for i in range(shards)] == expected
        assert rest.tile_count == len(tiles) - len(done)


@quick
@given(plans(), blocks)
def test_a_sweep_by_number_is_the_one_of_the_loop(tables, sweep_tiles):
    sweeps = cut_sweeps(tables, sweep_tiles)
    assert [sweeps[at] for at in range(len(sweeps))] == list(sweeps)
    assert sweeps[-1] == list(sweeps)[-1]
    with pytest.raises(IndexError):
        sweeps[len(sweeps)]


@quick
@given(plans(), blocks)
def test_tiles_of_a_sweep_stand_together_in_sweep_order(tables, sweep_tiles):
    for grid, held in tables.items():
        order = sweep_order(held.iy, held.ix, sweep_tiles)
        assert sorted(order.tolist()) == list(range(len(held)))
        ordered = held[order]
        assert list(ordered) == [tile for sweep in cut_sweeps({grid: held}, sweep_tiles) for tile in sweep.tiles]
        assert sweep_order(ordered.iy, ordered.ix, sweep_tiles).tolist() == list(range(len(held)))


def test_halving_stays_inside_the_larger_blocks():
    held = {"g": table("g", itertools.product(range(8), range(4)))}
    whole = cut_sweeps(held, (8, 4))
    assert len(whole) == 1
    assert [cut_sweeps(held, (8, 4), at_least=n).tiles for n in (2, 3, 5, 9, 17, 99)] == [
        (4, 4), (2, 4), (2, 2), (1, 2), (1, 1), (1, 1),
    ]  # fmt: skip


def test_more_shares_than_sweeps_leave_some_empty():
    sweeps = cut_sweeps({"g": table("g", [(0, 0), (0, 1)])}, (1, 1))
    assert [len(shard_of(sweeps, index, 5)) for index in range(5)] == [1, 0, 1, 0, 0]


def test_an_empty_plan_has_no_sweeps():
    sweeps = cut_sweeps([table("g", [])], (2, 2), at_least=4)
    assert len(sweeps) == 0
    assert list(shard_of(sweeps, 0, 3)) == []


@pytest.mark.parametrize(("index", "shards"), [(-1, 2), (2, 2), (0, 0)])
def test_a_share_that_is_none_is_refused(index, shards):
    sweeps = cut_sweeps([table("g", [(0, 0)])], (1, 1))
    with pytest.raises(ConfigError, match="share"):
        shard_of(sweeps, index, shards)


def test_a_share_of_a_share_is_refused():
    sweeps = cut_sweeps([table("g", [(0, 0)])], (1, 1))
    with pytest.raises(ConfigError, match="already"):
        shard_of(shard_of(sweeps, 0, 2), 0, 2)


@pytest.mark.parametrize("sweep_tiles", [(0, 1), (3, 2), (2, -2)])
def test_blocks_that_cannot_be_halved_are_refused(sweep_tiles):
    with pytest.raises(ConfigError, match="sweeps of") as caught:
        cut_sweeps([table("g", [(0, 0)])], sweep_tiles)
    assert "powers of two" in caught.value.hint


def test_tiles_are_objects_only_when_taken():
    side = 1000
    iy, ix = np.divmod(np.arange(side * side, dtype=np.int32), side)
    sweeps = cut_sweeps([TileTable("g", iy.astype(np.int32), ix.astype(np.int32))], (8, 8))
    assert len(sweeps) == 125 * 125
    assert sweeps[200].tiles[0] == Tile("g", 8, 600)
