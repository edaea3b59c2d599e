"""The series that a demonstration of sites starts from: simulated over a made-up region, or over a real one.

Over a real region its documents say where and when: site models, or else the summaries in its region model. The land,
the light and the clouds are made up all the same, so nothing of it was observed. Scores are taken against the given
site models where there are some, else against what was simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.errors import ConfigError
from geowatch.stages.sites.documents import find_documents, read_regions, read_sites

if TYPE_CHECKING:
    from geowatch.datasets.simulation.bundle import Bundle
    from geowatch.datasets.simulation.scenario import SimulationSpec
    from geowatch.datasets.simulation.world import World
    from geowatch.sites.model import RegionModel
    from geowatch.stages.demo.config import DemoSitesConfig

__all__ = ["Simulated", "simulate", "tile_side_px"]

#: Days of a made-up region, where none are asked for.
_FIRST, _LAST = date(2017, 1, 1), date(2020, 12, 31)
#: More pixels than this take hours, and more memory than a laptop has.
_MOST_PX = 12_000_000
#: Sides of tiles of a real region are a multiple of this.
_STEP_PX = 32


@dataclass(frozen=True, slots=True)
class Simulated:
    """A series and what it is scored against."""

    bundle: Bundle
    """Where it is."""
    tile_px: int
    """Side of its tiles."""
    truth: tuple[str, ...]
    """Site models, or folders of them."""
    region: tuple[str, ...]
    """Region model."""
    days: tuple[date, date]
    """First and last day that there are images of."""


def simulate(config: DemoSitesConfig, watch: Callable[[int, int], None]) -> Simulated:
    """Make the series, or find what an earlier call made; ``watch`` is called with images done and in all.

    Raises:
        ConfigError: for options that make no simulation, or a folder that holds another one.
        InputError: for documents of the region that cannot be read.
    """
    from geowatch.datasets.simulation.bundle import write_bundle

    side = None if config.region else tile_side_px((config.size_px, config.size_px), config.tiles)
    world = _made_up(config) if config.region is None else _real(config, config.region)
    bundle = write_bundle(world, Path(config.out) / "series", watch)
    geobox = world.scenario.geobox
    side = side or _covering_side_px((geobox.height, geobox.width), config.tiles)
    days = world.scenario.spec.start, world.scenario.spec.end
    if config.region and config.truth:
        return Simulated(bundle, side, config.truth, (config.region,), days)
    return Simulated(bundle, side, (str(bundle.truth),), (str(bundle.region),), days)


def tile_side_px(shape: tuple[int, int], tiles: int) -> int:
    """Return the side of equal square tiles, a square number of them. Raises ConfigError where there is none.

    >>> tile_side_px((384, 384), 9)
    128
    """
    rows = math.isqrt(tiles)
    if rows * rows != tiles or shape[0] % rows:
        raise ConfigError(
            f"{shape[0]} x {shape[1]} pixels make no {tiles} equal tiles",
            hint="choose 1, 4, 9 or 16 tiles whose number a side divides --size-px",
        )
    return shape[0] // rows


def _covering_side_px(shape: tuple[int, int], tiles: int) -> int:
    """Return the side of square tiles of which about ``tiles`` cover (H, W) pixels.

    >>> _covering_side_px((624, 900), 9)
    256
    """
    return max(2, math.ceil(math.sqrt(shape[0] * shape[1] / tiles) / _STEP_PX)) * _STEP_PX


def _spec(config: DemoSitesConfig, first: date, last: date) -> SimulationSpec:
    from geowatch.datasets.simulation.scenario import SimulationSpec

    return SimulationSpec(
        seed=config.seed, size_px=config.size_px, cloudy=config.cloudy, lat=config.lat, resolution_m=config.resolution,
        revisit_days=config.revisit_days, start=_day(config.start) or first, end=_day(config.end) or last,
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no day", hint="write days as 2020-06-01") from error


def _made_up(config: DemoSitesConfig) -> World:
    from geowatch.datasets.simulation.world import made_up_world

    if config.truth:
        raise ConfigError("--truth is given without --region", hint="name the region model that its sites lie in")
    return made_up_world(_spec(config, _FIRST, _LAST))


def _real(config: DemoSitesConfig, name: str) -> World:
    from geowatch.datasets.simulation.smart_world import smart_scenario
    from geowatch.datasets.simulation.world import world_of

    region = _region(name)
    sites = region.sites
    if config.truth:
        sites = tuple(read_sites(find_documents(config.truth).of(region.id)))
    if not sites:
        raise ConfigError(
            f"no site of {region.id} is known", hint="give site models with --truth, named such as BR_R002_0001.geojson"
        )
    scenario = smart_scenario(region, sites, _spec(config, region.start, region.end))
    count = scenario.geobox.height * scenario.geobox.width
    if count > _MOST_PX:
        coarser = math.ceil(config.resolution * math.sqrt(count / _MOST_PX))
        raise ConfigError(
            f"{region.id} has {count / 1e6:.0f} million pixels of {config.resolution:g} m",
            hint=f"give larger ones with --resolution, {coarser} or more",
        )
    return world_of(scenario)


def _region(name: str) -> RegionModel:
    regions = read_regions(find_documents((name,), regions=True))
    if len(regions) != 1:
        raise ConfigError(f"{name} holds {len(regions)} regions", hint="give the file of one region model")
    return regions[0]
