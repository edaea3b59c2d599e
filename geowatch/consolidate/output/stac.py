"""A STAC collection of a region: its maps as they stand in the run, and its sites as one item.

Source: STAC 1.1.0, with the projection (2.0.0) and table (1.2.0) extensions. All addresses are relative, so that the
run folder can be moved or put behind a web server as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import shapely

from geowatch.consolidate.output.geojson import for_web
from geowatch.grid.antimeridian import bounds_of

if TYPE_CHECKING:
    from geowatch.sites.model import Area

__all__ = ["CatalogFacts", "collection", "dumped", "in_collection", "sites_item"]

_VERSION = "1.1.0"
_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
_TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"

#: Media type, role and title of files by key.
_KINDS = {
    "sites/sites.parquet": ("parquet", "application/vnd.apache.parquet", "data", "Sites as GeoParquet"),
    "sites/observations.parquet": (
        "observations", "application/vnd.apache.parquet", "data", "Sites date by date as GeoParquet",
    ),
    "sites/sites.gpkg": ("geopackage", "application/geopackage+sqlite3", "data", "Sites and dates as GeoPackage"),
    "sites/sites.fgb": ("flatgeobuf", "application/vnd.flatgeobuf", "data", "Sites as FlatGeobuf"),
    "sites/sites.geojson": ("geojson", "application/geo+json", "data", "Sites as GeoJSON"),
    "sites/sites.csv": ("csv", "text/csv", "data", "Sites as a table without outlines"),
    "sites/summary.csv": ("summary", "text/csv", "metadata", "Sites by class and status"),
    "sites/sites.png": ("thumbnail", "image/png", "thumbnail", "Map of the sites"),
    "sites/report.html": ("report", "text/html", "overview", "Report"),
}  # fmt: skip
#: What columns of the sites' table hold.
_COLUMNS = {
    "site_id": "id of the site",
    "key": "id that stays: grid, first day, first pixel's row and column",
    "number": "number of the site in its region",
    "grid": "grid that the site lies on",
    "class": "class, where classes were not joined",
    "start": "first day of activity",
    "end": "last day of activity; null while it goes on",
    "area_m2": "area in square metres",
    "area_px": "area in pixels",
    "score": "score of the site, 0 to 1",
    "peak": "largest score of a pixel, 0 to 1",
    "n_observations": "dates with an observation",
    "status": "status as SMART names it",
    "events": "splits and merges",
    "geometry": "outline",
    "bbox": "bounds of the outline",
}


@dataclass(frozen=True)
class CatalogFacts:
    """What a catalogue says of a region."""

    region_id: str
    """Name of the region."""
    outline: Area
    """The region in degrees."""
    start: date | None
    """First day."""
    end: date | None
    """Last day."""
    crs: str
    """CRS of the sites."""
    columns: tuple[tuple[str, str], ...]
    """Names and types of the columns of the sites' table."""
    rows: int
    """Sites."""
    files: tuple[str, ...]
    """Keys of the files of sites."""
    simulated: bool = False
    """Whether the imagery is a simulation."""


def collection(facts: CatalogFacts, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the collection of items by their file names, which lie beside it.

    Its extent is the region's, widened to hold all items: maps may be of days before and after the region's, and their
    outermost pixels reach over its edge.
    """
    words = "Maps and tracked sites of" if not facts.simulated else "Maps and tracked sites of the simulated region"
    return {
        "type": "Collection",
        "stac_version": _VERSION,
        "stac_extensions": [],
        "id": _id(facts.region_id),
        "title": f"Sites of {facts.region_id}",
        "description": f"{words} {facts.region_id}, made by gw.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [_bbox(_around(facts.outline, items.values()))]},
            "temporal": {"interval": [_interval(facts, items.values())]},
        },
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            *({"rel": "item", "href": f"./{name}", "type": "application/geo+json"} for name in items),
        ],
    }


def sites_item(facts: CatalogFacts) -> dict[str, Any]:
    """Return the item of the sites' files."""
    geometry = json.loads(shapely.to_geojson(for_web(np.array([facts.outline], object))[0]))
    return in_collection(
        {
            "type": "Feature",
            "stac_version": _VERSION,
            "stac_extensions": [_PROJECTION, _TABLE],
            "id": f"{_id(facts.region_id)}-sites",
            "bbox": _bbox(facts.outline),
            "geometry": geometry,
            "properties": {
                "title": f"Sites of {facts.region_id}",
                **_times(facts),
                "proj:code": facts.crs,
                "table:row_count": facts.rows,
                "table:primary_geometry": "geometry",
                "table:columns": [_column(name, kind) for name, kind in facts.columns],
            },
            "links": [],
            "assets": dict(_asset(key) for key in facts.files if key in _KINDS),
        },
        facts.region_id,
        "../",
    )


def in_collection(item: Mapping[str, Any], region_id: str, up: str) -> dict[str, Any]:
    """Return an item as a member of the region's collection, whose assets lie ``up`` from there."""
    link = {"href": "./collection.json", "type": "application/json"}
    assets = {
        name: {**asset, "href": f"{up}{str(asset['href']).removeprefix('./')}"}
        for name, asset in item["assets"].items()
    }
    links = [{"rel": rel, **link} for rel in ("root", "parent", "collection")]
    return {**item, "collection": _id(region_id), "links": links, "assets": assets}


def dumped(document: Mapping[str, Any]) -> bytes:
    """Return a document as canonical JSON."""
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _id(region_id: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in region_id)


def _bbox(outline: Area) -> list[float]:
    return [round(value, 7) for value in bounds_of(outline)]


def _around(outline: Area, items: Iterable[Mapping[str, Any]]) -> Area:
    shapes = [shapely.from_geojson(json.dumps(item["geometry"])) for item in items if item["geometry"] is not None]
    return cast("Area", shapely.union_all([outline, *shapes]))


def _interval(facts: CatalogFacts, items: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """Return the first and the last instant of the region's days and of its items; None where a range is open."""
    first, last = _instant(facts.start), _instant(facts.end, last=True)
    each = [item["properties"] for item in items]
    starts = [found for one in each if (found := one.get("datetime") or one.get("start_datetime"))]
    ends = [found for one in each if (found := one.get("datetime") or one.get("end_datetime"))]
    return [first and min([first, *starts]), last and max([last, *ends])]


def _times(facts: CatalogFacts) -> dict[str, object]:
    """Return the days of an item, which must have some; an open range ends where nothing more is known."""
    first, last = facts.start or facts.end or date(1970, 1, 1), facts.end or facts.start or date(9999, 12, 31)
    return {"datetime": None, "start_datetime": _instant(first), "end_datetime": _instant(last, last=True)}


def _instant(day: date | None, *, last: bool = False) -> str | None:
    return None if day is None else f"{day.isoformat()}T{'23:59:59' if last else '00:00:00'}Z"


def _column(name: str, kind: str) -> dict[str, str]:
    described = {"description": _COLUMNS[name]} if name in _COLUMNS else {}
    return {"name": name, "type": kind, **described}


def _asset(key: str) -> tuple[str, dict[str, object]]:
    name, kind, role, title = _KINDS[key]
    return name, {"href": key.removeprefix("sites/"), "type": kind, "roles": [role], "title": title}
