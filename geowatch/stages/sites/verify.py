"""Verify, beyond the heatmap: fragments by the seals at their ends, files of sites by the record that lists them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geowatch.errors import DamagedError
from geowatch.sites.fragment import Fragment, fragment_key
from geowatch.stages.sites.record import RECORD, fragments_digest, fragments_in, read_record
from geowatch.stages.sites.tables import SITES, stored_digest
from geowatch.store.plans import read_plan, read_tiles
from geowatch.track.boxes import objects_key
from geowatch.track.document import TRACKING, Tracking

if TYPE_CHECKING:
    from geowatch.stages.sites.record import SiteRecord
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["Checked", "outdated", "planned_fragments", "verify_fragments", "verify_sites"]

_TRACK, _CONSOLIDATE = "gw track", "gw consolidate"


@dataclass(slots=True)
class Checked:
    """What was found."""

    bytes: int = 0
    """Bytes digested."""
    damaged: list[tuple[str, str, int | None, str]] = field(default_factory=list)
    """(name, what is wrong, place on the time axis, command that makes it again)."""

    def tell(self, name: str, what: str, again: str) -> None:
        """Note that something is damaged."""
        self.damaged.append((name, what, None, again))


def planned_fragments(store: Store, tracking: Tracking) -> list[str]:
    """Return the keys of the fragments that a tracking has when it is finished."""
    plan = read_plan(store)
    tiles = (tile for grid in tracking.grids for tile in read_tiles(store, plan, grid.grid))
    return [fragment_key(tracking.digest, tile) for tile in tiles]


def verify_fragments(store: Store, repair: bool, events: Events) -> tuple[int, Checked]:
    """Read each fragment of what was tracked last, and look for those that sites were made of and that are gone."""
    found = Checked()
    if store.size(TRACKING) is None:
        return 0, found
    tracking = Tracking.from_json(store.get(TRACKING))
    there = fragments_in(store, tracking.digest)
    for number, key in enumerate(there):
        what = _fragment(store, key, found)
        if what is not None:
            found.tell(key, what, _TRACK)
            if repair:
                store.delete(key)
        events.progress("verify fragments", number + 1, len(there), bytes=found.bytes)
    _objects(store, tracking, found)
    for key in sorted(_joined(store, tracking) - set(there)):
        found.tell(key, "is gone, and the sites were made of it", _TRACK)
    return len(there), found


def _fragment(store: Store, key: str, found: Checked) -> str | None:
    """Return what is wrong with a fragment."""
    content = store.get(key)
    found.bytes += len(content)
    try:
        name = Fragment.from_bytes(content).tile.name
    except DamagedError as error:
        return str(error.fact)
    return None if key.endswith(f"/{name}.arrow") else f"holds what was found in {name}"


def _objects(store: Store, tracking: Tracking, found: Checked) -> None:
    """Digest the boxes that were tracked."""
    if tracking.boxes is None:
        return
    again = f"{_TRACK} --objects" if tracking.recipe is None else _TRACK
    what = _file(store, objects_key(tracking.boxes), tracking.boxes)
    if what is not None:
        found.tell(objects_key(tracking.boxes), what, again)


def _joined(store: Store, tracking: Tracking) -> set[str]:
    """Return the keys of the fragments that the sites were made of, if they are of this tracking."""
    record = _record(store)
    if record is None or record.tracking != tracking.digest:
        return set()
    missing = {f"/{name}.arrow" for name in record.missing}
    planned = planned_fragments(store, tracking)
    return {key for key in planned if key[key.index("/", len("fragments/")) :] not in missing}


def _record(store: Store) -> SiteRecord | None:
    try:
        return read_record(store)
    except DamagedError:
        return None  # told where files of sites are


def verify_sites(store: Store, repair: bool, events: Events) -> tuple[int, Checked]:
    """Digest each file of the sites, and tell whether they are made of what was tracked last."""
    found = Checked()
    try:
        record = read_record(store)
    except DamagedError as error:
        found.tell(RECORD, str(error.fact), _CONSOLIDATE)
        record = None
    if record is None:
        if store.size(SITES) is not None and not found.damaged:
            found.tell(SITES, "was not finished, or is of a gw that kept no record", _CONSOLIDATE)
        return 0, found
    for number, listed in enumerate(record.files):
        what = _file(store, listed.key, listed.sha256)
        found.bytes += listed.size_bytes
        if what is not None:
            found.tell(listed.key, what, _CONSOLIDATE)
            if repair:
                store.delete(listed.key)
        events.progress("verify sites", number + 1, len(record.files), bytes=found.bytes)
    if repair and found.damaged:
        store.delete(RECORD)
    why = outdated(store, record)
    if why is not None:
        found.tell(RECORD, why, _CONSOLIDATE)
    return len(record.files), found


def _file(store: Store, key: str, digest: str) -> str | None:
    if store.size(key) is None:
        return "is gone"
    return None if stored_digest(store, key) == digest else "has other bytes than were written"


def outdated(store: Store, record: SiteRecord) -> str | None:
    """Return why sites are not those of what was tracked last; None where they are."""
    if store.size(TRACKING) is None:
        return None
    tracking = Tracking.from_json(store.get(TRACKING))
    if record.tracking != tracking.digest:
        return f"sites are of tracking {record.tracking[:12]}, and the last one is {tracking.digest[:12]}"
    there = fragments_in(store, tracking.digest)
    if not there or record.fragments == fragments_digest(store, there):
        return None
    return "fragments are not those that the sites were made of"
