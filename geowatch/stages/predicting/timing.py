"""How a run stands in time, and how its imagery is normalised: options and package into the recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from geowatch.errors import ConfigError, MemoryBudgetError, PackageError
from geowatch.grid.estimate import Workload, cut_to_memory
from geowatch.grid.timeline import Picking
from geowatch.package.domains import normalised_for
from geowatch.package.spec import quota_of
from geowatch.predict.recipe import NormPin, SeriesPin
from geowatch.stages.binding.parts import blocks_of, parts_of, planes_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geowatch.grid.plan import Plan
    from geowatch.package.manifest import InputSpec, Manifest
    from geowatch.predict.recipe import Recipe
    from geowatch.read.frames import Frame
    from geowatch.stages.binding.imagery import Bound
    from geowatch.stages.binding.parts import Part, TimeBlock

__all__ = [
    "NormConfig",
    "TimeConfig",
    "check_domains",
    "check_heads",
    "dressed",
    "loaded",
    "series_load",
    "settle_norm",
    "settle_series",
    "with_block",
]

#: Planes of a time block where nobody says: neighbours in time see mostly the same frames.
BLOCK = 4


@dataclass(frozen=True)
class TimeConfig:
    """How planes stand in time. None means: as the run's recipe says, else as the package says."""

    time_sampling: str | None = None
    """Which observations a plane sees: contiguous, uniform, hard-dilated, soft-dilated or multi-season."""
    time_span_days: int | None = None
    """Days of the series that a plane looks at."""
    time_anchor: float | None = None
    """Where in that span the plane stands: 0 its first day, 1 its last."""
    time_step_days: int | None = None
    """Days from one plane to the next, counted from 1970-01-01; 0 for a plane at each frame."""
    time_keep: str | None = None
    """Which pixels are scored: any (some date saw them) or all (every date did)."""
    time_quota: tuple[str, ...] = ()
    """Most dates of a sensor, each ``SENSOR=COUNT``."""
    time_sensors: tuple[str, ...] = ()
    """Sensors whose frames are looked at; empty takes all that the network takes."""
    time_block: int | None = None
    """Planes that are computed and stored as one; 4 where there is a series, fewer where memory is short."""


@dataclass(frozen=True)
class NormConfig:
    """How imagery is normalised. None means: as the run's recipe says, else as the package says."""

    domain: tuple[str, ...] = ()
    """Domains: ``SENSOR=DOMAIN`` for the imagery of a sensor, ``DOMAIN`` for all other; left out, the sensors."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel after the steps, instead of the package's."""
    std: tuple[float, ...] | None = None
    """Standard deviation of each channel after the steps, instead of the package's."""


def settle_series(config: TimeConfig, pinned: Recipe | None, manifest: Manifest) -> SeriesPin | None:
    """Return how the run stands in time, or None for planes of consecutive frames.

    Raises:
        ConfigError: for options that make no series.
    """
    given = _given(config)
    if pinned is not None:
        before = pinned.series.model_dump() if pinned.series else None
        return _pin({**before, **given}) if before else (_pin(_of_package(manifest) | given) if given else None)
    if manifest.series is None and not given and not _scores_dates(manifest):
        return None
    asked = _of_package(manifest) | given
    if "sampling" not in given and manifest.series is None and asked["span_days"] is not None:
        asked["sampling"] = "uniform"
    return _pin(asked)


def _given(config: TimeConfig) -> dict[str, Any]:
    """Return the fields of the pin that the options name."""
    pairs = {
        "sampling": config.time_sampling, "span_days": config.time_span_days, "anchor": config.time_anchor,
        "step_days": config.time_step_days, "keep": config.time_keep, "block": config.time_block,
    }  # fmt: skip
    found: dict[str, Any] = {name: value for name, value in pairs.items() if value is not None}
    if found.get("step_days") == 0:
        found["step_days"] = None
    if config.time_quota:
        found["quota"] = quota_of(config.time_quota)
    if config.time_sensors:
        found["only"] = config.time_sensors
    return found


def _of_package(manifest: Manifest) -> dict[str, Any]:
    series = manifest.series
    dates = [{s for spec in manifest.inputs if spec.date == d for s in spec.sensors} for d in range(manifest.dates)]
    wanted = set(series.sensors) if series else set()
    by_date = _scores_dates(manifest)
    return {
        "sampling": series.sampling if series else "contiguous",
        "span_days": series.span_days if series else None,
        "anchor": series.anchor if series else 1.0,
        "step_days": series.step_days if series else None,
        "keep": series.keep if series else "any",
        "quota": dict(series.quota) if series else {},
        # A date that is made for some sensors takes those, else what the series takes.
        "sensors": tuple(tuple(sorted(own or wanted)) for own in dates),
        "by_date": by_date,
        "block": manifest.dates if by_date else 0,
    }


def _scores_dates(manifest: Manifest) -> bool:
    return any(head.layout == "NTCHW" for head in manifest.heads)


