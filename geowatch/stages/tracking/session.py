"""An opened run as track sees it: plan, scores, and the document of what is looked for.

The document is published beside its fragments before the first of them; workers are sent its digest and read it
there, so that all of them look for the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from geowatch.errors import ConfigError, CoverageError, InputError, PlanMismatchError
from geowatch.grid.borders import borders_of
from geowatch.predict.recipe import read_recipe
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.binding.parts import layout_of, parts_of
from geowatch.stages.tracking.detected import chosen_boxes, own_objects
from geowatch.stages.tracking.objects import Objects, read_objects
from geowatch.stages.tracking.scored import HeatmapPlanes
from geowatch.stages.tracking.stored_boxes import StoredBoxes
from geowatch.stitch.cover import Cover
from geowatch.stitch.mosaic import Mosaic
from geowatch.store import open_store
from geowatch.store.markers import MarkerPlace, markers_in
from geowatch.store.plans import read_plan, read_tiles
from geowatch.track.boxes import BoxPlanes, objects_key
from geowatch.track.document import TRACKING, GridPlanes, Tracking, default_salient, tracking_key
from geowatch.track.scores import to_units
from geowatch.track.timewise import Aggregate, MovingMean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.grid.plan import Grid, Plan
    from geowatch.grid.tiles import TileTable
    from geowatch.predict.recipe import HeadPin, Recipe
    from geowatch.stages.tracking.config import TrackConfig
    from geowatch.stages.working.events import Events
    from geowatch.store import Store
    from geowatch.track.boxes import Boxes
    from geowatch.track.search import Mode, Planes, Search

__all__ = ["Opened", "TrackSession", "open_tracking", "opened"]

_LOW, _HIGH, _PRESENT = 0.3, 0.5, 0.5


@dataclass(frozen=True, slots=True)
class _Scores:
    """What is to be tracked, before it is said how."""

    source: str
    """``recipe:`` and its digest, or ``objects:`` and theirs, with the recipe's behind it for a run's own."""
    head: str | None
    """Head of the heatmap."""
    classes: tuple[str, ...]
    """All classes."""
    independent: bool
    """Whether a pixel may have several classes."""
    grids: tuple[GridPlanes, ...]
    """Times, and which of them have planes."""
    block: int = 1
    """Planes that one marker is for."""
    objects: Objects | None = field(default=None, repr=False)
    """Boxes, where they are what is tracked."""
    least: float | None = None
    """Least score of the run's own boxes."""


@dataclass(frozen=True, slots=True)
class TrackSession:
    """A run that track works on."""

    store: Store
    """Where it is."""
    plan: Plan
    """Where pixels are."""
    tracking: Tracking
    """What is looked for."""
    tables: dict[str, TileTable]
    """Tiles of each grid that has planes."""
    objects: Objects | None
    """Boxes, where they are what is tracked."""

    def publish(self) -> None:
        """Publish the document, and the boxes that it names."""
        if self.objects is not None:
            self.store.put_if_absent(objects_key(self.objects.digest), self.objects.content)
        content = self.tracking.to_json()
        self.store.put_if_absent(tracking_key(self.tracking.digest), content)
        if self.store.size(TRACKING) is None or self.store.get(TRACKING) != content:
            self.store.put(TRACKING, content)


def open_tracking(config: TrackConfig, events: Events) -> TrackSession:
    """Open a run and settle what is looked for.

    Raises:
        InputError: for a run without a heatmap, or what cannot be looked for.
        CoverageError: where tiles are missing and that is not allowed.
    """
    store = open_store(config.run, fsync=config.fsync)
    plan = read_plan(store)
    scores = _objects(config, plan) if config.objects else _heatmap(config, store, plan)
    grids = tuple(_within(grid, config) for grid in scores.grids)
    if not any(grid.planes for grid in grids):
        raise InputError(
            f"no plane lies between {config.start or 'the first'} and {config.end or 'the last'}",
            hint=_days_there_are(scores.grids),
        )
    tables = {grid.grid: read_tiles(store, plan, grid.grid) for grid in grids}
    gaps = {} if config.objects else _missing(store, scores, grids, tables)
    _refuse_gaps(config, gaps, events)
    tracking = _tracking(config, plan.id, scores, grids, gaps)
    return TrackSession(store, plan, tracking, tables, scores.objects)


