"""Scan: what imagery there is, in folders, buckets, catalogs and bundles."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geowatch.datasets.anchors import assets_of, part_of
from geowatch.datasets.scanning import Problem, problems_of, rows_of, summaries_of
from geowatch.datasets.sources import find_series
from geowatch.errors import ImageryError
from geowatch.read.remote import is_remote, public
from geowatch.read.select import footprint_lonlat, select_scenes
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.output import BUNDLES, check_file, save_bundle, save_text
from geowatch.stages.dataset.sources import ChoiceConfig, asked_choice, open_dataset
from geowatch.stages.working.events import Events, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geowatch.datasets.bundle import Bundle, Json
    from geowatch.datasets.scanning import Row, Summary
    from geowatch.errors import InputError
    from geowatch.read.scene import Scene

__all__ = ["ScanConfig", "Scanned", "scan_dataset", "scan_document"]


@dataclass(frozen=True)
class ScanConfig:
    """What scan is asked for."""

    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    """Which of it."""
    output: str | None = None
    """File to write: a kwcoco bundle, .csv, .geojson or .json by its ending."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What scan found."""

    rows: tuple[Row, ...]
    """A row for each scene, oldest first."""
    sensors: tuple[Summary, ...]
    """What there is of each sensor."""
    problems: tuple[Problem, ...]
    """What is odd, and what could not be read."""
    file: str | None
    """What was written."""


def scan_dataset(config: ScanConfig, events: Events | None = None) -> Scanned:
    """Look at all imagery; no pixel is read. What cannot be read is a problem of the answer, not an end of it.

    Raises:
        ImageryError: there is nothing at all.
        ConfigError: the output cannot be written, or its ending says no form.
    """
    events = events or Silent()
    if config.output is not None:
        check_file(config.output, (*BUNDLES, ".csv", ".geojson", ".json"), config.source.images)
    refused: list[InputError] = []
    choice = asked_choice(config.choice)
    scenes = _scenes(config, refused)
    wanted = choice.sensor_names
    scenes = tuple(s for s in scenes if not wanted or s.sensor.lower() in wanted)
    scenes = select_scenes(scenes, choice.selection)
    problems = [*(Problem(_place_in(e), e.fact) for e in refused), *problems_of(scenes)]
    rows = tuple(rows_of(scenes))
    found = Scanned(rows, tuple(summaries_of(rows)), tuple(problems), config.output)
    if config.output is not None:
        _write(config, config.output, found, scenes, events)
    return found


def _scenes(config: ScanConfig, refused: list[InputError]) -> tuple[Scene, ...]:
    source = config.source
    try:
        return find_series(source.images, source.options, source.video, None, refused.append).scenes
    except ImageryError:
        if not refused:
            raise
        raise refused[0] from None  # nothing is left, and this is why


def _place_in(error: InputError) -> str:
    """Return the first thing in quotes, which errors name a file or a scene by."""
    parts = error.fact.split("'")
    return Path(parts[1]).name if len(parts) > 2 else ""


def scan_document(found: Scanned) -> dict[str, Any]:
    """Return what was found as JSON values."""
    return {
        "schema_version": "1",
        "sensors": [_plain(asdict(s)) for s in found.sensors],
        "scenes": [_plain(asdict(r)) for r in found.rows],
        "problems": [asdict(p) for p in found.problems],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in values.items()}


def _write(config: ScanConfig, output: str, found: Scanned, scenes: tuple[Scene, ...], events: Events) -> None:
    path = Path(output)
    if output.endswith(BUNDLES):
        bundle = open_dataset(config.source, events, tolerate=True)
        save_bundle(part_of(bundle, _images_of(bundle, scenes)).document, path, "dataset scan", config)
        return
    if path.suffix == ".csv":
        text = _csv(found)
    elif path.suffix == ".geojson":
        text = _geojson(found, scenes)
    else:
        text = json.dumps(scan_document(found), indent=1) + "\n"
    save_text(text, path, "dataset scan", config)


def _images_of(bundle: Bundle, scenes: tuple[Scene, ...]) -> Iterator[Json]:
    """Yield the images of an anchored bundle that were found as scenes: by their files and names.

    A scene's name has no "/", and those that share one are counted.
    """
    found: dict[str, set[str]] = {}
    for scene in scenes:
        for file in scene.fingerprints:
            found.setdefault(_address(file.uri), set()).add(scene.id)
    for image in bundle.images:
        names = [str(asset.get("file_name")) for asset in assets_of(image)]
        ids = {each for name in names for each in found.get(_address(name), ())}
        own = str(image.get("name") or "").replace("/", "_")
        if any(not own or each == own or each.startswith(f"{own}.") for each in ids):
            yield image


def _address(uri: str) -> str:
    return public(uri) if is_remote(uri) else str(Path(uri).resolve())


def _csv(found: Scanned) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["id", "sensor", "time", "day", "bands", "masks", "crs", "pixel", "rows", "columns", "west", "south", "east",
         "north", "cloud_percent", "files"]
    )  # fmt: skip
    for row in found.rows:
        extent = row.extent or ("", "", "", "")
        writer.writerow(
            [row.id, row.sensor, row.time, row.day, " ".join(row.bands), " ".join(row.masks), row.crs, row.pixel,
             *row.shape, *extent, row.cloud_percent, " ".join(row.files)]
        )  # fmt: skip
    return out.getvalue()


def _geojson(found: Scanned, scenes: tuple[Scene, ...]) -> str:
    """Return the outline of each scene that has a place, lon/lat."""
    grids = {scene.id: scene.bands[0].grid for scene in scenes}
    features = []
    for row in found.rows:
        outline = footprint_lonlat(grids[row.id])
        if outline is not None:
            properties = {k: v for k, v in _plain(asdict(row)).items() if k not in {"extent", "shape"}}
            geometry = outline.__geo_interface__
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"
