"""Evaluate: a map against the truth, pixel by pixel.

Map, probabilities and uncertainty are read block by block, as `gw stitch` wrote them or as any raster holds them;
counts add up, and memory does not follow the raster. Figures go to the terminal, to JSON and into a picture.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.windows import Window

from geowatch.errors import ConfigError, InputError
from geowatch.lineage import Source
from geowatch.read.gdal import gdal_env, open_image
from geowatch.stages.evaluate.dated import Pairing, left_over, pairings
from geowatch.stages.evaluate.picture import draw_evaluation
from geowatch.stages.evaluate.tally import Block, Tally, figures
from geowatch.stages.evaluate.truth import NO_TRUTH, Places, open_truth, parse_mapping, read_places
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.stitch.maps import NO_CLASS
from geowatch.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    from geowatch.stages.evaluate.truth import Truth

__all__ = ["EvaluateConfig", "Evaluated", "evaluate_pixels"]

#: Side of a block of pixels that is looked at at once.
_BLOCK_PX = 1024


@dataclass(frozen=True)
class EvaluateConfig:
    """What evaluate is asked for."""

    truth: str
    """Raster whose values are classes, or a folder of them with days in their names."""
    run: str = "gw-run"
    """Run folder with maps; unused where a map is given."""
    map: str | None = None
    """Map to evaluate, for a raster outside a run or one of several maps of a run."""
    date: tuple[str, ...] = ()
    """Only maps of these days; left out: the one map, or those that the truth has a day of."""
    probability: str | None = None
    """Its scores, one band a class; left out: those beside the map, where there are any."""
    uncertainty: str | None = None
    """Its uncertainty, one band a kind; left out: that beside the map, where there is any."""
    classes: tuple[str, ...] = ()
    """Names of the map's values from 0 on, where the file does not say them."""
    mapping: tuple[str, ...] = ()
    """What values of the truth mean: value=class, and rest=class for all others; left out: value i is class i."""
    truth_nodata: float | None = None
    """Value of the truth that means nothing, beside the file's own."""
    regions: str | None = None
    """GeoJSON file of polygons; figures are given for each of them, too."""
    output: str | None = None
    """Folder of the results. Left out: ``evaluation`` in the run folder, or here."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What evaluate found."""

    classes: tuple[str, ...]
    """Names of the classes."""
    coverage: dict[str, Any]
    """How much of the truth has scores, and how much of the map has truth."""
    overall: dict[str, Any]
    """Figures of all pixels."""
    regions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Figures of each polygon."""
    dates: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Figures of each day, where maps of several were compared."""
    files: tuple[str, ...] = ()
    """What was written."""


def evaluate_pixels(config: EvaluateConfig, events: Events | None = None) -> Evaluated:
    """Compare a map with the truth.

    Raises:
        InputError: where there is no map, or no pixel has both a class and a truth.
        ConfigError: for a mapping that does not fit.
    """
    events = events or Silent()
    pairs = pairings(_map_paths(config), config.truth, config.date)
    if absent := left_over(config.truth, pairs, config.date):
        events.note(f"truth of {', '.join(absent)} has no map, and was not compared")
    if len(pairs) > 1 and (config.probability or config.uncertainty):
        raise ConfigError(f"one raster of scores is for one map, not for {len(pairs)}", hint="name a day with --date")
    with gdal_env():
        counted = [_look(config, pair, events) for pair in pairs]
    every = _joined(counted)
    result = Evaluated(
        classes=every.classes,
        coverage=_coverage(every),
        overall=figures(every.all, every.classes),
        regions={name: figures(tally, every.classes) for name, tally in sorted(every.regions.items())},
        dates={pair.day: each for pair, each in zip(pairs, _each(counted), strict=True) if pair.day},
    )
    _refuse_nothing(result, config)
    return _write(config, result, every.all, pairs)


