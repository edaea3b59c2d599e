"""Stats: mean, deviation, range and histogram of each band, for each domain; masked pixels do not count.

Scenes are read block by block on their own pixels, in physical values, so that memory follows the block alone. The
document is what packages and `gw predict` take for normalisation per domain.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.datasets.statistics import BandStatistics, statistics_document
from geowatch.errors import ConfigError, ImageryError
from geowatch.read.frames import make_frames
from geowatch.read.plan import lattice_of, plan_frame
from geowatch.read.reader import FrameReader
from geowatch.stages.binding.source import SourceConfig
from geowatch.stages.dataset.output import check_file, save_json
from geowatch.stages.dataset.sources import ChoiceConfig, asked_choice, find_chosen
from geowatch.stages.working.events import Events, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.grid.lattice import PixelBox
    from geowatch.read.remote import Remote
    from geowatch.read.scene import Scene

__all__ = ["StatsConfig", "dataset_stats"]

#: Side of a block of pixels that is looked at at once.
_BLOCK_PX = 1024
_CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class StatsConfig:
    """What stats is asked for."""

    source: SourceConfig = field(default_factory=SourceConfig)
    """Where imagery is."""
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    """Which of it; its channels are those that are counted."""
    domain: str = "sensor"
    """What tells domains apart: sensor, channels, month, year, or a field of a bundle's images or of STAC items."""
    share: float = 1.0
    """Share of the blocks of each image that is read, 0 to 1; the first is always read."""
    seed: int = 0
    """What blocks are drawn by."""
    output: str | None = None
    """JSON file to write."""


def dataset_stats(config: StatsConfig, events: Events | None = None) -> dict[str, Any]:
    """Return the document of statistics.

    Raises:
        ImageryError: nothing is found, or no scene of a domain has a common band.
        ConfigError: the share, the domain or the output cannot be used.
    """
    events = events or Silent()
    if not 0 < config.share <= 1:
        raise ConfigError(f"a share of {config.share:g} reads nothing", hint="give more than 0, up to 1")
    if config.output is not None:
        check_file(config.output, (".json",), config.source.images)
    choice = asked_choice(config.choice)
    scenes, catalog = find_chosen(config.source, choice, events, domain_field=config.domain)
    domains = _domains(scenes)
    remote = replace(config.source.options.remote, queries=catalog.queries)
    found: dict[str, dict[str, BandStatistics]] = {}
    done = 0
    for name, members in domains.items():
        bands = _bands(name, members, choice.channels, events)
        found[name] = {band: BandStatistics() for band in bands}
        for scene in members:
            _count(scene, found[name], config, remote)
            done += 1
            events.progress("stats", done, len(scenes))
    document: dict[str, Any] = statistics_document(found, {name: _known(each) for name, each in domains.items()})
    if config.output is not None:
        save_json(_finite(document), Path(config.output), "dataset stats", config)
    return document


def _domains(scenes: Sequence[Scene]) -> dict[str, list[Scene]]:
    groups: dict[str, list[Scene]] = {}
    for scene in sorted(scenes, key=lambda s: (s.time is None, s.time.timestamp() if s.time else 0.0, s.id)):
        groups.setdefault(scene.domain or scene.sensor, []).append(scene)
    return groups


def _bands(name: str, scenes: Sequence[Scene], asked: tuple[str, ...], events: Events) -> tuple[str, ...]:
    if asked:
        return asked
    common = [b.name for b in scenes[0].bands if all(s.has_bands((b.name,)) for s in scenes)]
    others = sorted({b.name for s in scenes for b in s.bands} - set(common))
    if not common:
        raise ImageryError(
            f"the {len(scenes)} images of domain '{name}' have no band in common: {', '.join(others[:8])}",
            hint="name the bands with --channels, or tell domains apart with --domain channels",
        )
    if others:
        events.note(f"domain '{name}': not all images have {', '.join(others)}; they are left out")
    return tuple(common)


def _count(scene: Scene, bands: dict[str, BandStatistics], config: StatsConfig, remote: Remote) -> None:
    names = tuple(bands)
    plan = plan_frame(make_frames([scene])[0], names, lattice_of([scene], names), resampling="nearest")
    with FrameReader(plan, cache_bytes=_CACHE_BYTES, remote=remote) as reader:
        for box in _blocks(plan.extent, scene.id, config):
            patch = reader.read(box)
            if patch.valid.any():
                for layer, band in zip(patch.values, bands.values(), strict=True):
                    band.add(layer[patch.valid])


def _blocks(extent: PixelBox, name: str, config: StatsConfig) -> list[PixelBox]:
    blocks = [block & extent for block in extent.blocks(_BLOCK_PX)]
    if config.share >= 1:
        return blocks
    draw = random.Random(f"{config.seed}:{name}")  # noqa: S311 - no secret
    return [block for number, block in enumerate(blocks) if draw.random() < config.share or number == 0]


def _known(scenes: Sequence[Scene]) -> dict[str, Any]:
    days = sorted({s.solar_day for s in scenes if s.solar_day is not None})
    return {"scenes": len(scenes), "first": str(days[0]) if days else None, "last": str(days[-1]) if days else None}


def _finite(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return a document with null for what is not finite, which JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
