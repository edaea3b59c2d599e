"""``run.json``: what a run was asked for.

The first plan of a run folder writes it. A later call may leave options out (they stay as they were) or give
those that were open; one that asks for something else is refused with the difference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from geowatch.errors import DamagedError, PlanMismatchError

if TYPE_CHECKING:
    from geowatch.store import Store

__all__ = ["RUN", "Asked", "claim", "merged", "read_asked"]

#: Key of what was asked in a run folder.
RUN = "run.json"
_VERSION = "1"


@dataclass(frozen=True)
class Asked:
    """Options that decide what is planned. None is open."""

    region: str | None = None
    """The region file, as it was given."""
    region_digest: str | None = None
    """Sha256 over the region: its place and time range."""
    crs: str | None = None
    """CRS of the grid."""
    resolution: float | None = None
    """Side of a pixel in units of the CRS."""
    origin: tuple[float, float] | None = None
    """A pixel corner (y, x)."""
    tile_size: int | None = None
    """Side of a tile in pixels."""
    images: tuple[str, ...] | None = None
    """Imagery, as it was given."""
    reading: dict[str, Any] | None = None
    """Other options on imagery."""
    model: str | None = None
    """Package folder, as it was given."""
    window: int | None = None
    """Side of a window in pixels."""
    overlap: float | None = None
    """Overlap of windows."""


#: Files are the same wherever they lie: a region by its digest, a package and bound imagery by theirs in
#: ``package.json`` and ``imagery.json``.
_FREE = frozenset({"region", "model", "images"})


def read_asked(store: Store) -> Asked | None:
    """Return what the run was asked for, or None for a new run. Raises DamagedError for what is no record."""
    if store.size(RUN) is None:
        return None
    try:
        document = json.loads(store.get(RUN))
        return TypeAdapter(Asked).validate_python(document["asked"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise DamagedError(
            f"{RUN} in {store.url} is damaged: {error!s:.200}", hint="start another run with --run"
        ) from error


def claim(store: Store, asked: Asked) -> None:
    """Publish what the run was asked for.

    Raises:
        PlanMismatchError: If another call has made this run for something else in the meantime.
    """
    content = {each.name: getattr(asked, each.name) for each in fields(asked)}
    document = {"schema_version": _VERSION, "asked": content}
    written = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    if not store.put_if_absent(RUN, written):
        merged(read_asked(store), asked, store.url)
        store.put(RUN, written)


def merged(before: Asked | None, now: Asked, where: str) -> Asked:
    """Return what is asked in all: ``now``, and from ``before`` what ``now`` leaves open.

    Raises:
        PlanMismatchError: If both say something, and not the same.
    """
    if before is None:
        return now
    pairs = {each.name: (getattr(before, each.name), getattr(now, each.name)) for each in fields(now)}
    differ = [
        name
        for name, (old, new) in pairs.items()
        if name not in _FREE and old is not None and new is not None and old != new
    ]
    # What people know of a region is its file.
    shown = [name.removesuffix("_digest") for name in differ]
    differences = [
        f"{name.replace('_', ' ')} {_plain(pairs[name][0])} there, {_plain(pairs[name][1])} asked" for name in shown
    ]
    if differences:
        raise PlanMismatchError(
            f"the run in {where} was planned otherwise: {'; '.join(differences)}",
            hint="give the same options, or start another run with --run DIR",
        )
    return replace(now, **{name: old for name, (old, new) in pairs.items() if new is None})


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
