"""The region: what a user asks for, read from any GeoJSON that users have.

A document comes in (bare geometry, Feature, FeatureCollection, GeometryCollection or SMART region model), a
`Region` goes out: valid polygons in longitude and latitude, cut where they cross the antimeridian, with a
note on everything that had to be repaired. Rings are read in `rings`. What cannot be planned is refused with
a `RegionError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

import shapely
from shapely.geometry import MultiPolygon, Polygon, mapping, shape

from geowatch.errors import RegionError
from geowatch.grid.rings import polygon_of_rings

__all__ = ["Area", "Region", "parse_region", "refuse_other_crs"]

Area = Polygon | MultiPolygon
"""A polygon or several."""

_GEOMETRY_TYPES = frozenset(
    ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"]
)
_RFC = "write it as GeoJSON has it: {'type': 'Polygon', 'coordinates': [[[longitude, latitude], ...]]}"
_LONLAT_NAMES = ("CRS84", "EPSG::4326", "EPSG:4326", "CRS84H", "EPSG::4979", "EPSG:4979")


@dataclass(frozen=True)
class Region:
    """A place and a time range."""

    id: str
    """Name: a SMART ``region_id``, a Feature's ``id``, or the name of the file."""
    geometry: Area
    """Valid polygons in (longitude, latitude) degrees, 2-D, within ±180 and ±90."""
    start: date | None = None
    """First day, or None for no limit."""
    end: date | None = None
    """Last day, or None for no limit."""
    notes: tuple[str, ...] = ()
    """What was repaired or left out, one sentence each."""

    def __post_init__(self) -> None:
        if self.start and self.end and self.end < self.start:
            raise RegionError(
                f"region {self.id!r} ends on {self.end}, before it starts on {self.start}",
                hint="swap start_date and end_date",
            )

    def to_feature(self) -> dict[str, object]:
        """Return the region as a GeoJSON Feature, which `parse_region` reads back as an equal region."""
        times = {"start_date": self.start, "end_date": self.end}
        return {
            "type": "Feature",
            "id": self.id,
            "properties": {key: day.isoformat() for key, day in times.items() if day},
            "geometry": mapping(self.geometry),
        }

    @classmethod
    def from_feature(cls, feature: Mapping[str, object], notes: Sequence[str] = ()) -> Region:
        """Return the region that `to_feature` wrote, coordinates untouched."""
        properties = cast("Mapping[str, object]", feature["properties"])
        return cls(
            id=str(feature["id"]),
            geometry=cast("Area", shape(cast("dict[str, object]", feature["geometry"]))),
            start=_day(properties, "start_date"),
            end=_day(properties, "end_date"),
            notes=tuple(notes),
        )


def parse_region(document: object, *, name: str = "region") -> Region:
    """Read a region from a GeoJSON document.

    Args:
        document: The document as ``json.loads`` gives it.
        name: Id of a region that has none of its own.

    Raises:
        RegionError: If there is no polygon to plan, or coordinates are not longitude and latitude.
    """
    notes: list[str] = []
    features = _choose(_features(document), notes)
    parts = [part for feature in features for part in _polygons(feature.get("geometry"), notes)]
    if not parts:
        raise RegionError(_no_polygon(features), hint="draw the area as a Polygon or MultiPolygon")
    geometry = _united(parts)
    properties = [_properties(feature) for feature in features]
    starts = [day for each in properties if (day := _day(each, "start_date"))]
    ends = [day for each in properties if (day := _day(each, "end_date"))]
    return Region(
        id=_id_of(features, properties, name),
        geometry=geometry,
        start=min(starts, default=None),
        end=max(ends, default=None),
        notes=tuple(dict.fromkeys(notes)),
    )


