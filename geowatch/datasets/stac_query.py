"""What a STAC API is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["Query", "Wait"]

Wait = Callable[[float], object]
"""Waits some seconds."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    url: str
    """Landing page of the API."""
    region: BaseGeometry
    """Place, lon/lat."""
    collections: tuple[str, ...] = ()
    """Collections to look in; all if none is given."""
    start: date | None = None
    """First day."""
    end: date | None = None
    """Last day, taken in."""
    max_cloud: float | None = None
    """Most cloud, percent; items that do not say theirs are kept."""
    limit: int | None = None
    """Most items."""
    page_items: int = 100
    """Items in a page."""
    retries: int = 6
    """How often a request is tried again."""
    timeout_s: float = 30.0
    """Longest wait for an answer."""

    @property
    def span(self) -> str | None:
        """The days as STAC writes them; None for all."""
        if self.start is None and self.end is None:
            return None
        first = f"{self.start}T00:00:00Z" if self.start else ".."
        return f"{first}/{f'{self.end}T23:59:59Z' if self.end else '..'}"
