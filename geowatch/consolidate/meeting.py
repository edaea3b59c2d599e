"""Which pieces share pixels with which."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.grid.areas import Areas, Spans, dense, meet, unite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.consolidate.found import Found
    from geowatch.grid.areas import Ints
    from geowatch.grid.lattice import PixelBox

__all__ = ["Pixels", "Shared", "beyond", "both", "inside", "shared", "without"]


@dataclass(frozen=True, eq=False, slots=True)
class Pixels:
    """Pixels of owners, as runs in any order."""

    owner: NDArray[np.integer]
    """Of each run: whose it is."""
    y: NDArray[np.integer]
    """Row."""
    x0: NDArray[np.integer]
    """First column."""
    x1: NDArray[np.integer]
    """Column after the last."""
    layer: NDArray[np.integer] | None = None
    """Of each run: what it lies on; pixels of different layers do not meet."""

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, at: NDArray[Any]) -> Pixels:
        layer = None if self.layer is None else self.layer[at]
        return Pixels(self.owner[at], self.y[at], self.x0[at], self.x1[at], layer)

    @classmethod
    def of(cls, found: Found, group: str = "run") -> Pixels:
        """Return the pixels of pieces: all of them, or those that are ``first`` or ``last``."""
        return cls(*(getattr(found, f"{group}_{name}") for name in ("piece", "y", "x0", "x1")))

    @classmethod
    def join(cls, parts: Sequence[Pixels]) -> Pixels:
        """Return all of them."""
        none = np.zeros(0, dtype=np.int64)
        return cls(*(np.concatenate([none, *(getattr(p, name) for p in parts)]) for name in ("owner", "y", "x0", "x1")))

    def columns(self, group: str) -> dict[str, Any]:
        """Return them as a group of columns of `Found`, each pixel of an owner once."""
        whole = unite(self.owner, self.y, self.x0, self.x1)
        named = zip(("piece", "y", "x0", "x1"), (whole.owner, whole.y, whole.x0, whole.x1), strict=True)
        return {f"{group}_{name}": values.astype(np.int32) for name, values in named}


@dataclass(frozen=True, eq=False, slots=True)
class Shared:
    """Pairs of owners that share pixels."""

    one: Ints
    other: Ints
    px: Ints

    def __len__(self) -> int:
        return len(self.one)

    def __getitem__(self, at: NDArray[Any]) -> Shared:
        return Shared(self.one[at], self.other[at], self.px[at])

    def more_than(self, share: float, one_px: NDArray[np.integer], other_px: NDArray[np.integer]) -> Shared:
        """Return the pairs that share more than this part of the smaller one."""
        return self[self.px > share * np.minimum(one_px[self.one], other_px[self.other])]


def shared(one: Pixels, other: Pixels) -> Shared:
    """Return which owners share pixels, and how many, sorted by (one, other)."""
    i, j, px = _met(one, other)
    pairs, at = np.unique(
        np.stack([one.owner[i], other.owner[j]], axis=1).astype(np.int64), axis=0, return_inverse=True
    )
    total = np.zeros(len(pairs), dtype=np.int64)
    np.add.at(total, at.reshape(-1), px)
    return Shared(pairs[:, 0], pairs[:, 1], total)


def both(one: Pixels, other: Pixels) -> Pixels:
    """Return the pixels of ``one`` that any of the other has too."""
    i, j, _ = _met(one, other)
    return Pixels(one.owner[i], one.y[i], np.maximum(one.x0[i], other.x0[j]), np.minimum(one.x1[i], other.x1[j]))


def beyond(one: Pixels, other: Pixels) -> Pixels:
    """Return the pixels of ``one`` that none of the other has."""
    met = both(one, other)
    rest = without(*(unite(each.owner, each.y, each.x0, each.x1) for each in (one, met)))
    return Pixels(rest.owner, rest.y, rest.x0, rest.x1)


def inside(boxes: Sequence[PixelBox], y: NDArray[np.integer]) -> Pixels:
    """Return the pixels of boxes in the rows that ``y`` names; boxes of one band of rows are joined."""
    bands: dict[tuple[int, int], list[PixelBox]] = defaultdict(list)
    for box in boxes:
        bands[box.y0, box.y1].append(box)
    every = np.unique(y)
    parts = [Pixels.join([])]
    for (y0, y1), row in bands.items():
        rows = every[(every >= y0) & (every < y1)]
        zeros = np.zeros(len(row), dtype=np.int64)
        whole = unite(zeros, zeros, *(np.array([getattr(box, side) for box in row]) for side in ("x0", "x1")))
        x0, x1 = (np.repeat(side, len(rows)) for side in (whole.x0, whole.x1))
        parts.append(Pixels(np.zeros(len(x0), dtype=np.int64), np.tile(rows, len(whole)), x0, x1))
    return Pixels.join(parts)


def without(areas: Areas, other: Areas) -> Areas:
    """Return the pixels that an owner has in ``areas`` and not in ``other``."""
    at = np.concatenate([areas.x0, areas.x1, other.x0, other.x1])
    owner = np.concatenate([areas.owner, areas.owner, other.owner, other.owner])
    y = np.concatenate([areas.y, areas.y, other.y, other.y])
    step = np.repeat(np.array([1, -1, -2, 2]), [len(areas), len(areas), len(other), len(other)])
    order = np.lexsort((at, y, owner))
    depth = np.cumsum(step[order])
    keep = np.flatnonzero(depth[:-1] == 1)
    first, after = order[keep], order[keep + 1]
    some = at[after] > at[first]
    return unite(owner[first][some], y[first][some], at[first][some], at[after][some])


def _met(one: Pixels, other: Pixels) -> tuple[NDArray[np.intp], NDArray[np.intp], Ints]:
    if not len(one) or not len(other):
        none = np.zeros(0, dtype=np.int64)
        return none, none, none
    columns = [np.concatenate([one.y, other.y])]
    if one.layer is not None and other.layer is not None:
        columns.append(np.concatenate([one.layer, other.layer]))
    row = dense(*columns)
    a = Spans(row[: len(one)], one.x0.astype(np.int64), one.x1.astype(np.int64))
    b = Spans(row[len(one) :], other.x0.astype(np.int64), other.x1.astype(np.int64))
    i, j = meet(a, b)
    return i, j, np.minimum(a.high[i], b.high[j]) - np.maximum(a.low[i], b.low[j])
