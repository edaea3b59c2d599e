"""Fragments on disk: the same bytes for the same columns, and nothing that is damaged is taken for one."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest

from geowatch.errors import DamagedError
from geowatch.grid.lattice import PixelBox
from geowatch.grid.tiles import Tile
from geowatch.sites.fragment import SEAL_BYTES, Fragment, _columns, fragment_key, sealed_digest

TILE, BOX = Tile("utm18n", 3, -2), PixelBox(192, -128, 256, -64)


def filled(rows: int) -> Fragment:
    columns = {name: np.arange(rows).astype(dtype) for name, dtype in _columns().items()}
    columns["series_sums"] = np.arange(rows * 3).reshape(rows, 3)
    return Fragment(tile=TILE, box=BOX, **columns)


def test_a_fragment_comes_back_as_it_was_written():
    written = filled(5)
    back = Fragment.from_bytes(written.to_bytes())
    assert (back.tile, back.box, back.classes) == (TILE, BOX, 3)
    for name, dtype in _columns().items():
        assert getattr(back, name).dtype == dtype
        assert np.array_equal(getattr(back, name), getattr(written, name)), name


def test_a_fragment_without_links_over_days_stays_in_the_form_that_others_read():
    whole = filled(5)
    nothing = {name: np.zeros(0, dtype) for name, dtype in _columns().items() if name.startswith(("begun_", "left_"))}
    plain = replace(whole, link_gap_px=np.zeros(5, np.int64), **nothing)
    assert Fragment.from_bytes(plain.to_bytes()) == plain
    for version, each in (("4", plain), ("5", whole), ("5", replace(plain, link_gap_px=whole.link_gap_px))):
        with pa.ipc.open_stream(each.to_bytes()[:-SEAL_BYTES]) as stream:
            assert stream.schema.metadata[b"schema_version"] == version.encode()
            assert ("link_gap_px" in stream.schema.names) == (version == "5")


def test_a_fragment_of_another_version_is_refused_with_the_versions_that_are_read():
    content = filled(5).to_bytes()[:-SEAL_BYTES]
    with pa.ipc.open_stream(content) as stream:
        batch = stream.read_next_batch()
    sink = pa.BufferOutputStream()
    about = batch.schema.metadata | {b"schema_version": b"2"}
    with pa.ipc.new_stream(sink, batch.schema.with_metadata(about)) as writer:
        writer.write_batch(batch.replace_schema_metadata(about))
    old = bytes(sink.getvalue())
    with pytest.raises(DamagedError, match="has version 2, this gw reads 4 and 5") as error:
        Fragment.from_bytes(old + b"gw-sha256" + sha256(old).digest())
    assert "gw track" in error.value.hint


def test_an_empty_fragment_keeps_its_place_and_classes():
    back = Fragment.from_bytes(Fragment.empty(TILE, BOX, 4).to_bytes())
    assert (back.tile, back.box, back.classes, back.piece_count) == (TILE, BOX, 4, 0)


def test_the_same_columns_are_the_same_bytes_whatever_memory_they_lie_in():
    other = filled(5)
    spread = np.zeros((5, 6), np.int64)
    spread[:, ::2] = other.series_sums
    columns = {name: getattr(other, name) for name in _columns()} | {"series_sums": spread[:, ::2]}
    assert Fragment(tile=TILE, box=BOX, **columns).to_bytes() == filled(5).to_bytes()


@pytest.mark.parametrize(
    "damage", [lambda b: b[:200], lambda b: b"no", lambda b: b.replace(b"_version\x00", b"_versiom\x00")]
)
def test_what_is_no_fragment_is_refused(damage):
    with pytest.raises(DamagedError):
        Fragment.from_bytes(damage(filled(5).to_bytes()))


def test_a_single_wrong_bit_is_found_wherever_it_is():
    content = filled(5).to_bytes()
    for at in range(0, len(content), 5):
        with pytest.raises(DamagedError, match=r"other bytes|no seal"):
            Fragment.from_bytes(content[:at] + bytes([content[at] ^ 0x01]) + content[at + 1 :])


def test_bytes_that_are_sealed_and_no_fragment_break_nothing_but_the_fragment():
    content = filled(5).to_bytes()[:-SEAL_BYTES]
    for at in range(0, len(content), 5):
        wrong = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
        with contextlib.suppress(DamagedError):
            Fragment.from_bytes(wrong + b"gw-sha256" + sha256(wrong).digest())


def test_the_end_of_a_fragment_states_its_digest():
    content = filled(5).to_bytes()
    assert sealed_digest(content[-SEAL_BYTES:]) == sha256(content[:-SEAL_BYTES]).hexdigest()
    assert sealed_digest(b"gw") is sealed_digest(content[:-1]) is None


def test_columns_of_one_table_have_one_length():
    columns = {name: getattr(filled(3), name) for name in _columns()} | {"area_px": np.zeros(2, np.int64)}
    with pytest.raises(DamagedError, match="area_px"):
        Fragment(tile=TILE, box=BOX, **columns)


def test_runs_of_a_piece_are_found_by_their_starts():
    columns = {name: getattr(filled(3), name) for name in _columns()}
    columns |= {name: np.zeros(4, columns[name].dtype) for name in columns if name.startswith("run_")}
    columns["run_piece"] = np.array([0, 0, 2, 2], np.int32)
    assert Fragment(tile=TILE, box=BOX, **columns).run_starts.tolist() == [0, 2, 2, 4]


def test_the_key_names_tracking_grid_and_tile():
    assert fragment_key("0123456789abcdef", TILE) == "fragments/0123456789ab/utm18n/3_-2.arrow"
