"""Site models and region models of the SMART programme: GeoJSON in, values out, and back.

Reading is tolerant: keys that do not belong are passed over, null and missing are the same, third coordinates are
dropped, and nothing is asked of ids, statuses and originators. Writing is strict: what `schema` finds a problem with
is refused, and so are days out of order and empty outlines.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import cast

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry, BaseMultipartGeometry

from geowatch.errors import InputError
from geowatch.grid.antimeridian import whole
from geowatch.sites.mgrs import square
from geowatch.sites.model import Area, Observation, RegionModel, Site
from geowatch.sites.schema import REGION_ID, SENSORS, problems

__all__ = [
    "dump",
    "parse_region_model",
    "parse_site",
    "read_document",
    "region_document",
    "region_features",
    "site_document",
    "smart_region_id",
    "smart_sensor",
]


def read_document(
    content: bytes | str | Mapping[str, object], name: str = "the document"
) -> list[Mapping[str, object]]:
    """Return the features of a GeoJSON document.

    Raises:
        InputError: where it is no JSON, or no FeatureCollection.
    """
    try:
        document = json.loads(content) if isinstance(content, bytes | str) else content
    except ValueError as error:
        raise InputError(f"{name} is no JSON: {error}", hint="give a SMART site or region model") from error
    features = document.get("features") if isinstance(document, Mapping) else None
    if not isinstance(features, Sequence) or isinstance(features, str):
        raise InputError(f"{name} has no list of features", hint="give a SMART site or region model (GeoJSON)")
    return [feature for feature in features if isinstance(feature, Mapping)]


def parse_site(content: bytes | str | Mapping[str, object], name: str = "the document") -> Site:
    """Read a site model: its one ``site`` feature and the observations in their order.

    Raises:
        InputError: where there is no site feature, or an outline cannot be read.
    """
    features = read_document(content, name)
    head = _only(features, "site", name)
    seen = tuple(_observation(feature, name) for feature in features if _text(feature, "type") == "observation")
    return _site(head, name, seen)


def parse_region_model(content: bytes | str | Mapping[str, object], name: str = "the document") -> RegionModel:
    """Read a region model: its one ``region`` feature and the summaries of sites in their order.

    Raises:
        InputError: where there is no region feature, it has no dates, or an outline cannot be read.
    """
    features = read_document(content, name)
    head = _only(features, "region", name)
    start, end = _day(head, "start_date", name), _day(head, "end_date", name)
    if start is None or end is None:
        raise InputError(f"the region of {name} has no start_date or no end_date", hint="give it both")
    return RegionModel(
        id=_text(head, "region_id") or "None",
        geometry=_geometry(head, name),
        start=start,
        end=end,
        sites=tuple(_site(each, name, ()) for each in features if _text(each, "type") == "site_summary"),
        originator=str(_text(head, "originator")),
        version=str(_text(head, "version")),
        model_content=_text(head, "model_content") or "annotation",
        mgrs=_text(head, "mgrs"),
        comments=_text(head, "comments"),
        cache=_cache(head),
    )


def _only(features: Iterable[Mapping[str, object]], kind: str, name: str) -> Mapping[str, object]:
    found = [feature for feature in features if _text(feature, "type") == kind]
    if len(found) != 1:
        raise InputError(f"{name} has {len(found)} features of type {kind}, not one", hint=f"give a SMART {kind} model")
    return found[0]


def _site(feature: Mapping[str, object], name: str, seen: tuple[Observation, ...]) -> Site:
    return Site(
        id=str(_text(feature, "site_id")),
        geometry=_geometry(feature, name),
        status=str(_text(feature, "status")),
        start=_day(feature, "start_date", name),
        end=_day(feature, "end_date", name),
        observations=seen,
        score=_number(feature, "score"),
        originator=str(_text(feature, "originator")),
        version=str(_text(feature, "version")),
        model_content=_text(feature, "model_content") or "annotation",
        mgrs=_text(feature, "mgrs"),
        validated={"True": True, "False": False}.get(_text(feature, "validated") or ""),
        predicted_phase=_text(feature, "predicted_phase_transition"),
        predicted_date=_day(feature, "predicted_phase_transition_date", name),
        region=_text(feature, "region_id"),
        comments=_text(feature, "comments"),
        cache=_cache(feature),
    )


def _observation(feature: Mapping[str, object], name: str) -> Observation:
    return Observation(
        date=_day(feature, "observation_date", name),
        geometry=_geometry(feature, name),
        phases=_list(feature, "current_phase"),
        source=_text(feature, "source"),
        sensors=_list(feature, "sensor_name"),
        is_occluded=_flags(feature, "is_occluded"),
        is_boundary=_flags(feature, "is_site_boundary"),
        score=_number(feature, "score"),
    )


def _value(feature: Mapping[str, object], key: str) -> object:
    properties = feature.get("properties")
    return properties.get(key) if isinstance(properties, Mapping) else None


def _text(feature: Mapping[str, object], key: str) -> str | None:
    value = _value(feature, key)
    return None if value is None else str(value)


def _list(feature: Mapping[str, object], key: str) -> tuple[str, ...]:
    text = _text(feature, key)
    return () if text is None else tuple(text.split(", "))


def _flags(feature: Mapping[str, object], key: str) -> tuple[bool, ...]:
    """Return a flag for each subsite; none where a lone word is neither true nor false, such as `None`."""
    words = [part.strip() for part in (_text(feature, key) or "").split(",")]
    if len(words) == 1 and words[0] not in ("True", "False"):
        return ()
    return tuple(word != "False" for word in words)


def _number(feature: Mapping[str, object], key: str) -> float | None:
    """Return a finite number; text of one is one, and all else is none."""
    value = _value(feature, key)
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _cache(feature: Mapping[str, object]) -> dict[str, object]:
    for key in ("cache", "misc_info", "annotation_cache", "performer_cache"):
        value = _value(feature, key)
        if isinstance(value, Mapping):
            return dict(value)
    return {}


def _day(feature: Mapping[str, object], key: str, name: str) -> date | None:
    text = _text(feature, key)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise InputError(f"{key} of {name} is {text!r}, not a date", hint="write dates as 2021-08-31") from None


def _geometry(feature: Mapping[str, object], name: str) -> Area:
    """Return the polygons of a feature's geometry, as they stand: they may cross themselves."""
    given = feature.get("geometry")
    if not isinstance(given, Mapping):
        return Polygon()
    try:
        found = shapely.force_2d(shape(cast("dict[str, object]", given)))
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise InputError(f"an outline of {name} cannot be read: {error}", hint="give Polygons of lon/lat") from error
    if not math.isfinite(shapely.get_coordinates(found).sum()):
        raise InputError(f"an outline of {name} has a coordinate that is not finite", hint="give Polygons of lon/lat")
    return found if isinstance(found, Polygon | MultiPolygon) else MultiPolygon(list(_polygons(found)))


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    """Yield the polygons of a geometry; collections may hold collections."""
    if isinstance(geometry, Polygon):
        yield geometry
    else:
        parts = geometry.geoms if isinstance(geometry, BaseMultipartGeometry) else ()
        yield from (each for part in parts for each in _polygons(part))


