"""Run: tile, predict and stitch in one call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from geowatch.stages.predict import PredictConfig, predict
from geowatch.stages.stitch import StitchConfig, stitch
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Events, Silent

if TYPE_CHECKING:
    from geowatch.grid.plan import Plan
    from geowatch.stages.predict import Predicted
    from geowatch.stages.stitch import Stitched

__all__ = ["Ran", "RunConfig", "run"]


@dataclass(frozen=True)
class RunConfig:
    """What the whole line is asked for; the stages' ``run`` folders are the tile stage's."""

    tile: TileConfig = field(default_factory=TileConfig)
    """Region, grid and tiles."""
    predict: PredictConfig = field(default_factory=PredictConfig)
    """Imagery, model and numerics."""
    stitch: StitchConfig = field(default_factory=StitchConfig)
    """Deliverables."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What the stages did."""

    plan: Plan
    """What was planned."""
    predicted: Predicted | None
    """What predict did; None for a dry run."""
    stitched: Stitched | None
    """What stitch made; None for a dry run."""


def run(config: RunConfig, events: Events | None = None) -> Ran:
    """Go from a region to maps. Finished parts of an earlier call are not done again.

    Raises:
        GwError: whatever a stage raises; the same call resumes.
    """
    events = events or Silent()
    folder = config.tile.run
    if config.tile.dry_run or config.predict.dry_run:
        return Ran(tile(replace(config.tile, dry_run=True), events), None, None)
    plan = tile(config.tile, events)
    predicted = predict(replace(config.predict, run=folder), events)
    return Ran(plan, predicted, stitch(replace(config.stitch, run=folder), events))
