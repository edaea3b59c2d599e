"""Region files: GeoJSON from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
import shapely.geometry

from geowatch.datasets.smart_labels import shapes_of_site
from geowatch.errors import RegionError
from geowatch.grid.region import Region, parse_region, refuse_other_crs
from geowatch.sites.smart import parse_region_model, parse_site

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["read_features_file", "read_labels", "read_places_file", "read_region_file"]

#: Longitudes may go on beyond the antimeridian; latitudes end.
_TURN, _POLE = 360.0, 90.0


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
        raise RegionError(f"'{path}' cannot be read: {error.strerror}", hint="give a GeoJSON file") from error
    except (ValueError, RecursionError) as error:
        raise RegionError(f"'{path}' is not JSON: {error!s:.200}", hint="give a GeoJSON file") from error


def read_features_file(path: str) -> list[tuple[BaseGeometry, dict[str, Any]]]:
    """Return the shapes of a GeoJSON file (lon/lat) with their properties, ``id`` among them.

    Features without a geometry, which GeoJSON allows, are left out.

    Raises:
        RegionError: it cannot be read, holds no shapes, or is not in longitude and latitude.
    """
    found = [(_shape(each, path), _known(each)) for each in _features(path) if not _placeless(each)]
    if not found:
        raise RegionError(f"no feature of '{path}' has a geometry", hint="give polygons")
    for shape, _ in found:
        _check_lonlat(shape, path)
    return found


def _placeless(feature: object) -> bool:
    return isinstance(feature, dict) and feature.get("geometry", ...) is None


def _check_lonlat(shape: BaseGeometry, path: str) -> None:
    west, south, east, north = shape.bounds
    if west < -_TURN or east > _TURN or south < -_POLE or north > _POLE:
        raise RegionError(
            f"a shape of '{path}' reaches from {west:g}, {south:g} to {east:g}, {north:g}: no longitude and latitude",
            hint="reproject it, such as with: ogr2ogr -t_srs EPSG:4326 lonlat.geojson here.geojson",
        )


def _features(path: str) -> list[Any]:
    document = _document(path)
    known = document if isinstance(document, dict) else {}
    refuse_other_crs(known)
    if known.get("type") == "Feature":
        return [known]
    features = [{"type": "Feature", "geometry": known}] if "coordinates" in known else known.get("features")
    if not isinstance(features, list) or not features:
        raise RegionError(f"'{path}' has no features", hint="give GeoJSON: a FeatureCollection, Feature or geometry")
    return features


def read_labels(path: Path) -> list[tuple[BaseGeometry, dict[str, Any]]]:
    """Return the shapes of a GeoJSON file, a SMART site or region model, or of all in a folder, with their properties.

    Raises:
        RegionError: one cannot be read, or holds no shapes.
        InputError: it is no model, though it says so.
    """
    if path.is_dir():
        return [shape for file in sorted(path.glob("*.geojson")) for shape in read_labels(file)]
    kinds = {_known(feature).get("type") for feature in _features(str(path))}
    if "site" in kinds:
        return list(shapes_of_site(parse_site(path.read_bytes(), path.name)))
    if "region" in kinds:
        sites = parse_region_model(path.read_bytes(), path.name).sites
        return [shape for site in sites for shape in shapes_of_site(site)]
    return read_features_file(str(path))


def read_places_file(path: str) -> dict[str, BaseGeometry]:
    """Return the polygons of a GeoJSON file by name: ``region_id``, ``name``, ``id``, or their number.

    Raises:
        RegionError: it cannot be read, or holds no polygons.
    """
    return {_named(known, number): shape for number, (shape, known) in enumerate(read_features_file(path), 1)}


def _known(feature: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    if not isinstance(feature, dict):
        return {}
    own = {"id": feature["id"]} if feature.get("id") is not None else {}
    properties = feature.get("properties")
    return own | (properties if isinstance(properties, dict) else {})


def _named(known: dict[str, Any], number: int) -> str:
    return str(next((known[key] for key in ("region_id", "name", "id") if known.get(key)), number))


def _shape(feature: object, path: str) -> BaseGeometry:
    try:
        return shapely.make_valid(shapely.geometry.shape(feature["geometry"]))  # type: ignore[index]
    except (TypeError, LookupError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise RegionError(f"a feature of {path} has no polygon: {error!s:.100}", hint="give polygons") from error
