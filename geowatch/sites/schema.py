"""Whether a document is a site model or a region model of the SMART programme, and if not, why not.

The rules are those of the programme's own JSON schema (draft 2020-12), told again as a table of fields: a document
that this module finds no problem with passes that schema, and the other way round. Nothing is repaired here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from geowatch.sites.model import ANNOTATED_STATUSES, PERFORMERS, PHASES, SYSTEM_STATUSES, UNKNOWN_PHASE

__all__ = ["REGION_ID", "SENSORS", "SITE_ID", "problems"]

Rule = Callable[[object], str | None]
"""Takes a value, gives what it should have been, or None where it is right."""

SENSORS = ("Landsat 8", "Sentinel-2", "WorldView", "Planet")
"""Names that the programme has for sensors."""

_PLACE = r"[A-Z]{2}_([RST]\d{3}|C[0-7]\d{2})"
REGION_ID = re.compile(rf"^{_PLACE}$")
"""Id of a region, such as ``BR_R002``."""
SITE_ID = re.compile(rf"^{_PLACE}_\d{{4}}$")
"""Id of a site in a region."""
_LOOSE_REGION = re.compile(r"^[A-Z]{2}_[RC][Xx]{3}$")
_LOOSE_SITE = re.compile(r"^[A-Z]{2}_[RC][Xx]{3}_\d{4}$")
_LOOSEST_SITE = re.compile(r"^[A-Z]{2}_[RCST]xxx_\d{4}$")

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_MGRS = re.compile(
    rf"^((0[1-9]|[1-5]\d|60)[CDEFGHJKLMNPQRSTUVWX][{_LETTERS}][ABCDEFGHJKLMNPQRSTUV]"
    rf"|(A[JKLPQRSTUXYZ]|B[ABCFGHJKLPQR])[{_LETTERS}]|(Y[RSTUXYZ]|Z[ABCFGHJ])[ABCDEFGHJKLMNP])$"
)


def _matches(meaning: str, *patterns: re.Pattern[str]) -> Rule:
    def rule(value: object) -> str | None:
        return None if isinstance(value, str) and any(p.search(value) for p in patterns) else meaning

    return rule


def _one_of(*values: str) -> Rule:
    def rule(value: object) -> str | None:
        return None if value in values else f"one of {', '.join(values)}"

    return rule


def _list_of(*words: str) -> Rule:
    def rule(value: object) -> str | None:
        ok = isinstance(value, str) and all(word in words for word in value.removesuffix("\n").split(", "))
        return None if ok else f"a list, joined by a comma and a space, of {', '.join(words)}"

    return rule


def _or_null(rule: Rule) -> Rule:
    def either(value: object) -> str | None:
        expected = None if value is None else rule(value)
        return None if expected is None else f"null or {expected}"

    return either


def _share(value: object) -> str | None:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return None if ok else "a number from 0 to 1"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "a text"


def _object(value: object) -> str | None:
    return None if isinstance(value, Mapping) else "an object"


def _anything(_value: object) -> None:
    return None


_DATE = _matches("a date such as 2021-08-31", re.compile(r"^\d{4}-\d{2}-\d{2}"))
_FLAGS = _or_null(_list_of("True", "False"))
_CACHE = {"cache": _object}
_WRITTEN: dict[str, Rule] = {
    "version": _matches("a version such as 1.0.0", re.compile(r"^\d+\.\d+\.\d+$")),
    "mgrs": _matches("a 100 km square such as 23KPR", _MGRS),
    "originator": _anything,
}
_DATED: dict[str, Rule] = _WRITTEN | {
    "start_date": _or_null(_DATE),
    "end_date": _or_null(_DATE),
    "model_content": _one_of("annotation", "proposed", "update"),
    "status": _one_of(*ANNOTATED_STATUSES, *SYSTEM_STATUSES),
    "score": _share,
    "validated": _one_of("True", "False"),
}
_FIELDS: dict[str, dict[str, Rule]] = {
    "region": _WRITTEN | _CACHE | {
        "region_id": _matches("a region's id such as BR_R002", REGION_ID),
        "model_content": _one_of("empty", "annotation", "proposed"),
        "start_date": _DATE,
        "end_date": _DATE,
        "comments": _or_null(_text),
        "performer_cache": _object,
    },
    "site_summary": _DATED | _CACHE | {
        "site_id": _matches("a site's id such as BR_R002_0001", SITE_ID),
        "comments": _or_null(_text),
        "annotation_cache": _object,
    },
    "site": _DATED | _CACHE | {
        "site_id": _matches("a site's id such as BR_R002_0001", SITE_ID, _LOOSE_SITE, _LOOSEST_SITE),
        "region_id": _or_null(_matches("a region's id such as BR_R002", REGION_ID, _LOOSE_REGION)),
        "predicted_phase_transition": _one_of(*PHASES[2:]),
        "predicted_phase_transition_date": _DATE,
        "misc_info": _object,
    },
    "observation": _CACHE | {
        "observation_date": _or_null(_DATE),
        "source": _or_null(_text),
        "sensor_name": _or_null(_list_of(*SENSORS)),
        "current_phase": _or_null(_list_of(*PHASES, UNKNOWN_PHASE)),
        "is_occluded": _FLAGS,
        "is_site_boundary": _FLAGS,
        "score": _share,
        "misc_info": _object,
    },
}  # fmt: skip
_OPTIONAL = {
    "cache", "comments", "performer_cache", "annotation_cache", "misc_info", "score", "validated",
    "predicted_phase_transition", "predicted_phase_transition_date",
}  # fmt: skip
_RIVAL_OF_CACHE = {
    "region": "performer_cache", "site_summary": "annotation_cache", "site": "misc_info", "observation": "misc_info",
}  # fmt: skip
_EVENT = ("event_name", "location_name", "event_url", "event_type")


def problems(document: object) -> list[str]:
    """Return what is wrong with a document as ``json.loads`` gives it, a sentence each; none where it is right.

    >>> problems({"type": "FeatureCollection", "features": []})
    ['features is empty; a region model has one region, a site model one site and its observations']
    """
    return list(_document(document))


def _document(document: object) -> Iterator[str]:
    if not isinstance(document, Mapping):
        yield f"the document is {_brief(document)}, not an object"
        return
    if "type" not in document:
        yield "type is missing"
    features = document.get("features")
    if not isinstance(features, list):
        yield "features is missing" if features is None else f"features is {_brief(features)}, not a list"
    elif not features:
        yield "features is empty; a region model has one region, a site model one site and its observations"
    else:
        yield from _features(features)


def _features(features: Sequence[object]) -> Iterator[str]:
    kinds = [_kind(feature) for feature in features]
    is_site = any(kind in ("site", "observation") for kind in kinds)
    head, member = ("site", "observation") if is_site else ("region", "site_summary")
    for number, (feature, kind) in enumerate(zip(features, kinds, strict=True)):
        where = f"features[{number}]"
        if kind not in (head, member):
            yield f"{where}.properties.type is {_brief(kind)}; with others here it is {head} or {member}"
        else:
            yield from _feature(feature, str(kind), where)
    if kinds.count(head) != 1:
        yield f"features has {kinds.count(head)} of type {head}, not one"
    if head == "site" and len(features) < 2:
        yield "features has a site without observations"


def _kind(feature: object) -> object:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    return properties.get("type") if isinstance(properties, Mapping) else None


def _feature(feature: object, kind: str, where: str) -> Iterator[str]:
    assert isinstance(feature, Mapping)  # noqa: S101  # it has a kind
    if feature.get("type") != "Feature":
        yield f"{where}.type is {_brief(feature.get('type'))}, not 'Feature'"
    yield from _geometry(feature.get("geometry"), kind, f"{where}.geometry")
    yield from _properties(feature["properties"], kind, f"{where}.properties")


def _properties(given: Mapping[str, object], kind: str, where: str) -> Iterator[str]:
    fields = _FIELDS[kind]
    for name, value in given.items():
        expected = fields[name](value) if name in fields else None if name == "type" else "left out"
        if expected:
            yield f"{where}.{name} is {_brief(value)}; it should be {expected}"
    for name in fields:
        if name not in given and name not in _OPTIONAL:
            yield f"{where}.{name} is missing"
    rival = _RIVAL_OF_CACHE[kind]
    if "cache" in given and rival in given:
        yield f"{where} has both cache and {rival}; one is allowed"
    yield from (f"{where}.{problem}" for problem in _together(given, kind))


def _together(given: Mapping[str, object], kind: str) -> Iterator[str]:
    """Yield what is wrong between the fields of a feature."""
    content, status = given.get("model_content"), given.get("status")
    if content == "proposed" and "originator" in given and given["originator"] not in PERFORMERS:
        yield f"originator is {_brief(given['originator'])}; of what is proposed it is one of {', '.join(PERFORMERS)}"
    allowed = {"proposed": SYSTEM_STATUSES, "annotation": ANNOTATED_STATUSES}
    known = allowed.get(content) if isinstance(content, str) and kind in ("site", "site_summary") else None
    if known and status not in known:
        yield f"status is {_brief(status)}; of model_content {content} it is one of {', '.join(known)}"
    if kind == "site":
        yield from _ids(given.get("region_id"), given.get("site_id"))
    transient = isinstance(status, str) and status.startswith("transient_")
    if kind == "site_summary" and content == "annotation" and transient:
        for name in ("cache", "annotation_cache"):
            yield from _event(given[name], name) if name in given else ()


def _ids(region_id: object, site_id: object) -> Iterator[str]:
    if not isinstance(region_id, str) or not isinstance(site_id, str):
        return
    for region, site in ((REGION_ID, SITE_ID), (_LOOSE_REGION, _LOOSE_SITE)):
        if region.search(region_id) and not site.search(site_id):
            yield f"site_id is {site_id!r}, not of the kind of region_id {region_id!r}"


def _event(cache: object, name: str) -> Iterator[str]:
    if isinstance(cache, Mapping):
        missing = [key for key in _EVENT if not isinstance(cache.get(key), str)]
        if missing:
            yield f"{name} of a transient site lacks the text of {', '.join(missing)}"


def _geometry(geometry: object, kind: str, where: str) -> Iterator[str]:
    allowed = ("Polygon", "MultiPolygon") if kind == "observation" else ("Polygon",)
    found = geometry.get("type") if isinstance(geometry, Mapping) else None
    if not isinstance(geometry, Mapping) or found not in allowed:
        yield f"{where} is {_brief(found or geometry)}; it should be a {' or '.join(allowed)}"
        return
    coordinates = geometry.get("coordinates")
    polygons = coordinates if found == "MultiPolygon" else [coordinates]
    if not isinstance(polygons, list):
        yield f"{where}.coordinates is {_brief(polygons)}, not a list of polygons"
        return
    yield from (f"{where}.coordinates has {wrong}" for polygon in polygons for wrong in _polygon(polygon))


def _polygon(rings: object) -> Iterator[str]:
    if not isinstance(rings, list):
        yield f"{_brief(rings)} where a list of rings should be"
        return
    for ring in rings:
        if not isinstance(ring, list) or len(ring) < 4:
            yield f"a ring {_brief(ring)}; a ring is a list of at least four points"
        elif bad := [point for point in ring if not _is_point(point)]:
            yield f"a point {_brief(bad[0])}; a point is longitude and latitude, two numbers"


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(_is_number(value) for value in point)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
