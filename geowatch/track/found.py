"""What is found in a layer: runs with their figures, joined over the strips of a tile, then cut into pieces.

Figures are kept by run, and runs end where rows end: the pieces of a tile are therefore the same however it was cut
into strips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import Runs, numbered_runs, pieces, pixels, runs_of
from geowatch.sites.fragment import AGGREGATED
from geowatch.track.outlines import Edges, edges_of
from geowatch.track.scores import NONE

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.runs import Connectivity
    from geowatch.track.layers import Layer
    from geowatch.track.search import Search

__all__ = ["Found", "Pieces", "found_in", "joined", "pieces_of"]

#: Number of the stretch of time that begins with 1970: no stretch of any imagery has a number below 1.
_FIRST_STRETCH = 1 << 20


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """The runs of one layer within a strip, in row-major order."""

    runs: Runs
    """The runs."""
    number: NDArray[np.int32]
    """Of each run: its box, from 1, or the stretch of time that its days lie in; 0 for none."""
    day_sum: NDArray[np.int64]
    """Of each run: sum of its pixels' days; 0 where they are not dated."""
    strong_px: NDArray[np.int64]
    """Of each run: pixels that reach the high threshold."""
    score_sum: NDArray[np.int64]
    """Of each run: sum of scores in units."""
    peak: NDArray[np.int32]
    """Of each run: largest score in units."""
    unseen: Runs
    """Where the layer has no score; kept in the mode ``linked`` alone."""
    edges: Edges
    """Edges of the outline; none unless asked for."""


def found_in(layer: Layer, box: PixelBox, search: Search) -> Found:
    """Return what a layer that covers ``box`` and the halo around it has within ``box``."""
    halo_px = search.halo_px
    middle = tuple(slice(halo_px, halo_px + side) for side in box.shape)
    scores = np.ascontiguousarray(layer.scores[middle])
    runs, number = _runs(layer.mask[middle], _numbers(layer, middle, search), box)
    where = pixels(runs, box)
    values = scores.reshape(-1)[where].astype(np.int64)
    starts = np.cumsum(runs.lengths, dtype=np.intp) - runs.lengths
    return Found(
        runs=runs,
        number=number,
        day_sum=np.zeros(len(runs), np.int64)
        if layer.days is None
        else _reduced(np.add, np.ascontiguousarray(layer.days[middle]).reshape(-1)[where], starts),
        strong_px=_reduced(np.add, (values >= search.high).astype(np.int64), starts),
        score_sum=_reduced(np.add, values, starts),
        peak=_reduced(np.maximum, values, starts).astype(np.int32),
        # Only links ask where nothing was seen.
        unseen=runs_of(scores == NONE, box.y0, box.x0) if search.mode == "linked" else Runs.join([]),
        edges=_edges(layer, box, halo_px),
    )


def _numbers(layer: Layer, middle: tuple[slice, ...], search: Search) -> NDArray[np.integer] | None:
    """Return what tells pixels of one piece from others beside them: boxes, or stretches of time."""
    if layer.days is not None and search.split_days is not None:
        return _FIRST_STRETCH + layer.days[middle] // search.split_days
    return None if layer.numbers is None else layer.numbers[middle]


def _runs(
    mask: NDArray[np.bool_], numbers: NDArray[np.integer] | None, box: PixelBox
) -> tuple[Runs, NDArray[np.int32]]:
    """Return the runs of a mask, which end where numbers change, and the number of each."""
    if numbers is None:
        runs = runs_of(mask, box.y0, box.x0)
        return runs, np.zeros(len(runs), np.int32)
    # One more for all, so that what is of no box stays.
    runs, number = numbered_runs(np.where(mask, numbers + 1, 0).astype(np.int32), box.y0, box.x0)
    return runs, number - 1


def _reduced(how: np.ufunc, values: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Reduce consecutive values, each group from its start to the next; groups are never empty."""
    return np.asarray(how.reduceat(values, starts)) if len(starts) else np.zeros(0, np.int64)


def _edges(layer: Layer, box: PixelBox, halo_px: int) -> Edges:
    if layer.margin is None:
        return Edges.none()
    near = tuple(slice(halo_px - 1, halo_px + side + 1) for side in box.shape)
    return edges_of(layer.mask[near], layer.margin[near], (box.y0, box.x0))


def joined(parts: Sequence[Found]) -> Found:
    """Join what strips found, given from top to bottom."""

    def whole(of: str, column: str) -> NDArray[Any]:
        return np.concatenate([getattr(getattr(part, of), column) for part in parts])

    edges = Edges(*(whole("edges", column) for column in ("y", "x", "side", "share")))
    figures = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("number", "day_sum", "strong_px", "score_sum", "peak")
    }
    return Found(
        runs=Runs.join([part.runs for part in parts]),
        unseen=Runs.join([part.unseen for part in parts]),
        edges=edges,
        **figures,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Pieces:
    """The connected pieces of one layer of a tile, in order of their first pixels."""

    plane: int
    """Place on the time axis, or `AGGREGATED`."""
    kind: int
    """Index of the class."""
    runs: Runs
    """Runs in row-major order."""
    labels: NDArray[np.int32]
    """Of each run: its piece."""
    first: NDArray[np.intp]
    """Of each piece: its first run."""
    body: NDArray[np.int32]
    """Of each piece: the number of all those together that touch, whatever their boxes or days."""
    number: NDArray[np.int32]
    """Of each piece: its box, from 1; 0 for none."""
    day_sum: NDArray[np.int64]
    """Of each piece: sum of its pixels' days."""
    area_px: NDArray[np.int64]
    """Of each piece: pixels."""
    strong_px: NDArray[np.int64]
    """Of each piece: strong pixels."""
    score_sum: NDArray[np.int64]
    """Of each piece: sum of scores in units."""
    peak: NDArray[np.int32]
    """Of each piece: largest score in units."""
    unseen: Runs
    """Where the layer has no score."""
    edges: Edges
    """Edges of the outline, sorted by (y, x, side)."""

    def __len__(self) -> int:
        return len(self.area_px)


def pieces_of(layer: tuple[int, int], found: Found, connectivity: Connectivity) -> Pieces:
    """Cut a layer (plane, kind) of a tile into its connected pieces."""
    labels = pieces(found.runs, connectivity, found.number)
    count = int(labels.max()) + 1 if len(labels) else 0
    # Pieces are numbered as their first runs stand, so those come in order.
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))

    def of(how: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        return _reduced(how, values[order], starts)

    return Pieces(
        plane=layer[0],
        kind=layer[1],
        runs=found.runs,
        labels=labels,
        first=order[starts],
        body=_bodies(found, connectivity)[order[starts]],
        # Stretches of time are no boxes.
        number=found.number[order[starts]] * np.int32(layer[0] != AGGREGATED),
        day_sum=of(np.add, found.day_sum),
        area_px=of(np.add, found.runs.lengths.astype(np.int64)),
        strong_px=of(np.add, found.strong_px),
        score_sum=of(np.add, found.score_sum),
        peak=of(np.maximum, found.peak).astype(np.int32),
        unseen=found.unseen,
        edges=found.edges,
    )


def _bodies(found: Found, connectivity: Connectivity) -> NDArray[np.int32]:
    """Return of each run the number of what it is part of when all that touches is one."""
    return pieces(found.runs, connectivity) if found.day_sum.any() else np.arange(len(found.runs), dtype=np.int32)
