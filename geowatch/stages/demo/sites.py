"""The demonstration of sites: a simulated series with known truth, taken through every stage to scores.

Made-up or real region -> images and truth -> package of the detector -> tile -> predict -> stitch -> track ->
consolidate -> evaluate -> report. Nothing in it was observed, and every document says so. What an earlier call finished
is not done again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geowatch.errors import InterruptedRunError
from geowatch.lineage import Source
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.consolidate import ConsolidateConfig, consolidate
from geowatch.stages.demo.config import DemoSitesConfig
from geowatch.stages.demo.simulating import Simulated, simulate
from geowatch.stages.evaluate.sites import EvaluateSitesConfig, evaluate_sites
from geowatch.stages.model.packages import PackageConfig, package_model
from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.track import TrackConfig, track
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store

__all__ = ["DemoSites", "demo_sites"]

#: How the detector's scores become sites: seen active on two planes at least, and more than half a hectare; neighbours
#: that were active half a year apart are two.
_TRACKING = TrackConfig(aggregate="max", smooth_time="180d", smooth_px=0.7, low=0.35, high=0.5, split_days=180)
_RULES = ConsolidateConfig(min_area=6000.0, fill_holes=5000.0, min_days=90)


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
    made_up = _simulated(config, events)
    package = config.model or _package(Path(config.out) / "change-detector", events)
    run = str(Path(config.out) / "run")
    imagery = ImageryConfig(
        images=(str(made_up.bundle.images),), mask=("fill", "cloud", "shadow"), max_cloud=config.max_cloud
    )
    tile(
        TileConfig(run=run, region=str(made_up.bundle.region), tile_size=made_up.tile_px, resolution=config.resolution,
            imagery=imagery, model=package),
        events,
    )  # fmt: skip
    predict(PredictConfig(run=run, model=package, imagery=imagery, workers=config.workers), events)
    stitch(StitchConfig(run=run, probability=False), events)
    # The detector answers for days on which nothing was seen yet, or nothing any more: no site is seen on them.
    first, last = (day.isoformat() for day in made_up.days)
    track(replace(_TRACKING, run=run, start=first, end=last, workers=config.workers), events)
    return _scored(config, made_up, run, events)


def _simulated(config: DemoSitesConfig, events: Events) -> Simulated:
    """Return the series, made now or by an earlier call."""

    def watch(done: int, total: int) -> None:
        events.progress("simulate", done, total)
        if events.stopping():
            raise InterruptedRunError("stopped on request", hint="run the same command again to resume")

    fresh = not (Path(config.out) / "series/series.json").exists()
    found = simulate(config, watch)
    if fresh:
        figures = {"images": found.bundle.count}
        record(open_store(config.out), made("simulate", "series/series.json", config, figures=figures))
    return found


def _package(target: Path, events: Events) -> str:
    """Package the detector that needs no training, unless an earlier call has."""
    if not (target / "manifest.json").exists():
        events.note("packaging the change detector")
        package_model(PackageConfig(net="change-detector", output=target))
    return str(target)


def _scored(config: DemoSitesConfig, made_up: Simulated, run: str, events: Events) -> DemoSites:
    """Consolidate, evaluate, and write the report again, now that it can show the scores."""
    rules = replace(_RULES, run=run)
    found = consolidate(rules, events)
    scores = evaluate_sites(
        EvaluateSitesConfig(truth=made_up.truth, region=made_up.region, proposals=(run,), output=f"{run}/evaluation"),
        events,
    )
    consolidate(replace(rules, outputs=("report",)), events)
    figures = scores.together["overall"]
    images = made_up.bundle.images
    source = Source(str(images), bytes=images.stat().st_size, role="simulation")
    report = "sites/report.html"
    record(open_store(run), made("demo sites", report, config, sources=[source], figures={"f1": figures["F1"]}))
    files = tuple(name for name in scores.files if name.endswith(".png"))
    return DemoSites(figures, found.sites, f"{run}/{report}", files)
