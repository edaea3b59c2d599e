"""The record of a run's sites: which fragments they were made of, and each of their files with size and digest.

It is to sites what a marker is to a tile: it goes before the first table is replaced and is written after the last
file, so where it stands everything that it lists belongs together. What is listed can be checked (gw verify), and
whether fragments are still those that sites were made of can be told (gw status).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import DamagedError
from geowatch.sites.fragment import FRAGMENTS, SEAL_BYTES, sealed_digest
from geowatch.store.markers import StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from geowatch.store import Store

__all__ = ["RECORD", "SiteRecord", "fragments_digest", "fragments_in", "read_record", "write_record"]

#: Key of the record.
RECORD = "sites.json"


class SiteRecord(BaseModel):
    """What a run's sites are made of, and their files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    tracking: str
    """Digest of the tracking."""
    fragments: str
    """Digest of the fragments that were joined: of their names and digests."""
    tiles: int
    """How many these were."""
    missing: tuple[str, ...] = ()
    """Tiles that had none."""
    sites: int
    """Sites."""
    observations: int
    """Observations of them."""
    files: tuple[StoredObject, ...]
    """Tables, and what people open."""


def fragments_in(store: Store, tracking: str) -> list[str]:
    """Return the keys of a tracking's fragments."""
    return [key for key in store.list(f"{FRAGMENTS}/{tracking[:12]}/") if key.endswith(".arrow")]


def fragments_digest(store: Store, keys: Iterable[str]) -> str:
    """Return the digest of fragments: of their names and of the digests at their ends, which alone are read."""
    digest = sha256()
    for key in sorted(keys):
        size = store.size(key) or 0
        stated = sealed_digest(store.get(key, max(0, size - SEAL_BYTES), SEAL_BYTES)) if size else None
        digest.update(f"{key} {stated}\n".encode())
    return digest.hexdigest()


def read_record(store: Store) -> SiteRecord | None:
    """Return the record, or None where there is none: no sites, or such as are not finished.

    Raises:
        DamagedError: for what is no record.
    """
    if store.size(RECORD) is None:
        return None
    try:
        return SiteRecord.model_validate_json(store.get(RECORD))
    except ValidationError as error:
        raise DamagedError(
            f"{RECORD} in {store.url} is damaged: {error.errors()[0]['msg']}",
            hint="remove it, and gw consolidate makes it again",
        ) from error


def write_record(store: Store, record: SiteRecord, made: Mapping[str, str], before: SiteRecord | None) -> None:
    """Publish a record that lists what was made (sha256 by key), and what an earlier call made of the same tables."""
    files = {key: StoredObject(key=key, size_bytes=store.size(key) or 0, sha256=digest) for key, digest in made.items()}
    for each in before.files if before is not None else ():
        if each.key not in files and store.size(each.key) == each.size_bytes:
            files[each.key] = each
    listed = record.model_copy(update={"files": tuple(files[key] for key in sorted(files))})
    store.put(RECORD, (listed.model_dump_json(indent=1) + "\n").encode())