def _heatmap(config: TrackConfig, store: Store, plan: Plan) -> _Scores:
    recipe, bound = read_recipe(store), read_bound(store)
    if recipe is None or bound is None:
        raise InputError(f"the run in {store.url} has no heatmap yet", hint="gw predict makes it")
    parts = parts_of(plan, bound, recipe.dates, recipe.series)
    planes: dict[str, list[int]] = defaultdict(list)
    for part in parts:
        planes[part.grid.id].append(part.time)
    grids = tuple(
        GridPlanes(grid=name, times=layout_of(plan, bound, recipe, plan.grid(name)).times, planes=tuple(sorted(found)))
        for name, found in planes.items()
    )
    pin = chosen_boxes(recipe, config.head)
    if pin is not None:
        own = own_objects(store, plan, recipe, pin)
        source = f"objects:{own.digest}:{recipe.digest}"
        return _Scores(source, pin.name, pin.classes, True, grids, recipe.time_block, own, pin.min_score)
    head = _head(config, recipe)
    independent = head.activation == "sigmoid" or (head.activation == "none" and len(head.classes) == 1)
    return _Scores(f"recipe:{recipe.digest}", head.name, head.classes, independent, grids, recipe.time_block)


def _head(config: TrackConfig, recipe: Recipe) -> HeadPin:
    """Return the head that is asked for, or the only one."""
    heads = {head.name: head for head in recipe.heads if head.kind == "scores"}
    name = config.head or (next(iter(heads)) if len(heads) == 1 else None)
    if name not in heads:
        asked = "no head is named" if name is None else f"the heatmap has no head '{name}'"
        named = [*heads, *(pin.name for pin in recipe.boxes)]
        raise ConfigError(f"{asked}; it has {', '.join(named)}", hint=f"give --head {named[0]}")
    return heads[name]


def _objects(config: TrackConfig, plan: Plan) -> _Scores:
    found = read_objects(str(config.objects), plan.grids)
    if config.head is not None:
        raise ConfigError("objects have no heads", hint="leave out --head, or --objects")
    planes = tuple(range(len(found.times)))
    grids = tuple(GridPlanes(grid=grid.id, times=found.times, planes=planes) for grid in plan.grids)
    return _Scores(f"objects:{found.digest}", None, found.classes, True, grids, objects=found)


def _within(grid: GridPlanes, config: TrackConfig) -> GridPlanes:
    """Keep the planes between the first and the last day that are asked for."""
    if config.start is None and config.end is None:
        return grid
    first, last = (None if day is None else _day_number(day) for day in (config.start, config.end))

    def wanted(plane: int) -> bool:
        day = grid.days[plane]
        if day is None:
            raise ConfigError("imagery without dates has no first and last day", hint="leave out --start and --end")
        return (first is None or day >= first) and (last is None or day <= last)

    return grid.model_copy(update={"planes": tuple(plane for plane in grid.planes if wanted(plane))})


def _days_there_are(grids: tuple[GridPlanes, ...]) -> str:
    times = [grid.times[plane] for grid in grids for plane in grid.planes]
    days = sorted(time.date().isoformat() for time in times if time is not None)
    return f"choose from {days[0]} to {days[-1]}" if days else "leave out --start and --end"


def _day_number(text: str) -> int:
    try:
        return datetime.fromisoformat(text).date().toordinal() - datetime(1970, 1, 1).date().toordinal()  # noqa: DTZ001
    except ValueError:
        raise ConfigError(f"'{text}' is no day", hint="write days as 2020-06-01") from None