def _features(document: object) -> list[Mapping[str, object]]:
    # Everything becomes a list of Features; a bare geometry is a Feature without properties.
    if not isinstance(document, Mapping) or not isinstance(document.get("type"), str):
        raise RegionError(
            f"a region is a GeoJSON object with a 'type', got {_brief(document)}",
            hint="write {'type': 'Polygon', 'coordinates': [...]} with longitude before latitude",
        )
    refuse_other_crs(document)
    kind = document["type"]
    if kind == "FeatureCollection":
        members = document.get("features")
        if not isinstance(members, Sequence) or isinstance(members, str):
            raise RegionError(f"a FeatureCollection has a list of features, got {_brief(members)}", hint=_RFC)
        return [feature for member in members for feature in _features(member)]
    if kind == "Feature":
        return [document]
    if kind in _GEOMETRY_TYPES:
        return [{"type": "Feature", "geometry": document}]
    raise RegionError(f"'{kind}' is no GeoJSON type", hint="use a Polygon, Feature or FeatureCollection")


def refuse_other_crs(document: Mapping[str, object]) -> None:
    """Raise RegionError where a GeoJSON object names another CRS than longitude and latitude."""
    crs = document.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    named = properties.get("name") if isinstance(properties, Mapping) else crs
    if not str(named).upper().endswith(_LONLAT_NAMES):
        raise RegionError(
            f"the crs is {_brief(named)}, and GeoJSON is longitude and latitude (CRS84)",
            hint="reproject it, such as with: ogr2ogr -t_srs EPSG:4326 lonlat.geojson here.geojson",
        )


def _choose(features: list[Mapping[str, object]], notes: list[str]) -> list[Mapping[str, object]]:
    # In a SMART region model one feature is the region and the others sum up its sites.
    regions = [f for f in features if _properties(f).get("type") == "region"]
    if len(regions) > 1:
        names = [str(_properties(f).get("region_id")) for f in regions]
        raise RegionError(
            f"the document holds {len(regions)} regions: {', '.join(names[:5])}",
            hint="plan each region in a run folder of its own",
        )
    others = [f for f in features if _properties(f).get("type") != "site_summary"]
    if not regions and len(others) < len(features):
        notes.append(f"{len(features) - len(others)} site summaries are not part of the region")
    return regions or others


def _properties(feature: Mapping[str, object]) -> Mapping[str, object]:
    properties = feature.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _id_of(features: Sequence[Mapping[str, object]], all_properties: Sequence[Mapping[str, object]], name: str) -> str:
    if len(features) != 1:
        return name
    found = all_properties[0].get("region_id") or features[0].get("id")
    return name if found is None or found == "" else str(found)


def _day(properties: Mapping[str, object], key: str) -> date | None:
    value = properties.get(key)
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise RegionError(f"{key} {value!r} is not a date", hint="write dates as 2021-08-31") from None


def _polygons(geometry: object, notes: list[str]) -> list[Area]:
    if geometry is None:
        return []
    if not isinstance(geometry, Mapping) or str(geometry.get("type")) not in _GEOMETRY_TYPES:
        raise RegionError(f"a geometry has a GeoJSON type, got {_brief(geometry)}", hint=_RFC)
    refuse_other_crs(geometry)
    kind = geometry["type"]
    if kind == "GeometryCollection":
        return [part for member in _listed(geometry, "geometries") for part in _polygons(member, notes)]
    if kind not in ("Polygon", "MultiPolygon"):
        notes.append(f"a {kind} has no area and was left out")
        return []
    coordinates = _listed(geometry, "coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    return [part for rings in polygons if (part := polygon_of_rings(rings, notes)) is not None]


def _listed(geometry: Mapping[str, object], key: str) -> Sequence[object]:
    value = geometry.get(key)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RegionError(f"a {geometry['type']} has a list of {key}, got {_brief(value)}", hint=_RFC)
    return value


def _united(parts: Sequence[Area]) -> Area:
    # `normalize` makes the region, and so the plan's id, independent of where a ring starts.
    united = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    united = shapely.normalize(united)
    if not isinstance(united, Area) or not united.area > 0:
        raise RegionError("the region has no area", hint="draw a polygon of at least three corners")
    return united


def _no_polygon(features: Sequence[Mapping[str, object]]) -> str:
    kinds = sorted({str(g["type"]) for f in features if isinstance(g := f.get("geometry"), Mapping)})
    return f"the region holds no polygon with an area, only {', '.join(kinds)}" if kinds else "the region is empty"


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
