"""Which sites of an earlier run go on in this one: by the pixels that they share, the oldest first.

Each new site goes on with the oldest of the earlier sites that it overlaps; an earlier site goes on in one new site
only, the one with which it shares most. What is left over on either side is a split (several new sites where one was)
or a merge (one new site where several were).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.grid.areas import Spans, dense, meet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints

__all__ = ["Heirs", "Shared", "heirs", "shared_px"]

NONE = -1


@dataclass(frozen=True, eq=False, slots=True)
class Shared:
    """Pixels that new and earlier sites share, one row a pair."""

    new: Ints
    """New site."""
    earlier: Ints
    """Earlier site."""
    px: Ints
    """Pixels of both."""

    def __getitem__(self, at: NDArray[Any]) -> Shared:
        return Shared(self.new[at], self.earlier[at], self.px[at])


@dataclass(frozen=True, eq=False, slots=True)
class Heirs:
    """Who goes on as whom."""

    earlier: Ints
    """Of each new site: the earlier site that it goes on with, or -1."""
    absorbed_by: Ints
    """Of each earlier site: the new site that took it in under an older id, or -1."""
    split_from: Ints
    """Of each new site: the earlier site that goes on elsewhere, or -1."""


def shared_px(new: tuple[NDArray[Any], Ints, NDArray[Any]], earlier: tuple[NDArray[Any], Ints, NDArray[Any]]) -> Shared:
    """Return which sites share pixels; classes are apart.

    Args:
        new: Runs (`decided.RUN`), the site of each run, and the class of each site.
        earlier: The same of the earlier sites.
    """
    (runs, owner, kind), (old, old_owner, old_kind) = new, earlier
    columns = [
        np.concatenate([one, other])
        for one, other in (
            (runs["grid"], old["grid"]), (kind[owner], old_kind[old_owner]), (runs["y"], old["y"])
        )
    ]  # fmt: skip
    row = dense(*columns)
    a = Spans(row[: len(runs)], runs["x0"].astype(np.int64), runs["x1"].astype(np.int64))
    b = Spans(row[len(runs) :], old["x0"].astype(np.int64), old["x1"].astype(np.int64))
    i, j = meet(a, b)
    px = np.minimum(a.high[i], b.high[j]) - np.maximum(a.low[i], b.low[j])
    pairs, at = np.unique(np.stack([owner[i], old_owner[j]], axis=1), axis=0, return_inverse=True)
    total = np.zeros(len(pairs), dtype=np.int64)
    np.add.at(total, at.reshape(-1), px)
    return Shared(pairs[:, 0], pairs[:, 1], total)


def heirs(shared: Shared, news: int, age: Ints) -> Heirs:
    """Return who goes on as whom.

    Args:
        shared: Pixels that sites share.
        news: Number of new sites.
        age: Of each earlier site: its place when sorted by age, the oldest first.

    New site 0 overlaps the earlier 0 and 1, new site 1 only the earlier 0:

    >>> found = heirs(Shared(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([9, 5, 4])), 2, np.array([0, 1]))
    >>> found.earlier.tolist(), found.absorbed_by.tolist(), found.split_from.tolist()
    ([0, -1], [-1, 0], [-1, 0])
    """
    none = np.full(news, NONE, dtype=np.int64)
    oldest = _first(np.lexsort((age[shared.earlier], shared.new)), shared.new)
    wants = shared[oldest]
    best = _first(np.lexsort((wants.new, -wants.px, wants.earlier)), wants.earlier)
    wins = wants[best]
    earlier, split_from = none.copy(), none.copy()
    split_from[wants.new] = wants.earlier
    earlier[wins.new] = wins.earlier
    split_from[wins.new] = NONE
    absorbed_by = np.full(len(age), NONE, dtype=np.int64)
    rest = shared[~np.isin(shared.earlier, wins.earlier) & (earlier[shared.new] != NONE)]
    most = rest[_first(np.lexsort((rest.new, -rest.px, rest.earlier)), rest.earlier)]
    absorbed_by[most.earlier] = most.new
    return Heirs(earlier, absorbed_by, split_from)


def _first(order: NDArray[np.intp], key: Ints) -> NDArray[np.intp]:
    """Return of an order that sorts by ``key`` the first row of each."""
    keys = key[order]
    return np.asarray(order[np.append(True, keys[1:] != keys[:-1])[: len(order)]])
