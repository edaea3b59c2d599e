"""Show: a contact sheet of a series, and of what was outlined on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from geowatch.errors import ConfigError, ImageryError
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.read.crs import move_points
from geowatch.read.frames import make_frames
from geowatch.read.plan import plan_frame
from geowatch.read.reader import FrameReader
from geowatch.read.select import footprint_lonlat
from geowatch.stages.binding.regions import read_features_file
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.output import check_file
from geowatch.stages.dataset.sheet import ContactSheet, Line, Thumbnail, draw_contact_sheet, ramp, spread
from geowatch.stages.dataset.sources import ChoiceConfig, asked_choice, find_chosen
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from geowatch.read.frames import Frame
    from geowatch.read.remote import Remote
    from geowatch.read.scene import Scene

__all__ = ["ShowConfig", "Shown", "show_dataset"]

_CACHE_BYTES = 64 << 20
#: Pixels of an image without overviews, along one side, that a pixel of a thumbnail may take in.
_COARSEST = 256
#: Share of its thumbnail below which an image is hardly seen.
_SPECK = 0.1
_REGION, _SITE = (255, 255, 255), (255, 214, 10)
#: Indices, whose values are shown from 0 to 1 whatever the series holds.
_INDICES = {"ndvi", "evi", "savi", "ndwi"}


@dataclass(frozen=True)
class ShowConfig:
    """What show is asked for."""

    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    """Which of it; its channels, one or three, are what is shown."""
    output: str = "series.png"
    """Picture to write."""
    outlines: str | None = None
    """GeoJSON file of regions or sites to draw; those with start_date and end_date only while they last."""
    thumb_px: int = 150
    """Longer side of a thumbnail."""
    columns: int = 10
    """Thumbnails in a row."""
    most: int = 240
    """Most images to show, evenly over the series."""
    title: str | None = None
    """First line. Left out: the name of the source."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What show made."""

    file: str
    """The picture."""
    images: int
    """Images on it."""


def show_dataset(config: ShowConfig, events: Events | None = None) -> Shown:
    """Draw the contact sheet.

    Raises:
        ImageryError: nothing is found.
        ConfigError: two or more than three bands are to be shown, or there is no room.
    """
    events = events or Silent()
    if min(config.thumb_px, config.columns, config.most) < 1:
        asked = f"{config.most} images of {config.thumb_px} pixels in {config.columns} columns"
        raise ConfigError(f"{asked} make no sheet", hint="give numbers from 1 on")
    check_file(config.output, (".png",), config.source.images)
    choice = asked_choice(config.choice)
    scenes, catalog = find_chosen(config.source, choice, events)
    frames = _frames(scenes)
    if len(frames) > config.most:
        events.note(f"{config.most} of {len(frames)} images are shown, evenly over the series; --most shows more")
    frames = tuple(frames[i] for i in spread([f.day for f in frames], config.most))
    bands = _bands(scenes, choice.channels)
    sheet = _Sheet(config, _lattice(scenes, choice.selection.region, config.thumb_px), bands)
    remote = replace(config.source.options.remote, queries=catalog.queries)
    looks = []
    for number, frame in enumerate(frames, 1):
        looks.append(sheet.look(frame, remote))
        events.progress("show", number, len(frames))
    if choice.selection.region is None and max(look.seen.mean() for look in looks) < _SPECK:
        events.note("images lie far apart and look small: one place is shown with --video NAME, --region or --bbox")
    picture = draw_contact_sheet(sheet.drawn(frames, looks, choice.selection.region))
    path = Path(config.output)
    open_store(path.parent).put(path.name, picture)
    record(open_store(path.parent), made("dataset show", path.name, config, figures={"images": len(frames)}))
    return Shown(config.output, len(frames))


def _frames(scenes: Sequence[Scene]) -> tuple[Frame, ...]:
    """Return the images to show: days of sensors, and by itself each image that has neither a date nor a place."""
    loose = [s for s in scenes if s.time is None and s.bands[0].grid.crs is None]
    frames = make_frames([s for s in scenes if s not in loose])
    return (*frames, *(frame for scene in loose for frame in make_frames([scene])))


