"""Sites of a region over the antimeridian, all on one side of it: what lies together is compared and drawn so.

Documents write such outlines in two ways, cut at ±180 degrees or with longitudes that go on beyond; the metric and its
pictures take longitudes as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.grid.antimeridian import HALF_TURN, unrolled, west_of

if TYPE_CHECKING:
    from geowatch.sites.model import Area, RegionModel, Site

__all__ = ["on_one_side"]


def on_one_side(
    region: RegionModel, truth: Sequence[Site], proposals: Sequence[Site]
) -> tuple[RegionModel, list[Site], list[Site]]:
    """Return all with longitudes that go on beyond 180 degrees where the region reaches the antimeridian."""
    west_deg, _, east_deg, _ = region.geometry.bounds
    if west_deg > -HALF_TURN and east_deg < HALF_TURN:
        return region, list(truth), list(proposals)
    outlines = [region.geometry, *(shape for site in (*truth, *proposals) for shape in _outlines(site))]
    west = west_of(np.array(outlines, dtype=object))
    turned = replace(region, geometry=_turned(region.geometry, west))
    return turned, [_site(each, west) for each in truth], [_site(each, west) for each in proposals]


def _outlines(site: Site) -> list[Area]:
    return [site.geometry, *(seen.geometry for seen in site.observations)]


def _site(site: Site, west: float | None) -> Site:
    seen = tuple(replace(each, geometry=_turned(each.geometry, west)) for each in site.observations)
    return replace(site, geometry=_turned(site.geometry, west), observations=seen)


def _turned(shape: Area, west: float | None) -> Area:
    found: Area = unrolled(np.array([shape], dtype=object), west)[0]
    return found
