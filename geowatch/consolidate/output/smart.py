"""Sites as documents of the SMART programme: a site model for each, and a region model that sums them up.

The rules by which rows become documents:

- A site's id is the region's and its number in four digits, so a region holds sites 0 to 9999.
- A site that has not ended is given the region's last day as its end, since the programme's metric passes over
  proposals without one; ``misc_info`` says that it is ongoing.
- The boundary is one polygon: the hull of a site's parts, where it has several.
- A site model holds what was seen from the site's first to its last day, ends included, as annotated ones do; where
  nothing was seen between them, it holds all. The run's tables hold what was seen before and after, too.
- Each observation has an outline: its own, or the site's. Phases, ``is_site_boundary`` and ``is_occluded`` name each
  part of it, joined by a comma and a space. A phase that the programme has no name for is written as null.
- A part counts as occluded where less than half of the site's pixels have a score at that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import shapely

from geowatch.consolidate.output.batches import Batches, geometries, groups, lonlat
from geowatch.consolidate.output.geojson import for_web
from geowatch.errors import ConfigError, DamagedError
from geowatch.grid.antimeridian import whole
from geowatch.sites.model import PHASES, UNKNOWN_PHASE, Observation, RegionModel, Site
from geowatch.sites.schema import REGION_ID

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from geowatch.sites.model import Area

__all__ = ["MOST_SITES", "Programme", "Seen", "check_programme", "region_model", "site_models"]

#: Sites that four digits can number.
MOST_SITES = 10_000
#: An observation that shows less of the site than this is occluded.
OCCLUDED_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What image a time stands for."""

    source: str | None = None
    """Name of the image."""
    sensor: str | None = None
    """The programme's name of its sensor."""


@dataclass(frozen=True)
class Programme:
    """What the documents say of all sites alike."""

    region_id: str
    """Such as ``KR_R001``."""
    geometry: Area
    """The region in degrees."""
    start: date
    """The region's first day."""
    end: date
    """The region's last day."""
    originator: str = "kit"
    """Code of who proposes the sites."""
    seen: Mapping[tuple[str, int], Seen] = field(default_factory=dict)
    """The image of each (grid, time)."""


def check_programme(region_id: str) -> None:
    """Raise ConfigError for a region id that SMART documents cannot have."""
    if not REGION_ID.search(region_id):
        raise ConfigError(
            f"'{region_id}' is no region id of SMART, whose ids are like KR_R001",
            hint="give the region one with --region-id, such as --region-id ZZ_R001",
        )


def site_models(sites: Batches, observations: Batches, programme: Programme) -> Iterator[Site]:
    """Yield sites with their observations, by number; both tables are read once, side by side.

    Sites without an observation are left out: a site model has at least one.

    Raises:
        ConfigError: for a number beyond `MOST_SITES`, or tables without a CRS.
    """
    crs = _crs(sites)
    rows = groups(observations)
    name, seen = next(rows, ("", None))
    for row, outline in _rows(sites, crs):
        if row["site_id"] == name and seen is not None:
            made = _site(row, outline, programme)
            yield _with_observations(made, row, _observations(seen, outline, (row["grid"], crs), programme))
            name, seen = next(rows, ("", None))
    if seen is not None:
        raise DamagedError(f"observations of {name} belong to no site", hint="make the tables again: gw consolidate")


def region_model(sites: Batches, programme: Programme) -> RegionModel:
    """Return the region with a summary of each site.

    Raises:
        ConfigError: as `site_models`.
    """
    summaries = tuple(_site(row, outline, programme) for row, outline in _rows(sites, _crs(sites)))
    return RegionModel(
        programme.region_id,
        _plain(programme.geometry),
        programme.start,
        programme.end,
        summaries,
        originator=programme.originator,
    )


def _crs(sites: Batches) -> str:
    if sites.crs is None:
        raise ConfigError("the sites have no CRS, and SMART documents are longitude and latitude")
    return sites.crs


def _rows(sites: Batches, crs: str) -> Iterator[tuple[dict[str, Any], Area]]:
    for batch in sites:
        shapes = for_web(lonlat(geometries(batch), crs))
        yield from zip(batch.drop_columns(["geometry"]).to_pylist(), shapes.tolist(), strict=True)


def _site(row: dict[str, Any], outline: Area, programme: Programme) -> Site:
    number = row["number"]
    if not 0 <= number < MOST_SITES:
        raise ConfigError(
            f"site {number} of {programme.region_id} has no SMART id: its numbers have four digits",
            hint="split the region, keep fewer sites (--min-area), or leave smart out of --outputs",
        )
    return Site(
        id=f"{programme.region_id}_{number:04d}",
        geometry=_one(outline),
        status=row["status"],
        start=row["start"],
        end=row["end"] or _last_day(row["start"], programme.end),
        score=_share(row["score"]),
        originator=programme.originator,
        cache={"key": row["key"], "ongoing": row["end"] is None} | ({"events": row["events"]} if row["events"] else {}),
    )


def _one(outline: Area) -> Area:
    """Return the hull of an outline of several parts: the boundary in a site model is one polygon.

    Parts that the antimeridian cut are joined there; longitudes go on beyond 180 degrees.
    """
    joined = whole(outline)
    return _plain(joined if joined.geom_type == "Polygon" else cast("Area", joined.convex_hull))


def _last_day(start: date | None, end: date) -> date:
    return end if start is None else max(start, end)


def _with_observations(site: Site, row: dict[str, Any], seen: Iterable[Observation]) -> Site:
    every = tuple(seen)
    kept = tuple(each for each in every if _within(site, each.date))
    return replace(site, observations=kept or every, cache=site.cache | {"area_m2": round(row["area_m2"], 1)})


def _within(site: Site, day: date | None) -> bool:
    """Whether a day lies from the first to the last of a site, as far as these are known."""
    return day is None or ((site.start is None or site.start <= day) and (site.end is None or day <= site.end))


def _observations(
    batch: pa.RecordBatch, outline: Area, place: tuple[str, str], programme: Programme
) -> Iterator[Observation]:
    grid, crs = place
    shapes = geometries(batch)
    there = ~shapely.is_missing(shapes)
    own: NDArray[np.object_] = np.full(len(shapes), outline, object)
    if there.any():
        own[there] = for_web(lonlat(shapes[there], crs))
    for row, shape in zip(batch.drop_columns(["geometry"]).to_pylist(), own.tolist(), strict=True):
        yield _observation(row, shape, programme.seen.get((grid, row["time"]), Seen()))


def _observation(row: dict[str, Any], outline: Area, seen: Seen) -> Observation:
    parts = len(shapely.get_parts(outline))
    known = row["phase"] in (*PHASES, UNKNOWN_PHASE)
    return Observation(
        date=row["date"],
        geometry=outline,
        phases=(row["phase"],) * parts if known else (),
        source=seen.source,
        sensors=(seen.sensor,) if seen.sensor else (),
        is_occluded=(bool(row["seen_share"] < OCCLUDED_BELOW),) * parts,
        is_boundary=(True,) * parts,
        score=_share(row["score"]),
    )


def _share(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(min(1.0, max(0.0, value)), 6)


def _plain(geometry: Area) -> Area:
    return cast("Area", for_web(np.array([geometry], object))[0])
