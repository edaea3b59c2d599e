"""Pieces with what they are parts of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import Found, collapsed
from geowatch.grid.areas import dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.areas import Ints

__all__ = ["Parts"]


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """What candidates are made of."""

    found: Found
    """Pieces."""
    owner: Ints
    """Of each piece: its candidate."""
    component: Ints
    """Of each piece: its component; pieces of one component have one plane, grid and candidate."""

    def take(self, kept: NDArray[np.bool_]) -> Parts:
        """Return the parts of some candidates, numbered anew."""
        pieces = kept[self.owner]
        used = np.zeros(int(self.component.max()) + 1 if len(self.component) else 0, dtype=bool)
        used[self.component[pieces]] = True
        component = (np.cumsum(used) - 1)[self.component[pieces]]
        return Parts(self.found.take(pieces), (np.cumsum(kept) - 1)[self.owner[pieces]], component)

    def whole(self) -> tuple[Found, Ints]:
        """Return one piece for each component and grid, those of one candidate together, and the candidate of each.

        Links between candidates are left out: they did not count, and never will.
        """
        found = self.found
        inside = self.owner[found.link_a] == self.owner[found.link_b]
        links = {name: getattr(found, name)[inside] for name in ("link_a", "link_b", "link_px", "link_gap_px")}
        found = replace(found, **links)
        part = dense(self.component, found.grid)
        lead = np.unique(part, return_index=True)[1]
        order = np.lexsort((found.x[lead], found.y[lead], found.plane[lead], found.grid[lead], self.owner[lead]))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        owner = self.owner[lead][order]
        one = np.flatnonzero(owner[1:] == owner[:-1]).astype(np.int32)
        return replace(collapsed(found, place[part]), bond_a=one, bond_b=one + np.int32(1)), owner