def site_document(site: Site) -> dict[str, object]:
    """Return a site model as GeoJSON that passes the programme's schema.

    The boundary must be one polygon there, so that of several parts is written as their hull; observations keep
    their parts. ``mgrs`` is found where the site has none.

    Raises:
        InputError: where the schema or good sense forbids what would be written.
    """
    properties = {
        "type": "site",
        "region_id": site.region_id,
        **_dated(site),
        "predicted_phase_transition": site.predicted_phase,
        "predicted_phase_transition_date": _iso(site.predicted_date),
        "misc_info": site.cache or None,
    }
    seen = [_feature(_observed(each), each.geometry) for each in site.observations]
    head = _feature(_given(properties, "start_date", "end_date"), _hull(site.geometry))
    return _checked([head, *seen], f"site {site.id!r}", _disorder(site.start, site.end))


def region_document(region: RegionModel) -> dict[str, object]:
    """Return a region model as GeoJSON that passes the programme's schema.

    Raises:
        InputError: where the schema or good sense forbids what would be written.
    """
    return _checked(list(region_features(region)), f"region {region.id!r}", _disorder(region.start, region.end))


def region_features(region: RegionModel) -> Iterator[dict[str, object]]:
    """Yield the features of a region model one by one, unchecked: the region, then a summary of each site."""
    properties = {
        "type": "region",
        "region_id": region.id,
        "version": region.version,
        "mgrs": region.mgrs or _square_of(region.geometry),
        "start_date": _iso(region.start),
        "end_date": _iso(region.end),
        "originator": region.originator,
        "model_content": region.model_content,
        "comments": region.comments,
        "cache": region.cache or None,
    }
    yield _feature(_given(properties, "comments"), _hull(region.geometry))
    for site in region.sites:
        summary = {"type": "site_summary", **_dated(site), "comments": site.comments, "cache": site.cache or None}
        yield _feature(_given(summary, "start_date", "end_date"), _hull(site.geometry))


