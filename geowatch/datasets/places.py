"""Where an image of a bundle is: what the document declares, else what its first file with a georeference says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affine import Affine

from geowatch.datasets.anchors import assets_of
from geowatch.datasets.kwcoco_in import declared_world, place_of_asset
from geowatch.datasets.transforms import read_affine
from geowatch.read.options import SceneOptions
from geowatch.read.probe import probe
from geowatch.read.scene import RasterGrid
from geowatch.read.select import footprint_lonlat

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Bundle, Json

__all__ = ["image_footprint", "image_grid"]


def image_grid(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> RasterGrid:
    """Return where the pixels of an image (its image space) are; without CRS where nothing says it.

    Raises:
        ImageryError: nothing is declared, and its file cannot be read.
    """
    where = bundle.where(image)
    world = declared_world(image, where)
    if world is not None and image.get("width") and image.get("height"):
        return RasterGrid((int(image["height"]), int(image["width"])), world[0][:6], world[1])
    plain = None
    for asset in assets_of(image):
        to_image = _to_image(asset, image, where)
        raster = probe(place_of_asset(bundle, asset, where), options or SceneOptions())
        shape = _shape(image, raster.grid.shape, to_image)
        if raster.grid.crs is not None:
            return RasterGrid(shape, (raster.grid.transform @ ~to_image)[:6], raster.grid.crs)
        world = declared_world(asset, where)
        if world is not None:
            return RasterGrid(shape, (world[0] @ ~to_image)[:6], world[1])
        # Another file of the image may say where it is.
        plain = plain or RasterGrid(shape, Affine.identity()[:6], None)
    return plain or RasterGrid(_shape(image, (1, 1), Affine.identity()), Affine.identity()[:6], None)


def _to_image(asset: Json, image: Json, where: str) -> Affine:
    return Affine.identity() if asset is image else read_affine(asset.get("warp_aux_to_img"), f"a warp of {where}")


def _shape(image: Json, stored: tuple[int, int], to_image: Affine) -> tuple[int, int]:
    """Return (rows, columns) of the image: as declared, else what its file covers."""
    if image.get("width") and image.get("height"):
        return int(image["height"]), int(image["width"])
    cols, rows = to_image @ (stored[1], stored[0])
    return max(1, round(rows)), max(1, round(cols))


def image_footprint(bundle: Bundle, image: Json, options: SceneOptions | None = None) -> BaseGeometry | None:
    """Return the outline of an image in lon/lat; None without georeference."""
    return footprint_lonlat(image_grid(bundle, image, options))
