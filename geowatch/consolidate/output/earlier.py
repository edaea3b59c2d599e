"""An earlier run, with whose sites those of this one go on, as far as what people open tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

__all__ = ["BECAME", "EarlierRun"]

#: What a site can be, seen from an earlier run.
BECAME = ("goes on", "ended since", "had ended", "new")


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier run."""

    since: date
    """First day that is new."""
    first_new: int
    """Number from which on sites are new."""
    says: str
    """What became of its sites."""

    @classmethod
    def told(cls, gaps: Mapping[str, Any]) -> Self | None:
        """Return what the account of a run (``sites/gaps.json``) tells of one, or None where there was none."""
        earlier = gaps.get("earlier_run")
        if earlier is None:
            return None
        return cls(date.fromisoformat(earlier["since"]), earlier["first_new_number"], earlier["says"])

    def became(self, number: int, end: date | None) -> str:
        """Return what became of a site, one of `BECAME`.

        >>> run = EarlierRun(date(2020, 5, 1), 7, "")
        >>> run.became(7, None), run.became(6, None), run.became(6, date(2020, 5, 1)), run.became(0, date(2020, 4, 30))
        ('new', 'goes on', 'ended since', 'had ended')
        """
        if number >= self.first_new:
            return "new"
        if end is None:
            return "goes on"
        return "ended since" if end >= self.since else "had ended"
