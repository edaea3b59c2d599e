"""What is simulated: where, when, and what happens there; made up from a seed or taken from SMART documents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from geowatch.datasets.simulation.landscape import Landscape
from geowatch.datasets.simulation.noise import rng_of
from geowatch.datasets.simulation.works import Kind, Work
from geowatch.errors import ConfigError
from geowatch.grid.crs import project, utm_zones

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "MARGIN_PX",
    "Scenario",
    "SimulationSpec",
    "day_number",
    "day_of",
    "made_up_place",
    "made_up_works",
]

#: Pixels around the region that are rendered too: sensors need not end where the region does.
MARGIN_PX = 12
_EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """Return the day with a number of `day_number`."""
    return _EPOCH + timedelta(days=number)


@dataclass(frozen=True, kw_only=True)
class SimulationSpec:
    """What a simulation is asked for; the same values give the same bytes."""

    seed: int = 0
    """What everything random depends on."""
    size_px: int = 384
    """Side of a made-up region in pixels."""
    resolution_m: float = 10.0
    """Side of the finer sensor's pixel in metres; the coarser one's is three times as large."""
    revisit_days: int = 10
    """Days from one pass of the finer sensor to the next; the coarser one passes every 1.6 times as many."""
    lat: float = 45.0
    """Latitude of a made-up region, degrees; seasons and shadows follow it."""
    lon: float = 3.0
    """Longitude of a made-up region, degrees."""
    start: date = date(2017, 1, 1)
    """First day."""
    end: date = date(2020, 12, 31)
    """Last day."""
    cloudy: float = 0.4
    """Share of all looks at a pixel that are under cloud or shadow, 0 to 1."""
    sites: int | None = None
    """Building sites of a made-up region; None: about one for each 12,000 pixels."""
    jitter_px: float = 0.2
    """Deviation of each image's position, in pixels of its sensor."""
    noise: float = 1.0
    """Factor of the sensors' noise."""
    radiometry: float = 1.0
    """Factor of how far the sensors' bands deviate from the truth, and so from each other."""
    omission: float = 0.06
    """Share of cloudy pixels that masks miss."""
    commission: float = 0.02
    """Share of clear pixels that masks call cloud."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("cloudy", self.cloudy, 0, 0.95), ("omission", self.omission, 0, 1), ("commission", self.commission, 0, 1),
            ("jitter_px", self.jitter_px, 0, 3), ("size_px", self.size_px, 64, 20_000), ("lat", self.lat, -70, 70),
            ("lon", self.lon, -180, 180), ("seed", self.seed, 0, 2**32), ("resolution_m", self.resolution_m, 1, 100),
            ("revisit_days", self.revisit_days, 1, 90), ("noise", self.noise, 0, 20),
            ("radiometry", self.radiometry, 0, 20),
        ):  # fmt: skip
            if not low <= value <= high:
                raise ConfigError(f"{name} of a simulation is {value}", hint=f"choose {low} to {high}")
        if (self.end - self.start).days < 400:
            raise ConfigError(
                f"a simulation from {self.start} to {self.end} holds no building site",
                hint="let it last 400 days or more",
            )

    @property
    def days(self) -> tuple[int, int]:
        """First and last day as numbers."""
        return day_number(self.start), day_number(self.end)

    @property
    def years(self) -> range:
        """Calendar years that it touches."""
        return range(self.start.year, self.end.year + 1)


@dataclass(frozen=True)
class Scenario:
    """A region and what happens there."""

    spec: SimulationSpec
    """What was asked for."""
    region_id: str
    """Such as ``ZZ_S007``; real regions keep theirs."""
    outline: Polygon
    """The region in longitude and latitude, degrees."""
    geobox: GeoBox
    """The pixels that are rendered; the region lies within."""
    works: tuple[Work, ...]
    """What happens, outlines in pixels of the geobox."""

    @property
    def lat(self) -> float:
        """Latitude of the middle, degrees."""
        return float(self.outline.centroid.y)


def made_up_place(spec: SimulationSpec) -> GeoBox:
    """Return the pixels of a made-up region, with the margin that is rendered around it.

    Its corner lies on a multiple of its size, counted in pixels from the origin of its CRS, so that it can be cut into
    equal tiles.
    """
    point = shapely.box(spec.lon - 1e-4, spec.lat - 1e-4, spec.lon + 1e-4, spec.lat + 1e-4)
    crs = utm_zones(point)[0].crs
    x, y = project(point, crs, spec.resolution_m).centroid.coords[0]
    step, margin = spec.size_px * spec.resolution_m, MARGIN_PX * spec.resolution_m
    west, north = math.floor(x / step) * step - margin, math.ceil(y / step) * step + margin
    side = spec.size_px + 2 * MARGIN_PX
    return GeoBox((side, side), Affine(spec.resolution_m, 0, west, 0, -spec.resolution_m, north), crs)


def made_up_works(spec: SimulationSpec, land: Landscape, region_id: str) -> tuple[Work, ...]:
    """Return building sites and negatives, scattered over the land with room between them, sites first."""
    rng = rng_of(spec.seed, "works")
    count = spec.sites if spec.sites is not None else max(4, round(spec.size_px**2 / 12_000))
    tempting = max(3, count // 2)
    kinds: list[Kind] = ["building"] * count
    kinds += [("drying", "flood", "felling")[k % 3] for k in range(tempting)]
    works: list[Work] = []
    for kind, outline in _placed(rng, kinds, land, spec.size_px):
        days = _phases(rng, spec) if kind == "building" else _spell(rng, spec, kind)
        status = "positive_annotated" if kind == "building" else "negative"
        works.append(Work(f"{region_id}_{len(works):04d}", kind, outline, days, status))
    return tuple(works)


def _placed(
    rng: np.random.Generator, kinds: Sequence[Kind], land: Landscape, size_px: int
) -> Iterator[tuple[Kind, Polygon]]:
    """Yield an outline for each kind that finds room within a thousand trials."""
    taken: list[Polygon] = []
    shape = (land.cover.shape[0], land.cover.shape[1])
    for kind in kinds:
        for _ in range(1000):
            outline = _outline(rng, kind, size_px)
            free = all(outline.distance(other) > 8 for other in taken)
            if free and _suits(kind, outline, land, shape):
                taken.append(outline)
                yield kind, outline
                break


def _suits(kind: Kind, outline: Polygon, land: Landscape, shape: tuple[int, int]) -> bool:
    from geowatch.datasets.simulation.works import outline_mask

    cover = land.cover[outline_mask(outline, shape)]
    if not cover.size:
        return False
    wanted = {"building": cover <= 3, "drying": cover <= 4, "flood": cover <= 1, "felling": (cover == 2) | (cover == 3)}
    return bool(wanted[kind].mean() > 0.85)


def _outline(rng: np.random.Generator, kind: Kind, size_px: int) -> Polygon:
    """Return an outline of 1 to 12 hectares, a turned rectangle with bitten corners or a round blot."""
    area = float(np.exp(rng.uniform(np.log(110), np.log(900 if kind == "building" else 600))))
    longer = float(rng.uniform(1.0, 2.2))
    half = math.sqrt(area * longer) / 2, math.sqrt(area / longer) / 2
    turn, reach = float(rng.uniform(0, math.pi)), max(half) + 4
    x, y = rng.uniform(MARGIN_PX + reach, MARGIN_PX + size_px - reach, 2)
    power = 0.5 if kind == "building" else 1.0
    corners = []
    for angle in np.linspace(0, 2 * math.pi, 20, endpoint=False):
        wave = float(rng.uniform(0.9, 1.08))
        u = math.copysign(abs(math.cos(angle)) ** power, math.cos(angle)) * half[0] * wave
        v = math.copysign(abs(math.sin(angle)) ** power, math.sin(angle)) * half[1] * wave
        corners.append((x + u * math.cos(turn) - v * math.sin(turn), y + u * math.sin(turn) + v * math.cos(turn)))
    return Polygon(corners).buffer(0)


def _phases(rng: np.random.Generator, spec: SimulationSpec) -> tuple[int, int, int]:
    """Return first days of preparation, construction and post construction; one in six is unfinished at the end."""
    first, last = spec.days
    prepare_days, build_days = int(rng.uniform(45, 180)), int(rng.uniform(200, 620))
    room = max(60, (last - first) - 330 - prepare_days - build_days - 150)
    begin = first + 300 + int(rng.uniform(0, room))
    if rng.random() < 1 / 6:
        begin = last - int(rng.uniform(0.55, 0.9) * (prepare_days + build_days))
    return begin, begin + prepare_days, begin + prepare_days + build_days


def _spell(rng: np.random.Generator, spec: SimulationSpec, kind: Kind) -> tuple[int, int]:
    first, last = spec.days
    length = int(rng.uniform(*{"drying": (60, 300), "flood": (25, 80)}.get(kind, (100, 200))))
    begin = first + int(rng.uniform(0.15, 0.8) * (last - first - length))
    return begin, begin + length
