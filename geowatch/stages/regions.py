"""Region files: GeoJSON from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
import shapely.geometry

from geowatch.errors import RegionError
from geowatch.grid.region import Region, parse_region

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["read_places_file", "read_region_file"]


def read_region_file(path: str) -> Region:
    """Return the region in a GeoJSON file.

    Raises:
        RegionError: it cannot be read, or is no region.
    """
    return parse_region(_document(path), name=Path(path).stem)


def _document(path: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise RegionError(
            f"the region file {path} cannot be read: {error.strerror}", hint="give a GeoJSON file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RegionError(f"the region file {path} is not JSON: {error!s:.200}", hint="give a GeoJSON file") from error


def read_places_file(path: str) -> dict[str, BaseGeometry]:
    """Return the polygons of a GeoJSON file by name: ``region_id``, ``name``, ``id``, or their number.

    Raises:
        RegionError: it cannot be read, or holds no polygons.
    """
    document = _document(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        raise RegionError(f"{path} is no collection of features", hint="give a FeatureCollection of polygons")
    return {_named(feature, number): _shape(feature, path) for number, feature in enumerate(features, 1)}


def _named(feature: object, number: int) -> str:
    entry = feature if isinstance(feature, dict) else {}
    known = {**(entry.get("properties") or {}), "id": entry.get("id")}
    return str(next((known[key] for key in ("region_id", "name", "id") if known.get(key)), number))


def _shape(feature: object, path: str) -> BaseGeometry:
    try:
        return shapely.make_valid(shapely.geometry.shape(feature["geometry"]))  # type: ignore[index]
    except (TypeError, KeyError, ValueError, AttributeError, shapely.errors.GEOSException) as error:
        raise RegionError(f"a feature of {path} has no polygon: {error!s:.100}", hint="give polygons") from error
