"""Links: which pieces of one plane share pixels with which pieces of the next.

Where nothing was seen in between (a cloud), a pixel remembers the piece that it was last part of: pieces before and
after a gap are linked by the pixels that were hidden all the while.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import Runs, overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Links", "Owned", "links"]


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
class Links:
    """Links as columns, sorted by (a, b)."""

    a: NDArray[np.int32]
    """Earlier pieces."""
    b: NDArray[np.int32]
    """Later pieces."""
    px: NDArray[np.int64]
    """Pixels that both have."""


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
    for now in planes:
        i, j, px = overlaps(last.runs, now.runs)
        parts.append(np.stack([last.owner[i].astype(np.int64), now.owner[j].astype(np.int64), px]))
        last = _remembered(last, now)
    a, b, px = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.int64)
    span = int(b.max()) + 1 if len(b) else 1
    pair, group = np.unique(a * span + b, return_inverse=True)
    shared = np.zeros(len(pair), np.int64)
    np.add.at(shared, group, px)
    return Links((pair // span).astype(np.int32), (pair % span).astype(np.int32), shared)


def _remembered(last: Owned, now: Owned) -> Owned:
    """Return the pieces of a plane, and where nothing was seen those of before."""
    i, j, _ = overlaps(last.runs, now.unseen)
    hidden = Runs.of(
        now.unseen.y[j],
        np.maximum(last.runs.x0[i], now.unseen.x0[j]),
        np.minimum(last.runs.x1[i], now.unseen.x1[j]),
    )
    runs, owner = Runs.join([now.runs, hidden]), np.concatenate([now.owner, last.owner[i]])
    order = runs.order()
    return Owned(runs[order], owner[order], now.unseen)
