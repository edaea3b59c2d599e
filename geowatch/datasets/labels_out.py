"""Labels of a bundle in the forms of others: COCO, rasters of classes, GeoJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geowatch.datasets.anchors import assets_of
from geowatch.datasets.bundle import time_of
from geowatch.datasets.places import image_grid
from geowatch.datasets.segmentation import burn, shape_of, written_runs
from geowatch.errors import ImageryError
from geowatch.read.crs import move_points

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Bundle, Json
    from geowatch.read.options import SceneOptions
    from geowatch.read.scene import RasterGrid

__all__ = ["class_rasters", "coco_document", "geojson_features"]


def coco_document(bundle: Bundle, options: SceneOptions) -> Json:
    """Return a bundle as plain COCO: one file an image, polygons as flat lists, those with holes as run lengths.

    Raises:
        ImageryError: an image has several files, which COCO has no word for.
    """
    images, sizes = [], {}
    for image in bundle.images:
        files = assets_of(image)
        if len(files) != 1:
            raise ImageryError(
                f"{bundle.where(image)} has {len(files)} files, and COCO knows one", hint="subset it with --channels"
            )
        rows, cols = sizes[image["id"]] = image_grid(bundle, image, options).shape
        entry = {"id": image["id"], "file_name": files[0]["file_name"], "width": cols, "height": rows}
        time = time_of(image, bundle.where(image))
        images.append(entry | ({"date_captured": time.isoformat()} if time else {}))
    categories = [{"id": c["id"], "name": c["name"], "supercategory": c.get("supercategory") or ""}
                  for c in bundle.categories]  # fmt: skip
    annotations = [_coco(entry, sizes[entry["image_id"]]) for entry in bundle.annotations]
    return {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}


def _coco(entry: Json, size: tuple[int, int]) -> Json:
    shape = shape_of(entry, f"annotation {entry['id']}")
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    holes = any(part.interiors for part in polygons)
    flat = [np.asarray(part.exterior.coords[:-1]).ravel().tolist() for part in polygons]
    x0, y0, x1, y1 = shape.bounds if not shape.is_empty else (0.0, 0.0, 0.0, 0.0)
    kept: Json = {key: entry[key] for key in ("id", "image_id", "category_id", "score") if key in entry}
    outline = written_runs(burn([(shape, 1)], size) == 1) if holes else flat
    return {**kept, "segmentation": outline, "area": shape.area, "bbox": [x0, y0, x1 - x0, y1 - y0],
            "iscrowd": int(holes)}  # fmt: skip


def class_rasters(bundle: Bundle, options: SceneOptions) -> Iterator[tuple[Json, RasterGrid, NDArray[Any]]]:
    """Yield each image with its grid and the class (H, W) of each pixel: the id of the category, 0 for none.

    Where labels overlap the later one lies on top.
    """
    of_image: dict[int, list[Json]] = {}
    for entry in bundle.annotations:
        of_image.setdefault(entry["image_id"], []).append(entry)
    dtype = "uint8" if max((c["id"] for c in bundle.categories), default=0) < 256 else "uint16"
    for image in bundle.images:
        grid = image_grid(bundle, image, options)
        shapes = [(shape_of(e, f"annotation {e['id']}"), int(e.get("category_id") or 0))
                  for e in of_image.get(image["id"], ())]  # fmt: skip
        yield image, grid, burn(shapes, grid.shape, dtype)


def geojson_features(bundle: Bundle, options: SceneOptions) -> list[Json]:
    """Return each label as a feature in lon/lat; labels of images without georeference are left out."""
    images = {image["id"]: image for image in bundle.images}
    categories = {c["id"]: c["name"] for c in bundle.categories}
    tracks = {t["id"]: t["name"] for t in bundle.tables["tracks"]}
    grids = {key: image_grid(bundle, image, options) for key, image in images.items()}
    return [
        _feature(entry, grids[entry["image_id"]], _said(bundle, entry, images, (categories, tracks)))
        for entry in bundle.annotations
        if grids[entry["image_id"]].crs is not None
    ]


def _said(bundle: Bundle, entry: Json, images: dict[int, Json], names: Sequence[dict[int, str]]) -> Json:
    image = images[entry["image_id"]]
    time = time_of(image, bundle.where(image))
    said = {
        "class": names[0].get(entry.get("category_id", 0)),
        "track": names[1].get(entry.get("track_id", 0), entry.get("track_id")),
        "image": image.get("name"),
        "time": time.isoformat() if time else None,
        "score": entry.get("score"),
    }
    return {key: value for key, value in said.items() if value is not None}


def _feature(entry: Json, grid: RasterGrid, said: Json) -> Json:
    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        a = grid.transform
        x = a.a * points[:, 0] + a.b * points[:, 1] + a.c
        y = a.d * points[:, 0] + a.e * points[:, 1] + a.f
        return np.column_stack(move_points(x, y, grid.crs, "EPSG:4326"))

    shape: BaseGeometry = shapely.transform(shape_of(entry, f"annotation {entry['id']}"), moved)
    shape = shapely.orient_polygons(shape, exterior_cw=False)  # RFC 7946, 3.1.6
    return {"type": "Feature", "properties": said, "geometry": shape.__geo_interface__}