def _bands(scenes: Sequence[Scene], asked: tuple[str, ...]) -> tuple[str, ...]:
    if asked and len(asked) not in {1, 3}:
        raise ConfigError(f"{len(asked)} bands make no picture: {','.join(asked)}", hint="name one or three")
    if asked:
        return asked
    natural = ("red", "green", "blue")
    if all(s.has_bands(natural) for s in scenes):
        return natural
    return (
        next((b.name for b in scenes[0].bands if all(s.has_bands((b.name,)) for s in scenes)), scenes[0].bands[0].name),
    )


def _lattice(scenes: Sequence[Scene], region: BaseGeometry | None, side_px: int) -> tuple[Lattice, PixelBox]:
    """Return a lattice on which the whole place has ``side_px`` on its longer side, and where that is."""
    crs = scenes[0].bands[0].grid.crs
    bounds = _bounds(scenes, crs) if region is None or crs is None else _bounds_of(region, crs)
    step = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / side_px
    down = step if crs is None else -step
    lattice = Lattice.of_affine(crs, Affine(step, 0, bounds[0], 0, down, bounds[1] if crs is None else bounds[3]))
    return lattice, lattice.box_covering(bounds)


def _bounds(scenes: Sequence[Scene], crs: str | None) -> tuple[float, float, float, float]:
    grids = {band.grid for scene in scenes for band in scene.bands}
    if crs is None:
        found = [grid.bounds for grid in grids]
    else:
        outlines = [footprint_lonlat(grid) for grid in grids]
        found = [_bounds_of(outline, crs) for outline in outlines if outline is not None]
        same = [grid.bounds for grid in grids if grid.crs == crs]
        found = same if len(same) == len(grids) else found
    west, south, east, north = zip(*found, strict=True)
    return min(west), min(south), max(east), max(north)


def _bounds_of(shape: BaseGeometry, crs: str) -> tuple[float, float, float, float]:
    points = shapely.get_coordinates(shapely.segmentize(shape, 0.05))
    x, y = move_points(points[:, 0], points[:, 1], "EPSG:4326", crs)
    known = np.isfinite(x) & np.isfinite(y)
    return float(x[known].min()), float(y[known].min()), float(x[known].max()), float(y[known].max())


@dataclass(frozen=True, slots=True)
class _Look:
    """What a frame looks like: values (C, H, W), where there is imagery, and what of it is masked (H, W)."""

    values: NDArray[np.float32]
    seen: NDArray[np.bool_]
    hidden: NDArray[np.bool_]


