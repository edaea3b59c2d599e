"""Writing the consolidated tables: sites in the order of their numbers, a share at a time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from geowatch.consolidate.tables import (
    footprint_batch,
    footprint_schema,
    keys_of,
    observation_batch,
    observation_schema,
    site_batch,
    site_schema,
    twins_of,
)
from geowatch.stages.mapping.deliverables import file_digest
from geowatch.stages.sites.record import RECORD
from geowatch.stages.sites.tables import FOOTPRINTS, OBSERVATIONS, SITES

if TYPE_CHECKING:
    from pathlib import Path

    from geowatch.consolidate.shelf import Shelf
    from geowatch.consolidate.tables import Naming
    from geowatch.grid.areas import Ints
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["Written", "write_tables"]

#: Sites that are written at once, and rows (observations, runs, bytes) that belong to them: constants of the files'
#: form, since batches of the file follow them.
SITES_AT_ONCE, ROWS_AT_ONCE = 16_384, 1 << 24
_OPTIONS = {"compression": "zstd", "use_threads": False}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    digests: dict[str, str]
    """sha256 of each table by key."""
    sites: int
    """Rows of the table of sites."""
    observations: int
    """Rows of the table of observations."""


def write_tables(store: Store, shelf: Shelf, number: Ints, naming: Naming, events: Events) -> Written:
    """Publish the tables of sites, observations and pixels; ``number`` is that of each site on the shelf."""
    order, twins = np.argsort(number, kind="stable"), twins_of(shelf.rows, number)
    schemas = {
        SITES: site_schema(naming), OBSERVATIONS: observation_schema(naming), FOOTPRINTS: footprint_schema(naming),
    }  # fmt: skip
    observations = done = 0
    with ExitStack() as stack:
        paths = {key: stack.enter_context(store.stage(key)) for key in schemas}
        with ExitStack() as files:
            add = {key: files.enter_context(_table(paths[key], schema)).write_batch for key, schema in schemas.items()}
            for share in shelf.shares(order, SITES_AT_ONCE, ROWS_AT_ONCE):
                sites, named = shelf.take(share), number[share]
                add[SITES](site_batch(sites, named, keys_of(sites.rows, naming.terms, twins[share]), naming))
                add[OBSERVATIONS](observation_batch(sites, named, naming))
                add[FOOTPRINTS](footprint_batch(sites, named, naming))
                observations, done = observations + len(sites.seen), done + len(share)
                events.progress("write", done, len(order))
        digests = {key: file_digest(path) for key, path in paths.items()}
        store.delete(RECORD)  # from here on until the new record sites are unfinished
    return Written(digests, len(order), observations)


def _table(path: Path, schema: pa.Schema) -> pa.RecordBatchFileWriter:
    return pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(**_OPTIONS))
