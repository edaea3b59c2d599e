"""The consolidated tables as they stream by."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_sites import made_tables, many_sites

from geowatch.consolidate.output.batches import BATCH_ROWS, SITE_COLUMNS, Batches, groups
from geowatch.consolidate.output.scores import spread_scores
from geowatch.errors import DamagedError


def cut(table: pa.Table, sizes: list[int]) -> Batches:
    """Return the table in batches of these sizes, the last one over and over."""

    def opened():
        start = 0
        for size in sizes + [sizes[-1]] * len(table):
            if start < len(table):
                yield from table.slice(start, size).to_batches()
                start += size

    return Batches(table.schema, opened)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(100, 40_000), min_size=1, max_size=5))
def test_batches_are_the_same_however_the_table_was_cut(sizes):
    table = pa.table({"n": pa.array(range(40_000))})
    lengths = [batch.num_rows for batch in cut(table, sizes)]
    assert lengths == [BATCH_ROWS, BATCH_ROWS, 40_000 - 2 * BATCH_ROWS]
    assert pa.Table.from_batches(cut(table, sizes)).equals(table)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_table_in_a_file_can_be_read_again_and_again(kind):
    sites, _ = made_tables(5)
    out = io.BytesIO()
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(out, sites.schema) as writer:
        for batch in sites:
            writer.write_batch(batch)
    stored = Batches.of_file(lambda: io.BytesIO(out.getvalue()))
    assert stored.crs == "EPSG:32618"
    for _ in range(2):
        assert [batch.num_rows for batch in stored] == [5]


def test_what_is_no_table_is_refused():
    with pytest.raises(DamagedError, match="no Arrow table"):
        Batches.of_file(lambda: io.BytesIO(b"ARROW1 and then nothing"))
    _, observations = made_tables(2)
    with pytest.raises(DamagedError, match="no key, number"):
        observations.require(SITE_COLUMNS, "sites")


def test_observations_of_a_site_stay_together_over_batches():
    _, observations = many_sites(9_000)
    found = {name: rows.num_rows for name, rows in groups(observations)}
    assert len(found) == 9_000
    assert set(found.values()) == {2}


def test_scores_become_a_column_for_each_class():
    _, observations = made_tables(3)
    named = spread_scores(observations, ("No Activity", "Site Preparation", "Active Construction", "Post Construction"))
    batch = next(iter(named))
    assert named.schema.names[-5:-1] == [
        "score_no_activity", "score_site_preparation", "score_active_construction", "score_post_construction",
    ]  # fmt: skip
    whole = next(iter(observations)).to_pylist()
    assert [row["score_post_construction"] for row in batch.to_pylist()] == [row["scores"][3] for row in whole]
    assert spread_scores(observations, ("one",)).schema.names[-5:-1] == ["score_0", "score_1", "score_2", "score_3"]
