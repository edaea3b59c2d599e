"""A STAC Item that describes a map, so that catalogues and viewers find it. Source: STAC 1.1, projection 2.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import shapely
from pyproj import CRS, Transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geowatch.grid.lattice import Lattice, PixelBox

__all__ = ["MapItem", "stac_item"]


@dataclass(frozen=True, slots=True)
class MapItem:
    """What an Item says of a map."""

    id: str
    """Id of the item."""
    lattice: Lattice
    """Where pixels are; it has a CRS."""
    box: PixelBox
    """The map's pixels."""
    time: datetime | None
    """When its imagery was sensed."""
    assets: Mapping[str, tuple[str, str]]
    """Files by key: (relative path, media type)."""
    classes: tuple[tuple[str, str], ...]
    """Names and colours of the map's values."""
    properties: Mapping[str, object]
    """Further properties."""


def stac_item(item: MapItem) -> bytes:
    """Return the Item as canonical JSON."""
    west, south, east, north = _lonlat(item)
    properties: dict[str, object] = {
        **item.properties,
        "datetime": item.time.astimezone(UTC).isoformat().replace("+00:00", "Z") if item.time else None,
        "proj:shape": list(item.box.shape),
        "proj:transform": list(item.lattice.affine_of(item.box))[:6],
    }
    if item.time is None:  # an Item without a datetime must give a range
        properties |= {"start_datetime": "1970-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
    code = CRS.from_user_input(item.lattice.crs).to_authority()
    properties["proj:code"] = ":".join(code) if code else None
    document = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
        ],
        "id": item.id,
        "bbox": [west, south, east, north],
        "geometry": json.loads(shapely.to_geojson(_outline(west, south, east, north))),
        "properties": properties,
        "links": [],
        "assets": {key: _asset(key, href, kind, item) for key, (href, kind) in item.assets.items()},
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _asset(key: str, href: str, kind: str, item: MapItem) -> dict[str, object]:
    asset: dict[str, object] = {"href": f"./{href}", "type": kind, "roles": ["thumbnail" if "png" in kind else "data"]}
    if key == "map":
        asset["classification:classes"] = [
            {"value": value, "name": name, "color_hint": color[1:7].upper()}
            for value, (name, color) in enumerate(item.classes)
        ]
    return asset


def _outline(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """Return a box as RFC 7946 has it: where west is the larger it crosses the antimeridian, and has two parts."""
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])


def _lonlat(item: MapItem) -> tuple[float, float, float, float]:
    to_lonlat = Transformer.from_crs(item.lattice.crs, "OGC:CRS84", always_xy=True)
    bounds = to_lonlat.transform_bounds(*item.lattice.bounds(item.box), densify_pts=21)
    west, south, east, north = (round(value, 7) for value in bounds)
    return west, south, east, north