def dump(document: Mapping[str, object]) -> bytes:
    """Return a document as bytes, the same for the same document."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def smart_region_id(name: str) -> str:
    """Return an id of the form that the programme allows: the name itself where it has it.

    Others get a number from 0 to 999 made from the name, under the country code ``ZZ``, which no country has.

    >>> smart_region_id("BR_R002"), smart_region_id("harbour")
    ('BR_R002', 'ZZ_R490')
    """
    return name if REGION_ID.search(name) else f"ZZ_R{zlib.crc32(name.encode()) % 1000:03d}"


def smart_sensor(name: str) -> str | None:
    """Return the programme's name of a sensor, or None for one that it has no name for.

    >>> smart_sensor("sentinel-2"), smart_sensor("LANDSAT_8"), smart_sensor("sentinel-1")
    ('Sentinel-2', 'Landsat 8', None)
    """
    letters = "".join(letter for letter in name.lower() if letter.isalnum())
    known = {"".join(c for c in sensor.lower() if c.isalnum()): sensor for sensor in SENSORS}
    return known.get(letters) or next((known[k] for k in known if letters in (f"{k}a", f"{k}b", f"{k}c")), None)


def _dated(site: Site) -> dict[str, object]:
    return {
        "site_id": site.id,
        "version": site.version,
        "status": site.status,
        "mgrs": site.mgrs or _square_of(site.geometry),
        "score": site.score,
        "start_date": _iso(site.start),
        "end_date": _iso(site.end),
        "model_content": site.model_content,
        "originator": site.originator,
        "validated": None if site.validated is None else str(site.validated),
    }


def _observed(seen: Observation) -> dict[str, object]:
    properties: dict[str, object] = {
        "type": "observation",
        "observation_date": _iso(seen.date),
        "source": seen.source,
        "sensor_name": ", ".join(seen.sensors) or None,
        "current_phase": seen.phase,
        "is_occluded": _words(seen.is_occluded),
        "is_site_boundary": _words(seen.is_boundary),
        "score": seen.score,
    }
    return properties if seen.score is not None else {k: v for k, v in properties.items() if k != "score"}


def _words(flags: Sequence[bool]) -> str | None:
    return ", ".join(str(bool(flag)) for flag in flags) or None


def _given(properties: Mapping[str, object], *always: str) -> dict[str, object]:
    """Leave out what is not known, but for the keys that must be there."""
    return {key: value for key, value in properties.items() if value is not None or key in always}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()[:10]


def _square_of(geometry: Area) -> str | None:
    if geometry.is_empty:
        return None
    middle = whole(geometry).centroid
    return square(middle.x, max(-90.0, min(90.0, middle.y)))


def _hull(geometry: Area) -> Polygon:
    """Return one polygon; what crosses the antimeridian has longitudes beyond 180 degrees, not parts or a hull."""
    if isinstance(geometry, Polygon):
        return geometry
    joined = whole(geometry)
    parts = list(shapely.get_parts(joined))
    return cast("Polygon", parts[0] if len(parts) == 1 else joined.convex_hull)


def _feature(properties: Mapping[str, object], geometry: Area) -> dict[str, object]:
    """Return a feature in the plane; outer rings run against the clock, holes with it (RFC 7946, 3.1.6)."""
    turned = shapely.orient_polygons(shapely.force_2d(geometry), exterior_cw=False)
    outline = {"type": geometry.geom_type, "coordinates": _lists(mapping(turned)["coordinates"])}
    return {"type": "Feature", "properties": dict(properties), "geometry": outline}


def _lists(coordinates: object) -> object:
    return [_lists(each) for each in coordinates] if isinstance(coordinates, tuple | list) else coordinates


def _disorder(start: date | None, end: date | None) -> list[str]:
    return [f"it ends on {end}, before it starts on {start}"] if start and end and end < start else []


def _checked(features: list[dict[str, object]], name: str, wrong: list[str]) -> dict[str, object]:
    document: dict[str, object] = {"type": "FeatureCollection", "features": features}
    wrong = wrong + [f"the outline of features[{k}] is empty" for k, f in enumerate(features) if _is_empty(f)]
    wrong += problems(document)
    if wrong:
        raise InputError(f"{name} makes no SMART model: {'; '.join(wrong[:3])}", hint=_advice(wrong))
    return document


def _is_empty(feature: Mapping[str, object]) -> bool:
    geometry = cast("Mapping[str, object]", feature["geometry"])
    return not geometry["coordinates"]


def _advice(wrong: Sequence[str]) -> str:
    if any("_id is" in problem for problem in wrong):
        return "SMART ids are like BR_R002 and BR_R002_0001, so at most 10,000 sites a region"
    return "the SMART schema has a list for each of these fields"
