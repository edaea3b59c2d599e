"""The planes of a run's heatmap: which grid, at which time, of which frames, and how they are laid out on disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from geowatch.errors import CoverageError, ImageryError
from geowatch.grid.timeline import Picking, Series, TimeAxis, frame_axis, step_axis
from geowatch.predict.strips import Look, View, overlap, union
from geowatch.stitch.heatmap import HEATMAP, HeadLayout, HeatmapLayout
from geowatch.stitch.quantise import Quantiser

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.plan import Grid, Plan
    from geowatch.package.manifest import InputSpec
    from geowatch.predict.recipe import NormPin, Recipe, SeriesPin
    from geowatch.read.frames import Frame
    from geowatch.read.plan import FramePlan
    from geowatch.read.reader import BoxReader
    from geowatch.read.remote import Remote
    from geowatch.stages.binding.imagery import Bound

__all__ = ["Part", "TimeBlock", "blocks_of", "joined", "layout_of", "parts_of", "planes_seen"]

_DAY_0 = date(1970, 1, 1)


class Timed(Protocol):
    """What stands in time: a frame, or the plan of one."""

    @property
    def day(self) -> date | None:
        """Its solar day."""

    @property
    def sensor(self) -> str:
        """Its sensor."""


AnyFrame = TypeVar("AnyFrame", bound=Timed)


@dataclass(frozen=True, slots=True)
class Part:
    """One plane of the heatmap: a grid at a time."""

    grid: Grid
    """Where."""
    time: int
    """Place on the heatmap's time axis."""
    frames: tuple[FramePlan, ...]
    """What the network sees there, oldest first."""
    remote: Remote
    """How remote imagery is reached."""
    slots: tuple[int | None, ...] | None = None
    """For each date of the network the place of its frame in ``frames``, or None; None: all frames in order."""
    own: int | None = None
    """Which of the dates it shows, where the network scores each date; None: it shows what all of them say."""
    day: int | None = None
    """Day of a plane of a series, counted from 1970-01-01."""
    keep: Literal["all", "any"] = "all"
    """Which pixels are scored: those that all dates saw, or those that any saw."""

    @property
    def extent(self) -> PixelBox:
        """Pixels where all of its frames have imagery, or any of them."""
        extents = [frame.extent for frame in self.frames]
        return overlap(extents) if self.keep == "all" else union(extents)

    @property
    def shown(self) -> FramePlan:
        """The frame that pictures of the plane show: its last, or in a series the one nearest its day."""
        day = self.day
        if day is None:
            return self.frames[-1]
        return min(self.frames, key=lambda frame: (abs(_day_of(frame) - day), _day_of(frame), frame.frame_id))

    @property
    def label(self) -> str:
        """Name that tells it from the other planes of its grid: its last frame's, or in a series its day."""
        return self.frames[-1].frame_id if self.day is None else _date_of(self.day).isoformat()

    def view(self, frames: Sequence[FramePlan], planes: tuple[int | None, ...]) -> View:
        """Return what the network sees, ``frames`` being those of the whole time block."""
        at = {frame.frame_id: place for place, frame in enumerate(frames)}
        places = [at[frame.frame_id] for frame in self.frames]
        slots = self.slots if self.slots is not None else tuple(range(len(places)))
        return View(tuple(None if s is None else places[s] for s in slots), self.extent, self.keep, planes)


