"""What track is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["TrackConfig"]


@dataclass(frozen=True)
class TrackConfig:
    """What track is asked for. None means: what fits the heatmap's classes and dates."""

    run: str = "gw-run"
    """Run folder with a heatmap."""
    mode: Literal["footprint", "linked", "polygons"] | None = None
    """How planes become pieces: one mask from all dates, a mask a date linked to the next, or classes a date.
    None: footprint for several dates, polygons for one; for boxes linked, and polygons for a run's own of one date."""
    classes: tuple[str, ...] = ()
    """Classes to look for; their scores are added, but one by one in the mode polygons. Empty: Site Preparation and
    Active Construction where the head has them, else all but the background."""
    low: float | None = None
    """Score from 0 to 1 that a pixel must reach. None: 0.3; 0 for polygons, 0.5 for those of independent classes; the
    least that was kept for a run's own boxes."""
    high: float | None = None
    """Score that a site's best pixels must reach. None: 0.5; as low for polygons and for a run's own boxes."""
    aggregate: str = "mean"
    """How the scores of all dates become one in the mode footprint: mean, max, median or norm:P."""
    smooth_time: str | None = None
    """Moving mean over time before anything else: days such as 90d, or a number of dates such as 5."""
    smooth_px: float = 0.0
    """Standard deviation of a Gaussian over space, in pixels."""
    open_px: int = 0
    """Remove what is narrower than a disc of this radius, in pixels."""
    close_px: int = 0
    """Fill gaps narrower than a disc of this radius, in pixels."""
    connectivity: Literal[4, 8] = 4
    """Whether pixels that meet only at a corner are one piece (8) or two (4)."""
    subpixel: bool = False
    """Keep where between pixels the threshold lies, for smooth outlines."""
    coarse: int = 1
    """First look at means over cells of this side in pixels, then only where they score; 1 looks everywhere."""
    split_days: int | None = None
    """Split a footprint between neighbours that were active this many days apart, in the mode footprint. None: what
    touches is one site."""
    link_days: int | None = None
    """Link pieces over up to so many days although dates between saw none there, in the mode linked."""
    head: str | None = None
    """Head of scores or of boxes. None: the only one with scores, else the only one of boxes."""
    start: str | None = None
    """First day to look at, YYYY-MM-DD."""
    end: str | None = None
    """Last day to look at, YYYY-MM-DD."""
    objects: str | None = None
    """Table of detected boxes (GeoParquet, GeoJSON, or a kwcoco file) to track instead of a heatmap."""
    allow_gaps: bool = False
    """Track although tiles of the heatmap are missing."""
    workers: int | None = None
    """Processes; 1 is a plain loop without Dask; None takes one for every core when there is enough to do."""
    scheduler: str | None = None
    """Address of a running Dask scheduler."""
    shard: tuple[int, int] | None = None
    """(i, n): do the i-th of n shares of the sweeps, counted from 1."""
    fsync: bool = False
    """Results survive a loss of power."""
    dry_run: bool = False
    """Say what would be done, do nothing."""