def _missing(
    store: Store, scores: _Scores, grids: tuple[GridPlanes, ...], tables: dict[str, TileTable]
) -> dict[str, tuple[int, ...]]:
    """Return the tiles without a marker, by name, with the planes that they lack."""
    digest = scores.source.rpartition(":")[2]
    marked = set(markers_in(store, digest))
    found: dict[str, tuple[int, ...]] = {}
    for grid in grids:
        for tile in tables[grid.grid]:
            lacks = [p for p in grid.planes if MarkerPlace(digest, tile, p // scores.block) not in marked]
            if lacks:
                found[tile.name] = tuple(lacks)
    return dict(sorted(found.items()))


def _refuse_gaps(config: TrackConfig, gaps: dict[str, tuple[int, ...]], events: Events) -> None:
    if not gaps:
        return
    said = f"{len(gaps)} tiles of the heatmap are missing, such as {', '.join(list(gaps)[:3])}"
    if not config.allow_gaps:
        raise CoverageError(said, hint="run gw predict again to make them, or accept the gaps with --allow-gaps")
    events.note(f"{said}; what lies there is not found")


def _tracking(
    config: TrackConfig, plan: str, scores: _Scores, grids: tuple[GridPlanes, ...], gaps: dict[str, tuple[int, ...]]
) -> Tracking:
    mode = config.mode or _usual_mode(scores, grids)
    salient = _salient(config, scores.classes)
    _check_whole(config, scores, salient, mode)
    low = config.low if config.low is not None else _usual_low(mode, scores)
    same = mode == "polygons" or scores.least is not None
    high = config.high if config.high is not None else (low if same else max(low, _HIGH))
    _check(config, mode, (low, high))
    _check_days("--split-days", config.split_days, (mode, "footprint"), grids)
    _check_days("--link-days", config.link_days, (mode, "linked"), grids)
    return Tracking(
        plan=plan, scores=scores.source, head=scores.head, classes=scores.classes, salient=salient, mode=mode,
        low=low, high=high, aggregate=config.aggregate, smooth_time=config.smooth_time, smooth_px=config.smooth_px,
        open_px=config.open_px, close_px=config.close_px, connectivity=config.connectivity, subpixel=config.subpixel,
        coarse=config.coarse, split_days=config.split_days, link_days=config.link_days, grids=grids, gaps=gaps,
    )  # fmt: skip


def _usual_mode(scores: _Scores, grids: tuple[GridPlanes, ...]) -> Mode:
    several = max(len(grid.planes) for grid in grids) > 1
    if scores.objects is not None and (several or scores.least is None):
        return "linked"
    return "footprint" if several else "polygons"


def _usual_low(mode: Mode, scores: _Scores) -> float:
    if scores.least is not None:
        return scores.least
    if mode != "polygons":
        return _LOW
    return _PRESENT if scores.independent else 0.0


def _salient(config: TrackConfig, classes: tuple[str, ...]) -> tuple[str, ...]:
    named = config.classes or default_salient(classes)
    unknown = [name for name in named if name not in classes]
    if unknown:
        raise ConfigError(f"there is no class '{unknown[0]}'", hint=f"classes are {', '.join(classes)}")
    if not named:
        raise ConfigError(
            f"none of the classes {', '.join(classes)} is one to look for", hint="name some with --classes"
        )
    return tuple(name for name in classes if name in named)


def _check_whole(config: TrackConfig, scores: _Scores, salient: tuple[str, ...], mode: Mode) -> None:
    """Refuse to look for all of the classes that a pixel has one of, where nobody asked: they are everywhere."""
    one_of_them = not scores.independent and scores.objects is None and len(scores.classes) > 1
    if one_of_them and mode != "polygons" and salient == scores.classes and not config.classes:
        raise ConfigError(
            f"no class of {', '.join(scores.classes)} is called background, and all of them together are everywhere",
            hint="name those that sites are made of with --classes",
        )


def _check(config: TrackConfig, mode: Mode, thresholds: tuple[float, float]) -> None:
    """Refuse what cannot be computed, before anything is read."""
    low, high = thresholds
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            f"--low is {low:g} and --high is {high:g}", hint="give scores from 0 to 1, --low at most --high"
        )
    for name in ("smooth_px", "open_px", "close_px"):
        if getattr(config, name) < 0:
            raise ConfigError(f"{name} is {getattr(config, name):g}", hint="give pixels from 0")
    if config.coarse < 1:
        raise ConfigError(f"cells of {config.coarse} px", hint="give --coarse from 1")
    Aggregate.parse(config.aggregate)
    if config.aggregate != "mean" and mode != "footprint":
        _refuse_mode("--aggregate", mode, "footprint")
    if config.smooth_time is not None:
        MovingMean.parse(config.smooth_time)


def _check_days(option: str, days: int | None, mode: tuple[Mode, Mode], grids: tuple[GridPlanes, ...]) -> None:
    """Refuse an option in days that cannot mean anything; ``mode`` is the run's, and the one that the option is for."""
    if days is None:
        return
    if days < 1:
        raise ConfigError(f"{option} is {days} days", hint=f"give {option} from 1")
    if mode[0] != mode[1]:
        _refuse_mode(option, *mode)
    if any(grid.days[plane] is None for grid in grids for plane in grid.planes):
        raise ConfigError(f"{option} is given for imagery without dates", hint=f"leave out {option}")


def _refuse_mode(option: str, mode: Mode, right: Mode) -> NoReturn:
    raise ConfigError(f"{option} means nothing in the mode {mode}", hint=f"give --mode {right}, or leave out {option}")


@dataclass(frozen=True, slots=True)
class Opened:
    """What a worker process keeps from one job to the next."""

    plan: Plan
    """Where pixels are."""
    searches: dict[str, Search]
    """What each grid's tiles are searched for."""
    planes: dict[str, Planes]
    """Where each grid's scores come from."""


@lru_cache(maxsize=1)
def opened(run: str, digest: str) -> Opened:
    """Open a run for the tracking with this digest.

    Raises:
        PlanMismatchError: where the run holds no such tracking.
    """
    store = open_store(run)
    plan = read_plan(store)
    key = tracking_key(digest)
    tracking = Tracking.from_json(store.get(key)) if store.size(key) is not None else None
    if tracking is None or tracking.digest != digest or tracking.plan != plan.id:
        raise PlanMismatchError(
            f"the run in {run} holds no tracking {digest[:12]}", hint="every worker must see the same run folder"
        )
    borders = dict(zip((grid.id for grid in plan.grids), borders_of(plan), strict=True))
    searches = {grid.grid: replace(tracking.search(grid), border=borders[grid.grid]) for grid in tracking.grids}
    return Opened(plan, searches, {grid.grid: _planes(store, plan, tracking, grid.grid) for grid in tracking.grids})


def _planes(store: Store, plan: Plan, tracking: Tracking, name: str) -> Planes:
    grid = plan.grid(name)
    scores = None if tracking.recipe is None else _heatmap_planes(store, (plan, grid), tracking, tracking.recipe)
    if tracking.boxes is None and scores is not None:
        return scores
    wanted = partial(_wanted, tracking) if tracking.tells_boxes_apart else None
    boxes = StoredBoxes.open(store, str(tracking.boxes), plan.grids.index(grid), wanted)
    seen = None if scores is None else scores.looked_at
    return BoxPlanes(boxes, len(tracking.classes), grid.bounds, Cover(grid).mask, seen, tracking.tells_boxes_apart)


def _wanted(tracking: Tracking, boxes: Boxes) -> NDArray[np.bool_]:
    """Return which boxes may be pieces; no other takes pixels from them."""
    return np.isin(boxes.kind, tracking.salient_places) & (boxes.score >= to_units(tracking.low))


def _heatmap_planes(store: Store, where: tuple[Plan, Grid], tracking: Tracking, digest: str) -> HeatmapPlanes:
    """Return the planes of the head that is tracked; of a run's first, which tells where it looked, for boxes."""
    plan, grid = where
    recipe, bound = read_recipe(store), read_bound(store)
    if recipe is None or bound is None or recipe.digest != digest:
        raise PlanMismatchError(
            f"the heatmap in {store.url} is not the one that was tracked", hint="run gw track from the start"
        )
    layout = layout_of(plan, bound, recipe, grid)
    head = next((head for head in layout.heads if head.name == tracking.head), layout.heads[0])
    planned = frozenset((tile.iy, tile.ix) for tile in read_tiles(store, plan, grid.id))
    return HeatmapPlanes(Mosaic(store, layout, recipe.digest), head, planned, tracking.gaps)
