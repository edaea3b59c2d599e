"""Labels from elsewhere onto the images of a bundle: rasters of classes, and shapes in lon/lat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geowatch.datasets.anchors import assets_of
from geowatch.datasets.kwcoco_predictions import segmentation_of
from geowatch.datasets.segmentation import outlines_of_mask, shape_of
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.crs import crs_text, move_points
from geowatch.read.gdal import gdal_env, open_image
from geowatch.read.scene import RasterGrid
from geowatch.read.select import footprint_lonlat

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Json

__all__ = [
    "Label",
    "labels_of_raster",
    "labels_of_shapes",
    "parse_classes",
    "raster_of",
    "rasters_by_stem",
    "tidied",
    "with_labels",
]

_CLASS_FIELDS = ("class", "category", "label", "name", "type")
_RASTERS = {".png", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Label:
    """One label of one image."""

    category: str
    """Its class."""
    shape: BaseGeometry
    """Outline in pixels of the image."""
    track: str | None = None
    """What it is called over several images."""
    fields: tuple[tuple[str, object], ...] = ()
    """What else is said of it."""


def parse_classes(texts: Sequence[str]) -> dict[int, str]:
    """Read ``1=field,2=water``, or names of the values from 1 on.

    >>> parse_classes(["3=water"]), parse_classes(["field", "water"])
    ({3: 'water'}, {1: 'field', 2: 'water'})

    Raises:
        ConfigError: it is no such list.
    """
    found: dict[int, str] = {}
    for number, text in enumerate(texts, 1):
        value, equals, name = text.partition("=")
        if equals and not (value.strip().isdigit() and name.strip()):
            raise ConfigError(f"class '{text}' cannot be read", hint="write --classes 1=field,2=water")
        found[int(value) if equals else number] = name.strip() if equals else text.strip()
    return found


def rasters_by_stem(folder: Path) -> dict[str, Path]:
    """Return the rasters of a folder and those below it, by their names without endings.

    Raises:
        ImageryError: there are none, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in _RASTERS):
        if path.stem in found:
            raise ImageryError(
                f"'{found[path.stem]}' and '{path}' have one name", hint="labels are found by the names of the images"
            )
        found[path.stem] = path
    if not found:
        raise ImageryError(f"no PNG or GeoTIFF is in '{folder}'", hint="give the folder with the rasters of classes")
    return found


def raster_of(image: Json, rasters: Mapping[str, Path]) -> Path | None:
    """Return the raster of classes of an image: that of its name, or of one of its files."""
    names = [str(image.get("name")), *(Path(str(a.get("file_name"))).stem for a in assets_of(image))]
    return next((rasters[name] for name in names if name in rasters), None)


def labels_of_raster(path: Path, grid: RasterGrid, classes: Mapping[int, str]) -> Iterator[Label]:
    """Yield a label for each connected part of each class.

    A raster with georeference lies where it says; one without lies on the image, whatever its size.

    Args:
        path: raster of one band.
        grid: where the pixels of the image are.
        classes: names of values; without any, each value but 0 is a class of its own.

    Raises:
        ImageryError: the raster has several bands, or another CRS than the image.
    """
    with gdal_env(), open_image(str(path)) as opened:
        if opened.count != 1:
            raise ImageryError(f"'{path}' has {opened.count} bands", hint="a raster of classes has one")
        values, crs, nodata = opened.read(1), crs_text(opened.crs), opened.nodata
        place = opened.transform
    to_image = _to_image(path, (values.shape, place, crs), grid)
    for value in _values(values, nodata):
        name = classes.get(value) if classes else str(value)
        if name is not None:
            for shape in outlines_of_mask(values == value):
                yield Label(name, shapely.transform(shape, lambda p: _moved(p, to_image)))


def _values(values: NDArray[Any], nodata: float | None) -> list[int]:
    return [int(v) for v in np.unique(values) if v not in {0, nodata}]


def _to_image(path: Path, raster: tuple[tuple[int, int], Affine, str | None], grid: RasterGrid) -> Affine:
    shape, place, crs = raster
    if crs is None:
        return Affine.scale(grid.shape[1] / shape[1], grid.shape[0] / shape[0])
    if crs != grid.crs:
        raise ImageryError(
            f"'{path}' has CRS {crs[:40]}, its image has {str(grid.crs)[:40]}", hint="warp the labels onto the images"
        )
    return ~grid.transform @ place


def _moved(points: NDArray[np.float64], by: Affine) -> NDArray[np.float64]:
    x, y = points[:, 0], points[:, 1]
    return np.column_stack([by.a * x + by.b * y + by.c, by.d * x + by.e * y + by.f])


