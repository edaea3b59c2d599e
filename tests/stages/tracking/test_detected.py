"""Objects of a run are read from its tiles, each once: what stays is decided for a whole plane, never for a tile."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geowatch.errors import ConfigError, DamagedError
from geowatch.grid.tiles import Tile
from geowatch.predict.recipe import BoxesPin, HeadPin
from geowatch.sites.detections import Detections, detections_key
from geowatch.sites.suppression import suppressed
from geowatch.stages.predicting.box_heads import SEEN
from geowatch.stages.tracking.detected import chosen_boxes, detected
from geowatch.store import LocalStore
from geowatch.store.markers import Marker, MarkerPlace, StoredObject, write_marker
from tests.sites.test_detections import boxes

RECIPE, GRID = SimpleNamespace(digest="ab" * 32), SimpleNamespace(id="utm18n")
PIN = BoxesPin(name="ships", classes=("ship", "boat"), min_score=0.1, max_overlap=0.3, margin_px=4)


def stored(folder, found: Detections, tile_px: int) -> LocalStore:
    """Write boxes into the tiles that own them, in two time blocks of two planes."""
    store = LocalStore(folder)
    owner = np.stack([found.time // 2, found.row // tile_px, found.column // tile_px], axis=1)
    for block, iy, ix in np.unique(owner, axis=0).tolist():
        tile = Tile(GRID.id, iy, ix)
        content = found.where((owner == [block, iy, ix]).all(axis=1)).ordered().to_bytes()
        key = detections_key(RECIPE.digest, PIN.name, block, tile)
        store.put(key, content)
        objects = (StoredObject.of(key, content),)
        marker = Marker(tile=tile.name, time=block, recipe=RECIPE.digest, valid_px=1, objects=objects)
        write_marker(store, MarkerPlace(RECIPE.digest, tile, block), marker)
    return store


def read(store: LocalStore) -> bytes:
    found = list(detected(store, RECIPE, PIN, GRID))
    assert [time for time, _ in found] == sorted({time for time, _ in found})
    return Detections.joined([each for _, each in found]).to_bytes()


@settings(deadline=None, max_examples=25)
@given(boxes(most=40, reach=14), st.integers(0, 2**32 - 1), st.sampled_from([3, 7, 16, 500]))
def test_what_stays_does_not_depend_on_tiles(tmp_path_factory, found, seed, tile_px):
    columns = {name: getattr(found, name) for name in Detections.__slots__}
    found = Detections(**{**columns, "time": np.random.default_rng(seed).integers(0, 4, len(found)).astype(np.int32)})
    whole = [suppressed(found.where(found.time == time), 0.3) for time in range(4)]
    store = stored(tmp_path_factory.mktemp("tiles"), found, tile_px)
    assert read(store) == Detections.joined(whole).to_bytes()


def test_a_row_of_three_across_a_seam_keeps_its_ends(tmp_path):
    corners = np.array([[0, 0, 10, 10], [0, 5, 10, 15], [0, 10, 10, 20.0]])
    row = Detections.of(corners, np.zeros(3, int), np.array([0.9, 0.8, 0.7]))
    ((_, found),) = detected(stored(tmp_path, row, 8), RECIPE, PIN, GRID)
    assert (found.x0 // 16).tolist() == [0, 10]


def test_bytes_that_are_not_those_of_the_marker_are_told(tmp_path):
    store = stored(tmp_path, Detections.of(np.array([[0, 0, 9, 9.0]]), np.zeros(1, int), np.ones(1)), 8)
    (path,) = (tmp_path / "detections").rglob("*.arrow")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DamagedError, match="are not those that were written"):
        read(store)


def test_boxes_are_meant_where_there_is_nothing_else_or_they_are_named():
    scores = HeadPin(name="cloud", classes=("a",), activation="softmax", stored="uint8")
    other = PIN.model_copy(update={"name": "cars"})

    def run(*heads: HeadPin, boxes: tuple[BoxesPin, ...] = (PIN,)) -> SimpleNamespace:
        return SimpleNamespace(heads=heads, boxes=boxes)

    assert chosen_boxes(run(SEEN), None) == PIN
    assert chosen_boxes(run(scores), None) is None
    assert chosen_boxes(run(scores), "ships") == PIN
    assert chosen_boxes(run(scores), "cloud") is None
    assert chosen_boxes(run(scores, boxes=()), None) is None
    with pytest.raises(ConfigError, match="the run has ships, cars"):
        chosen_boxes(run(SEEN, boxes=(PIN, other)), None)
