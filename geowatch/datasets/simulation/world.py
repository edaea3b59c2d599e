"""The world of a simulation, and pictures of it: one at a time, each from seeds alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from geowatch.datasets.simulation.landscape import Landscape, make_landscape
from geowatch.datasets.simulation.noise import rng_of
from geowatch.datasets.simulation.scenario import (
    MARGIN_PX,
    Scenario,
    SimulationSpec,
    day_of,
    made_up_place,
    made_up_works,
)
from geowatch.datasets.simulation.sensors import QUANTISATION, SENSORS, Overpass, overpasses, sense
from geowatch.datasets.simulation.sky import MASK_CLASSES, cloud_shares, flawed_mask, make_sky
from geowatch.datasets.simulation.spectra import CLOUD
from geowatch.datasets.simulation.surfaces import SurfaceBook
from geowatch.datasets.simulation.works import Overlay, lay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geowatch.datasets.simulation.sensors import Sensor
    from geowatch.datasets.simulation.surfaces import Patches

__all__ = [
    "Picture", "World", "frame_geobox", "looks", "made_up_world", "picture_id", "picture_time", "pictures", "render",
    "world_of",
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """A scenario as arrays."""

    scenario: Scenario
    """What was asked for."""
    land: Landscape
    """What lies there before anything happens."""
    patches: Patches
    """Colours of all patches by day."""
    overlay: Overlay
    """Patches of what happens."""


@dataclass(frozen=True)
class Picture:
    """One simulated image."""

    id: str
    """Such as ``simulated_s2_20190412``."""
    overpass: Overpass
    """Which sensor, when."""
    time: datetime
    """When, UTC."""
    geobox: GeoBox
    """Where its pixels are."""
    values: NDArray[np.uint16]
    """(C, H, W), reflectance times 10,000; 0 is no data."""
    mask: NDArray[np.uint8]
    """(H, W), the product's own mask, with its flaws; values of `sky.MASK_CLASSES`."""
    cloudy: NDArray[np.bool_]
    """(H, W), the truth: which pixels are under cloud or shadow."""


def made_up_world(spec: SimulationSpec) -> World:
    """Return a made-up region with building sites and negatives."""
    from geowatch.datasets.simulation.places import outline_of

    geobox = made_up_place(spec)
    region_id = f"ZZ_S{spec.seed % 1000:03d}"
    book = SurfaceBook()
    land = make_landscape(book, spec.seed, (geobox.height, geobox.width), spec.lat, spec.years)
    works = made_up_works(spec, land, region_id)
    scenario = Scenario(spec, region_id, outline_of(geobox), geobox, works)
    overlay = lay(book, works, (geobox.height, geobox.width), spec.seed, spec.years)
    return World(scenario, land, book.close(), overlay)


def world_of(scenario: Scenario) -> World:
    """Return the world of a scenario whose works are known, such as a real region's."""
    book, spec, shape = SurfaceBook(), scenario.spec, (scenario.geobox.height, scenario.geobox.width)
    land = make_landscape(book, spec.seed, shape, scenario.lat, spec.years)
    overlay = lay(book, scenario.works, shape, spec.seed, spec.years)
    return World(scenario, land, book.close(), overlay)


def looks(scenario: Scenario) -> tuple[Overpass, ...]:
    """Return all overpasses in order of days, with how cloudy each is."""
    spec = scenario.spec
    passes = (overpasses(sensor, spec.seed, spec.days, spec.revisit_days) for sensor in SENSORS)
    days = sorted((day, k) for k, found in enumerate(passes) for day in found)
    shares = cloud_shares(rng_of(spec.seed, "cloudy"), len(days), spec.cloudy)
    return tuple(Overpass(SENSORS[k], day, float(share)) for (day, k), share in zip(days, shares.tolist(), strict=True))


def pictures(world: World) -> Iterator[Picture]:
    """Yield all pictures of a world, oldest first; each is made when it is asked for."""
    for overpass in looks(world.scenario):
        yield render(world, overpass)


def render(world: World, overpass: Overpass) -> Picture:
    """Return what a sensor's product of a day looks like; it depends on the scenario and the overpass alone."""
    spec, sensor, day = world.scenario.spec, overpass.sensor, overpass.day
    rng = rng_of(spec.seed, "look", sensor.short, day)
    ground = _ground(world, day)
    sky = make_sky(rng, (ground.shape[1], ground.shape[2]), overpass.cloudy, world.scenario.lat, day)
    bright = ground[:3].mean(axis=0)
    mask = flawed_mask(rng, sky, bright, spec.omission, spec.commission)
    flawed = replace(sensor, noise=spec.noise * sensor.noise, gain=spec.radiometry * sensor.gain)
    measured = sense(rng, flawed, _through(rng, ground, sky.cloud, sky.shadow), spec.seed, spec.jitter_px)
    cut = _footprint(rng, sensor.partial, (measured.shape[1], measured.shape[2]))
    values = np.clip(np.rint(measured * QUANTISATION), 1, 65535).astype(np.uint16)
    values[:, ~cut] = 0
    step = sensor.factor
    coarse = np.where(cut, _worst(mask, step), MASK_CLASSES["fill"]).astype(np.uint8)
    return _cropped(world.scenario.geobox, overpass, values, coarse, _worst(sky.cloudy, step))