def _look(config: EvaluateConfig, pair: Pairing, events: Events) -> _Counted:
    with ExitStack() as stack:
        found = _open(config, pair.map, stack)
        mapping = parse_mapping(config.mapping, found.classes)
        truth = stack.enter_context(
            open_truth(pair.truth, found.map, mapping, nodata=config.truth_nodata, classes=len(found.classes))
        )
        return _count(found, truth, read_places(config.regions, found.map), events)


def _joined(counted: list[_Counted]) -> _Counted:
    """Return what all days counted together; days stay as they are."""
    classes = counted[0].classes
    if any(each.classes != classes for each in counted):
        raise ConfigError("maps of several days have classes of their own", hint="name them from 0 on with --classes")
    if len(counted) == 1:
        return counted[0]
    every = deepcopy(counted[0])
    for each in counted[1:]:
        every.join(each)
    return every


def _each(counted: list[_Counted]) -> list[dict[str, Any]]:
    return [figures(each.all, each.classes) | {"coverage": _coverage(each)} for each in counted]


@dataclass(frozen=True, slots=True)
class _Found:
    """The rasters of a map."""

    map: DatasetReader
    classes: tuple[str, ...]
    probability: DatasetReader | None
    uncertainty: DatasetReader | None

    @property
    def kinds(self) -> tuple[str, ...]:
        if self.uncertainty is None:
            return ()
        names = enumerate(self.uncertainty.descriptions, start=1)
        return tuple(name or f"band {number}" for number, name in names)

    @property
    def windows(self) -> Iterator[Window]:
        height, width = self.map.shape
        for y in range(0, height, _BLOCK_PX):
            for x in range(0, width, _BLOCK_PX):
                yield Window(x, y, min(_BLOCK_PX, width - x), min(_BLOCK_PX, height - y))


def _open(config: EvaluateConfig, path: Path, stack: ExitStack) -> _Found:
    opened = stack.enter_context(open_image(str(path)))
    beside = {what: getattr(config, what) or _beside(path, what) for what in ("probability", "uncertainty")}
    others = {what: stack.enter_context(open_image(str(p))) if p else None for what, p in beside.items()}
    for what, other in others.items():
        if other is not None and (other.shape != opened.shape or other.transform != opened.transform):
            raise InputError(f"{beside[what]} and {path} have other pixels", hint="give rasters of one run")
    classes = config.classes or tuple(filter(None, opened.tags(1).get("CLASSES", "").split(",")))
    if not classes:
        raise ConfigError(f"{path} does not say what its values mean", hint="name them from 0 on with --classes")
    scores = others["probability"]
    if scores is not None and len(classes) - scores.count not in {0, 1}:
        raise ConfigError(f"{scores.count} bands of scores for {len(classes)} classes", hint="name as many --classes")
    return _Found(opened, classes, scores, others["uncertainty"])


def _map_paths(config: EvaluateConfig) -> list[Path]:
    if config.map is not None:
        inside = Path(config.run, config.map)
        return [inside if not Path(config.map).exists() and inside.exists() else Path(config.map)]
    maps = sorted(Path(config.run).glob("map*.tif"))
    if not maps:
        raise InputError(f"the run in {config.run} has no map", hint="gw stitch makes it, or name a raster with --map")
    return maps


def _beside(path: Path, what: str) -> Path | None:
    """Return the raster that gw stitch wrote with a map, where there is one."""
    other = path.with_name(path.name.replace("map", what, 1))
    return other if other != path and other.exists() else None


@dataclass(slots=True)
class _Counted:
    classes: tuple[str, ...]
    all: Tally
    regions: dict[str, Tally]
    unmapped: Counter[int]
    truth_px: int = 0
    map_px: int = 0
    both_px: int = 0

    def join(self, other: _Counted) -> None:
        """Count what another map's pixels counted, too."""
        self.all.join(other.all)
        for name, tally in self.regions.items():
            tally.join(other.regions[name])
        self.unmapped += other.unmapped
        self.truth_px += other.truth_px
        self.map_px += other.map_px
        self.both_px += other.both_px


