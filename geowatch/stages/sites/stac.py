"""The STAC collection of a run: the maps that stitch made, the joined maps, and the sites."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from geowatch.consolidate.output.stac import CatalogFacts, collection, dumped, in_collection, sites_item
from geowatch.consolidate.output.summary import total
from geowatch.errors import ConfigError
from geowatch.stages.sites.mosaic import MAP, SCORE, joined_item
from geowatch.stages.sites.order import Order
from geowatch.stages.sites.smart import region_outline, time_range
from geowatch.stages.sites.stale import made_of_tables

if TYPE_CHECKING:
    from datetime import date

__all__ = ["COLLECTION", "write_stac"]

_FOLDER = "sites/stac/"
COLLECTION = f"{_FOLDER}collection.json"
"""Key of the collection."""
_PAGES = {"picture": "sites/sites.png", "report": "sites/report.html"}


def write_stac(order: Order) -> None:
    """Write the collection and its items; items of maps that are no more are removed."""
    if order.sites.crs is None:
        order.leave_out("stac", COLLECTION, ConfigError("the sites have no CRS, so they have no place in a catalogue"))
        return
    facts = _facts(order, order.sites.crs)
    sites = sites_item(facts)
    items = {str(item["id"]): item for item in (sites, *_maps(order), *_joined(order))}
    before = set(made_of_tables(order.store, _FOLDER))
    for name, item in items.items():
        order.put(f"{_FOLDER}{name}.json", dumped(item))
    order.put(COLLECTION, dumped(collection(facts, {f"{name}.json": item for name, item in items.items()})))
    for key in before - set(order.digests):
        order.store.delete(key)


def _facts(order: Order, crs: str) -> CatalogFacts:
    start, end = _days(order)
    pages = [key for name, key in _PAGES.items() if order.wanted.wants(name)]  # they are written after this
    types = [(field.name, str(field.type)) for field in order.sites.schema]
    return CatalogFacts(
        region_id=order.region_id,
        outline=region_outline(order),
        start=start,
        end=end,
        crs=crs,
        columns=tuple(types),
        rows=total(order.counts).sites,
        files=(*order.digests, *pages),
        simulated=order.simulated is not None,
    )


def _days(order: Order) -> tuple[date | None, date | None]:
    try:
        return time_range(order)
    except ConfigError:  # undated imagery
        return None, None


def _maps(order: Order) -> list[dict[str, object]]:
    """Return the items that stitch left in the run folder, as members of the collection."""
    keys = [key for key in order.store.list("item") if "/" not in key and key.endswith(".json")]
    return [in_collection(json.loads(order.store.get(key)), order.region_id, "../../") for key in keys]


def _joined(order: Order) -> list[dict[str, object]]:
    if MAP not in order.digests or SCORE not in order.digests:
        return []
    return [in_collection(json.loads(joined_item(order)), order.region_id, "../")]
