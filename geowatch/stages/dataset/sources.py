"""What every command of ``gw dataset`` starts from: where imagery is, what it means, and which of it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import shapely

from geowatch.datasets.anchors import anchored, part_of, united
from geowatch.datasets.bundle import Bundle, read_bundle, wrap
from geowatch.datasets.channels import channel_names
from geowatch.datasets.choice import Choice
from geowatch.datasets.kwcoco_in import images_of
from geowatch.datasets.kwcoco_out import document_of_scenes
from geowatch.datasets.sources import find_series, split_sources
from geowatch.errors import ConfigError
from geowatch.read.select import Selection, select_scenes
from geowatch.stages.binding.regions import read_region_file
from geowatch.stages.binding.source import day_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Json
    from geowatch.read.catalog import Catalog
    from geowatch.read.scene import Scene
    from geowatch.stages.binding.source import SourceConfig
    from geowatch.stages.working.events import Events

__all__ = ["ChoiceConfig", "asked_choice", "find_chosen", "open_dataset"]


@dataclass(frozen=True)
class ChoiceConfig:
    """Which of the imagery is wanted."""

    date: tuple[str, ...] = ()
    """Days to take, YYYY-MM-DD; empty takes all."""
    latest: bool = False
    """Take the latest day only."""
    max_cloud: float | None = None
    """Leave out images with more cloud than this (percent, from their metadata)."""
    start: str | None = None
    """First day, YYYY-MM-DD."""
    end: str | None = None
    """Last day, YYYY-MM-DD, taken in."""
    region: str | None = None
    """GeoJSON file of a polygon that images overlap; its time range holds, too."""
    bbox: tuple[float, ...] = ()
    """West, south, east and north in degrees."""
    only_sensor: tuple[str, ...] = ()
    """Sensors to take."""
    channels: tuple[str, ...] = ()
    """Bands to take, by name."""


def asked_choice(config: ChoiceConfig) -> Choice:
    """Return the choice that is asked for.

    Raises:
        ConfigError: a date or a box cannot be read.
        RegionError: the region cannot.
    """
    region = read_region_file(config.region) if config.region else None
    shape: BaseGeometry | None = region.geometry if region else None
    if config.bbox:
        shape = _box(config.bbox) if shape is None else shape.intersection(_box(config.bbox))
    start, end = (day_of(text) if text else None for text in (config.start, config.end))
    selection = Selection(
        dates=tuple(day_of(text) for text in config.date),
        latest=config.latest,
        max_cloud=config.max_cloud,
        start=start or (region.start if region else None),
        end=end or (region.end if region else None),
        region=shape,
    )
    return Choice(selection, config.only_sensor, config.channels)


def _box(numbers: tuple[float, ...]) -> shapely.Polygon:
    if len(numbers) != 4 or not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        shown = ",".join(f"{n:g}" for n in numbers)
        raise ConfigError(
            f"{shown} is no box", hint="give west,south,east,north in degrees, such as --bbox 14,45,15,46"
        )
    return shapely.box(*numbers)


def find_chosen(
    config: SourceConfig, choice: Choice, events: Events, *, domain_field: str | None = None
) -> tuple[tuple[Scene, ...], Catalog]:
    """Return the scenes that are wanted, and all that was found; ``domain_field`` is what tells their domains apart.

    Raises:
        ImageryError: where nothing is found or nothing fits.
    """
    options = replace(config.options, domain_field=domain_field)
    catalog = find_series(config.images, options, config.video, choice.selection)
    for note in catalog.notes:
        events.note(note)
    names = choice.sensor_names
    of_sensors = [s for s in catalog.scenes if not names or s.sensor.lower() in names]
    return select_scenes(of_sensors, choice.selection), catalog


def open_dataset(config: SourceConfig, events: Events, *, tolerate: bool = False) -> Bundle:
    """Return all sources as one bundle, its files by absolute names; labels of kwcoco bundles stay.

    With ``tolerate``, scenes that cannot be used are told as notes and left out.

    Raises:
        ImageryError: a source cannot be read.
    """
    places, others = split_sources(config.images)
    here = Path("dataset.kwcoco.json").absolute()
    bundles = []
    for place in places:
        bundle = anchored(read_bundle(place, config.options.remote))
        images = [_masked(image, config) for image in images_of(bundle, config.video)]
        bundles.append(part_of(bundle, images))
    if others or not places:
        refused = (lambda error: events.note(f"left out: {error.fact}")) if tolerate else None
        catalog = find_series(others, config.options, refused=refused)
        for note in catalog.notes:
            events.note(note)
        bundles.append(anchored(wrap(document_of_scenes(catalog.scenes, here.parent), here)))
    return bundles[0] if len(bundles) == 1 else united(bundles, here)


def _masked(image: Json, config: SourceConfig) -> Json:
    """Return an image whose mask band is written down as what it is."""
    if config.mask_band is None:
        return image
    entry = {"channel": config.mask_band, "kind": "bitmask", "values": list(config.mask_values),
             "bits": config.mask_bits}  # fmt: skip

    def marked(asset: Json) -> Json:
        names = channel_names(str(asset["channels"])) if asset.get("channels") else ()
        return {**asset, "gw_masks": [entry]} if config.mask_band in names and not asset.get("gw_masks") else asset

    lists = {key: [marked(a) for a in image[key]] for key in ("auxiliary", "assets") if image.get(key)}
    return {**(marked(image) if image.get("file_name") else image), **lists}
