"""What candidates have to do with sites of an earlier run: which of them goes on as which, and which took one in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.found import ENDED
from geowatch.consolidate.inherit import Shared, heirs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.found import Found
    from geowatch.grid.areas import Ints

__all__ = ["Kin", "kin_of"]

_NONE = -1


@dataclass(frozen=True, eq=False, slots=True)
class Kin:
    """Earlier sites of n candidates; sites are numbered by age, the oldest first."""

    before: Ints
    """Of each candidate: the site that it goes on with, -1 for none."""
    again: NDArray[np.bool_]
    """Of each candidate: whether it lies where a site has ended, and goes on with none."""
    split: NDArray[np.bool_]
    """Of each candidate: whether the site that it comes from goes on elsewhere."""
    absorbed: Ints
    """Sites that were taken in by one that is older, as (candidate, site), (sites, 2)."""

    @classmethod
    def none(cls, count: int) -> Kin:
        """Return candidates that have nothing to do with any."""
        no = np.zeros(count, dtype=bool)
        return cls(np.full(count, _NONE, dtype=np.int64), no, no, np.zeros((0, 2), dtype=np.int64))

    def take(self, kept: NDArray[np.bool_]) -> Kin:
        """Return some candidates, numbered anew."""
        absorbed = self.absorbed[kept[self.absorbed[:, 0]]]
        absorbed = np.stack([(np.cumsum(kept) - 1)[absorbed[:, 0]], absorbed[:, 1]], axis=1)
        return Kin(self.before[kept], self.again[kept], self.split[kept], absorbed)


def kin_of(found: Found, owner: Ints, count: int) -> tuple[Kin, NDArray[np.bool_]]:
    """Return whom candidates go on with, and which pieces stay with a site that was taken in.

    Args:
        found: Pieces, with what each has to do with earlier sites.
        owner: Of each piece: its candidate.
        count: Candidates.

    Of several earlier sites the oldest goes on, and what the others were before stays theirs.
    """
    apart = np.zeros(len(found), dtype=bool)
    if not len(found.kin_piece):
        return Kin.none(count), apart
    mine = owner[found.kin_piece]
    named = found.kin_site >= 0
    ages = int(found.kin_site.max()) + 1
    pairs, at = np.unique(np.stack([mine[named], found.kin_site[named]], axis=1), axis=0, return_inverse=True)
    px = np.zeros(len(pairs), dtype=np.int64)
    np.add.at(px, at.reshape(-1), found.kin_px[named])
    same = heirs(Shared(pairs[:, 0], pairs[:, 1], px), count, np.arange(max(ages, 0)))
    again = np.zeros(count, dtype=bool)
    again[mine[found.kin_site == ENDED]] = True
    taken_in = np.flatnonzero(same.absorbed_by >= 0)
    absorbed = np.stack([same.absorbed_by[taken_in], taken_in], axis=1)
    other = found.kin_own & (same.earlier[mine] >= 0) & (same.earlier[mine] != found.kin_site)
    apart[found.kin_piece[other]] = True
    split = (same.earlier < 0) & (same.split_from >= 0)
    return Kin(same.earlier, again & (same.earlier < 0), split, absorbed), apart
