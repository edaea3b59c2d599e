"""Labels from SMART site models: a site is of a phase from one observation to the day before the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import shapely

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.sites.model import Observation, Site

__all__ = ["shapes_of_site"]


def shapes_of_site(site: Site) -> Iterator[tuple[BaseGeometry, dict[str, Any]]]:
    """Yield each outline of a site (lon/lat) with its ``class``, ``id``, ``start_date`` and ``end_date``.

    The class is the phase; subsites are numbered from the second on. What an observation without a date or a phase
    says of a time is not known, and it is passed over. A site without observations is of its status from start to end.
    """
    seen = sorted((o for o in site.observations if o.date and not o.geometry.is_empty), key=lambda o: str(o.date))
    if not seen:
        span = {"start_date": _text(site.start), "end_date": _text(site.end)}
        yield site.geometry, {"class": site.status, "id": site.id, **span}
    for observation, following in pairwise([*seen, None]):
        if observation is not None:
            ends = following.date - timedelta(days=1) if following is not None and following.date else site.end
            span = {"start_date": _text(observation.date), "end_date": _text(ends)}
            for number, (shape, phase) in enumerate(_subsites(observation), 1):
                name = site.id if number == 1 else f"{site.id}.{number}"
                yield shape, {"class": phase, "id": name, **span}


def _subsites(observation: Observation) -> Iterator[tuple[BaseGeometry, str]]:
    """Yield the subsites with their phases; one phase is that of all."""
    if len(observation.phases) == 1:
        yield observation.geometry, observation.phases[0]
    else:
        yield from zip(shapely.get_parts(observation.geometry), observation.phases, strict=False)


def _text(day: object) -> str | None:
    return None if day is None else str(day)
