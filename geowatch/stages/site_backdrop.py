"""What lies behind a map of sites: the imagery of the date that shows most of the region, else the map of classes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geowatch.consolidate.output.report.facts import Frame
from geowatch.errors import GwError
from geowatch.predict.recipe import read_recipe
from geowatch.stages.deliverables import backdrop
from geowatch.stages.imagery import read_bound
from geowatch.stages.stitch import planes_of
from geowatch.stitch.thin import thin_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.stages.deliverables import Plane
    from geowatch.stages.site_order import Order

__all__ = ["clearest_plane", "find_backdrop", "picture_of"]

#: Longer side of the picture.
_LONGEST_PX = 1400


def find_backdrop(order: Order) -> Frame | None:
    """Return the imagery behind a map in the sites' CRS; None where it is not at hand."""
    plane = clearest_plane(order)
    if plane is None or plane.grid.lattice.crs != order.sites.crs:
        return None
    found = picture_of(plane, order)
    if found is None:
        return None
    picture, bounds = found
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=82)
    return Frame(out.getvalue(), "image/jpeg", bounds, f"the imagery of {plane.frame.frame_id}")


def clearest_plane(order: Order) -> Plane | None:
    """Return the plane with the most imagery over the region's bounds; among equals the latest."""
    recipe = read_recipe(order.store)
    if recipe is None or read_bound(order.store) is None:
        return None
    planes = [plane for plane in planes_of(order.store, recipe) if plane.head.kind == "scores"]
    return max(planes, key=lambda plane: (_extent_px(plane), plane.time), default=None)


def _extent_px(plane: Plane) -> int:
    return (plane.frame.extent & plane.grid.bounds).area_px


def picture_of(plane: Plane, order: Order) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None:
    """Return a plane's imagery thinned (height, width, 3), and its bounds; None where it cannot be read."""
    bounds = plane.grid.bounds
    step = thin_step(bounds, _LONGEST_PX)
    shape = -(-bounds.height // step), -(-bounds.width // step)
    try:
        picture = backdrop(plane, shape, step)
    except GwError as error:
        order.notes.append(f"the map has no imagery behind it: {error.fact}")
        return None
    if picture is None:
        return None
    whole = type(bounds)(bounds.y0, bounds.x0, bounds.y0 + shape[0] * step, bounds.x0 + shape[1] * step)
    return picture, plane.grid.lattice.bounds(whole)