@dataclass(frozen=True, slots=True)
class TimeBlock:
    """The planes of a grid that are stored as one, or those of several blocks that are computed in one pass."""

    grid: Grid
    """Where."""
    number: int
    """Place among the blocks of the time axis."""
    parts: tuple[Part, ...]
    """Its planes; those that see nothing at all are left out."""
    planes: int
    """Planes that one of its blocks has room for."""
    count: int = 1
    """How many blocks it is, from ``number`` on."""

    @property
    def room(self) -> int:
        """Planes that it has room for."""
        return self.planes * self.count

    @property
    def frames(self) -> tuple[FramePlan, ...]:
        """Every frame that any plane sees, oldest first."""
        every = {frame.frame_id: frame for part in self.parts for frame in part.frames}
        return tuple(sorted(every.values(), key=lambda f: (f.day or date.max, f.frame_id)))

    @property
    def extent(self) -> PixelBox:
        """Pixels where any plane has imagery."""
        return union([part.extent for part in self.parts])

    @property
    def label(self) -> str:
        """Name of its plane, or of the first and the last."""
        names = dict.fromkeys((self.parts[0].label, self.parts[-1].label))
        return " to ".join(names)

    @property
    def views(self) -> tuple[View, ...]:
        """What the network sees, once for each plane or for each window of time."""
        frames = self.frames
        return tuple(parts[0].view(frames, self._planes(parts)) for parts in self._windows())

    def look(
        self, readers: tuple[BoxReader, ...], bands: tuple[str, ...], inputs: tuple[InputSpec, ...],
        norm: NormPin | None = None,
    ) -> Look:  # fmt: skip
        """Return what the network sees through readers of `frames`; domains are their own, or as given by hand."""
        domains = tuple(norm.domain_of(f.sensor, f.domain) if norm else f.domain for f in self.frames)
        return Look(readers, bands, inputs, self.extent, self.views, domains)

    def _windows(self) -> Iterator[list[Part]]:
        """Yield the planes that one look of the network gives."""
        together: dict[int, list[Part]] = {}
        for part in self.parts:
            # Dates of one window stand side by side on the time axis.
            together.setdefault(part.time if part.own is None else part.time - part.own, []).append(part)
        yield from together.values()

    def _planes(self, parts: list[Part]) -> tuple[int | None, ...]:
        first = self.number * self.planes
        if parts[0].own is None or parts[0].slots is None:
            return (parts[0].time - first,)
        by_date = {part.own: part.time - first for part in parts}
        return tuple(by_date.get(slot) for slot in range(len(parts[0].slots)))


def parts_of(plan: Plan, bound: Bound, dates: int, series: SeriesPin | None = None) -> tuple[Part, ...]:
    """Return the planes of the heatmap that see anything.

    Each run of ``dates`` consecutive frames of each grid is one; with a ``series``, what it picks for each of its
    planes.

    Raises:
        CoverageError: where the imagery makes no plane.
        ImageryError: for imagery without a date in a series.
    """
    if series is not None:
        parts = tuple(part for grid in plan.grids for part in _series_parts(grid, bound, dates, series))
    else:
        parts = tuple(
            Part(grid, time, frames[time : time + dates], bound.remote)
            for grid in plan.grids
            for frames in [bound.frames.get(grid.id, ())]
            for time in range(len(frames) - dates + 1)
        )
    if not parts:
        most = max(map(len, bound.frames.values()))
        raise CoverageError(
            f"the network looks at {dates} dates at once, the imagery has {most}"
            if series is None
            else f"none of the {most} frames fills the dates that the network looks at",
            hint="give imagery of more dates with --images and --date" if series is None else "check --time-sensors",
        )
    return parts