class _Sheet:
    """One sheet in the making."""

    def __init__(self, config: ShowConfig, place: tuple[Lattice, PixelBox], bands: tuple[str, ...]) -> None:
        self._config, self._bands = config, bands
        self._lattice, self._box = place
        self._features = read_features_file(config.outlines) if config.outlines else []

    def look(self, frame: Frame, remote: Remote) -> _Look:
        """Read a frame twice: as it is, and with its masks."""
        bare = replace(frame, scenes=tuple(replace(s, masks=()) for s in frame.scenes))
        values, seen = self._read(bare, remote)
        masked = any(s.masks for s in frame.scenes)
        valid = self._read(frame, remote)[1] if masked else seen
        return _Look(values, seen, seen & ~valid)

    def _read(self, frame: Frame, remote: Remote) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        finest = min(max(s.band(b).grid.steps) for s in frame.scenes for b in self._bands)
        shrinks = self._lattice.resolution > finest
        try:
            plan = plan_frame(frame, self._bands, self._lattice, resampling="average" if shrinks else "bilinear")
        except ImageryError as error:
            if self._lattice.resolution < _COARSEST * finest:
                raise
            raise ConfigError(
                f"images that lie so far apart are not seen on thumbnails of {self._config.thumb_px} pixels",
                hint="a sheet shows one place: choose it with --region, --bbox or --video",
            ) from error
        values = np.zeros((len(self._bands), *self._box.shape), np.float32)
        valid = np.zeros(self._box.shape, bool)
        part = self._box & plan.extent
        if part:
            with FrameReader(plan, cache_bytes=_CACHE_BYTES, remote=remote) as reader:
                patch = reader.read(part)
            rows, cols = part.within(self._box)
            values[:, rows, cols], valid[rows, cols] = patch.values, patch.valid
        return values, valid

    def drawn(self, frames: Sequence[Frame], looks: Sequence[_Look], region: BaseGeometry | None) -> ContactSheet:
        """Return the sheet; images of one sensor share one stretch, so that colours can be compared."""
        ranges = {s: self._range([k for k, f in zip(looks, frames, strict=True) if f.sensor == s]) for s in
                  {f.sensor for f in frames}}  # fmt: skip
        thumbnails = tuple(
            Thumbnail(
                frame.day, frame.sensor, self._colors(look, ranges[frame.sensor]), look.seen, look.hidden,
                tuple(self._lines(frame.day, region)),
            )
            for frame, look in zip(frames, looks, strict=True)
        )  # fmt: skip
        days = sorted(f.day for f in frames if f.day)
        span = f"{days[0]:%d %b %Y} to {days[-1]:%d %b %Y}, " if days else ""
        source = self._config.source.images
        title = self._config.title or self._config.source.video or ", ".join(Path(s).name for s in source[:2])
        legend = ((("region", _REGION),) if region is not None else ()) + (
            (("sites", _SITE),) if self._features else ()
        )
        count = "1 image" if len(frames) == 1 else f"{len(frames)} images"
        subtitle = f"{span}{count} of {', '.join(self._bands)}"
        return ContactSheet(title, subtitle, thumbnails, self._config.columns, legend)

    def _range(self, looks: Sequence[_Look]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what is black and what is white, of the pixels that no mask hides."""
        clear = [look.values[:, look.seen & ~look.hidden] for look in looks]
        pixels = np.concatenate(clear, axis=1) if clear else np.zeros((len(self._bands), 0))
        if not pixels.size:
            pixels = np.concatenate([look.values[:, look.seen] for look in looks], axis=1)
        if not pixels.size or self._bands[0] in _INDICES:
            return np.zeros((len(self._bands), 1)), np.ones((len(self._bands), 1))
        low, high = np.percentile(pixels, (2, 98), axis=1, keepdims=True)
        return low, np.maximum(high, low + 1e-9)

    def _colors(self, look: _Look, span: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.uint8]:
        low, high = (limit[..., None] for limit in span)
        share = np.clip((look.values - low) / (high - low), 0, 1)
        if len(self._bands) == 3:
            bright: NDArray[np.float64] = np.moveaxis(share, 0, -1) ** 0.8
        elif self._bands[0] in _INDICES:
            return ramp(share[0].astype(np.float32))
        else:
            bright = np.repeat(share[0][..., None], 3, axis=2)
        colors: NDArray[np.uint8] = np.rint(bright * 255).astype(np.uint8)
        return colors

    def _lines(self, day: date | None, region: BaseGeometry | None) -> list[Line]:
        shapes = [(region, _REGION)] if region is not None else []
        shapes += [(shape, _SITE) for shape, known in self._features if _lasts(known, day)]
        return [Line(tuple(ring), color) for shape, color in shapes for ring in self._rings(shape)]

    def _rings(self, shape: BaseGeometry) -> list[list[tuple[float, float]]]:
        crs = self._lattice.crs
        if crs is None:
            return []
        back = ~self._lattice.affine_of(self._box)
        rings = []
        for line in shapely.get_parts(shapely.boundary(shape)):
            points = shapely.get_coordinates(line)
            x, y = move_points(points[:, 0], points[:, 1], "EPSG:4326", crs)
            rings.append([back @ (float(a), float(b)) for a, b in zip(x, y, strict=True)])
        return rings


def _lasts(known: dict[str, Any], day: date | None) -> bool:
    """Whether something with start_date and end_date is there on a day."""
    if day is None:
        return True
    first, last = known.get("start_date"), known.get("end_date")
    return (not first or str(first) <= day.isoformat()) and (not last or day.isoformat() <= str(last))
