"""Choosing among scenes: by region, time, date, cloud, and the latest days.

The choices are taken one after the other, and the error names the first that left nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from geowatch.errors import ConfigError, ImageryError
from geowatch.read.crs import move_points
from geowatch.read.scene import RasterGrid, Scene

__all__ = ["Selection", "footprint_lonlat", "select_scenes", "undated_heaps"]

#: Places along each side of an image that its outline is followed at.
_ALONG = 33


@dataclass(frozen=True, slots=True)
class Selection:
    """Which scenes are wanted."""

    dates: tuple[date, ...] = ()
    """Solar days; all if none is given."""
    latest: bool = False
    """Whether only the last solar day is wanted that the other choices leave."""
    max_cloud: float | None = None
    """Percent of cloud; scenes that do not say theirs are kept."""
    start: date | None = None
    """First solar day; scenes without a date are kept."""
    end: date | None = None
    """Last solar day, taken in."""
    region: BaseGeometry | None = None
    """Polygon in lon/lat that a scene must overlap."""

    def __post_init__(self) -> None:
        if self.max_cloud is not None and not 0 <= self.max_cloud <= 100:
            raise ConfigError(f"a cloud limit of {self.max_cloud:g} is no percentage", hint="give 0 to 100")
        if self.start and self.end and self.end < self.start:
            raise ConfigError(f"{self.start} to {self.end} ends before it starts", hint="swap the dates")


def select_scenes(scenes: Iterable[Scene], selection: Selection) -> tuple[Scene, ...]:
    """Return the scenes that are wanted, in the order given.

    Raises:
        ImageryError: none is left; the message says which choice left none, and what there was.
    """
    left = tuple(scenes)
    if not left:
        raise ImageryError("there are no scenes to choose from", hint="give images with --images")
    for what, hint, keep in _choices(selection):
        kept = tuple(s for s in left if keep(s))
        if not kept:
            count = f"{len(left)} scene{'' if len(left) == 1 else 's'}"
            raise ImageryError(f"of {count} none {what}; there are {_days(left)}{_clearest(left)}", hint=hint)
        left = kept
    return _latest(left) if selection.latest else left


_Choice = tuple[str, str, Callable[[Scene], bool]]


def _choices(selection: Selection) -> Iterable[_Choice]:
    region, limit = selection.region, selection.max_cloud
    if region is not None:
        hint = "check that images and region are of one place, and that the region is in lon, lat"
        yield "overlaps the region", hint, lambda s: _overlaps(s, region)
    if selection.start or selection.end:
        first, last = selection.start or date.min, selection.end or date.max
        what = f"is of {selection.start or 'any day'} to {selection.end or 'now'}"
        yield (
            what,
            "widen the region's start_date and end_date, or give images of its days",
            lambda s: s.solar_day is None or first <= s.solar_day <= last,
        )
    if selection.dates:
        what = f"is of {', '.join(d.isoformat() for d in selection.dates)}"
        yield what, "give one of the days that there are", lambda s: s.solar_day in selection.dates
    if limit is not None:
        what = f"has at most {limit:g}% cloud"
        yield (
            what,
            "raise --max-cloud, or leave it out and hide what is cloud with --mask",
            lambda s: s.cloud_cover is None or s.cloud_cover <= limit,
        )


def _latest(scenes: tuple[Scene, ...]) -> tuple[Scene, ...]:
    days = {s.solar_day for s in scenes if s.solar_day is not None}
    if not days:
        raise ImageryError(
            f"none of {len(scenes)} scenes has a date, so none is the latest",
            hint="leave the choice out, or put dates into the file names: 20200601",
        )
    return tuple(s for s in scenes if s.solar_day == max(days))


def undated_heaps(scenes: Sequence[Scene]) -> Iterator[str]:
    """Yield a remark for each sensor with images that have no date and lie on each other by more than half.

    They become one image, of which one pixel counts at each place: right for the tiles of a mosaic, not for a series
    whose names say its dates in a way that is not known.
    """
    undated = [scene for scene in scenes if scene.solar_day is None]
    for sensor in sorted({scene.sensor for scene in undated}):
        places = [(s.id, shape) for s in undated if s.sensor == sensor and (shape := _outline(s)) is not None]
        shapes = [shape for _, shape in places]
        if len(shapes) < 2:  # one image, or pictures without a place
            continue
        first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        on_each_other = sorted({
            places[a][0] for a, b in zip(first.tolist(), second.tolist(), strict=True)
            if a != b and shapes[a].intersection(shapes[b]).area > 0.5 * min(shapes[a].area, shapes[b].area)
        })  # fmt: skip
        if on_each_other:
            shown = ", ".join(on_each_other[:3]) + (", ..." if len(on_each_other) > 3 else "")
            yield (
                f"{len(on_each_other)} images of sensor '{sensor}' lie on each other and have no date: they count as "
                f"one image: {shown}; a series has dates in its names (20200601, 2020-06-01, 2020153), items or bundle"
            )


def _outline(scene: Scene) -> BaseGeometry | None:
    return footprint_lonlat(scene.bands[0].grid)


def _days(scenes: Sequence[Scene]) -> str:
    days = sorted({s.solar_day for s in scenes if s.solar_day is not None})
    if not days:
        return "scenes without a date"
    shown = [d.isoformat() for d in days]
    return f"scenes of {', '.join(shown)}" if len(shown) < 6 else f"{len(shown)} days, {shown[0]} to {shown[-1]}"


def _clearest(scenes: Sequence[Scene]) -> str:
    known = [s.cloud_cover for s in scenes if s.cloud_cover is not None]
    return f", the clearest with {min(known):.0f}% cloud" if known else ""


def _overlaps(scene: Scene, region: BaseGeometry) -> bool:
    return any(
        outline is not None and outline.intersection(region).area > 0
        for outline in (footprint_lonlat(grid) for grid in {b.grid for b in scene.bands})
    )


def footprint_lonlat(grid: RasterGrid) -> BaseGeometry | None:
    """Return the outline of a raster in lon/lat, cut at the antimeridian; None without georeference.

    Outer rings run against the clock.
    """
    if grid.crs is None:
        return None
    rows, cols = grid.shape
    t = np.linspace(0.0, 1.0, _ALONG)
    px = np.concatenate([t * cols, np.full_like(t, cols), t[::-1] * cols, np.zeros_like(t)])
    py = np.concatenate([np.zeros_like(t), t * rows, np.full_like(t, rows), t[::-1] * rows])
    a = grid.transform
    lon, lat = move_points(a.a * px + a.b * py + a.c, a.d * px + a.e * py + a.f, grid.crs, "EPSG:4326")
    known = np.isfinite(lon) & np.isfinite(lat)
    if known.sum() < 3:
        return None
    pole = _pole_inside(grid)
    if pole is not None:
        low, high = sorted((float(np.min(lat[known]) if pole > 0 else np.max(lat[known])), pole))
        return box(-180.0, low, 180.0, high)
    return shapely.orient_polygons(_cut(np.unwrap(lon[known], period=360.0), lat[known]), exterior_cw=False)


def _pole_inside(grid: RasterGrid) -> float | None:
    for pole in (90.0, -90.0):
        x, y = move_points(np.array([0.0]), np.array([pole]), "EPSG:4326", grid.crs)
        if np.isfinite(x[0]) and np.isfinite(y[0]):
            col, row = ~grid.transform @ (float(x[0]), float(y[0]))
            if 0 < col < grid.shape[1] and 0 < row < grid.shape[0]:
                return pole
    return None


def _cut(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> BaseGeometry:
    """Return the polygon with these corners, its parts beyond 180 degrees put where they are on the map."""
    whole = shapely.make_valid(Polygon(np.column_stack([lon, lat])))
    parts = [
        shapely.affinity.translate(whole.intersection(box(west, -90, west + 360, 90)), -(west + 180))
        for west in (-540.0, -180.0, 180.0)
    ]
    return shapely.union_all([p for p in parts if not p.is_empty])
