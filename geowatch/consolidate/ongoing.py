"""What goes on: places that a later run may add to, kept as they were found and before any decision.

A site that has not ended is kept with its components, their pixels, sums of scores and links, and so is a place that
was no site for its area, score or days. A later run puts its own components to them and decides on both together, by
the code that decides on components of one run. What has ended is not kept: it stays as the tables have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geowatch.consolidate.found import Found, group_of, names_of, references
from geowatch.consolidate.shelf import Long
from geowatch.sites.fragment import listed, unlisted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.parts import Parts
    from geowatch.grid.areas import Ints

__all__ = ["Ongoing", "ongoing_row", "ongoing_schema", "read_ongoing"]

#: Columns that only pieces of a run's own dates have.
_PASSING = tuple(name for name in names_of() if name.startswith(("first_", "begun_", "kin_")))
#: Columns of links over days alone.
_GAPS = ("link_gap_px", "left_piece", "left_y", "left_x0", "left_x1")
#: Columns of the first piece, by which candidates are put in order.
_LEAD = ("grid", "plane", "kind", "y", "x")


class Ongoing:
    """Places that go on, as they come, for the one who takes them in another order."""

    def __init__(self, folder: Path, classes: int) -> None:
        """Keep them in files in ``folder``, one a group of columns; ``classes`` is the K of the scores."""
        folder.mkdir()
        self._tables = {group: Long(folder / group, kind) for group, kind in _tables(classes).items()}
        self._leads: list[NDArray[np.int32]] = []
        self._places: list[Ints] = []

    def add(self, parts: Parts, place: Ints) -> None:
        """Keep candidates; ``place`` is that of each as a site on the shelf, -1 for none."""
        if not len(place):
            return
        found, owner = parts.whole()
        first = np.searchsorted(owner, np.arange(len(place) + 1))
        self._leads.append(np.stack([getattr(found, name)[first[:-1]].astype(np.int32) for name in _LEAD]))
        self._places.append(place)
        for group, table in self._tables.items():
            of = owner if group == "plane" else owner[getattr(found, group)]
            rows = np.zeros(len(of), table.dtype)
            for name in rows.dtype.names or ():
                values = getattr(found, name)
                rows[name] = values - first[owner[values]] if name in references() else values
            table.add(rows, np.searchsorted(of, np.arange(len(place) + 1)))

    def shares(self, at_once: int) -> Iterator[tuple[Found, Ints]]:
        """Yield pieces in the order of their candidates' first ones, and for each the place of its site, or -1."""
        place = np.concatenate([np.zeros(0, np.int64), *self._places])
        order = np.lexsort(np.concatenate([np.zeros((len(_LEAD), 0), np.int32), *self._leads], axis=1)[::-1])
        for first in range(0, len(order), at_once):
            share = order[first : first + at_once]
            yield self._taken(share, place[share])

    def _taken(self, at: NDArray[np.intp], place: Ints) -> tuple[Found, Ints]:
        taken = [table.take(at) for table in self._tables.values()]
        pieces = taken[0][1]
        columns: dict[str, Any] = {}
        for rows, start in taken:
            shift = np.repeat(pieces[:-1], np.diff(start)).astype(np.int32)
            for name in rows.dtype.names or ():
                columns[name] = rows[name] + shift if name in references() else rows[name]
        return _completed(columns), np.repeat(place, np.diff(pieces))

    def close(self) -> None:
        """Close the files."""
        for table in self._tables.values():
            table.close()


def _tables(classes: int) -> dict[str, np.dtype[Any]]:
    """Return the rows of each group of columns, those of pieces first."""
    groups: dict[str, list[tuple[Any, ...]]] = {"plane": []}
    for name, kind in _types().items():
        if name not in _PASSING:
            shape = ((classes,),) if name == "series_sums" else ()
            groups.setdefault(group_of(name), []).append((name, kind, *shape))
    return {group: np.dtype(columns, align=True) for group, columns in groups.items()}


def _types() -> dict[str, np.dtype[Any]]:
    hints = {each.name: str(each.type) for each in Found.__dataclass_fields__.values()}
    return {
        name: np.dtype(np.int64 if hint == "Ints" else hint.partition("np.")[2].rstrip("]"))
        for name, hint in hints.items()
    }


def _completed(columns: dict[str, Any]) -> Found:
    """Return pieces with the columns that are not kept, empty."""
    empty = {name: np.zeros(0, kind) for name, kind in _types().items() if name in _PASSING}
    return Found(**(empty | columns))


def ongoing_schema(*, over_days: bool) -> pa.Schema:
    """Return the columns of the table of what goes on: a batch is one row, and a column of it a list.

    ``over_days`` says whether pieces are linked over days.
    """
    left_out = _PASSING if over_days else _PASSING + _GAPS
    kinds = [(name, kind) for name, kind in _types().items() if name not in left_out]
    fields = [pa.field(name, pa.large_list(pa.from_numpy_dtype(kind)), nullable=False) for name, kind in kinds]
    return pa.schema([*fields, pa.field("site", pa.large_list(pa.int64()), nullable=False)])


def ongoing_row(found: Found, site: Ints, schema: pa.Schema) -> pa.RecordBatch:
    """Return pieces as one row; ``site`` is the number of the site of each, -1 for none."""
    values = [site if name == "site" else getattr(found, name) for name in schema.names]
    arrays = [listed(each).cast(field.type) for each, field in zip(values, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def read_ongoing(batches: Iterator[pa.RecordBatch], classes: int) -> tuple[Found, Ints]:
    """Return all pieces, and the number of the site of each.

    Raises:
        ValueError: where columns are not what they should be.
    """
    parts, sites = [], []
    for batch in batches:
        batch.validate(full=True)  # a list that ends beyond its values would end the process
        columns = _read_columns(batch)
        columns["series_sums"] = columns["series_sums"].reshape(-1, classes)
        found = _completed(columns)
        _check(found)
        parts.append(found)
        sites.append(unlisted(batch.column("site"), np.dtype(np.int64)))
    if not parts:
        nothing = {
            name: np.zeros((0, classes) if name == "series_sums" else 0, kind) for name, kind in _types().items()
        }
        return Found(**nothing), np.zeros(0, dtype=np.int64)
    return Found.join(parts), np.concatenate(sites)


def _read_columns(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return the columns that are kept; those of links over days say nothing where there are none."""
    kept = {name: kind for name, kind in _types().items() if name not in _PASSING}
    there = {name: kind for name, kind in kept.items() if name in batch.schema.names or name not in _GAPS}
    columns: dict[str, Any] = {name: unlisted(batch.column(name), kind) for name, kind in there.items()}
    rows = {"link_gap_px": len(columns["link_a"])}
    return {name: np.zeros(rows.get(name, 0), kind) for name, kind in kept.items()} | columns


def _check(found: Found) -> None:
    for name in names_of():
        values = getattr(found, name)
        if len(values) != len(getattr(found, group_of(name))):
            raise ValueError(f"column {name} has {len(values)} rows")
        if name in references() and len(values) and not 0 <= values.min() <= values.max() < len(found):
            raise ValueError(f"column {name} names pieces that are not there")
