"""Links: which pieces of one plane share pixels with which pieces of the next.

Where nothing was seen in between (a cloud), a pixel remembers the piece that it was last part of: pieces before and
after a gap are linked by the pixels that were hidden all the while. For a run that goes on with this one, it is kept
which pixels were first seen as part of a piece, which of them still remember one at the end, and which were never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import Runs, overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Held", "Links", "Owned", "links"]


@dataclass(frozen=True, eq=False, slots=True)
class Owned:
    """The runs of one plane, and whose they are."""

    runs: Runs
    """Runs in row-major order."""
    owner: NDArray[np.int32]
    """Of each run: its piece, numbered over all planes."""
    unseen: Runs
    """Where the plane has no score."""


@dataclass(frozen=True, eq=False, slots=True)
class Held:
    """Pixels of pieces, sorted by (piece, y, x0)."""

    owner: NDArray[np.int32]
    """Of each run: its piece."""
    runs: Runs
    """The runs."""

    @classmethod
    def join(cls, parts: Sequence[Held]) -> Held:
        """Return all of them in order."""
        runs = Runs.join([part.runs for part in parts])
        owner = np.concatenate([np.zeros(0, np.int32), *(part.owner for part in parts)])
        order = np.lexsort((runs.x0, runs.y, owner))
        return cls(owner[order], runs[order])


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """Links as columns, sorted by (a, b), and what leads on to planes before the first and after the last."""

    a: NDArray[np.int32]
    """Earlier pieces."""
    b: NDArray[np.int32]
    """Later pieces."""
    px: NDArray[np.int64]
    """Pixels that both have."""
    first: Held
    """Pixels of pieces that no earlier plane saw."""
    last: Held
    """Pixels that are part of a piece at the end, or were when they were last seen."""
    dark: Runs
    """Pixels that no plane saw."""


def links(planes: Iterable[Owned]) -> Links:
    """Link the planes of a tile, oldest first.

    >>> from geowatch.grid.runs import runs_of
    >>> row = lambda *pixels: runs_of(np.array([pixels], bool))
    >>> seen, piece = Runs.join([]), lambda n: np.array([n], np.int32)
    >>> found = links([Owned(row(1, 1, 1, 0), piece(0), seen), Owned(row(0, 1, 0, 0), piece(1), row(1, 0, 0, 0)),
    ...                Owned(row(1, 1, 1, 1), piece(2), seen)])
    >>> list(zip(found.a.tolist(), found.b.tolist(), found.px.tolist()))
    [(0, 1, 1), (0, 2, 1), (1, 2, 1)]
    """
    parts: list[NDArray[np.int64]] = []
    last = Owned(Runs.join([]), np.zeros(0, np.int32), Runs.join([]))
    first: list[Held] = []
    dark: Runs | None = None
    for now in planes:
        first.append(Held(now.owner, now.runs) if dark is None else _within(now, dark))
        dark = now.unseen if dark is None else _shared(dark, now.unseen)[0]
        i, j, px = overlaps(last.runs, now.runs)
        parts.append(np.stack([last.owner[i].astype(np.int64), now.owner[j].astype(np.int64), px]))
        last = _remembered(last, now)
    a, b, px = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.int64)
    span = int(b.max()) + 1 if len(b) else 1
    pair, group = np.unique(a * span + b, return_inverse=True)
    shared = np.zeros(len(pair), np.int64)
    np.add.at(shared, group, px)
    ends = (Held.join(first), Held.join([Held(last.owner, last.runs)]), Runs.join([]) if dark is None else dark)
    return Links((pair // span).astype(np.int32), (pair % span).astype(np.int32), shared, *ends)


def _shared(one: Runs, other: Runs) -> tuple[Runs, NDArray[np.intp]]:
    """Return the pixels that both have in row-major order, and the run of ``one`` that each comes from."""
    i, j, _ = overlaps(one, other)
    runs = Runs.of(one.y[i], np.maximum(one.x0[i], other.x0[j]), np.minimum(one.x1[i], other.x1[j]))
    order = runs.order()
    return runs[order], i[order]


def _within(now: Owned, dark: Runs) -> Held:
    runs, of = _shared(now.runs, dark)
    return Held(now.owner[of], runs)


def _remembered(last: Owned, now: Owned) -> Owned:
    """Return the pieces of a plane, and where nothing was seen those of before."""
    hidden, of = _shared(last.runs, now.unseen)
    runs, owner = Runs.join([now.runs, hidden]), np.concatenate([now.owner, last.owner[of]])
    order = runs.order()
    return Owned(runs[order], owner[order], now.unseen)
