"""What is wrong with a bundle: entries, files, transforms, times and labels, each problem with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from geowatch.datasets.anchors import assets_of
from geowatch.datasets.bundle import time_of
from geowatch.datasets.georeference import OFF_PX, declared_world, distance_px
from geowatch.datasets.kwcoco_in import place_of_asset, scene_of_image
from geowatch.datasets.scanning import Problem
from geowatch.datasets.transforms import read_affine
from geowatch.errors import InputError
from geowatch.read.options import SceneOptions
from geowatch.read.probe import probe

if TYPE_CHECKING:
    from affine import Affine

    from geowatch.datasets.bundle import Bundle, Json
    from geowatch.read.scene import RasterGrid

__all__ = ["document_problems", "file_problems", "schema_problems"]

_MOST = 20


def schema_problems(bundle: Bundle) -> Iterator[Problem]:
    """Yield where a document breaks kwcoco's own schema, the first `_MOST` places."""
    from jsonschema.validators import validator_for
    from kwcoco.coco_schema import COCO_SCHEMA  # the only thing here that needs the package

    for error in islice(validator_for(COCO_SCHEMA)(COCO_SCHEMA).iter_errors(bundle.document), _MOST):
        yield Problem("/".join(map(str, error.absolute_path)) or "document", error.message[:200])


def document_problems(bundle: Bundle) -> Iterator[Problem]:
    """Yield what is wrong within the document: no file is opened."""
    for table in ("videos", "images", "categories"):
        names = Counter(str(e["name"]) for e in bundle.tables[table] if e.get("name"))
        yield from (Problem(f"{table} '{n}'", f"{count} have this name") for n, count in names.items() if count > 1)
    yield from _times(bundle)
    shapes = {image["id"]: image for image in bundle.images}
    categories = {category["id"] for category in bundle.categories}
    for entry in bundle.annotations:
        where = f"annotation {entry['id']}"
        if entry.get("category_id") is not None and entry["category_id"] not in categories:
            yield Problem(where, f"has category_id {entry['category_id']}, which no category has")
        yield from _box(entry, shapes[entry["image_id"]], where)


def _times(bundle: Bundle) -> Iterator[Problem]:
    series: dict[int, list[tuple[int, datetime, str]]] = {}
    for image in bundle.images:
        name = str(image.get("name") or image["id"])
        try:
            time = time_of(image, bundle.where(image))
        except InputError as error:
            yield Problem(f"image '{name}'", error.fact)
            continue
        if time is None and image.get("video_id") is not None:
            yield Problem(f"image '{name}'", "is in a series and has no time")
        if isinstance(time, datetime) and _in_series(image):
            series.setdefault(image["video_id"], []).append((image["frame_index"], time, name))
    for frames in series.values():
        frames.sort(key=lambda f: (f[0], f[1]))
        for (i, early, _), (j, late, name) in pairwise(frames):
            if i == j:
                yield Problem(f"image '{name}'", f"has frame_index {j}, as another of its series")
            elif late < early:
                yield Problem(f"image '{name}'", f"is frame {j} and was taken before frame {i}")


def _in_series(image: Json) -> bool:
    return image.get("video_id") is not None and isinstance(image.get("frame_index"), int)


def _box(entry: Json, image: Json, where: str) -> Iterator[Problem]:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not (image.get("width") and image.get("height")):
        return
    x, y, w, h = (float(v) for v in box)
    if x + w < 0 or y + h < 0 or x > image["width"] or y > image["height"]:
        yield Problem(where, f"lies outside its image of {image['width']} x {image['height']} pixels: {box}")


def file_problems(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> Iterator[Problem]:
    """Yield what is wrong with the files of an image; headers are read, no pixels."""
    options = options or SceneOptions()
    where = f"image '{image.get('name') or image['id']}'"
    try:
        scene_of_image(bundle, image, options)
    except InputError as error:
        yield Problem(where, error.fact)
        return
    known: tuple[RasterGrid, Affine] | None = None
    for asset in assets_of(image):
        what = f"{where}, '{asset['file_name']}'"
        grid = probe(place_of_asset(bundle, asset, what), options).grid
        to_image = read_affine(None if asset is image else asset.get("warp_aux_to_img"), what)
        yield from _sizes(asset, grid, what)
        if grid.crs is None:
            continue
        world = declared_world(asset, what) or declared_world(image, what, to_image)
        if world is not None and (off_px := distance_px(grid, *world)) > OFF_PX:
            yield Problem(what, f"is declared to be elsewhere than its georeference says ({off_px:.1f} pixels off)")
        if known is not None and known[0].crs == grid.crs:
            yield from _apart(known, (grid, to_image), what)
        known = known or (grid, to_image)


def _sizes(asset: Mapping[str, object], grid: RasterGrid, what: str) -> Iterator[Problem]:
    declared = asset.get("height"), asset.get("width")
    # An image of several files has a size of its own.
    if None not in declared and "assets" not in asset and "auxiliary" not in asset and declared != grid.shape:
        yield Problem(what, f"is said to have {declared[0]} x {declared[1]} pixels and has {grid.shape[0]} x "
                      f"{grid.shape[1]}")  # fmt: skip


def _apart(first: tuple[RasterGrid, Affine], other: tuple[RasterGrid, Affine], what: str) -> Iterator[Problem]:
    """Yield a problem where transforms put a file elsewhere than its own georeference does."""
    off_px = distance_px(other[0], first[0].transform @ ~first[1] @ other[1], first[0].crs)
    if off_px > OFF_PX:
        yield Problem(what, f"its transform puts it {off_px:.1f} pixels from where its georeference does")
