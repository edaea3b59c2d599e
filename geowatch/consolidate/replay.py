"""What the pixels of an earlier run remember, led through the dates of this one as one run would lead it.

Fragments say of a tile's pixels which piece first has them and where nothing was seen, counted from the run's first
date on. Where some of the run's dates do not count, since the earlier run has looked at them, that says too much; so
the dates that count are gone through one by one, with a look at the scores of the pixels that still remember a piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geowatch.consolidate.meeting import Pixels, Shared, beyond, shared

if TYPE_CHECKING:
    from geowatch.grid.areas import Ints

__all__ = ["Memory"]


@dataclass(eq=False)
class Memory:
    """What pixels remember at a date, and the links that it has led to so far."""

    last: Pixels
    """Pixels that are part of a piece, or were when they were last seen."""
    left: Pixels
    """Pixels that were seen without the piece that they were part of."""
    day: Ints
    """Day of each piece."""
    link_days: int | None = None
    """Days for which the latter are remembered; None: not at all."""
    hidden: list[Shared] = field(default_factory=list)
    """Pixels that pieces of earlier and of later dates share, and that no date between saw."""
    missed: list[Shared] = field(default_factory=list)
    """Pixels that they share, and that a date between saw as part of nothing."""

    def __len__(self) -> int:
        """Return how many runs of pixels remember a piece."""
        return len(self.last) + len(self.left)

    def take_in(self, day: int, now: Pixels, seen: Callable[[Pixels], Pixels]) -> None:
        """Go on to the next date.

        Args:
            day: The date.
            now: Pixels of its pieces.
            seen: Returns where it has scores, of these pixels or more.
        """
        self.left = self._near(day, self.left)
        self.hidden.append(shared(self.last, now))
        self.missed.append(shared(self.left, now))
        rest = beyond(self.last, now)
        dark = beyond(rest, seen(rest)) if len(rest) else rest
        gone = [] if self.link_days is None else [self._near(day, beyond(rest, dark))]
        self.last = dark
        self.left = Pixels.join([beyond(self.left, now), *gone])

    def _near(self, day: int, pixels: Pixels) -> Pixels:
        """Return the pixels of pieces from which links reach a day."""
        return pixels if self.link_days is None else pixels[self.day[pixels.owner] >= day - self.link_days]

    def over_the_cut(self) -> Ints:
        """Return the links as rows: earlier piece, later piece, hidden pixels, missed ones; (4, n)."""
        none = np.zeros((4, 0), dtype=np.int64)
        rows = [none]
        for row, each in ((2, self.hidden), (3, self.missed)):
            for met in each:
                links = np.zeros((4, len(met)), dtype=np.int64)
                links[0], links[1], links[row] = met.one, met.other, met.px
                rows.append(links)
        return np.concatenate(rows, axis=1)