def blocks_of(parts: Sequence[Part], planes: int = 1) -> tuple[TimeBlock, ...]:
    """Return the time blocks of ``planes`` planes that hold the parts."""
    found: dict[tuple[str, int], list[Part]] = {}
    for part in parts:
        found.setdefault((part.grid.id, part.time // planes), []).append(part)
    return tuple(TimeBlock(own[0].grid, number, tuple(own), planes) for (_, number), own in found.items())


def joined(blocks: Sequence[TimeBlock]) -> TimeBlock:
    """Return the pass that computes blocks of a grid that follow each other."""
    parts = tuple(part for block in blocks for part in block.parts)
    first, last = blocks[0], blocks[-1]
    return TimeBlock(first.grid, first.number, parts, first.planes, last.number + last.count - first.number)


def planes_seen(frames: Sequence[Frame], dates: int, series: SeriesPin) -> list[tuple[int, set[int]]]:
    """Return for each time block how many planes see anything, and the places of the frames that they see."""
    wanted, axis = _axis(frames, series)
    found: dict[int, tuple[int, set[int]]] = {}
    for time, slots in _slots(wanted, axis, dates, series):
        seen = {s for s in slots if s is not None}
        count, before = found.get(time // max(1, series.block), (0, set()))
        found[time // max(1, series.block)] = count + bool(seen), before | seen
    return list(found.values())


def _slots(
    frames: Sequence[Timed], axis: TimeAxis, dates: int, series: SeriesPin
) -> Iterator[tuple[int, tuple[int | None, ...]]]:
    """Yield the place of each plane, and what fills the network's dates there."""
    seen = Series(tuple(map(_day_of, frames)), tuple(frame.sensor for frame in frames))
    picking = _picking(series, dates)
    for time, day in enumerate(axis.days):
        yield time, _window(seen, axis, series, (time, dates)) if series.by_date else picking.pick(seen, day)


def _series_parts(grid: Grid, bound: Bound, dates: int, series: SeriesPin) -> Iterator[Part]:
    frames, axis = _axis(bound.frames.get(grid.id, ()), series)
    for time, slots in _slots(frames, axis, dates, series):
        own = time % dates if series.by_date else None
        part = _part(Part(grid, time, (), bound.remote, None, own, axis.days[time], series.keep), frames, slots)
        if part is not None:
            yield part


def _part(plane: Part, frames: Sequence[FramePlan], slots: Sequence[int | None]) -> Part | None:
    """Return the plane with what fills its dates, or None where it has nothing to score."""
    needed = slots if plane.own is None else (slots[plane.own],)
    if all(s is None for s in needed) or (plane.keep == "all" and None in slots):
        return None
    places = sorted({s for s in slots if s is not None})
    mine = tuple(None if s is None else places.index(s) for s in slots)
    own = tuple(frames[s] for s in places)
    return Part(plane.grid, plane.time, own, plane.remote, mine, plane.own, plane.day, plane.keep)


def _axis(every: Sequence[AnyFrame], series: SeriesPin) -> tuple[tuple[AnyFrame, ...], TimeAxis]:
    """Return the frames that a series may pick, and its planes."""
    wanted = {sensor for sensors in series.sensors for sensor in sensors} if all(series.sensors) else set()
    frames = tuple(f for f in every if not wanted or f.sensor in wanted)
    if not frames:
        return (), TimeAxis(())
    days, block = [_day_of(frame) for frame in frames], max(1, series.block)  # 0 until it is settled
    if series.step_days is None:
        return frames, frame_axis(days, block)
    return frames, step_axis(days[0], days[-1], series.step_days, block)


def _picking(series: SeriesPin, dates: int) -> Picking:
    accepts = tuple(frozenset(sensors) for sensors in series.sensors)
    return Picking(series.sampling, dates, series.span_days, series.anchor, series.quota, accepts)


def _window(seen: Series, axis: TimeAxis, series: SeriesPin, place: tuple[int, int]) -> tuple[int | None, ...]:
    """Return what fills the dates of the window of time that a plane (its place, dates) lies in: one each plane."""
    time, dates = place
    span = series.step_days or 1
    days = axis.days[time - time % dates :][:dates]
    found: list[int | None] = []
    for slot, day in enumerate(days):
        accepts = (frozenset(series.sensors[slot]),)
        found += Picking("hard-dilated", 1, span, series.anchor, {}, accepts).pick(seen, day)
    return (*found, *[None] * (dates - len(found)))


def _day_of(frame: Timed) -> int:
    if frame.day is None:
        raise ImageryError(
            f"frames of {frame.sensor} have no date, and no place in a series",
            hint="put dates in the names of the images, such as scene_2020-06-01.tif",
        )
    return (frame.day - _DAY_0).days


def _date_of(day: int) -> date:
    return _DAY_0 + timedelta(days=day)


def layout_of(plan: Plan, bound: Bound, recipe: Recipe, grid: Grid) -> HeatmapLayout:
    """Return the layout of a grid's heatmap; several grids are groups of one Zarr hierarchy."""
    heads = tuple(
        HeadLayout(
            h.name, h.classes, Quantiser(h.stored), h.activation, h.colors, h.kind, h.reduction  # type: ignore[arg-type]
        )
        for h in recipe.heads
    )  # fmt: skip
    group = HEATMAP if len(plan.grids) == 1 else f"{HEATMAP}/{grid.id}"
    boxes = tuple(each.name for each in recipe.boxes)
    return HeatmapLayout(grid, heads, _times(bound, recipe, grid), group, recipe.time_block, boxes)


def _times(bound: Bound, recipe: Recipe, grid: Grid) -> tuple[datetime | None, ...]:
    """Return the times of a grid's planes: of their last frame, or the midnight of a step of days."""
    if recipe.series is None:
        frames = bound.frames.get(grid.id, ())
        return tuple(f.scenes[0].scene.time for f in frames[recipe.dates - 1 :])
    frames, axis = _axis(bound.frames.get(grid.id, ()), recipe.series)
    if axis.step_days is not None:
        return tuple(datetime.combine(_date_of(day), datetime.min.time(), UTC) for day in axis.days)
    last = {_day_of(frame): frame.scenes[0].scene.time for frame in frames}
    return tuple(last[day] for day in axis.days)
