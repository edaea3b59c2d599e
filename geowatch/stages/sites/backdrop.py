"""What lies behind a map of sites: the clearest imagery, its gaps filled from the next clearest, zones joined."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pyproj import Transformer

from geowatch.consolidate.output.report.facts import Frame
from geowatch.errors import GwError
from geowatch.grid.antimeridian import HALF_TURN, whole
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.mapping.deliverables import thinned
from geowatch.stages.stitch import planes_of
from geowatch.stitch.joined import owner_of
from geowatch.stitch.picture import stretch
from geowatch.stitch.thin import thin_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.consolidate.output.report.pick import Picked
    from geowatch.read.plan import FramePlan
    from geowatch.stages.mapping.deliverables import Plane
    from geowatch.stages.sites.order import Order

__all__ = ["DEGREES", "Picture", "find_picture", "framed"]

#: What a CRS of longitude and latitude is called.
DEGREES = frozenset({"EPSG:4326", "OGC:CRS84"})
#: Longer side of the picture.
_LONGEST_PX = 1400
#: Frames that fill each other's gaps at most, and the share that is as good as full.
_MOST_FRAMES, _FULL = 6, 0.998
_EMPTY = (232, 232, 228)

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """Imagery as a picture."""

    pixels: NDArray[np.uint8]
    """Shape (height, width, 3)."""
    bounds: Bounds
    """Left, bottom, right, top in the sites' CRS."""
    shows: str
    """What it is."""


def framed(picture: Picture | None) -> Frame | None:
    """Return a picture as it lies in a page."""
    if picture is None:
        return None
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, "JPEG", quality=82)
    return Frame(out.getvalue(), "image/jpeg", picture.bounds, picture.shows)


def find_picture(order: Order, picked: Picked) -> Picture | None:
    """Return the imagery in the sites' CRS; None where there is none or it cannot be read, which is noted."""
    planes = _clearest(order, _seen(picked))
    try:
        found = [(several[0], _composed(several)) for several in planes]
    except GwError as error:
        order.notes.append(f"the map of sites has no imagery behind it: {error.fact}")
        return None
    pictures = [(plane, picture) for plane, picture in found if picture is not None]
    if len(planes) == 1 and pictures and pictures[0][0].grid.lattice.crs == order.sites.crs:
        return pictures[0][1]
    return _joined(order, pictures) if pictures and order.sites.crs else None


def _seen(picked: Picked) -> Mapping[tuple[str, int], float]:
    """Return how much of the sites each grid's times show."""
    seen: defaultdict[tuple[str, int], float] = defaultdict(float)
    for site in picked.sites:
        for each in site.sightings:
            seen[site.grid, each.time] += each.seen_share
    return seen


def _clearest(order: Order, seen: Mapping[tuple[str, int], float]) -> list[list[Plane]]:
    """Return each grid's planes, the clearest frame first: least cloud, most of the sites, most imagery, latest."""
    recipe = read_recipe(order.store)
    if recipe is None or read_bound(order.store) is None:
        return []
    planes = [plane for plane in planes_of(order.store, recipe) if plane.head.kind == "scores"]
    frames = {(plane.grid.id, plane.frame.frame_id): plane for plane in planes}

    def rank(plane: Plane) -> tuple[float, float, int, int]:
        shown = round(seen.get((plane.grid.id, plane.time), 0.0), 3)
        extent = (plane.frame.extent & plane.grid.bounds).area_px
        return _cloud(plane.frame), -shown, -extent, -plane.time

    grids = dict.fromkeys(grid for grid, _ in frames)
    return [sorted((frames[key] for key in frames if key[0] == grid), key=rank) for grid in grids]


def _cloud(frame: FramePlan) -> float:
    """Return how cloudy a frame is in steps of five percent; as good as clear where nobody says."""
    known = [scene.scene.cloud_cover for scene in frame.scenes if scene.scene.cloud_cover is not None]
    return round(max(known, default=0.0) / 5)


def _composed(planes: list[Plane]) -> Picture | None:
    """Return the clearest frame's imagery, what it does not show filled from the next ones of its sensor."""
    first = planes[0]
    bounds = first.grid.bounds
    step = thin_step(bounds, _LONGEST_PX)
    shape = -(-bounds.height // step), -(-bounds.width // step)
    values, valid = np.zeros((3, *shape), np.float32), np.zeros(shape, bool)
    used = 0
    alike = [plane for plane in planes if plane.frame.sensor == first.frame.sensor]
    for plane in alike[:_MOST_FRAMES]:
        seen = thinned(plane, shape, step)
        if seen is not None and (seen[1] & ~valid).any():
            new = seen[1] & ~valid
            values[:, new], valid, used = seen[0][:, new], valid | new, used + 1
        if valid.mean() > _FULL:
            break
    whole = type(bounds)(bounds.y0, bounds.x0, bounds.y0 + shape[0] * step, bounds.x0 + shape[1] * step)
    said = f"the imagery of {first.frame.day or first.frame.frame_id}{_others(used - 1)}"
    return Picture(stretch(values, valid), first.grid.lattice.bounds(whole), said) if used else None


def _others(count: int) -> str:
    return "" if count < 1 else f", gaps filled from {count} other date{'' if count == 1 else 's'}"


def _joined(order: Order, pictures: list[tuple[Plane, Picture]]) -> Picture | None:
    """Return the zones' pictures as one in longitude and latitude."""
    if order.plan.region is None or order.sites.crs not in DEGREES:
        return None
    left, bottom, right, top = whole(order.plan.region.geometry).bounds
    step = max(right - left, top - bottom) / _LONGEST_PX
    width, height = max(1, round((right - left) / step)), max(1, round((top - bottom) / step))
    lon, lat = np.meshgrid(left + (np.arange(width) + 0.5) * step, top - (np.arange(height) + 0.5) * step)
    lon = np.where(lon >= HALF_TURN, lon - 2 * HALF_TURN, lon)
    lonlat = np.stack([lon.ravel(), lat.ravel()], axis=1)
    owner = owner_of([plane.grid for plane, _ in pictures], lonlat)
    out = np.full((len(lonlat), 3), _EMPTY, np.uint8)
    for place, (plane, picture) in enumerate(pictures):
        here = np.flatnonzero(owner == place)
        out[here] = _sampled(picture, str(plane.grid.lattice.crs), lonlat[here])
    bounds = (left, top - height * step, left + width * step, top)
    return Picture(out.reshape(height, width, 3), bounds, pictures[-1][1].shows)


def _sampled(picture: Picture, crs: str, lonlat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the picture's pixels under places."""
    height, width = picture.pixels.shape[:2]
    left, bottom, right, top = picture.bounds
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lonlat[:, 0], lonlat[:, 1])
    columns = np.floor((np.asarray(x) - left) / (right - left) * width)
    rows = np.floor((top - np.asarray(y)) / (top - bottom) * height)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    out = np.full((len(lonlat), 3), _EMPTY, np.uint8)
    out[inside] = picture.pixels[rows[inside].astype(np.int64), columns[inside].astype(np.int64)]
    return out
