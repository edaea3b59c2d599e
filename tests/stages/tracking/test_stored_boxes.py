"""Boxes of many planes on disk: whoever needs a plane reads that plane's."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from geowatch.errors import DamagedError
from geowatch.stages.tracking import stored_boxes
from geowatch.stages.tracking.stored_boxes import StoredBoxes, packed
from geowatch.store import open_store
from geowatch.track.boxes import Boxes, objects_key


def some(count: int, seed: int) -> Boxes:
    draw = np.random.default_rng(seed)
    first = draw.integers(-500, 500, (count, 2), np.int32)
    corners = np.concatenate([first, first + draw.integers(1, 30, (count, 2), np.int32)], axis=1)
    kind, score = draw.integers(0, 3, count).astype(np.int16), draw.integers(1, 32768, count).astype(np.uint16)
    return Boxes.ordered(corners, kind, score)


@pytest.fixture
def kept(tmp_path):
    """A file of 20 planes on two grids, its digest, and the store."""
    content = packed((grid, plane, some(100, 100 * grid + plane)) for grid in (0, 1) for plane in range(20))
    store, digest = open_store(tmp_path), sha256(content).hexdigest()
    store.put(objects_key(digest), content)
    return store, digest


def same(one: Boxes, other: Boxes) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Boxes.__slots__)


def test_planes_come_back_and_only_what_is_asked_for_is_read(kept, monkeypatch):
    store, digest = kept
    monkeypatch.setattr(stored_boxes, "_HELD", 250)
    boxes = StoredBoxes.open(store, digest, 1)
    sizes: list[int] = []
    get = type(store).get

    def counted(self, key, start=None, length=None):
        sizes.append(length or 0)
        return get(self, key, start, length)

    monkeypatch.setattr(type(store), "get", counted)
    for plane in (3, 4, 3, 19, 4, 77):
        assert same(boxes(plane), some(100 if plane < 20 else 0, 100 + plane))
        assert len(boxes._held) <= 3
        assert sum(map(len, boxes._held.values())) <= 250
    # Plane 4 had made room for plane 19, since 3 was used after it.
    assert len(sizes) == 4
    assert sum(sizes) < store.size(objects_key(digest)) / 5


def test_boxes_that_do_not_count_are_left_out(kept):
    found = StoredBoxes.open(*kept, 0, lambda boxes: boxes.kind == 2)(5)
    everything = some(100, 5)
    assert same(found, everything.where(everything.kind == 2))


def test_damaged_boxes_are_refused(kept):
    store, digest = kept
    content = bytearray(store.get(objects_key(digest)))
    content[1000] ^= 1
    store.put(objects_key(digest), bytes(content))
    with pytest.raises(DamagedError, match="is damaged"):
        StoredBoxes.open(store, digest, 0)
