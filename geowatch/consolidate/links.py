"""Linking in time: which components of different times are one site.

Components of consecutive times that share pixels are linked. A link counts where the shared pixels are more than a
given part of the smaller component. Pixels that a time between saw as part of nothing are added to them where no
component before follows the earlier one by a link that counts: then it was missed for a while, and not left. What hangs
together by links that count is one site: a component that splits stays one site with two outlines, and two that merge
were one from the beginning. A site is born with its earliest component and dies after its last; splits and merges on
the way are kept as events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.runs import components

if TYPE_CHECKING:
    from geowatch.grid.areas import Ints

__all__ = ["Chain", "chains"]


#: After all times.
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """Which components are one site."""

    owner: Ints
    """Of each component: its site, from 0 on."""
    split: Ints
    """(site, plane) where a component has several successors on the plane, (splits, 2)."""
    merged: Ints
    """(site, plane) where a component on the plane has several predecessors, (merges, 2)."""

    @classmethod
    def apart(cls, count: int) -> Chain:
        """Return each component as a site of its own."""
        none = np.zeros((0, 2), dtype=np.int64)
        return cls(np.arange(count), none, none)

    def bound(self, pairs: Ints) -> Chain:
        """Return the same with the sites of pairs of components, (2, pairs), made one."""
        label = components(int(self.owner.max(initial=-1)) + 1, *self.owner[pairs]).astype(np.int64)
        events = (
            np.unique(np.stack([label[each[:, 0]], each[:, 1]], axis=1), axis=0) for each in (self.split, self.merged)
        )
        return Chain(label[self.owner], *events)


def chains(plane: Ints, area_px: Ints, links: tuple[Ints, Ints, Ints, Ints], least_share: float = 0.0) -> Chain:
    """Return the sites of components.

    Args:
        plane: Of each component: its place on the time axis.
        area_px: Of each component: its pixels.
        links: Earlier component, later component, shared pixels, and those over a gap; the parts of one link may stand
            apart, as tiles found them, and are added.
        least_share: A link counts where more than this part of the smaller component is shared.

    A component of 10 px splits into two of 5 px, one of which merges with a new one:

    >>> links = tuple(np.array(column) for column in ([0, 0, 1, 3], [1, 2, 4, 4], [5, 5, 4, 3], [0, 0, 0, 0]))
    >>> chain = chains(np.array([0, 1, 1, 1, 2]), np.array([10, 5, 5, 6, 9]), links)
    >>> chain.owner.tolist(), chain.split.tolist(), chain.merged.tolist()
    ([0, 0, 0, 0, 0], [[0, 1]], [[0, 2]])

    The first of four that share pixels over gaps is found again as the second; the third may be anything:

    >>> links = tuple(np.array(column) for column in ([0, 0, 1], [1, 2, 3], [0, 0, 0], [5, 5, 5]))
    >>> chains(np.array([0, 2, 3, 4]), np.array([10, 5, 5, 5]), links).owner.tolist()
    [0, 0, 1, 0]
    """
    count = len(plane)
    pairs, at = np.unique(links[0] * max(count, 1) + links[1], return_inverse=True)
    shared = np.zeros((2, len(pairs)), dtype=np.int64)
    for row, px in zip(shared, links[2:], strict=True):
        np.add.at(row, at, px)
    earlier, later = pairs // max(count, 1), pairs % max(count, 1)
    least = least_share * np.minimum(area_px[earlier], area_px[later])
    over = shared.sum(axis=0) > least
    followed = np.full(count, _NEVER)  # the time of the first that follows
    np.minimum.at(followed, earlier[over], plane[later[over]])
    counts = np.where(plane[later] <= followed[earlier], over, shared[0] > least)
    earlier, later = earlier[counts], later[counts]
    owner = components(count, earlier, later).astype(np.int64)
    return Chain(owner, _forks(owner, earlier, plane[later]), _forks(owner, later, plane[earlier], plane))


def _forks(owner: Ints, ends: Ints, other: Ints, plane: Ints | None = None) -> Ints:
    """Return (site, plane) where a component has several neighbours on one plane; its own plane, where given.

    Neighbours on several planes are no fork: a part of a component may be hidden for a while.
    """
    pairs, times = np.unique(np.stack([ends, other], axis=1), axis=0, return_counts=True)
    which, there = pairs[times > 1].T
    return np.unique(np.stack([owner[which], there if plane is None else plane[which]], axis=1), axis=0)
