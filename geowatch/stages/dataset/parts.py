"""Subset, union and split: bundles from bundles, with their labels, masks and times."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.datasets.anchors import assets_of, part_of
from geowatch.datasets.choice import chosen, solar_day_of
from geowatch.datasets.places import image_footprint
from geowatch.datasets.splits import Unit, block_of, grouped, parse_shares, split_groups, split_time
from geowatch.errors import ConfigError
from geowatch.stages.binding.regions import read_places_file
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.output import BUNDLES, check_file, check_folder, save_bundle
from geowatch.stages.dataset.sources import ChoiceConfig, asked_choice, open_dataset
from geowatch.stages.working.events import Events, Silent

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from geowatch.datasets.bundle import Bundle, Json

__all__ = ["Made", "SplitConfig", "SubsetConfig", "UnionConfig", "split_dataset", "subset_dataset", "union_datasets"]

_WAYS = ("video", "region", "space", "time")


@dataclass(frozen=True)
class SubsetConfig:
    """What subset is asked for."""

    output: str
    """Bundle to write."""
    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    """Which of it."""


@dataclass(frozen=True)
class UnionConfig:
    """What union is asked for."""

    output: str
    """Bundle to write."""
    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""


@dataclass(frozen=True)
class SplitConfig:
    """What split is asked for."""

    output: str
    """Folder for the bundles."""
    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""
    parts: tuple[str, ...] = ("train=0.7", "validation=0.15", "test=0.15")
    """Names of the parts and their shares."""
    by: str = "video"
    """What is never cut: video, region, space or time."""
    regions: str | None = None
    """GeoJSON file with the polygons for --by region."""
    block_m: float = 10_000.0
    """Side of the blocks of land for --by space, in metres."""
    gap_days: int = 0
    """Days between parts that are left out, for --by time."""
    seed: int = 0
    """What groups are shuffled by."""


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was written."""

    file: str
    """Where."""
    images: int
    """Its images."""
    annotations: int
    """Its labels."""


def _save(bundle: Bundle, path: Path, stage: str, config: object) -> Made:
    return Made(save_bundle(bundle.document, path, stage, config), len(bundle.images), len(bundle.annotations))


def subset_dataset(config: SubsetConfig, events: Events | None = None) -> Made:
    """Write the part of a dataset that is wanted.

    Raises:
        ImageryError: nothing is left.
        ConfigError: the output cannot be written.
    """
    check_file(config.output, BUNDLES, config.source.images)
    bundle = open_dataset(config.source, events or Silent())
    part = chosen(bundle, asked_choice(config.choice), config.source.options)
    return _save(part, Path(config.output), "dataset subset", config)


def union_datasets(config: UnionConfig, events: Events | None = None) -> Made:
    """Write several datasets as one.

    Raises:
        ImageryError: a source cannot be read.
        ConfigError: the output cannot be written.
    """
    check_file(config.output, BUNDLES, config.source.images)
    return _save(open_dataset(config.source, events or Silent()), Path(config.output), "dataset union", config)


def split_dataset(config: SplitConfig, events: Events | None = None) -> list[Made]:
    """Write the parts of a dataset, each a bundle named for its part.

    Raises:
        ConfigError: the parts, the way to cut or the folder cannot be used.
    """
    events = events or Silent()
    check_folder(config.output)
    if config.by not in _WAYS:
        raise ConfigError(f"'{config.by}' is no way to split", hint=f"choose from {', '.join(_WAYS)}")
    if config.by == "space" and not 0 < config.block_m < math.inf:
        raise ConfigError(f"blocks of {config.block_m:g} m hold nothing", hint="give --block-m above 0, in metres")
    shares = parse_shares(config.parts)
    bundle = open_dataset(config.source, events)
    for name in (share.name for share in shares):
        check_file(str(Path(config.output, f"{name}.kwcoco.json")), BUNDLES, config.source.images)
    images = {_name(image): image for image in bundle.images}
    units = _units(config, bundle, events)
    if config.by == "time":
        parts = split_time(units, shares, config.gap_days)
    else:
        parts = split_groups(grouped(units), shares, config.seed)
    return [
        _save(
            part_of(bundle, sorted((images[u.name] for u in members), key=lambda image: int(image["id"]))),
            Path(config.output, f"{name}.kwcoco.json"), "dataset split", config,
        )
        for name, members in parts.items()
    ]  # fmt: skip


def _name(image: Json) -> str:
    """Return what tells an image apart, whatever its id: its name and its files."""
    return "\n".join([str(image.get("name")), *sorted(str(a.get("file_name")) for a in assets_of(image))])


def _units(config: SplitConfig, bundle: Bundle, events: Events) -> list[Unit]:
    options = config.source.options
    if config.by == "time":
        return [Unit(_name(i), (), day=solar_day_of(bundle, i, options)) for i in bundle.images]
    videos = {video["id"]: str(video.get("name", video["id"])) for video in bundle.videos}
    places = read_places_file(config.regions) if config.by == "region" and config.regions else None
    if config.by == "region" and places is None:
        raise ConfigError("--by region needs polygons", hint="give them with --regions FILE.geojson")
    units: list[Unit] = []
    for image in bundle.images:
        outline = image_footprint(bundle, image, options)
        key = _key(config, image, videos, outline, places)
        if key is not None:
            # Files by name: one that two images share must not be in two parts.
            files = tuple(f"file {asset.get('file_name')}" for asset in assets_of(image))
            units.append(Unit(_name(image), (key, *files), outline))
    if len(units) < len(bundle.images):
        events.note(
            f"{len(bundle.images) - len(units)} of {len(bundle.images)} images lie in no region, and are left out"
        )
    return units


def _key(
    config: SplitConfig, image: Json, videos: dict[int, str], outline: BaseGeometry | None,
    places: dict[str, BaseGeometry] | None,
) -> str | None:  # fmt: skip
    """Return what an image is kept together by; None leaves it out."""
    if config.by == "video":
        return f"video {videos.get(image.get('video_id', -1)) or _name(image)}"
    if outline is None:
        raise ConfigError(
            f"image '{image.get('name')}' has no georeference, and no place to split by", hint="use --by video or time"
        )
    if places is None:
        return f"block {block_of(outline, config.block_m)}"
    shared = {name: outline.intersection(shape).area for name, shape in places.items()}
    best = max(sorted(shared), key=lambda name: shared[name])
    return f"region {best}" if shared[best] > 0 else None