def labels_of_shapes(
    shapes: Sequence[tuple[BaseGeometry, Mapping[str, Any]]], grid: RasterGrid, day: date | None, field: str | None
) -> Iterator[Label]:
    """Yield a label for each shape (lon/lat, with its properties) that overlaps an image, cut to it.

    Args:
        shapes: those with ``start_date`` or ``end_date`` hold for that time only.
        grid: where the pixels of the image are.
        day: when it was taken.
        field: property that holds the class; None takes the first of class, category, label, name, type.
    """
    if grid.crs is None:
        return
    frame, near = shapely.box(0, 0, grid.shape[1], grid.shape[0]), _around(grid)
    for number, (shape, known) in enumerate(shapes, 1):
        if not _lasts(known, day) or (part := _near(shape, near)).is_empty:
            continue
        cut = shapely.intersection(_on_pixels(part, grid), frame)
        if cut.area > 0:
            track = str(known.get("id", known.get("site_id", number)))
            yield Label(_class(known, field), cut, track)


def _around(grid: RasterGrid) -> BaseGeometry | None:
    """Return boxes in lon/lat that hold an image and some of what is around it; None where its place is not known."""
    outline = footprint_lonlat(grid)
    if outline is None:
        return None
    bounds = shapely.bounds(shapely.get_parts(outline))
    margin = 0.05 * float((bounds[:, 2:] - bounds[:, :2]).max())
    west, south, east, north = (bounds + margin * np.array([-1, -1, 1, 1])).T
    return shapely.union_all(shapely.box(west, south, east, north))


def _near(shape: BaseGeometry, near: BaseGeometry | None) -> BaseGeometry:
    """Return what of a shape is near an image: the image's CRS may have no place for the rest of the Earth."""
    west, _, east, _ = shape.bounds
    if near is None or west < -180 or east > 180 or near.covers(shape):
        return shape
    return shape.intersection(near)


def _lasts(known: Mapping[str, Any], day: date | None) -> bool:
    first, last = known.get("start_date"), known.get("end_date")
    if day is None:
        return True
    return (not first or str(first)[:10] <= day.isoformat()) and (not last or day.isoformat() <= str(last)[:10])


def _on_pixels(shape: BaseGeometry, grid: RasterGrid) -> BaseGeometry:
    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = move_points(points[:, 0], points[:, 1], "EPSG:4326", grid.crs)
        return _moved(np.column_stack([x, y]), ~grid.transform)

    try:
        return shapely.make_valid(shapely.transform(shape, moved))
    except shapely.errors.GEOSException as error:  # corners that the image's CRS has no place for
        raise ImageryError(
            f"a label from {shape.bounds} has no place in {str(grid.crs)[:40]}", hint="give longitude and latitude"
        ) from error


def _class(known: Mapping[str, Any], field: str | None) -> str:
    names = (field,) if field else _CLASS_FIELDS
    found = next((known[name] for name in names if known.get(name) not in (None, "")), None)
    if found is None:
        has = sorted(name for name, value in known.items() if value not in (None, ""))
        raise ImageryError(
            f"a shape has no {' or '.join(names)}, only {', '.join(has) or 'nothing'}",
            hint="name the property that holds the class with --class-field",
        )
    return str(found)


def with_labels(document: Json, labels: Sequence[tuple[int, Label]]) -> Json:
    """Return a bundle with more labels, each for the image of an id."""
    made = {**document, **{key: list(document.get(key) or ()) for key in ("annotations", "categories", "tracks")}}
    categories = {c["name"]: c["id"] for c in made["categories"]}
    tracks = {t["name"]: t["id"] for t in made["tracks"]}
    number = max((a["id"] for a in made["annotations"]), default=0)
    for image, label in labels:
        number += 1
        entry: Json = {
            "id": number,
            "image_id": image,
            "category_id": _row(made["categories"], categories, label.category),
        }
        if label.track is not None:
            entry["track_id"] = _row(made["tracks"], tracks, label.track)
        made["annotations"].append(entry | written_shape(label.shape) | dict(label.fields))
    return made


def _row(table: list[Json], known: dict[str, int], name: str) -> int:
    if name not in known:
        known[name] = max(known.values(), default=0) + 1
        table.append({"id": known[name], "name": name})
    return known[name]


def written_shape(shape: BaseGeometry) -> Json:
    """Return box, area and polygons of an outline in pixels."""
    x0, y0, x1, y1 = shape.bounds
    return {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": shape.area, "segmentation": segmentation_of(shape)}


def tidied(document: Json) -> Json:
    """Return a COCO document as kwcoco writes it: outlines as polygons with holes, every image with a name."""
    annotations = []
    for entry in document.get("annotations") or ():
        shape = shape_of(entry, f"annotation {entry['id']}")
        annotations.append(entry | (written_shape(shape) if not shape.is_empty else {}))
    images = [
        image if image.get("name") else {**image, "name": Path(str(image.get("file_name", image["id"]))).stem}
        for image in document["images"]
    ]
    return {**document, "annotations": annotations, "images": images}
