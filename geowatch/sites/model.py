"""What a site is: a place with a boundary, a start, an end, and observations in time.

Values here are what SMART documents say, with their texts split into tuples and their days as `datetime.date`; `smart`
reads and writes them. Geometry is shapely, longitude before latitude, in degrees (EPSG:4326).

>>> from shapely.geometry import box
>>> square = box(0, 0, 0.001, 0.001)
>>> seen = Observation(date(2020, 5, 1), square, phases=("Active Construction",))
>>> site = Site("ZZ_R001_0001", square, "system_confirmed", start=date(2020, 5, 1), observations=(seen,))
>>> site.region_id, site.key
('ZZ_R001', 'ZZ_R001_0001_kit_1.0.0')
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from shapely.geometry import MultiPolygon, Polygon

__all__ = [
    "ANNOTATED_STATUSES",
    "ORIGINATORS",
    "PERFORMERS",
    "PHASES",
    "SYSTEM_STATUSES",
    "UNKNOWN_PHASE",
    "Area",
    "Observation",
    "RegionModel",
    "Site",
]

Area = Polygon | MultiPolygon
"""A polygon or several; an empty polygon where a document gives none."""

PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
"""Phases of construction in their order."""
UNKNOWN_PHASE = "Unknown"
"""What an annotator writes who cannot tell."""

SYSTEM_STATUSES = ("system_proposed", "system_confirmed", "system_rejected")
"""Statuses of what a system found."""
ANNOTATED_STATUSES = (
    "positive_annotated", "positive_partial", "positive_annotated_static", "positive_partial_static",
    "positive_pending", "positive_excluded", "negative", "ignore",
    "transient_positive", "transient_pending", "transient_negative", "transient_excluded", "transient_ignore",
)  # fmt: skip
"""Statuses of truth."""

PERFORMERS = ("acc", "ara", "ast", "bla", "iai", "kit", "str")
"""Codes that the programme knows for who proposes sites; the schema allows no others."""
ORIGINATORS = (*PERFORMERS, "pmo", "te", "iMERIT")
"""Codes that the programme knows for who wrote a document."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A site at one time."""

    date: date | None
    """Day that it was seen, or None where the document does not say it."""
    geometry: Area
    """Its outline then; several polygons are subsites."""
    phases: tuple[str, ...] = ()
    """Phase of each subsite, or one phase for all of them; empty where none is given."""
    source: str | None = None
    """Name of the image."""
    sensors: tuple[str, ...] = ()
    """Names of sensors, as the programme spells them; empty where none is given."""
    is_occluded: tuple[bool, ...] = ()
    """Whether each subsite is hidden, such as by a cloud; empty where nobody says."""
    is_boundary: tuple[bool, ...] = ()
    """Whether each subsite is part of the site's boundary; empty where nobody says."""
    score: float | None = None
    """Confidence from 0 to 1."""

    @property
    def phase(self) -> str | None:
        """Phases as one text, joined by a comma and a space, as documents have them."""
        return ", ".join(self.phases) if self.phases else None


@dataclass(frozen=True, slots=True)
class Site:
    """A place where something happens between two days.

    A site summary of a region model is one without observations.
    """

    id: str
    """Such as ``BR_R002_0000``: the region's id and four digits."""
    geometry: Area
    """Boundary."""
    status: str
    """One of `SYSTEM_STATUSES` or `ANNOTATED_STATUSES`."""
    start: date | None = None
    """First day of the activity, or None where it is not known."""
    end: date | None = None
    """Last day of the activity, or None where it has not ended or is not known."""
    observations: tuple[Observation, ...] = ()
    """What was seen, in the document's order."""
    score: float | None = None
    """Confidence from 0 to 1."""
    originator: str = "kit"
    """Code of who found it."""
    version: str = "1.0.0"
    """Version of the document."""
    model_content: str = "proposed"
    """``proposed`` by a system, ``annotation`` by people, or an ``update`` of either."""
    mgrs: str | None = None
    """Its 100 km square of the military grid; None: the writer finds it."""
    validated: bool | None = None
    """Whether people looked at it."""
    predicted_phase: str | None = None
    """Phase that is foretold to come next."""
    predicted_date: date | None = None
    """Day on which that phase is foretold to begin."""
    region: str | None = None
    """The region's id as the document has it; None: what the site's id begins with."""
    comments: str | None = None
    """Words on a site summary; site models have none."""
    cache: dict[str, object] = field(default_factory=dict)
    """Whatever else its writer wants to keep; it must be writable as JSON."""

    @property
    def region_id(self) -> str:
        """Id of its region."""
        return self.region or self.id.rpartition("_")[0]

    @property
    def key(self) -> str:
        """Name that tells apart versions and authors of one site: id, originator and version."""
        return f"{self.id}_{self.originator}_{self.version}"


@dataclass(frozen=True, slots=True)
class RegionModel:
    """A region with a summary of each of its sites."""

    id: str
    """Such as ``BR_R002``."""
    geometry: Area
    """Its outline."""
    start: date
    """First day that counts."""
    end: date
    """Last day that counts."""
    sites: tuple[Site, ...] = ()
    """Summaries: sites without observations."""
    originator: str = "kit"
    """Code of who wrote the document."""
    version: str = "1.0.0"
    """Version of the document."""
    model_content: str = "proposed"
    """``proposed``, ``annotation`` or ``empty``."""
    mgrs: str | None = None
    """Its 100 km square of the military grid; None: the writer finds it."""
    comments: str | None = None
    """Words for people."""
    cache: dict[str, object] = field(default_factory=dict)
    """Whatever else its writer wants to keep; it must be writable as JSON."""
