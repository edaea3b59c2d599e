"""What track left in a run folder, as consolidate reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.joins import Seams
from geowatch.consolidate.terms import NO_DAY, Terms
from geowatch.errors import CoverageError, DamagedError, InputError, InterruptedRunError, PlanMismatchError
from geowatch.grid.borders import borders_of
from geowatch.sites.fragment import FRAGMENTS, Fragment, fragment_key
from geowatch.store.plans import read_plan, read_tiles
from geowatch.track.document import TRACKING, Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.grid.plan import Plan
    from geowatch.grid.tiles import TileTable
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["TrackedRun", "read_tracked", "refuse_gaps", "said_gaps"]

_EVERY = 64


@dataclass(frozen=True)
class TrackedRun:
    """The fragments of a run."""

    store: Store
    """Where they are."""
    plan: Plan
    """Where pixels are."""
    tracking: Tracking
    """What was looked for."""
    tables: tuple[TileTable, ...]
    """Tiles that have fragments, row by row, for each of the plan's grids."""
    missing: tuple[str, ...]
    """Names of tiles that have none."""

    @cached_property
    def terms(self) -> Terms:
        """What was tracked, as decisions need it; borders of zones take a while, so it is made once."""
        tracking, plan = self.tracking, self.plan
        looked = [tracking.of_grid(grid.id) for grid in plan.grids]
        days = [[NO_DAY if day is None else day for day in (() if each is None else each.days)] for each in looked]
        return Terms(
            mode=tracking.mode,
            grids=tuple(grid.id for grid in plan.grids),
            lattices=tuple(grid.lattice for grid in plan.grids),
            days=tuple(np.array(each, dtype=np.int64) for each in days),
            planes=tuple(np.array(() if each is None else each.planes, dtype=np.int64) for each in looked),
            seconds=tuple(
                np.array(() if each is None else each.seconds(unknown=NO_DAY), dtype=np.int64) for each in looked
            ),
            classes=tracking.classes,
            salient=tracking.salient_places,
            kinds=tracking.kinds,
            borders=borders_of(plan),
            connectivity=tracking.connectivity,
            split_days=tracking.split_days,
            link_days=tracking.link_days,
            coarse=tracking.coarse,
        )

    def seams(self, grid: int) -> Seams:
        """Return how the tiles of a grid meet; fragments stand in their order."""
        table = self.tables[grid]
        return Seams.of(table.iy, table.ix, self.tracking.connectivity)

    def fragments(self, grid: int, events: Events) -> Iterator[tuple[int, Fragment]]:
        """Yield the fragments of a grid with their places, row by row.

        Raises:
            InterruptedRunError: when asked to stop.
        """
        table = self.tables[grid]
        before, total = sum(map(len, self.tables[:grid])), sum(map(len, self.tables))
        for place, tile in enumerate(table):
            yield place, self._fragment(fragment_key(self.tracking.digest, tile))
            if place % _EVERY == 0 or place + 1 == len(table):
                events.progress("join", before + place + 1, total)
                if events.stopping():
                    raise InterruptedRunError("stopped while joining tiles", hint="run the same command again")

    def _fragment(self, key: str) -> Fragment:
        try:
            return Fragment.from_bytes(self.store.get(key))
        except DamagedError as error:
            raise DamagedError(
                f"'{key}' in {self.store.url} is no whole fragment: {error.fact}",
                hint="remove it (gw verify --repair does), and gw track makes it again",
            ) from error


def read_tracked(store: Store) -> TrackedRun:
    """Read what was tracked.

    Raises:
        InputError: where nothing was.
        PlanMismatchError: where it was tracked on another plan.
    """
    plan = read_plan(store)
    if store.size(TRACKING) is None:
        raise InputError(f"nothing was tracked in {store.url} yet", hint="gw track does it")
    tracking = Tracking.from_json(store.get(TRACKING))
    if tracking.plan != plan.id:
        raise PlanMismatchError(
            f"{store.url} was tracked on plan {tracking.plan}, and its plan is {plan.id}", hint="run gw track again"
        )
    there = set(store.list(f"{FRAGMENTS}/{tracking.digest[:12]}/"))
    tables, missing = [], []
    for grid in plan.grids:
        table = read_tiles(store, plan, grid.id)
        table = table[np.lexsort((table.ix, table.iy))]
        if tracking.of_grid(grid.id) is None:
            table = table[:0]
        found = np.array([fragment_key(tracking.digest, tile) in there for tile in table], dtype=bool)
        missing += [tile.name for tile in table[~found]]
        tables.append(table[found])
    return TrackedRun(store, plan, tracking, tuple(tables), tuple(missing))


def refuse_gaps(tracked: TrackedRun, *, allowed: bool, events: Events) -> None:
    """Raise CoverageError for tiles that were not tracked, or had no scores then; note them where ``allowed``."""
    for said, again in said_gaps(tracked):
        if not allowed:
            raise CoverageError(said, hint=f"{again}, or accept the gaps with --allow-gaps")
        events.note(f"{said}; sites there are not found or are cut off, and sites/gaps.json names them all")


def said_gaps(tracked: TrackedRun) -> list[tuple[str, str]]:
    """Return what is missing, a sentence for each kind, and its remedy."""
    gaps = (
        (tracked.missing, "not tracked", "run gw track again to do them"),
        (tuple(tracked.tracking.gaps), "without scores when tracked", "run gw predict and gw track again"),
    )
    return [
        (f"{len(tiles)} tile{' was' if len(tiles) == 1 else 's were'} {what}, such as {', '.join(tiles[:3])}", again)
        for tiles, what, again in gaps
        if tiles
    ]