def _pin(asked: dict[str, Any]) -> SeriesPin:
    only = asked.pop("only", None)
    if only is not None:
        asked["sensors"] = tuple(tuple(sorted(set(own) & set(only) if own else only)) for own in asked["sensors"])
        if not all(asked["sensors"]):
            raise ConfigError(f"the network takes no imagery of {', '.join(only)}", hint="check --time-sensors")
    dates = len(asked["sensors"])
    if asked["keep"] not in {"any", "all"}:
        raise ConfigError(f"--time-keep got '{asked['keep']}'", hint="choose from any, all")
    if asked["by_date"] and (asked["block"] < 1 or asked["block"] % dates):
        raise ConfigError(
            f"blocks of {asked['block']} planes do not hold windows of {dates} dates",
            hint=f"give --time-block in multiples of {dates}",
        )
    if (asked["step_days"] or 1) < 1 or asked["block"] < 0:
        raise ConfigError("a step and a block are at least 1", hint="check --time-step and --time-block")
    if not asked["by_date"]:
        Picking(asked["sampling"], dates, asked["span_days"], asked["anchor"])  # refuses what is no way to pick
    return SeriesPin(**asked)


def with_block(
    series: SeriesPin | None, plan: Plan, bound: Bound, load: Workload, memory_bytes: int | None
) -> SeriesPin | None:
    """Return the pin with its block: as given, else as many planes as fit the memory, at most `BLOCK`.

    Raises:
        MemoryBudgetError: where not even one plane fits.
    """
    if series is None or series.block:
        return series
    block = BLOCK
    while block > 1:
        pin = series.model_copy(update={"block": block})
        blocks = blocks_of(parts_of(plan, bound, load.dates, pin), block)
        try:
            cut_to_memory(loaded(load, blocks), plan.tile_px, memory_bytes, plan.reach)
        except MemoryBudgetError:
            block //= 2
        else:
            break
    return series.model_copy(update={"block": block})


def loaded(load: Workload, blocks: Sequence[TimeBlock]) -> Workload:
    """Return a workload with the planes and frames of the largest time block."""
    frames = max(len(block.frames) for block in blocks)
    planes = max(block.room for block in blocks)
    if planes == 1 and frames == load.dates:
        return load
    one = -(-(load.bands or 0) // load.dates)
    return replace(load, planes=planes, dates=frames, held_bands=frames * one)


def check_heads(manifest: Manifest) -> None:
    """Refuse a network of which some heads score each date and others do not. Raises PackageError."""
    by_date = [head.name for head in manifest.heads if head.layout == "NTCHW"]
    if by_date and len(by_date) < len(manifest.heads):
        raise PackageError(
            f"head {by_date[0]} of {manifest.name} scores each date, others score all dates at once",
            hint="make a package of each kind of head: gw model import --spec",
        )


def series_load(load: Workload, series: SeriesPin, frames: Sequence[Frame], room: tuple[int, int | None]) -> Workload:
    """Return the workload of a series before it is bound: planes and frames of its largest time block.

    Args:
        load: Workload of one plane.
        series: How planes stand in time; an open block is as large as fits.
        frames: The dated frames, oldest first.
        room: Side of a tile in pixels, and bytes of memory if that is limited.
    """
    block = series.block or BLOCK
    tile_px, memory_bytes = room
    while True:
        pin = series.model_copy(update={"block": block})
        picks = planes_seen(frames, load.dates, pin)
        held = max((len(seen) for _, seen in picks), default=load.dates)
        one = -(-(load.bands or 0) // load.dates)
        planned = replace(
            load, times=max(1, sum(count for count, _ in picks)), planes=block, dates=held, held_bands=held * one
        )  # fmt: skip
        try:
            cut_to_memory(planned, tile_px, memory_bytes)
        except MemoryBudgetError:
            if series.block or block == 1:
                return planned
            block //= 2
        else:
            return planned


def settle_norm(config: NormConfig, pinned: Recipe | None) -> NormPin | None:
    """Return the normalisation that was given by hand, now or when the run was begun; None for none."""
    before = (pinned.norm if pinned else None) or NormPin()
    pin = NormPin(
        domain=config.domain or before.domain,
        mean=before.mean if config.mean is None else config.mean,
        std=before.std if config.std is None else config.std,
    )
    return None if pin == NormPin() else pin


def check_domains(manifest: Manifest, norm: NormPin | None, parts: Iterable[Part]) -> None:
    """Refuse imagery of a domain that the package has no statistics of. Raises ImageryError, ConfigError."""
    pin = norm or NormPin()
    for sensor, domain in sorted({(frame.sensor, frame.domain) for part in parts for frame in part.frames}):
        for spec in dressed(manifest, norm).inputs:
            if not spec.sensors or sensor in spec.sensors:
                normalised_for(spec, pin.domain_of(sensor, domain))


def dressed(manifest: Manifest, norm: NormPin | None) -> Manifest:
    """Return the manifest with inputs that are normalised as was asked for by hand.

    Raises:
        ConfigError: for numbers that are not one for each channel.
    """
    if norm is None:
        return manifest
    return manifest.model_copy(update={"inputs": tuple(_dressed(spec, norm) for spec in manifest.inputs)})


def _dressed(spec: InputSpec, norm: NormPin) -> InputSpec:
    given = {"mean": norm.mean, "std": norm.std}
    for name, numbers in given.items():
        if numbers is not None and len(numbers) != len(spec.channels):
            raise ConfigError(
                f"--{name} has {len(numbers)} numbers for the channels {', '.join(spec.channels)}",
                hint="give one for each channel, after the package's steps",
            )
    if norm.std is not None and min(norm.std) <= 0:
        raise ConfigError(f"--std got {min(norm.std):g}", hint="deviations are above 0")
    kept = {name: numbers for name, numbers in given.items() if numbers is not None}
    return spec.model_copy(update={**kept, "domains": {}} if kept else {})
