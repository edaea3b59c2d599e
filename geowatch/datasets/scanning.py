"""What a set of scenes holds, row by row and sensor by sensor, and what is odd about it. Pure: no file is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from geowatch.read.select import footprint_lonlat

if TYPE_CHECKING:
    from geowatch.read.scene import RasterGrid, Scene

__all__ = ["Problem", "Row", "Summary", "problems_of", "rows_of", "summaries_of"]

_APART = "files are bands of one image where their names end with a band's name, such as red.tif, or in a STAC item"


@dataclass(frozen=True, slots=True)
class Row:
    """One scene."""

    id: str
    """Its name."""
    sensor: str
    """Its sensor."""
    time: str | None
    """When it was taken, ISO, UTC."""
    day: date | None
    """The day by the sun."""
    bands: tuple[str, ...]
    """Its bands."""
    masks: tuple[str, ...]
    """Kinds of its masks."""
    crs: str | None
    """CRS of its finest band."""
    pixel: float
    """Side of its finest pixels in units of the CRS."""
    shape: tuple[int, int]
    """(rows, columns) of its finest band."""
    extent: tuple[float, float, float, float] | None
    """West, south, east, north in degrees; None without georeference."""
    cloud_percent: float | None
    """Cloud, as its metadata say."""
    files: tuple[str, ...]
    """Where its bands are."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All scenes of one sensor."""

    sensor: str
    """Its name."""
    scenes: int
    """How many there are."""
    days: int
    """On how many days."""
    first: date | None
    """First of them."""
    last: date | None
    """Last of them."""
    longest_gap_days: int
    """Most days between two of them."""
    bands: tuple[str, ...]
    """Bands that all of them have."""
    pixels: tuple[float, ...]
    """Sides of the finest pixels, in units of the CRS."""
    cloud_percent: float | None
    """Mean cloud of those that say theirs."""
    extent: tuple[float, float, float, float] | None
    """West, south, east, north in degrees."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd."""

    where: str
    """Name of the scene, or of the file."""
    what: str
    """What is odd."""


def _finest(scene: Scene) -> RasterGrid:
    return min((band.grid for band in scene.bands), key=lambda grid: max(grid.steps))


def rows_of(scenes: Sequence[Scene]) -> list[Row]:
    """Return a row for each scene, oldest first."""
    ordered = sorted(scenes, key=lambda s: (s.time is None, s.time.timestamp() if s.time else 0.0, s.id))
    return [_row(scene) for scene in ordered]


def _row(scene: Scene) -> Row:
    grid = _finest(scene)
    outline = footprint_lonlat(grid)
    return Row(
        id=scene.id,
        sensor=scene.sensor,
        time=scene.time.isoformat() if scene.time else None,
        day=scene.solar_day,
        bands=tuple(b.name for b in scene.bands),
        masks=tuple(m.kind for m in scene.masks),
        crs=grid.crs,
        pixel=max(grid.steps),
        shape=grid.shape,
        extent=None if outline is None else outline.bounds,
        cloud_percent=scene.cloud_cover,
        files=tuple(dict.fromkeys(b.uri for b in scene.bands)),
    )


def summaries_of(rows: Sequence[Row]) -> list[Summary]:
    """Return what there is of each sensor, most scenes first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.sensor, []).append(row)
    return sorted((_summary(name, group) for name, group in groups.items()), key=lambda s: (-s.scenes, s.sensor))


def _summary(name: str, rows: Sequence[Row]) -> Summary:
    days = sorted({row.day for row in rows if row.day is not None})
    clouds = [row.cloud_percent for row in rows if row.cloud_percent is not None]
    extents = [row.extent for row in rows if row.extent is not None]
    west, south, east, north = zip(*extents, strict=True) if extents else ((), (), (), ())
    return Summary(
        sensor=name,
        scenes=len(rows),
        days=len(days),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        longest_gap_days=max(((b - a).days for a, b in pairwise(days)), default=0),
        bands=tuple(b for b in rows[0].bands if all(b in row.bands for row in rows)),
        pixels=tuple(sorted({round(row.pixel, 6) for row in rows})),
        cloud_percent=sum(clouds) / len(clouds) if clouds else None,
        extent=(min(west), min(south), max(east), max(north)) if extents else None,
    )


def problems_of(scenes: Sequence[Scene]) -> list[Problem]:
    """Return what is odd about scenes."""
    return [*_alone(scenes), *_lacking(scenes), *_twice(scenes)]


def _alone(scenes: Sequence[Scene]) -> Iterator[Problem]:
    for scene in scenes:
        if scene.time is None:
            yield Problem(scene.id, "has no date, as in 20200601, 2020-06-01 or 2020153")
        if scene.bands[0].grid.crs is None:
            yield Problem(scene.id, "has no georeference")
        bare = [b.name for b in scene.bands if b.nodata is None and not b.has_mask and b.dtype.startswith(("u", "i"))]
        if bare and not scene.masks:
            yield Problem(scene.id, f"says of no pixel that it is no data: bands {', '.join(bare)}")


def _lacking(scenes: Sequence[Scene]) -> Iterator[Problem]:
    """Yield scenes that lack a band that most scenes of their sensor have."""
    for sensor in dict.fromkeys(s.sensor for s in scenes):
        group = [s for s in scenes if s.sensor == sensor]
        counts = Counter(b.name for s in group for b in s.bands)
        usual = [name for name, count in counts.items() if count > len(group) / 2]
        for scene in group:
            lack = [name for name in usual if not scene.has_bands((name,))]
            if lack:
                yield Problem(scene.id, f"lacks {', '.join(lack)}, which most scenes of {sensor} have")


def _twice(scenes: Sequence[Scene]) -> Iterator[Problem]:
    """Yield scenes that are of the same sensor, time and place as one before: given twice, or bands of one image."""
    seen: dict[tuple[object, ...], Scene] = {}
    for scene in scenes:
        key = scene.sensor, scene.time, _finest(scene)
        if scene.time is not None and key in seen:
            said = f"is of the same sensor, time and place as {seen[key].id}"
            yield Problem(scene.id, f"{said}; {_APART}" if _in_two_files(scene, seen[key]) else said)
        seen.setdefault(key, scene)


def _in_two_files(scene: Scene, other: Scene) -> bool:
    """Whether two scenes of one band each are in files of their own, as bands of one image may be."""
    return len(scene.bands) == len(other.bands) == 1 and scene.bands[0].uri != other.bands[0].uri
