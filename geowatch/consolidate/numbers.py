"""Numbers of sites that go on with those of an earlier run, and what became of these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.decided import MERGE, Decided
from geowatch.consolidate.extend import taken, with_event
from geowatch.consolidate.terms import NO_DAY
from geowatch.consolidate.whole_region import numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.consolidate.shelf import Shelf
    from geowatch.consolidate.succession import Succession
    from geowatch.grid.areas import Ints

__all__ = ["Continued", "gone_on", "settled"]

_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class Continued:
    """What became of the sites of an earlier run."""

    went_on: int
    """Sites that go on."""
    ended: int
    """Of these, those that had not ended before and have now."""
    new: int
    """Sites that are new."""
    stayed: int
    """Sites that had ended before, and stay as they were."""
    merged: int
    """Sites that were taken in by an older one."""
    dropped: int
    """Sites that are none any more, with what is new."""
    since: int
    """First day that is new."""
    first_new: int
    """Number from which on sites are new."""

    def document(self) -> dict[str, object]:
        """Return it as a document has it."""
        counts = {name: getattr(self, name) for name in ("went_on", "ended", "new", "stayed", "merged", "dropped")}
        since = str(np.datetime64(self.since, "D"))
        return counts | {"since": since, "first_new_number": self.first_new, "says": self.said()}

    def said(self) -> str:
        """Return it in words.

        >>> Continued(went_on=3, ended=1, new=2, stayed=4, merged=0, dropped=1, since=0, first_new=8).said()
        'of 8 earlier sites 3 go on, 1 of them to its end, 4 had ended, 1 is none any more; 2 sites are new'
        """
        ends = f", {self.ended} of them to {_verb(self.ended, 'its', 'their')} end" if self.ended else ""
        ends = " to its end" if self.ended == self.went_on == 1 else ends
        parts = [f"{self.went_on} {_verb(self.went_on, 'goes', 'go')} on{ends}"]
        parts += [f"{self.stayed} had ended"] if self.stayed else []
        parts += [f"{self.merged} merged with others"] if self.merged else []
        parts += [f"{self.dropped} {_verb(self.dropped, 'is', 'are')} none any more"] if self.dropped else []
        total = self.went_on + self.stayed + self.merged + self.dropped
        new = f"{self.new} {_verb(self.new, 'site is', 'sites are')} new"
        return f"of {total} earlier {_verb(total, 'site', 'sites')} {', '.join(parts)}; {new}"


def _verb(count: int, one: str, several: str) -> str:
    return one if count == 1 else several


def settled(sites: Decided, succession: Succession) -> Decided:
    """Return sites with times on this run's axis; what was said of frozen dates stays as it was."""
    axis, earlier = succession.axis, succession.earlier.sites
    seen = sites.seen.copy()
    owner = np.repeat(np.arange(len(sites)), np.diff(sites.seen_start))
    seen["time"] = axis.own(sites.rows["grid"][owner], seen["time"])
    if succession.tracked.mode == "linked":
        return replace(sites, seen=seen)
    for row in np.flatnonzero(sites.rows["before"] >= 0).tolist():
        place = succession.going[sites.rows["before"][row]]
        old = earlier.seen[earlier.seen_start[place] : earlier.seen_start[place + 1]]
        old = old[old["day"] < axis.cut]
        mine = seen[sites.seen_start[row] : sites.seen_start[row] + len(old)]
        if np.array_equal(mine["day"], old["day"]):
            mine["seen_share"] = old["seen_share"]
    return replace(sites, seen=seen)


def gone_on(shelf: Shelf, succession: Succession, absorbed: Sequence[Ints]) -> tuple[Ints, Continued]:
    """Put the earlier sites that stay beside those of this run, and return the number of each.

    Sites that go on keep their numbers and the names that they were born with.
    """
    earlier, going = succession.earlier, succession.going
    rows = shelf.rows
    heir, new = _heirs(rows), len(rows)
    before, now = earlier.sites.rows["end"][going[rows["before"][heir]]], rows["end"][heir]
    ended = int(((before == NO_DAY) & (now != NO_DAY)).sum())
    over = int(((before != NO_DAY) & (now == before)).sum())  # what was hidden or missed was not found again
    for name in ("birth", "grid", "kind", "y", "x"):
        rows[name][heir] = earlier.sites.rows[name][going[rows["before"][heir]]]
    numbers = np.empty(new, dtype=np.int64)
    numbers[heir] = earlier.number[going[rows["before"][heir]]]
    numbers[~heir] = numbers_of(rows[~heir], earlier.next_number)
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *absorbed]))
    merged = going[np.setdiff1d(every, rows["before"][heir])]
    _stay(shelf, earlier.sites, succession.ended, None)
    _stay(shelf, earlier.sites, merged, succession.terms.since)
    dropped = len(going) - int(heir.sum()) - len(merged)
    stays = [earlier.number[succession.ended], earlier.number[merged]]
    became = Continued(
        int(heir.sum()) - over,
        ended,
        new - int(heir.sum()),
        len(succession.ended) + over,
        len(merged),
        dropped,
        succession.terms.since,
        earlier.next_number,
    )
    return np.concatenate([numbers, *stays]), became


def _heirs(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return which sites go on with an earlier one: each earlier one goes on in one alone, the largest."""
    order = np.lexsort((rows["x"], rows["y"], -rows["area_px"], rows["before"]))
    first = np.append(True, np.diff(rows["before"][order]) > 0)[: len(order)]
    out = np.zeros(len(rows), dtype=bool)
    out[order[first]] = True
    return out & (rows["before"] >= 0)


def _stay(shelf: Shelf, sites: Decided, at: NDArray[np.integer], merged_on: int | None) -> None:
    for first in range(0, len(at), _AT_ONCE):
        some = taken(sites, at[first : first + _AT_ONCE])
        if merged_on is not None:
            some.rows["end"] = np.maximum(merged_on, some.rows["start"])
            some = with_event(some, np.full(len(some), MERGE), np.full(len(some), merged_on))
        shelf.add(some)
