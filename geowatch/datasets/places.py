"""Where an image of a bundle is: by the georeference of its files, else by what the document declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affine import Affine

from geowatch.datasets.anchors import assets_of
from geowatch.datasets.georeference import declared_world
from geowatch.datasets.kwcoco_in import place_of_asset
from geowatch.datasets.transforms import read_affine
from geowatch.errors import ImageryError
from geowatch.read.options import SceneOptions
from geowatch.read.probe import probe
from geowatch.read.scene import RasterGrid
from geowatch.read.select import footprint_lonlat

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Bundle, Json

__all__ = ["image_footprint", "image_grid", "rough_grid"]


def image_grid(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> RasterGrid:
    """Return where the pixels of an image (its image space) are; without CRS where nothing says it.

    A file's own georeference wins, as when its pixels are read, so that labels lie where the pixels do. What the
    document declares holds for files that have none, and where a file is not there.

    Raises:
        ImageryError: nothing is declared, and a file cannot be read.
    """
    declared = declared_grid(bundle, image)
    where = bundle.where(image)
    plain = None
    for asset in assets_of(image):
        to_image = _to_image(asset, image, where)
        try:
            place = place_of_asset(bundle, asset, where)
        except ImageryError:
            if declared is None:
                raise
            continue
        raster = probe(place, options or SceneOptions())
        shape = _shape(image, raster.grid.shape, to_image)
        if raster.grid.crs is not None:
            return RasterGrid(shape, (raster.grid.transform @ ~to_image)[:6], raster.grid.crs)
        world = declared_world(image, where)
        if world is None and (own := declared_world(asset, where)) is not None:
            world = own[0] @ ~to_image, own[1]
        # Another file of the image may say where it is.
        affine, crs = world or (Affine.identity(), None)
        plain = plain or RasterGrid(shape, affine[:6], crs)
    return plain or declared or RasterGrid(_shape(image, (1, 1), Affine.identity()), Affine.identity()[:6], None)


def declared_grid(bundle: Bundle, image: Json) -> RasterGrid | None:
    """Return where an image is by its entry alone; None where that does not say all of it."""
    world = declared_world(image, bundle.where(image))
    if world is None or not (image.get("width") and image.get("height")):
        return None
    return RasterGrid((int(image["height"]), int(image["width"])), world[0][:6], world[1])


def rough_grid(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> RasterGrid:
    """Return where an image is as far as choosing images needs it: as declared, and no file is opened then.

    Raises:
        ImageryError: nothing is declared, and a file cannot be read.
    """
    return declared_grid(bundle, image) or image_grid(bundle, image, options)


def _to_image(asset: Json, image: Json, where: str) -> Affine:
    return Affine.identity() if asset is image else read_affine(asset.get("warp_aux_to_img"), f"a warp of {where}")


def _shape(image: Json, stored: tuple[int, int], to_image: Affine) -> tuple[int, int]:
    """Return (rows, columns) of the image: as declared, else what its file covers."""
    if image.get("width") and image.get("height"):
        return int(image["height"]), int(image["width"])
    cols, rows = to_image @ (stored[1], stored[0])
    return max(1, round(rows)), max(1, round(cols))


def image_footprint(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> BaseGeometry | None:
    """Return the outline of an image in lon/lat, as declared where it is; None without georeference."""
    return footprint_lonlat(rough_grid(bundle, image, options))
