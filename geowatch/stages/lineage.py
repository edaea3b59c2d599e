"""Lineage: what made an artifact of a run, read from the records beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.errors import InputError
from geowatch.lineage import Made, load
from geowatch.stages.working.provenance import LINEAGE
from geowatch.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.store import Store

__all__ = ["lineage"]


def lineage(run: str = "gw-run", artifact: str | None = None) -> tuple[Made, ...]:
    """Return the records of an artifact of a run, such as ``map.tif``, oldest first; of all without one.

    A heatmap has a record for each call of predict that added to it.

    Raises:
        InputError: where there are no such records.
    """
    store = open_store(run)
    records = sorted(_records(store), key=lambda made: (made.artifact, made.made_at))
    found = tuple(made for made in records if artifact in {None, made.artifact})
    if not found:
        known = ", ".join(sorted({made.artifact for made in records}))
        hint = (
            f"there are records of: {known}" if known else "name the run with --run, and what it made as it lies there"
        )
        raise InputError(f"{store.url} has no record of '{artifact or 'anything'}'", hint=hint)
    return found


def _records(store: Store) -> Iterator[Made]:
    for key in store.list(f"{LINEAGE}/"):
        yield load(store.get(key))
