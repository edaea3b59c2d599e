import pytest

from geowatch.grid.tiles import Tile
from geowatch.store import LocalStore
from geowatch.store.markers import (
    Marker,
    MarkerPlace,
    StoredObject,
    is_done,
    markers_in,
    read_marker,
    write_marker,
)

RECIPE = "ab" * 32
PLACE = MarkerPlace(RECIPE, Tile("utm18n", 3, -4), 0)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def finished(store, content=b"shard"):
    store.put("heatmap.zarr/a/c/0/0/0/0", content)
    stored = StoredObject.of("heatmap.zarr/a/c/0/0/0/0", content)
    return Marker(tile=PLACE.tile.name, time=0, recipe=RECIPE, valid_px=7, objects=(stored,))


def test_a_tile_is_done_when_its_marker_and_objects_are_there(store):
    assert not is_done(store, PLACE)
    write_marker(store, PLACE, finished(store))
    assert is_done(store, PLACE)
    assert list(markers_in(store, RECIPE)) == [PLACE]


def test_a_deleted_or_shortened_object_makes_the_tile_undone(store):
    write_marker(store, PLACE, finished(store))
    store.put("heatmap.zarr/a/c/0/0/0/0", b"shar")
    assert not is_done(store, PLACE)
    store.delete("heatmap.zarr/a/c/0/0/0/0")
    assert not is_done(store, PLACE)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"schema_version": "1"}', b"\xff\xfe"])
def test_a_damaged_marker_counts_for_nothing_and_is_replaced(store, damage):
    marker = finished(store)
    store.put(PLACE.key, damage)
    assert read_marker(store, PLACE) is None
    write_marker(store, PLACE, marker)
    assert read_marker(store, PLACE) == marker


def test_a_marker_of_another_tile_or_recipe_counts_for_nothing(store):
    write_marker(store, PLACE, finished(store))
    for other in (
        MarkerPlace(RECIPE, Tile("utm18n", 3, -5), 0),
        MarkerPlace("ab" * 31 + "cd", PLACE.tile, 0),
    ):
        store.put(other.key, store.get(PLACE.key))
        assert read_marker(store, other) is None


def test_a_second_writer_does_no_harm(store):
    first = finished(store)
    write_marker(store, PLACE, first)
    write_marker(store, PLACE, first.model_copy(update={"valid_px": 8}))
    assert read_marker(store, PLACE) == first
