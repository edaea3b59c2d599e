"""What of a run's candidates a later run may go on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.terms import NO_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.candidates import Candidates
    from geowatch.consolidate.decided import Verdict
    from geowatch.consolidate.ongoing import Ongoing
    from geowatch.consolidate.parts import Parts
    from geowatch.consolidate.terms import Rules, Terms

__all__ = ["Keeping"]


@dataclass
class Keeping:
    """Keeps what goes on: candidates that have not ended, whether they are sites or not.

    Linked outlines go on where pixels are part of one at the end, or still remember that they were. Outlines of all
    dates go on where a site is active at the end.
    """

    ongoing: Ongoing
    """Takes them."""
    frozen: int
    """First day that a later run can change."""
    sites: int = 0
    """Sites that came so far."""

    def keep(self, candidates: Candidates, verdict: Verdict, terms: Terms, rules: Rules) -> None:
        """Take what goes on of candidates that were decided on."""
        place = np.where(verdict.kept, self.sites + np.cumsum(verdict.kept) - 1, -1)
        self.sites += int(verdict.kept.sum())
        open_ = verdict.active & ~((verdict.end != NO_DAY) & (verdict.end < self.frozen))
        if terms.mode == "linked" and candidates.parts is not None:
            goes_on = self._goes_on(candidates.parts, len(candidates), terms)
            # Without phases a site ends because it is found no more: what is hidden may be found again.
            open_ = goes_on if rules.timing == "threshold" else goes_on & open_
        if candidates.parts is not None and open_.any():
            self.ongoing.add(candidates.parts.take(open_), place[open_])
        if candidates.weak is not None and len(candidates.weak.owner):
            self._keep_weak(candidates.weak, terms)

    def _keep_weak(self, weak: Parts, terms: Terms) -> None:
        goes_on = self._goes_on(weak, int(weak.owner.max()) + 1, terms)
        self.ongoing.add(weak.take(goes_on), np.full(int(goes_on.sum()), -1))

    def _goes_on(self, parts: Parts, count: int, terms: Terms) -> NDArray[np.bool_]:
        found = parts.found
        out = np.zeros(count, dtype=bool)
        out[parts.owner[found.last_piece]] = out[parts.owner[found.left_piece]] = True
        days = terms.days_of(found.grid, found.plane.astype(np.int64))
        for grid, planes in enumerate(terms.planes):
            looked = np.sort(terms.days[grid][planes])
            if not len(looked) or looked[-1] < self.frozen:
                continue  # no date of this grid can change
            before = int(np.searchsorted(looked, self.frozen))
            last = int(looked[max(0, before - 1)])
            out[parts.owner[(found.grid == grid) & (days >= last)]] = True
        return out
