"""What a report is made from, gathered before a line of it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from geowatch.consolidate.output.earlier import EarlierRun
    from geowatch.consolidate.output.summary import Count
    from geowatch.sites.model import Area

__all__ = ["Coverage", "Frame", "MapFacts", "ReportFacts", "Score", "Shown", "Sighting", "Step"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A site at one time."""

    day: date
    """When."""
    time: int
    """Place on the heatmap's time axis."""
    phase: str | None
    """Its phase then."""
    score: float
    """Its score then, 0 to 1."""
    seen_share: float
    """Share of its pixels that have a score then."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A site that the page shows by itself."""

    id: str
    """Its id."""
    number: int
    """Its number."""
    grid: str
    """Grid that it lies on."""
    kind: str
    """Its class; empty where classes were joined."""
    status: str
    """Such as ``system_confirmed``."""
    start: date | None
    """First day of activity."""
    end: date | None
    """Last day; None while it goes on."""
    area_m2: float
    """Area."""
    score: float
    """Score of the whole site."""
    events: str
    """Splits and merges; empty for none."""
    outline: Area
    """Boundary in the map's coordinates."""
    lonlat: tuple[float, float] | None
    """A point inside it in degrees."""
    sightings: tuple[Sighting, ...] = ()
    """What was seen, by time."""

    @property
    def phase(self) -> str | None:
        """Its latest phase."""
        return next((each.phase for each in reversed(self.sightings) if each.phase), None)

    @property
    def label(self) -> str:
        """What its colour stands for: its latest phase, else its class, else its status."""
        return self.phase or self.kind or self.status.removeprefix("system_")


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture behind the map."""

    content: bytes
    """PNG or JPEG."""
    kind: str
    """``image/png`` or ``image/jpeg``."""
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in the map's coordinates."""
    shows: str
    """One sentence: what it is."""


@dataclass(frozen=True, slots=True)
class MapFacts:
    """The map's frame."""

    region: Area | None
    """The region's outline in the map's coordinates."""
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top."""
    crs: str | None
    """CRS of the coordinates, or None for pixels."""
    metres_per_unit: tuple[float, float] | None
    """How long a unit of x and of y is in the middle of the map; None for pixels, which have no length."""
    rows_down: bool = False
    """Whether the second coordinate grows downward."""
    picture: Frame | None = None
    """What lies behind."""
    others: NDArray[np.float64] | None = None
    """Places (n, 2) of sites without an outline of their own, in the map's coordinates."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage that ran."""

    name: str
    """Such as ``track``."""
    says: str
    """What it was given or did, in a few words."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the region was looked at."""

    region_px: int
    """Pixels of the region, over all dates."""
    scored_px: int
    """Of those, pixels with scores."""
    no_imagery_px: int
    """Of those, pixels without valid imagery."""
    gap_px: int
    """Of those, pixels in tiles that are missing."""
    planes: int
    """Dates and grids."""
    missing: tuple[str, ...] = ()
    """Names of the tiles that are missing."""
    bare: tuple[str, ...] = ()
    """Grids without any imagery."""


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of an evaluation."""

    name: str
    """Such as ``F1``."""
    value: str
    """As it is written."""
    means: str
    """What it says, in a few words."""


@dataclass(frozen=True)
class ReportFacts:
    """Everything that the page says."""

    title: str
    """Name of the region."""
    start: date | None
    """First day."""
    end: date | None
    """Last day."""
    steps: tuple[Step, ...]
    """What ran, in order."""
    counts: tuple[Count, ...]
    """Sites by class and status."""
    sites: tuple[Shown, ...]
    """Sites that are drawn, largest first."""
    times: int
    """Dates that were looked at."""
    map: MapFacts
    """The map's frame."""
    observations: int = 0
    """Observations of all sites."""
    time_lines: int = 60
    """Sites with a time line."""
    starts: Mapping[date, int] = field(default_factory=dict)
    """Starts by day, of all sites."""
    ends: Mapping[date, int] = field(default_factory=dict)
    """Ends by day, of all sites."""
    coverage: Coverage | None = None
    """How much was looked at; None where nobody counted."""
    earlier: EarlierRun | None = None
    """The earlier run that this one goes on with."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Places that became no site, by what they lacked."""
    untracked: tuple[str, ...] = ()
    """Tiles that were not tracked, and were allowed to be missing."""
    scoreless: tuple[str, ...] = ()
    """Tiles that lacked dates when they were tracked."""
    bare: tuple[str, ...] = ()
    """Grids that have no imagery."""
    scores: tuple[Score, ...] = ()
    """Figures of an evaluation."""
    files: tuple[tuple[str, int, str], ...] = ()
    """Files beside the page: name, bytes, what it is."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Address of the site model by a site's id."""
    simulated: str | None = None
    """What is made up, where the imagery is a simulation."""
    lineage: tuple[tuple[str, str], ...] = ()
    """What the sites come from: name and digest or version."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """Colours of classes, #rrggbb."""
