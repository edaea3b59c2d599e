"""SMART documents of a run's sites: which region, days and images they speak of, and where they lie."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import shapely
from pyproj import Transformer

from geowatch.consolidate.output.smart import Programme, Seen, check_programme, region_model, site_models
from geowatch.errors import ConfigError
from geowatch.predict.recipe import read_recipe
from geowatch.sites.smart import dump, region_document, site_document, smart_sensor
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.binding.parts import parts_of
from geowatch.stages.sites.order import Order
from geowatch.stages.sites.stale import made_of_tables
from geowatch.store.plans import read_plan

if TYPE_CHECKING:
    from geowatch.consolidate.output.batches import Batches
    from geowatch.sites.model import Area

__all__ = ["region_outline", "time_range", "write_smart"]

_PLACED = "give images with a georeference, or leave smart out"
_SITES, _REGIONS = "sites/site_models/", "sites/region_models/"


def write_smart(order: Order) -> None:
    """Write a site model for each site and the region model; models of sites that are no more are removed."""
    before = {*made_of_tables(order.store, _SITES), *made_of_tables(order.store, _REGIONS)}
    try:
        made = _documents(order)
    except ConfigError as error:
        order.leave_out("smart", _SITES, error)
        made = set()
    for key in before - made:
        order.store.delete(key)


def _documents(order: Order) -> set[str]:
    programme = _programme(order)
    region = region_document(region_model(order.sites, programme))  # refuses too many sites before any is written
    made = {f"{_REGIONS}{programme.region_id}.geojson"}
    order.put(next(iter(made)), dump(region))
    for site in site_models(order.sites, order.observations, programme):
        key = f"{_SITES}{site.id}.geojson"
        order.put(key, dump(site_document(site)))
        made.add(key)
    return made


def _programme(order: Order) -> Programme:
    check_programme(order.region_id)
    start, end = time_range(order)
    return Programme(order.region_id, region_outline(order), start, end, order.wanted.originator, _seen(order))


def time_range(order: Order) -> tuple[date, date]:
    """Return the first and last day: the region's, else those looked at or told of earlier sites."""
    region = order.plan.region
    if region is not None and region.start is not None and region.end is not None:
        return region.start, region.end
    days = [*order.looked_at, *_range(order.observations, "date"), *_range(order.sites, "start")]
    if not days:
        raise ConfigError(
            "neither the region nor an image has a date, and SMART documents have a range of days",
            hint="give the region start_date and end_date",
        )
    first = region.start if region is not None and region.start is not None else min(days)
    last = region.end if region is not None and region.end is not None else max(days)
    return first, max(first, last)


def region_outline(order: Order) -> Area:
    """Return the region in degrees; without one, the hull of the grids' bounds.

    Raises:
        ConfigError: all grids are plain pixels.
    """
    if order.plan.region is not None:
        return order.plan.region.geometry
    boxes = [
        shapely.box(
            *Transformer.from_crs(grid.lattice.crs, "OGC:CRS84", always_xy=True).transform_bounds(
                *grid.lattice.bounds(grid.bounds)
            )
        )
        for grid in order.plan.grids
        if grid.lattice.crs is not None
    ]
    if not boxes:
        raise ConfigError("the run's pixels have no CRS, and SMART documents are longitude and latitude", hint=_PLACED)
    return shapely.box(*shapely.total_bounds(boxes))


def _range(table: Batches, column: str) -> list[date]:
    found: list[date] = []
    for batch in table:
        ends = pc.min_max(batch.column(batch.schema.get_field_index(column))).as_py()
        found += [day for day in ends.values() if day is not None]
    return [min(found), max(found)] if found else []


def _seen(order: Order) -> dict[tuple[str, int], Seen]:
    """Return the image of each grid's times, where the run knows its imagery."""
    bound, recipe = read_bound(order.store), read_recipe(order.store)
    if bound is None or recipe is None:
        return {}
    parts = parts_of(read_plan(order.store), bound, recipe.dates, recipe.series)
    return {(part.grid.id, part.time): Seen(part.shown.frame_id, smart_sensor(part.shown.sensor)) for part in parts}
