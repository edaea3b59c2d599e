"""What goes on, as a run keeps it for a later one: pieces, and what must be the same there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geowatch.consolidate.axis import frozen_from
from geowatch.consolidate.ongoing import ongoing_row, ongoing_schema
from geowatch.errors import DamagedError, InputError
from geowatch.stages.site_tables import ONGOING
from geowatch.track.timewise import MovingMean

if TYPE_CHECKING:
    from geowatch.consolidate.ongoing import Ongoing
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints
    from geowatch.store import Store
    from geowatch.track.document import Tracking

__all__ = ["OPTIONS", "History", "frozen_day", "write_ongoing"]

_VERSION = "1"
_AT_ONCE = 16_384
_OPTIONS = {"compression": "zstd", "use_threads": False}
_AGAIN = "gw track --{} {{}}, or leave --previous out"
#: What must be the same in both runs, by its name in the tracking document: the option, and the remedy.
OPTIONS = {
    "salient": ("--classes", _AGAIN.format("classes")),
    "low": ("--low", _AGAIN.format("low")),
    "high": ("--high", _AGAIN.format("high")),
    "aggregate": ("--aggregate", _AGAIN.format("aggregate")),
    "smooth_time": ("--smooth-time", _AGAIN.format("smooth-time")),
    "smooth_px": ("--smooth-px", _AGAIN.format("smooth-px")),
    "open_px": ("--open-px", _AGAIN.format("open-px")),
    "close_px": ("--close-px", _AGAIN.format("close-px")),
    "connectivity": ("--connectivity", _AGAIN.format("connectivity")),
    "subpixel": ("--subpixel", "gw track with the same --subpixel, or leave --previous out"),
    "coarse": ("--coarse", _AGAIN.format("coarse")),
    "algorithm": ("version", "run gw track and gw consolidate there again"),
}


@dataclass(frozen=True, slots=True)
class History:
    """What a later run must know of this one, beside its sites."""

    options: dict[str, Any]
    """What was tracked: `OPTIONS`."""
    days: dict[str, list[int]]
    """By grid: days of the axis of time."""
    planes: dict[str, list[int]]
    """By grid: places on it that were looked at."""
    frozen: int | None
    """First day that a later run can change; None where sites cannot go on."""
    next_number: int
    """Number of the next site."""
    tables: dict[str, str]
    """sha256 of the tables that it belongs to."""

    @classmethod
    def of(
        cls, tracking: Tracking, terms: Terms, frozen: int | None, next_number: int, tables: dict[str, str]
    ) -> History:
        """Return what a run leaves; ``terms`` are of all dates so far."""
        days, planes = (
            {name: each.tolist() for name, each in zip(terms.grids, columns, strict=True)}
            for columns in (terms.days, terms.planes)
        )
        return cls(cls.options_of(tracking), days, planes, frozen, next_number, tables)

    @staticmethod
    def options_of(tracking: Tracking) -> dict[str, Any]:
        """Return what must be the same in both runs."""
        document = json.loads(tracking.model_dump_json())
        return {name: document[name] for name in OPTIONS}

    @property
    def metadata(self) -> dict[str, str]:
        """As a table's metadata."""
        names = ("options", "days", "planes", "frozen", "next_number", "tables")
        return {"schema_version": _VERSION} | {name: json.dumps(getattr(self, name), sort_keys=True) for name in names}

    @classmethod
    def of_metadata(cls, metadata: dict[bytes, bytes] | None, where: str) -> History:
        """Read it back.

        Raises:
            InputError: for another version.
            DamagedError: for what is none.
        """
        about = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
        version = about.pop("schema_version", None)
        again = "run gw consolidate there again"
        if version != _VERSION:
            raise InputError(f"what goes on in {where} has version {version}, this gw reads {_VERSION}", hint=again)
        try:
            history = cls(**{name: json.loads(value) for name, value in about.items()})
        except (ValueError, TypeError) as error:
            raise DamagedError(f"what goes on in {where} cannot be read: {error}", hint=again) from error
        if history.frozen is None:
            raise InputError(
                f"the sites in {where} have no dates, or are polygons of a date",
                hint="sites go on where images have dates and are tracked with --mode footprint or linked",
            )
        return history

    def axes(self, grids: tuple[str, ...]) -> tuple[tuple[Ints, ...], tuple[Ints, ...]]:
        """Return the days and the places that were looked at of each grid."""
        days = tuple(np.array(self.days.get(name, []), dtype=np.int64) for name in grids)
        return days, tuple(np.array(self.planes.get(name, []), dtype=np.int64) for name in grids)


def frozen_day(tracking: Tracking, terms: Terms) -> int | None:
    """Return the first day that a run of later dates can change; None where sites cannot go on."""
    if tracking.mode == "polygons":
        return None
    window = None if tracking.smooth_time is None else MovingMean.parse(tracking.smooth_time)
    return frozen_from(terms) if window is None else frozen_from(terms, window.length, in_days=window.days)


def write_ongoing(store: Store, ongoing: Ongoing, number: Ints, history: History) -> None:
    """Publish what goes on; ``number`` is that of each site on the shelf."""
    schema = ongoing_schema(history.metadata)
    with (
        store.stage(ONGOING) as path,
        pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(**_OPTIONS)) as file,
    ):
        for found, place in ongoing.shares(_AT_ONCE):
            site = np.where(place >= 0, np.append(number, -1)[place], -1)
            file.write_batch(ongoing_row(found, site, schema))
