"""Deciding on the sites of a run, alone or with those of a previous one, and writing their tables."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.consolidate.keeping import Keeping
from geowatch.consolidate.numbers import Continued, gone_on, settled
from geowatch.consolidate.ongoing import Ongoing
from geowatch.consolidate.shelf import Shelf
from geowatch.consolidate.succession import Succession
from geowatch.consolidate.whole_region import Consolidation, numbers_of
from geowatch.errors import ConfigError, InputError, StoreError
from geowatch.stages.sites.history import read_earlier
from geowatch.stages.sites.looks import ScoreLooks
from geowatch.stages.sites.ongoing import AGAIN, History, frozen_day, write_ongoing
from geowatch.stages.sites.tables import HISTORY
from geowatch.stages.sites.writing import Written, write_tables
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.consolidate.decided import Decided
    from geowatch.consolidate.tables import Naming
    from geowatch.consolidate.terms import Rules
    from geowatch.stages.tracking.tracked import TrackedRun
    from geowatch.stages.working.events import Events

__all__ = ["decided_and_written", "succession_of"]


def succession_of(
    previous: str | None, tracked: TrackedRun, rules: Rules, naming: Naming, events: Events
) -> Succession | None:
    """Return how a run goes on with the previous one, if there is one.

    Raises:
        ConfigError: where sites cannot go on in time.
        InputError: where the previous run has none, is not of the same kind, or cannot be read.
    """
    if previous is None:
        return None
    before = open_store(previous)
    if tracked.tracking.mode == "polygons":
        raise ConfigError(
            "the run was tracked with --mode polygons, and polygons of a date do not go on in time",
            hint="track both runs with --mode linked or footprint, or leave --previous out",
        )
    if before.url == tracked.store.url:
        raise ConfigError(f"{before.url} is its own previous run", hint="name the run folder of earlier dates")
    if frozen_day(tracked.tracking, tracked.terms) is None:
        raise ConfigError("images without dates do not go on in time", hint="leave --previous out")
    if tracked.tracking.link_days is not None and tracked.tracking.smooth_time is not None:
        raise ConfigError(
            "sites that are linked over days, of scores that are smoothed over time, do not go on as in one run",
            hint="gw track without --smooth-time or --link-days, or leave --previous out",
        )
    try:
        earlier = read_earlier(before, naming, tracked)
    except StoreError as error:  # what was named cannot be used; this run is well
        raise InputError(error.fact, hint=error.hint or AGAIN) from error
    succession = Succession(earlier, tracked.terms, rules, ScoreLooks(tracked, events))
    late = max(len(succession.axis.too_late(grid)) for grid in range(len(tracked.plan.grids)))
    if late and tracked.tracking.mode == "linked":
        came, them = ("image came", "it; it changes") if late == 1 else ("images came", "them; they change")
        events.note(f"{late} {came} too late: before the end of the previous run, which did not look at {them} nothing")
    return succession


def decided_and_written(
    work: Consolidation, tracked: TrackedRun, naming: Naming, folder: Path, events: Events
) -> tuple[Written, Continued | None]:
    """Decide, write the tables and what goes on, and say what became of earlier sites.

    Args:
        work: What decides.
        tracked: What was tracked.
        naming: Words of the tables.
        folder: Holds sites until they are written.
        events: What is told how far it is.
    """
    before, classes = work.succession, len(tracked.tracking.classes)
    frozen = frozen_day(tracked.tracking, work.terms if before is None else before.counted)
    with closing(Shelf(folder, classes)) as shelf, closing(Ongoing(folder / "ongoing", classes)) as ongoing:
        work.keeping = None if frozen is None else Keeping(ongoing, frozen)
        _fill(shelf, work, tracked, events)
        became = None
        if before is None:
            numbers = numbers_of(shelf.rows)
        else:
            numbers, became = gone_on(shelf, before, work.absorbed)
        naming = naming if before is None else replace(naming, phases=before.earlier.phases)
        written = write_tables(tracked.store, shelf, numbers, naming, events)
        after = max(int(numbers.max(initial=-1)) + 1, 0 if before is None else before.earlier.next_number)
        over_days = tracked.tracking.link_days is not None
        files = written.digests | write_ongoing(tracked.store, ongoing, numbers, over_days=over_days)
        history = History.of(tracked, work.terms, frozen, after, files)
        tracked.store.put(HISTORY, (history.model_dump_json(indent=1) + "\n").encode())
    return written, became


def _fill(shelf: Shelf, work: Consolidation, tracked: TrackedRun, events: Events) -> None:
    def add(sites: Decided) -> None:
        shelf.add(sites if work.succession is None else settled(sites, work.succession))

    for grid in range(len(tracked.plan.grids)):
        for sites in work.sites(grid, tracked.seams(grid), tracked.fragments(grid, events)):
            add(sites)
    for sites in work.rest():
        add(sites)
