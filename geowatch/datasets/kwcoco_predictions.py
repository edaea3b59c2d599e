"""What a run found as a kwcoco bundle: one image a time with its maps and scores, one track a site.

Rasters stay where they are and are named; classes carry their colours, sites their outline in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
from affine import Affine

from geowatch.datasets.kwcoco_out import empty_document, relative_name, world_of
from geowatch.datasets.transforms import written_affine
from geowatch.datasets.videos import VideoSpace
from geowatch.read.crs import move_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Json
    from geowatch.read.scene import RasterGrid

__all__ = ["MapImage", "Outline", "ScoreFile", "predictions_document", "segmentation_of"]


@dataclass(frozen=True, slots=True)
class ScoreFile:
    """One raster of a run."""

    uri: str
    """Where it is."""
    channels: tuple[str, ...]
    """Names of its bands."""
    nodata: float | None
    """Stored value that means nothing."""
    scale: float = 1.0
    """Physical value of one stored unit."""
    dtype: str = "uint8"
    """Stored type."""


@dataclass(frozen=True, slots=True)
class MapImage:
    """All rasters of one time on one grid."""

    name: str
    """Name of the image."""
    video: str
    """Name of its series: region and grid."""
    grid: RasterGrid
    """Where its pixels are."""
    time: datetime | None
    """UTC."""
    files: tuple[ScoreFile, ...]
    """Map, scores, uncertainty."""
    fields: tuple[tuple[str, object], ...] = ()
    """What else is said of it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One site as it was seen in one image, or one object that was found there."""

    image: str
    """Name of the image."""
    site: str | None
    """Id of the site; None for an object, which is of no track."""
    category: str
    """Its class, or its phase."""
    shape: BaseGeometry
    """Its outline, in the CRS of ``crs``."""
    crs: str | None
    """CRS of the outline."""
    score: float
    """Its score there."""
    head: str | None = None
    """Head of the network that gave an object."""


def predictions_document(
    images: Sequence[MapImage], classes: Sequence[tuple[str, str]], outlines: Iterable[Outline], root: Path
) -> Json:
    """Return the bundle; names of files count from ``root``.

    Args:
        images: in any order.
        classes: (name, #rrggbb) of the maps' values, in their order.
        outlines: of sites; those of images that are not there are left out.
        root: the bundle's folder.
    """
    document = empty_document()
    document["categories"] = [{"id": i, "name": name, "color": color} for i, (name, color) in enumerate(classes, 1)]
    videos: dict[str, int] = {}
    frames: dict[str, int] = {}
    ordered = sorted(images, key=lambda i: (i.video, i.time is None, i.time.timestamp() if i.time else 0.0, i.name))
    for number, image in enumerate(ordered, 1):
        if image.video not in videos:
            videos[image.video] = len(videos) + 1
            space = VideoSpace(videos[image.video], image.grid.crs, image.grid.transform, image.grid.shape)
            document["videos"].append({**space.to_video(), "name": image.video})
        frames[image.video] = frames.get(image.video, -1) + 1
        place = {"id": number, "video_id": videos[image.video], "frame_index": frames[image.video]}
        document["images"].append({**place, **_image(image, root)})
    _add_outlines(document, {i.name: i for i in ordered}, outlines)
    return document


def _image(image: MapImage, root: Path) -> Json:
    rows, cols = image.grid.shape
    entry: Json = {
        "name": image.name,
        "file_name": None,
        "width": cols,
        "height": rows,
        "warp_img_to_vid": written_affine(Affine.identity()),
        "assets": [_asset(file, image, root) for file in image.files],
        **world_of(image.grid),
        **dict(image.fields),
    }
    if image.time is not None:
        entry |= {"date_captured": image.time.isoformat(), "timestamp": image.time.timestamp()}
    return entry


def _asset(file: ScoreFile, image: MapImage, root: Path) -> Json:
    asset: Json = {
        "file_name": relative_name(file.uri, root),
        "channels": "|".join(file.channels),
        "width": image.grid.shape[1],
        "height": image.grid.shape[0],
        "warp_aux_to_img": written_affine(Affine.identity()),
        **world_of(image.grid),
    }
    if file.scale != 1.0:
        asset["quantization"] = {
            "orig_dtype": "float32", "orig_min": 0.0, "orig_max": 100 * file.scale, "quant_min": 0, "quant_max": 100,
            "nodata": None if file.nodata is None else int(file.nodata),
        }  # fmt: skip
    return asset


def _add_outlines(document: Json, images: dict[str, MapImage], outlines: Iterable[Outline]) -> None:
    ids = {entry["name"]: entry["id"] for entry in document["images"]}
    categories = {entry["name"]: entry["id"] for entry in document["categories"]}
    tracks: dict[str, int] = {}
    for outline in outlines:
        if outline.image not in ids:
            continue
        if outline.category not in categories:
            categories[outline.category] = len(categories) + 1
            document["categories"].append({"id": categories[outline.category], "name": outline.category})
        if outline.site is not None and outline.site not in tracks:
            tracks[outline.site] = len(tracks) + 1
            document["tracks"].append({"id": tracks[outline.site], "name": outline.site})
        known = {
            "id": len(document["annotations"]) + 1,
            "image_id": ids[outline.image],
            "category_id": categories[outline.category],
            "score": outline.score,
        }
        if outline.site is not None:
            known["track_id"] = tracks[outline.site]
        if outline.head is not None:
            known["gw_head"] = outline.head
        document["annotations"].append(known | _shape(outline, images[outline.image].grid))


def _shape(outline: Outline, grid: RasterGrid) -> Json:
    back = ~grid.transform

    def pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = move_points(points[:, 0], points[:, 1], outline.crs, grid.crs)
        moved = points.copy()
        moved[:, 0], moved[:, 1] = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
        return moved

    shape = shapely.transform(outline.shape, pixels)
    x0, y0, x1, y1 = shape.bounds
    return {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": shape.area, "segmentation": segmentation_of(shape)}


def segmentation_of(shape: BaseGeometry) -> list[Json]:
    """Return polygons as kwcoco writes them: exteriors counter-clockwise on the screen, holes clockwise."""
    return [
        {"exterior": _ring(part.exterior), "interiors": [_ring(hole) for hole in part.interiors]}
        for part in _polygons(shape)
    ]


def _polygons(shape: BaseGeometry) -> Iterator[Any]:
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            # Rows run down: what turns left in arithmetic turns right on the screen.
            yield shapely.geometry.polygon.orient(part, -1.0)


def _ring(ring: Any) -> list[list[float]]:  # noqa: ANN401 - a shapely ring
    return [[float(x), float(y)] for x, y in ring.coords[:-1]]