def _count(found: _Found, truth: Truth, places: Places, events: Events) -> _Counted:
    shape = (len(found.classes), 0 if found.probability is None else found.probability.count, found.kinds)
    regions = {name: Tally.empty(*shape) for name in places.names}
    counted = _Counted(found.classes, Tally.empty(*shape), regions, Counter())
    windows = list(found.windows)
    for number, window in enumerate(windows):
        block = _read(found, truth, window)
        has_truth, has_class = block.truth != NO_TRUTH, block.found != NO_CLASS
        keep = has_truth & has_class
        counted.truth_px += int(has_truth.sum())
        counted.map_px += int(has_class.sum())
        counted.both_px += int(keep.sum())
        counted.all.add(block, keep)
        for name, inside in places.within(window, found.map.transform):
            counted.regions[name].add(block, keep & inside)
        events.progress("evaluate", number + 1, len(windows))
    counted.unmapped.update(truth.unmapped)
    return counted


def _read(found: _Found, truth: Truth, window: Window) -> Block:
    classes = found.map.read(1, window=window)
    empty = found.map.read_masks(1, window=window) == 0
    classes = np.where(empty | (classes >= len(found.classes)), NO_CLASS, classes).astype(np.uint8)
    scores = None if found.probability is None else _scaled(found.probability, window)
    unsure = [] if found.uncertainty is None else list(_scaled(found.uncertainty, window))
    return Block(truth.read(window), classes, scores, dict(zip(found.kinds, unsure, strict=True)))


def _scaled(source: DatasetReader, window: Window) -> NDArray[np.float32]:
    values: NDArray[np.float32] = source.read(window=window).astype(np.float32)
    scale = np.array(source.scales, np.float32).reshape(-1, 1, 1)
    scaled: NDArray[np.float32] = np.clip(np.nan_to_num(values * scale), 0, 1)
    return scaled


def _coverage(counted: _Counted) -> dict[str, Any]:
    return {
        "truth_px": counted.truth_px,
        "map_px": counted.map_px,
        "compared_px": counted.both_px,
        "share_of_truth": counted.both_px / max(1, counted.truth_px),
        "share_of_map": counted.both_px / max(1, counted.map_px),
        "unmapped_px": {str(value): count for value, count in sorted(counted.unmapped.items())},
    }


def _refuse_nothing(result: Evaluated, config: EvaluateConfig) -> None:
    if result.coverage["compared_px"]:
        return
    unmapped = ", ".join(result.coverage["unmapped_px"])
    raise InputError(
        f"no pixel has both a class and a truth: {result.coverage['truth_px']} pixels of {config.truth} lie on the map",
        hint=f"give --mapping: values without a class are {unmapped}"
        if unmapped
        else "check place and date of the two",
    )


def _write(config: EvaluateConfig, result: Evaluated, tally: Tally, pairs: list[Pairing]) -> Evaluated:
    """Publish JSON and picture, with their lineage where they belong to a run."""
    in_run = config.map is None or Path(config.run, config.map).exists()
    folder = config.output or (f"{config.run}/evaluation" if in_run else "evaluation")
    store = open_store(config.run if in_run and config.output is None else folder)
    prefix = "evaluation/" if in_run and config.output is None else ""
    document = {"schema_version": "1", "truth": config.truth, **asdict(result)}
    document.pop("files")
    files = {
        f"{prefix}pixels.json": (json.dumps(_plain(document), indent=1) + "\n").encode(),
        f"{prefix}pixels.png": draw_evaluation(tally, result.classes, Path(config.truth).name),
    }
    truths = sorted({pair.truth for pair in pairs})
    sources = [Source(path, bytes=Path(path).stat().st_size, role="truth") for path in truths]
    sources += [Source(str(pair.map), role="map") for pair in pairs]
    for key, content in files.items():
        store.put(key, content)
        record(store, made("evaluate", key, config, sources=sources, figures={"pixels": tally.confusion.pixels}))
    names = tuple(f"{store.url}/{key}" for key in files)
    return replace(result, files=names)


def _plain(value: object) -> object:
    """Write NaN as null, which JSON has."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124
