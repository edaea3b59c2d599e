"""A list of scores as one column for each class, for files and programs that have no lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from geowatch.consolidate.output.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

__all__ = ["column_name", "spread_scores"]


def spread_scores(observations: Batches, classes: Sequence[str] = ()) -> Batches:
    """Return the table with ``score_<class>`` for each class in place of ``scores``; they are numbered without names.

    >>> column_name("Site Preparation")
    'score_site_preparation'
    """
    import pyarrow as pa

    count = _count(observations)
    names = [column_name(name) for name in classes]
    if len(set(names)) != count:
        names = [f"score_{k}" for k in range(count)]
    kept = [field for field in observations.schema if field.name != "scores"]
    fields = [*kept[:-1], *(pa.field(name, pa.float32()) for name in names), kept[-1]]
    schema = pa.schema(fields, observations.schema.metadata)
    return Batches(schema, lambda: _spread(observations, schema, len(names)))


def column_name(kind: str) -> str:
    """Return the column of a class: lower case, underscores for what is no letter or digit."""
    return f"score_{re.sub(r'[^a-z0-9]+', '_', kind.lower()).strip('_')}"


def _count(observations: Batches) -> int:
    """Return how many scores the first row that has any has."""
    import pyarrow.compute as pc

    for batch in observations:
        length = pc.max(pc.list_value_length(batch.column(batch.schema.get_field_index("scores")))).as_py()
        if length:
            return int(length)
    return 0


def _spread(observations: Batches, schema: pa.Schema, count: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in observations:
        place = batch.schema.get_field_index("scores")
        lists = batch.column(place)
        # A row without scores has an empty list: it gets nulls.
        full = pc.if_else(pc.equal(pc.list_value_length(lists), count), lists, pa.scalar(None, lists.type))
        columns = [pc.list_element(full, k) for k in range(count)]
        kept = [column for k, column in enumerate(batch.columns) if k != place]
        yield pa.RecordBatch.from_arrays([*kept[:-1], *columns, kept[-1]], schema=schema)
