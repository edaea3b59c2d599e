"""A simulation over a real region: SMART region and site models say where and when, the land is made up."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, cast

import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from geowatch.datasets.simulation.places import pixels_of
from geowatch.datasets.simulation.scenario import MARGIN_PX, Scenario, SimulationSpec, day_number
from geowatch.datasets.simulation.works import KINDS, Kind, Work
from geowatch.datasets.simulation.world import World, world_of
from geowatch.errors import RegionError
from geowatch.grid.crs import project, utm_zones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geowatch.sites.model import RegionModel, Site

__all__ = ["smart_scenario", "smart_world"]

#: Where nothing is said of phases: shares of a site's time that are preparation and construction.
_PREPARATION, _CONSTRUCTION = 0.15, 0.95
_SHORTEST_DAYS = 30


def smart_world(region: RegionModel, sites: Iterable[Site], spec: SimulationSpec) -> World:
    """Return the world of a real region; ``spec`` gives seed, days, clouds and flaws. Raises as `smart_scenario`."""
    return world_of(smart_scenario(region, sites, spec))


def smart_scenario(region: RegionModel, sites: Iterable[Site], spec: SimulationSpec) -> Scenario:
    """Return what is to be simulated of a real region.

    Sites that are positive, or were left out of the truth for their size alone, become building sites; negatives become
    changes that tempt. Phases come from the observations, where there are any.

    Raises:
        RegionError: the region lies in several UTM zones.
    """
    zones = utm_zones(region.geometry)
    if len(zones) > 1:
        raise RegionError(f"region {region.id} lies in {len(zones)} UTM zones", hint="simulate a part of it")
    west, south, east, north = project(region.geometry, zones[0].crs, spec.resolution_m).bounds
    step, margin = spec.resolution_m, MARGIN_PX * spec.resolution_m
    x, y = math.floor(west / step) * step - margin, math.ceil(north / step) * step + margin
    shape = math.ceil((y - south + margin) / step), math.ceil((east + margin - x) / step)
    geobox = GeoBox(shape, Affine(step, 0, x, 0, -step, y), zones[0].crs)
    spec = replace(spec, lat=float(region.geometry.centroid.y), lon=float(region.geometry.centroid.x))
    works = tuple(work for site in sites if (work := _work(site, geobox, spec)) is not None)
    outline = region.geometry if isinstance(region.geometry, Polygon) else region.geometry.convex_hull
    return Scenario(spec, region.id, cast("Polygon", outline), geobox, works)


def _work(site: Site, geobox: GeoBox, spec: SimulationSpec) -> Work | None:
    """Return what a site is in the simulation; None for one that ended before it or has no outline."""
    seen = [each.geometry for each in site.observations if not each.geometry.is_empty]
    area = shapely.union_all([shapely.make_valid(each) for each in seen or [site.geometry]])
    parts = [part for part in shapely.get_parts(area) if isinstance(part, shapely.Polygon) and part.area > 0]
    start, end = site.start or spec.start, site.end or spec.end
    if not parts or end < start:
        return None
    outline = pixels_of(shapely.MultiPolygon(parts), geobox)
    number = int(site.id[-4:]) if site.id[-4:].isdigit() else 0
    kind: Kind = KINDS[1 + number % 3] if "negative" in site.status else "building"
    days = _phases(site, start, end) if kind == "building" else _spell(start, end)
    return Work(site.id, kind, outline, days, site.status)


def _phases(site: Site, start: date, end: date) -> tuple[int, int, int]:
    """Return the first days of preparation, construction and post construction, in this order."""
    first = {
        phase: min((o.date for o in site.observations if o.date and phase in o.phases), default=None)
        for phase in ("Site Preparation", "Active Construction", "Post Construction")
    }
    whole = max((end - start).days, 3 * _SHORTEST_DAYS)
    prepare = first["Site Preparation"] or first["Active Construction"] or start
    build = first["Active Construction"] or prepare + timedelta(days=round(_PREPARATION * whole))
    done = first["Post Construction"] or start + timedelta(days=round(_CONSTRUCTION * whole))
    days = [day_number(prepare)]
    for day in (build, done):
        days.append(max(day_number(day), days[-1] + _SHORTEST_DAYS))
    return days[0], days[1], days[2]


def _spell(start: date, end: date) -> tuple[int, int]:
    """Return when a negative happens: at most a year of its time, so that it is a spell."""
    first = day_number(start)
    return first, min(day_number(end), first + 300)