def _ground(world: World, day: int) -> NDArray[np.float32]:
    """Return the reflectance (C, H, W) of the ground on a day."""
    over = world.overlay.patch
    shown = np.where((over >= 0) & world.patches.begun(day)[over], over, world.land.patch)
    colors = world.patches.colors(day, _wetness(world.scenario.spec.seed, day))
    seen: NDArray[np.float32] = colors[:, shown] * world.land.texture
    return seen


def _wetness(seed: int, day: int) -> float:
    """Return how wet the ground is, 0 to 1: rain falls on some days and dries within a week."""
    rain = [float(rng_of(seed, "rain", day - age).random()) for age in range(10)]
    return min(1.0, sum((0.72**age) * max(0.0, 3.0 * (r - 0.72)) for age, r in enumerate(rain)))


def _through(
    rng: np.random.Generator, ground: NDArray[np.float32], cloud: NDArray[np.float32], shadow: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return light (C, H, W) that reaches the sensor through haze, shadows and clouds."""
    haze = np.float32(rng.gamma(2.0, 0.004)) * np.asarray((1.0, 0.7, 0.5, 0.3, 0.15, 0.1), np.float32)
    lit = ground * (1 - np.float32(0.62) * shadow) * (1 - haze[:, None, None]) + haze[:, None, None]
    bright = np.asarray(CLOUD, np.float32)[:, None, None] * np.float32(rng.uniform(0.75, 1.2))
    seen: NDArray[np.float32] = lit * (1 - cloud) + bright * cloud
    return seen


def _footprint(rng: np.random.Generator, partial: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) the swath reaches; its edge is a slanted line where it cuts the picture."""
    drawn, where, side = rng.random(3)
    if drawn >= partial:
        return np.ones(shape, bool)
    cols = np.arange(shape[1]) + 0.2 * np.arange(shape[0])[:, None]
    edge = where * shape[1]
    return np.asarray(cols > edge if side < 0.5 else cols < edge)


def _worst(mask: NDArray[np.generic], step: int) -> NDArray[np.generic]:
    """Return the largest value of each block of ``step`` pixels."""
    if step == 1:
        return mask
    rows, cols = mask.shape[0] // step, mask.shape[1] // step
    blocks = mask[: rows * step, : cols * step].reshape(rows, step, cols, step)
    worst: NDArray[np.generic] = blocks.max(axis=(1, 3))
    return worst


def picture_id(overpass: Overpass) -> str:
    """Return the name of the image of an overpass."""
    return f"simulated_{overpass.sensor.short}_{day_of(overpass.day):%Y%m%d}"


def picture_time(overpass: Overpass) -> datetime:
    """Return when an overpass is, UTC; the two sensors come half an hour apart."""
    return datetime.combine(day_of(overpass.day), time(10, 30 if overpass.sensor.factor == 1 else 5), UTC)


def _margin(sensor: Sensor) -> int:
    """Return how many of its pixels are cut from each side: the coarse sensor's images reach a little further."""
    return MARGIN_PX // sensor.factor - (2 if sensor.factor > 1 else 6)


def frame_geobox(geobox: GeoBox, sensor: Sensor) -> GeoBox:
    """Return the pixels of a sensor's images of a world; those of 30 m lie half a pixel of 10 m off."""
    step, edge = sensor.factor, _margin(sensor)
    rows, cols = (side // step - 2 * edge for side in (geobox.height, geobox.width))
    offset = edge * step + (0.5 if step > 1 else 0.0)
    affine = geobox.affine @ Affine.translation(offset, offset) @ Affine.scale(step)
    return GeoBox((rows, cols), affine, geobox.crs)


def _cropped(
    geobox: GeoBox, overpass: Overpass, values: NDArray[np.uint16], mask: NDArray[np.uint8], cloudy: NDArray[np.generic]
) -> Picture:
    edge = _margin(overpass.sensor)
    part = (slice(edge, mask.shape[0] - edge), slice(edge, mask.shape[1] - edge))
    return Picture(
        id=picture_id(overpass),
        overpass=overpass,
        time=picture_time(overpass),
        geobox=frame_geobox(geobox, overpass.sensor),
        values=np.ascontiguousarray(values[:, part[0], part[1]]),
        mask=np.ascontiguousarray(mask[part]),
        cloudy=np.ascontiguousarray(cloudy[part]).astype(bool),
    )
