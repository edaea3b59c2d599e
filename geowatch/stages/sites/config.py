"""What consolidate is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geowatch.errors import ConfigError
from geowatch.sites.model import SYSTEM_STATUSES
from geowatch.stages.sites.deliver_config import DeliverConfig

__all__ = ["ConsolidateConfig"]


@dataclass(frozen=True)
class ConsolidateConfig(DeliverConfig):
    """What consolidate is asked for. None means: what fits what was tracked."""

    run: str = "gw-run"
    """Run folder with fragments."""
    previous: str | None = None
    """Run folder of earlier sites, which go on under their ids."""
    allow_gaps: bool = False
    """Make sites although tiles are missing; sites/gaps.json lists them."""
    min_area: float = 0.0
    """Smallest area of a site, holes filled, in square metres."""
    max_area: float | None = None
    """Largest area of a site in square metres."""
    fill_holes: float = 0.0
    """Fill holes smaller than this, in square metres."""
    min_days: int = 0
    """Shortest time from start to end, or to the last observation of a site that has not ended."""
    max_days: int | None = None
    """Longest time from start to end."""
    min_score: float = 0.0
    """Least mean score of a site's pixels, 0 to 1."""
    link_overlap: float | None = None
    """Outlines of two times are one site where they share more than this part (0 to 1) of the smaller one. None: 0,
    and 0.25 for detected objects, which stand side by side and are never placed to the pixel."""
    phases: Literal["none", "argmax", "viterbi"] | None = None
    """Where phases come from: the best class of each observation, or the likeliest sequence. None: viterbi for the
    four phases of construction, none for other classes."""
    transitions: str | None = None
    """YAML or JSON file of a model of phases and how they follow each other, for argmax and viterbi."""
    active_score: float | None = None
    """Without phases: mean score from which a site is active. None: the low threshold of tracking."""
    simplify: float = 0.0
    """Corners of outlines may move by this, in pixels; 0 keeps every pixel edge."""
    status: str = "system_confirmed"
    """Status of sites, as SMART documents have it."""
    deliver: bool = True
    """Write what people open, beside sites.arrow and observations.arrow."""
    fsync: bool = False
    """Results survive a loss of power."""
    dry_run: bool = False
    """Say what would be done, do nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.simplify < float("inf"):
            raise ConfigError(f"corners cannot move by {self.simplify:g} px", hint="give --simplify from 0")
        if self.status not in SYSTEM_STATUSES:
            raise ConfigError(
                f"'{self.status}' is no status of sites", hint=f"choose from {', '.join(SYSTEM_STATUSES)}"
            )
