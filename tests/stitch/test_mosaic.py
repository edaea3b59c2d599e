import numpy as np
import pytest
import zarr

from geowatch.errors import DamagedError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid
from geowatch.grid.tiles import Tile
from geowatch.stitch.cores import Core
from geowatch.stitch.heatmap import HeadLayout, HeatmapLayout
from geowatch.stitch.mosaic import Mosaic
from geowatch.stitch.publish import publish_core
from geowatch.stitch.quantise import Quantiser
from geowatch.store import LocalStore

HEAD = HeadLayout("cover", ("a", "b"), Quantiser("uint8"))
GRID = Grid("utm18n", Lattice("EPSG:32618", -10.0, 10.0), 64, PixelBox(0, 0, 100, 100))
LAYOUT = HeatmapLayout(GRID, (HEAD,), (None,))
RECIPE = "ab" * 32
HERE, THERE = Tile("utm18n", 0, 0), Tile("utm18n", 1, 1)


@pytest.fixture
def mosaic(tmp_path):
    store = LocalStore(tmp_path)
    rng = np.random.default_rng(0)
    for tile in (HERE, THERE):
        values = rng.integers(0, 255, (1, 2, 64, 64)).astype(np.uint8)
        publish_core(store, LAYOUT, Core(tile, (values,), 10), 0, RECIPE)
    return Mosaic(store, LAYOUT, RECIPE)


def test_what_was_published_is_read(mosaic):
    assert mosaic.is_there(HERE, 0)
    assert not np.array_equal(mosaic.core(HERE, 0, HEAD), mosaic.core(THERE, 0, HEAD))


def test_a_whole_shard_in_another_tiles_place_is_damage(mosaic):
    here, there = (LAYOUT.shard_key(HEAD, tile, 0) for tile in (HERE, THERE))
    mosaic.store.put(here, mosaic.store.get(there))
    with pytest.raises(DamagedError, match="not those that were written"):
        mosaic.core(HERE, 0, HEAD)


def test_a_tile_without_marker_is_not_there_and_reads_as_fill(mosaic):
    absent = Tile("utm18n", 0, 1)
    assert not mosaic.is_there(absent, 0)
    assert (mosaic.core(absent, 0, HEAD) == 255).all()


@pytest.mark.parametrize(
    "at", [(slice(0, 64), slice(0, 64)), (slice(3, 40), slice(17, 18)), (slice(60, 64), slice(0, 5))]
)
def test_a_window_is_that_part_of_the_core(mosaic, at):
    core = mosaic.core(HERE, 0, HEAD)
    assert np.array_equal(mosaic.window(HERE, 0, HEAD, at, (1,)), core[[1]][(slice(None), *at)])
    assert np.array_equal(mosaic.window(HERE, 0, HEAD, at, (1, 0)), core[[1, 0]][(slice(None), *at)])


def test_a_tile_without_marker_has_no_window(mosaic):
    assert mosaic.window(Tile("utm18n", 0, 1), 0, HEAD, (slice(2, 5), slice(0, 64)), (0,)) is None


def test_planes_of_a_block_are_one_object_and_each_is_read_by_itself(tmp_path):
    layout = HeatmapLayout(GRID, (HEAD,), (None,) * 5, block=3)
    store = LocalStore(tmp_path)
    rng = np.random.default_rng(0)
    blocks = [rng.integers(0, 255, (3, 2, 64, 64)).astype(np.uint8) for _ in range(2)]
    for number, values in enumerate(blocks):
        publish_core(store, layout, Core(HERE, (values,), 10), number, RECIPE)
    layout.publish(store)
    read = Mosaic(store, layout, RECIPE)
    array = zarr.open_group(tmp_path / "heatmap.zarr", mode="r")["cover"]
    assert array.shards == (3, 2, 64, 64)
    for time in range(5):
        values = blocks[time // 3][time % 3]
        assert np.array_equal(read.core(HERE, time, HEAD), values)
        assert np.array_equal(np.asarray(array[time, :, :64, :64]), values)
        assert np.array_equal(read.window(HERE, time, HEAD, (slice(3, 9), slice(0, 64)), (1,)), values[[1], 3:9])
    assert sum(1 for key in store.list("heatmap.zarr/cover/c/")) == 2
    assert not read.is_there(THERE, 4)
