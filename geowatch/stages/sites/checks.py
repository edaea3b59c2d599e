"""What is asked for by name and cannot be made of a run is refused before the long work, not after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.consolidate.output.smart import check_programme
from geowatch.errors import ConfigError
from geowatch.stages.sites.mosaic import joined_place
from geowatch.stages.sites.over_time import LATEST, check_words

if TYPE_CHECKING:
    from geowatch.stages.sites.deliver_config import DeliverConfig
    from geowatch.stages.tracking.tracked import TrackedRun

__all__ = ["check_dates", "check_outputs"]


def check_outputs(tracked: TrackedRun, wanted: DeliverConfig) -> None:
    """Refuse outputs that are asked for by name and cannot be made.

    Raises:
        ConfigError: for SMART documents of a region whose id or dates do not fit, for documents in longitude and
            latitude or joined maps of plain pixels, and for joined maps that would be nearly empty.
    """
    region = tracked.plan.region
    if any(grid.lattice.crs is None for grid in tracked.plan.grids):
        for name in ("smart", "geojson"):
            if wanted.asks(name):
                raise ConfigError(
                    f"the run's pixels have no CRS, and {name} is longitude and latitude", hint=f"leave {name} out"
                )
    if wanted.asks("smart"):
        check_programme(wanted.region_id or (region.id if region is not None else "region"))
        check_dates(tracked)
    check_words(wanted.mosaic_aggregate)
    if wanted.asks("mosaic") or wanted.mosaic_crs is not None or wanted.mosaic_aggregate != LATEST:
        joined_place(tracked.plan, wanted.mosaic_crs)


def check_dates(tracked: TrackedRun) -> None:
    """Raise ConfigError where SMART documents would have no range of days."""
    region = tracked.plan.region
    dated = region is not None and region.start is not None and region.end is not None
    if not dated and all(day is None for grid in tracked.tracking.grids for day in grid.days):
        raise ConfigError(
            "neither the region nor an image has a date, and SMART documents have a range of days",
            hint="give the region start_date and end_date",
        )
