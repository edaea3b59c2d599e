"""What people open of consolidated sites: every file is written from the two tables, batch by batch.

Files appear whole or not at all, and the same tables give the same bytes. What was not made although it might have
been expected is said in the notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geowatch.consolidate.output.batches import OBSERVATION_COLUMNS, SITE_COLUMNS
from geowatch.consolidate.output.geojson import write_geojson
from geowatch.consolidate.output.geoparquet import write_geoparquet
from geowatch.consolidate.output.scores import spread_scores
from geowatch.consolidate.output.smart import check_programme
from geowatch.consolidate.output.summary import summary_csv, write_sites_csv
from geowatch.consolidate.output.vector import Layer, add_dates_layer, write_flatgeobuf, write_geopackage
from geowatch.errors import ConfigError
from geowatch.stages.sites.deliver_config import OUTPUTS
from geowatch.stages.sites.mosaic import write_mosaic
from geowatch.stages.sites.order import Order
from geowatch.stages.sites.report import write_pages
from geowatch.stages.sites.smart import write_smart
from geowatch.stages.sites.stac import write_stac

if TYPE_CHECKING:
    from pathlib import Path

    from geowatch.consolidate.output.batches import Batches
    from geowatch.grid.plan import Plan
    from geowatch.stages.sites.deliver_config import DeliverConfig
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["SiteFiles", "deliver_sites"]


@dataclass(frozen=True, slots=True)
class SiteFiles:
    """What was made."""

    digests: dict[str, str] = field(default_factory=dict)
    """sha256 of each file by key."""
    notes: tuple[str, ...] = ()
    """What was not made and why, one sentence each."""


def deliver_sites(
    store: Store, plan: Plan, sites: Batches, observations: Batches, wanted: DeliverConfig, events: Events
) -> SiteFiles:
    """Write the files that are wanted.

    Args:
        store: The run folder.
        plan: Its plan.
        sites: Sites by number, with `SITE_COLUMNS`.
        observations: Observations by number and time, with `OBSERVATION_COLUMNS`.
        wanted: Which files, and how.
        events: Hears of progress and of what was left out.

    Raises:
        ConfigError: for an output that is asked for by name and cannot be made of this region.
        DamagedError: for tables without the columns.
    """
    sites.require(SITE_COLUMNS, "sites")
    observations.require(OBSERVATION_COLUMNS, "observations")
    order = Order(store, plan, sites, observations, wanted)
    if wanted.asks("smart"):
        check_programme(order.region_id)  # before anything is written
    names = [name for name in OUTPUTS if wanted.wants(name)]
    for number, name in enumerate(names):
        if name in _WRITERS:
            _WRITERS[name](order)
        events.progress("deliver", number + 1, len(names) + 1)
    write_pages(order)
    events.progress("deliver", len(names) + 1, len(names) + 1)
    for note in order.notes:
        events.note(note)
    return SiteFiles(order.digests, tuple(order.notes))


def _parquet(order: Order) -> None:
    order.write("sites/sites.parquet", lambda path: write_geoparquet(order.sites, path))
    order.write("sites/observations.parquet", lambda path: write_geoparquet(order.observations, path))


def _flatgeobuf(order: Order) -> None:
    layer = Layer("sites", order.sites, f"Sites of {order.region_id}")
    order.write("sites/sites.fgb", lambda path: write_flatgeobuf(layer, path))


def _geopackage(order: Order) -> None:
    classes = order.tracking.classes if order.tracking else ()
    spread = spread_scores(order.observations, classes)
    layers = [
        Layer("sites", order.sites, f"Sites of {order.region_id}"),
        Layer("observations", spread, f"Sites of {order.region_id}, date by date"),
    ]

    def write(path: Path) -> None:
        write_geopackage(layers, path)
        add_dates_layer(path)

    order.write("sites/sites.gpkg", write)


def _geojson(order: Order) -> None:
    key = "sites/sites.geojson"
    try:
        order.write(key, lambda path: write_geojson(order.sites, path, order.wanted.geojson_bytes))
    except ConfigError as error:
        order.leave_out("geojson", key, error)


def _summary(order: Order) -> None:
    missing = len(order.gaps.get("missing_tiles", ()))
    order.put("sites/summary.csv", summary_csv(order.counts, missing, goes_on=order.earlier is not None))
    order.write("sites/sites.csv", lambda path: write_sites_csv(order.sites, path))


_WRITERS: dict[str, Callable[[Order], None]] = {
    "parquet": _parquet, "fgb": _flatgeobuf, "gpkg": _geopackage, "geojson": _geojson, "smart": write_smart,
    "summary": _summary,
    "mosaic": write_mosaic, "stac": write_stac,
}  # fmt: skip
