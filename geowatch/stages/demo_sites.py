"""The demonstration of sites: a simulated series with known truth, taken through every stage to scores.

Made-up region -> images and truth -> package of the detector -> tile -> predict -> stitch -> track -> consolidate ->
evaluate -> report. Nothing in it was observed, and every document says so. What an earlier call finished is not done
again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geowatch.errors import ConfigError, InterruptedRunError
from geowatch.lineage import Source
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.evaluate_sites import EvaluateSitesConfig, evaluate_sites
from geowatch.stages.events import Events, Silent
from geowatch.stages.imagery import ImageryConfig
from geowatch.stages.model import PackageConfig, package_model
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.provenance import made, record
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.datasets.simulation.bundle import Bundle

__all__ = ["DemoSites", "DemoSitesConfig", "demo_sites"]

#: How the detector's scores become sites: at least half a year of activity, and two thirds of a hectare.
_TRACKING = TrackConfig(aggregate="max", smooth_time="180d", smooth_px=0.7, low=0.35, high=0.5)
#: Phases are taken one by one: the detector remembers one and a half years, and what was built before that rests again.
_RULES = ConsolidateConfig(min_area=6000.0, fill_holes=5000.0, min_days=60, phases="argmax")


@dataclass(frozen=True)
class DemoSitesConfig:
    """What the demonstration is asked for."""

    out: str = "gw-demo-sites"
    """Folder of the series, the package and the run."""
    seed: int = 0
    """What the made-up region depends on."""
    size_px: int = 384
    """Side of the region in pixels of 10 m."""
    cloudy: float = 0.4
    """Share of all looks at a pixel that are under cloud or shadow, 0 to 1."""
    start: str = "2017-01-01"
    """First day of the series, YYYY-MM-DD."""
    end: str = "2020-12-31"
    """Last day of the series."""
    lat: float = 45.0
    """Latitude of the made-up region in degrees: seasons and shadows follow it."""
    tiles: int = 9
    """Tiles that the region is cut into, a square number; it changes no site."""
    max_cloud: float = 70.0
    """Leave out images with more cloud than this, percent."""
    model: str | None = None
    """Package of another detector of the same classes; None makes the one that needs no training."""
    workers: int | None = None
    """Processes of predict and track; 1 works without Dask. None: as predict finds fit."""


@dataclass(frozen=True, slots=True)
class DemoSites:
    """What came out."""

    figures: dict[str, Any]
    """Figures of broad area search, by the programme's names."""
    sites: int
    """Sites that were proposed."""
    report: str
    """The report."""
    files: tuple[str, ...] = field(default=())
    """What else is worth opening."""

    @property
    def f1(self) -> float:
        """F1 of broad area search."""
        return float(self.figures["F1"])


def demo_sites(config: DemoSitesConfig, events: Events | None = None) -> DemoSites:
    """Simulate a region and find its building sites.

    Raises:
        ConfigError: for options that make no simulation, or a folder that holds another one.
        GwError: whatever a stage raises; the same call resumes.
    """
    events = events or Silent()
    side = math.isqrt(config.tiles)
    if side * side != config.tiles or config.size_px % side:
        raise ConfigError(
            f"{config.size_px} x {config.size_px} pixels make no {config.tiles} equal tiles",
            hint="choose 1, 4, 9 or 16 tiles whose number a side divides --size-px",
        )
    bundle = _simulated(config, events)
    package = config.model or _package(Path(config.out) / "change-detector", events)
    run = str(Path(config.out) / "run")
    imagery = ImageryConfig(images=(str(bundle.images),), mask=("fill", "cloud", "shadow"), max_cloud=config.max_cloud)
    tile(
        TileConfig(run=run, region=str(bundle.region), tile_size=config.size_px // side, resolution=10.0,
            imagery=imagery, model=package),
        events,
    )  # fmt: skip
    predict(PredictConfig(run=run, model=package, imagery=imagery, workers=config.workers), events)
    stitch(StitchConfig(run=run, probability=False), events)
    track(replace(_TRACKING, run=run, workers=config.workers), events)
    return _scored(config, bundle, run, events)


def _simulated(config: DemoSitesConfig, events: Events) -> Bundle:
    """Return the series, made now or by an earlier call."""
    from geowatch.datasets.simulation.bundle import write_bundle
    from geowatch.datasets.simulation.scenario import SimulationSpec
    from geowatch.datasets.simulation.world import made_up_world

    def watch(done: int, total: int) -> None:
        events.progress("simulate", done, total)
        if events.stopping():
            raise InterruptedRunError("stopped on request", hint="run the same command again to resume")

    spec = SimulationSpec(
        seed=config.seed, size_px=config.size_px, cloudy=config.cloudy, lat=config.lat,
        start=_day(config.start), end=_day(config.end),
    )  # fmt: skip
    folder = Path(config.out) / "series"
    fresh = not (folder / "series.json").exists()
    bundle = write_bundle(made_up_world(spec), folder, watch)
    if fresh:
        record(open_store(config.out), made("simulate", "series/series.json", config, figures={"images": bundle.count}))
    return bundle


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is no day", hint="write days as 2020-06-01") from error


def _package(target: Path, events: Events) -> str:
    """Package the detector that needs no training, unless an earlier call has."""
    if not (target / "manifest.json").exists():
        events.note("packaging the change detector")
        package_model(PackageConfig(net="change-detector", output=target))
    return str(target)


def _scored(config: DemoSitesConfig, bundle: Bundle, run: str, events: Events) -> DemoSites:
    """Consolidate, evaluate, and write the report again, now that it can show the scores."""
    rules = replace(_RULES, run=run)
    found = consolidate(rules, events)
    scores = evaluate_sites(
        EvaluateSitesConfig(truth=(str(bundle.truth),), proposals=(run,), output=f"{run}/evaluation"), events
    )
    consolidate(replace(rules, outputs=("report",)), events)
    figures = scores.together["overall"]
    source = Source(str(bundle.images), bytes=bundle.images.stat().st_size, role="simulation")
    report = "sites/report.html"
    record(open_store(run), made("demo sites", report, config, sources=[source], figures={"f1": figures["F1"]}))
    files = tuple(name for name in scores.files if name.endswith(".png"))
    return DemoSites(figures, found.sites, f"{run}/{report}", files)
