"""Looks at places in a run's scores: sites of an earlier run at which this one found nothing of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geowatch.consolidate.meeting import Pixels, both
from geowatch.errors import InputError, PlanMismatchError, StoreError
from geowatch.grid.runs import Runs
from geowatch.stages.tracking.session import opened
from geowatch.track.observed import Outlined, Series, observe, seen_near

if TYPE_CHECKING:
    from collections.abc import Callable

    from geowatch.grid.areas import Areas, Ints
    from geowatch.stages.tracking.tracked import TrackedRun
    from geowatch.stages.working.events import Events
    from geowatch.track.search import Planes

__all__ = ["ScoreLooks"]

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class ScoreLooks:
    """Looks at the scores that were tracked, tile by tile."""

    tracked: TrackedRun
    """The run."""
    events: Events
    """What is told how far it is."""

    def __call__(self, grid: int, areas: Areas, planes: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Return (owner, plane, pixels seen, sums by class) of what was seen of owners on planes of the run's axis."""
        classes = len(self.tracked.tracking.classes)
        found = Series.join(self._series(grid, areas, planes) if len(areas) else [], classes)
        return found.piece.astype(np.int64), found.plane.astype(np.int64), found.px, found.sums

    def seen(self, grid: int, areas: Areas, plane: int) -> Pixels:
        """Return where a plane of the run's axis has scores: of these pixels at least, and of others near them."""
        found = self._by_tile_of(grid, areas, lambda scores, outlined: [seen_near(scores, plane, outlined.runs)])
        runs = Runs.join(found)
        return Pixels(np.zeros(len(runs), dtype=np.int64), runs.y, runs.x0, runs.x1)

    def _series(self, grid: int, areas: Areas, planes: Ints) -> list[Series]:
        def look(scores: Planes, outlined: Outlined) -> list[Series]:
            return observe(scores, planes.tolist(), outlined, lambda: None)

        return self._by_tile_of(grid, areas, look)

    def _by_tile_of(self, grid: int, areas: Areas, look: Callable[[Planes, Outlined], list[_Found]]) -> list[_Found]:
        name = self.tracked.plan.grids[grid].id
        try:
            scores = opened(self.tracked.store.url, self.tracked.tracking.digest).planes[name]
            parts: list[_Found] = []
            for done, outlined in enumerate(self._by_tile(grid, areas)):
                parts += look(scores, outlined)
                self.events.progress("look", done + 1, len(self.tracked.tables[grid]))
        except (PlanMismatchError, StoreError) as error:
            raise InputError(
                f"the scores of {self.tracked.store.url} are needed, to see whether earlier sites go on: {error.fact}",
                hint="consolidate where the heatmap is, or predict and track again",
            ) from error
        return parts

    def _by_tile(self, grid: int, areas: Areas) -> list[Outlined]:
        """Return the parts of owners in each tile: no more than a tile is read at once."""
        every = Pixels(areas.owner, areas.y, areas.x0, areas.x1)
        spec, out = self.tracked.plan.grids[grid], []
        for tile in self.tracked.tables[grid]:
            box = spec.work(tile)
            rows = np.arange(max(box.y0, int(areas.y.min())), min(box.y1, int(areas.y.max()) + 1))
            if not len(rows):
                continue
            ends = (np.full(len(rows), box.x0), np.full(len(rows), box.x1))
            part = both(every, Pixels(np.zeros(len(rows), dtype=np.int64), rows, *ends))
            if len(part):
                order = np.lexsort((part.x0, part.y, part.owner))
                owner, runs = part.owner[order], Runs.of(part.y[order], part.x0[order], part.x1[order])
                starts = np.flatnonzero(np.diff(owner, prepend=-1))
                out.append(Outlined(owner[starts].astype(np.int32), runs, starts))
        return out
