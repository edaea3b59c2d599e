"""What goes on, as a run keeps it for a later one: pieces, and what must be the same there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.consolidate.axis import frozen_from
from geowatch.consolidate.ongoing import ongoing_row, ongoing_schema
from geowatch.consolidate.terms import NO_DAY
from geowatch.errors import DamagedError, InputError
from geowatch.lineage import Source
from geowatch.predict.recipe import read_recipe
from geowatch.read.remote import public
from geowatch.stages.mapping.deliverables import file_digest
from geowatch.stages.sites.tables import HISTORY, ONGOING, stored_digest
from geowatch.track.timewise import MovingMean

if TYPE_CHECKING:
    from geowatch.consolidate.ongoing import Ongoing
    from geowatch.consolidate.terms import Terms
    from geowatch.grid.areas import Ints
    from geowatch.stages.tracking.tracked import TrackedRun
    from geowatch.store import Store
    from geowatch.track.document import Tracking

__all__ = ["AGAIN", "OPTIONS", "History", "earlier_sources", "frozen_day", "package_of", "write_ongoing"]

_AT_ONCE = 16_384
_OPTIONS = {"compression": "zstd", "use_threads": False}
#: Remedy for what another gw, or none, has left.
AGAIN = "run gw consolidate there again"
#: What must be the same in both runs, by its name in the tracking document: the option of gw track that says it.
OPTIONS = {
    "salient": "--classes",
    "low": "--low",
    "high": "--high",
    "aggregate": "--aggregate",
    "smooth_time": "--smooth-time",
    "smooth_px": "--smooth-px",
    "open_px": "--open-px",
    "close_px": "--close-px",
    "connectivity": "--connectivity",
    "subpixel": "--subpixel",
    "coarse": "--coarse",
    "split_days": "--split-days",
    "link_days": "--link-days",
}


class History(BaseModel):
    """What a later run must know of this one, beside its sites; written last, it names what belongs together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1", "2"] = "1"
    """Version of this form; 2 where pieces are linked over days, which a gw that does not know of it must not go on."""
    options: dict[str, Any]
    """What was tracked, as far as it must be the same in a later run."""
    days: dict[str, tuple[int | None, ...]]
    """By grid: days (since 1970-01-01, UTC) of the axis of time, of earlier runs and of this one."""
    planes: dict[str, tuple[int, ...]]
    """By grid: places on it that were looked at."""
    frozen: int | None
    """First day that a later run can change; None where sites cannot go on."""
    last: dict[str, int] = {}
    """By grid: the time of the last image in seconds since 1970-01-01 UTC; what is later is new on its day, too."""
    package: str | None = None
    """sha256 of the package that predicted the scores; None for a table of objects, or where it is not known."""
    next_number: int
    """Number of the next site."""
    files: dict[str, str]
    """sha256 of the tables, by key."""

    @classmethod
    def of(cls, tracked: TrackedRun, terms: Terms, frozen: int | None, next_number: int, files: dict[str, str]) -> Self:
        """Return what a run leaves; ``terms`` are of all dates so far."""
        tracking = tracked.tracking
        days = [tuple(None if day == NO_DAY else day for day in each.tolist()) for each in terms.days]
        planes = [tuple(each.tolist()) for each in terms.planes]
        return cls(
            schema_version="1" if tracking.link_days is None else "2",
            options=cls.options_of(tracking),
            days=dict(zip(terms.grids, days, strict=True)),
            planes=dict(zip(terms.grids, planes, strict=True)),
            frozen=frozen,
            last=_last(terms),
            package=package_of(tracked),
            next_number=next_number,
            files=files,
        )

    @staticmethod
    def options_of(tracking: Tracking) -> dict[str, Any]:
        """Return what must be the same in both runs."""
        document = json.loads(tracking.model_dump_json())
        return {name: document[name] for name in (*OPTIONS, "algorithm")}

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read it back.

        Raises:
            InputError: where there is none, or sites cannot go on.
            DamagedError: for what is none.
        """
        if store.size(HISTORY) is None:
            raise InputError(f"{store.url} does not say which of its sites go on", hint=AGAIN)
        try:
            history = cls.model_validate_json(store.get(HISTORY))
        except ValidationError as error:
            raise DamagedError(
                f"'{HISTORY}' in {store.url} is damaged: {error.errors()[0]['msg']}", hint=AGAIN
            ) from error
        if history.frozen is None:
            raise InputError(
                f"the sites in {store.url} have no dates, or are polygons of a date",
                hint="sites go on where images have dates and are tracked with --mode footprint or linked",
            )
        return history

    def axes(self, grids: tuple[str, ...]) -> tuple[tuple[Ints, ...], tuple[Ints, ...]]:
        """Return the days and the places that were looked at of each grid."""
        days = tuple(
            np.array([NO_DAY if day is None else day for day in self.days.get(name, ())], dtype=np.int64)
            for name in grids
        )
        return days, tuple(np.array(self.planes.get(name, ()), dtype=np.int64) for name in grids)


def package_of(tracked: TrackedRun) -> str | None:
    """Return the digest of the package that predicted what was tracked, where there is one."""
    recipe = None if tracked.tracking.recipe is None else read_recipe(tracked.store)
    return None if recipe is None else recipe.package


def _last(terms: Terms) -> dict[str, int]:
    """Return the time of the last image of each grid that has one, in seconds."""
    ends = [int(each[looked].max(initial=NO_DAY)) for each, looked in zip(terms.seconds, terms.planes, strict=True)]
    return {name: end for name, end in zip(terms.grids, ends, strict=True) if end != NO_DAY}


def earlier_sources(store: Store) -> list[Source]:
    """Return what a later run is made from besides its own fragments: what an earlier one left, each with its digest.

    Raises:
        InputError: where there is none.
        DamagedError: for what is none.
    """
    digests = {HISTORY: stored_digest(store, HISTORY)} | History.read(store).files
    return [
        Source(f"{public(store.url)}/{key}", store.size(key), f"sha256:{digest}", "earlier run")
        for key, digest in sorted(digests.items())
    ]


def frozen_day(tracking: Tracking, terms: Terms) -> int | None:
    """Return the first day that a run of later dates can change; None where sites cannot go on."""
    if tracking.mode == "polygons":
        return None
    window = None if tracking.smooth_time is None else MovingMean.parse(tracking.smooth_time)
    return frozen_from(terms) if window is None else frozen_from(terms, window.length, in_days=window.days)


def write_ongoing(store: Store, ongoing: Ongoing, number: Ints, *, over_days: bool) -> dict[str, str]:
    """Publish what goes on; ``number`` is that of each site on the shelf. Return its digest by key.

    ``over_days`` says whether pieces are linked over days.
    """
    schema = ongoing_schema(over_days=over_days)
    with store.stage(ONGOING) as path:
        with pa.ipc.new_file(str(path), schema, options=pa.ipc.IpcWriteOptions(**_OPTIONS)) as file:
            for found, place in ongoing.shares(_AT_ONCE):
                site = np.where(place >= 0, np.append(number, -1)[place], -1)
                file.write_batch(ongoing_row(found, site, schema))
        return {ONGOING: file_digest(path)}
