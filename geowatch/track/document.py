"""The tracking document: what fragments were searched for, as validated data; its digest names them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import DamagedError
from geowatch.grid.runs import Connectivity
from geowatch.track.scores import to_units
from geowatch.track.search import Mode, Search
from geowatch.track.timewise import Aggregate, MovingMean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ALGORITHM", "TRACKING", "GridPlanes", "Tracking", "default_salient", "tracking_key"]

#: Key of what was tracked last in a run folder.
TRACKING = "track.json"
#: Version of what tracking computes; it changes when the same document would give other fragments.
ALGORITHM = "4"

#: Classes that a site is made of, where a network has them: the phases of construction of the SMART programme.
_SITE_CLASSES = ("Site Preparation", "Active Construction")
#: Names of classes that are nothing to look for.
_NOTHING = {
    "background", "none", "no activity", "no change", "nochange", "unchanged", "same", "nothing", "other", "unknown",
    "nodata", "no data",
}  # fmt: skip
_DAY_0 = date(1970, 1, 1)


def tracking_key(digest: str) -> str:
    """Return the key of the document that stands beside its fragments."""
    return f"fragments/{digest[:12]}/{TRACKING}"


def default_salient(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are looked for unless told: those of sites, else all that are something.

    >>> default_salient(("No Activity", "Site Preparation", "Active Construction", "Post Construction"))
    ('Site Preparation', 'Active Construction')
    >>> default_salient(("background", "cloud", "shadow"))
    ('cloud', 'shadow')
    >>> default_salient(("No_change", "change"))
    ('change',)
    """
    named = tuple(name for name in _SITE_CLASSES if name in classes)
    return named or tuple(name for name in classes if re.sub("[_-]", " ", name.casefold()) not in _NOTHING)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridPlanes(_Document):
    """The planes of one grid."""

    grid: str
    """Id of the grid."""
    times: tuple[datetime | None, ...]
    """Time of each place on the heatmap's time axis; None for undated imagery."""
    planes: tuple[int, ...]
    """Places that were looked at, ascending."""

    @property
    def days(self) -> tuple[int | None, ...]:
        """Day of each place on the time axis: days since 1970-01-01 (UTC), or None."""
        return tuple(None if time is None else _day(time) for time in self.times)

    def seconds(self, unknown: int) -> tuple[int, ...]:
        """Return the time of each place in seconds since 1970-01-01 (UTC)."""
        return tuple(unknown if time is None else _second(time) for time in self.times)


class Tracking(_Document):
    """What tracking was asked for: everything that decides what is in fragments."""

    schema_version: Literal["1"] = "1"
    """Version of this form."""
    algorithm: str = ALGORITHM
    """Version of what is computed."""
    plan: str
    """Id of the plan."""
    scores: str
    """Where scores come from: ``recipe:`` and its digest, or ``objects:`` and theirs, with the recipe's behind it for a
    run's own."""
    head: str | None
    """Head of the heatmap; None for objects."""
    classes: tuple[str, ...]
    """All classes of the scores, in the order of the series."""
    salient: tuple[str, ...]
    """Classes that are looked for."""
    mode: Mode
    """How planes become pieces."""
    low: float
    """Score that a pixel must reach to belong to a piece."""
    high: float
    """Score from which on a pixel is strong."""
    aggregate: str = "mean"
    """How scores of all planes become one, in the mode footprint."""
    smooth_time: str | None = None
    """Window of the moving mean over time: days (90d) or planes (5)."""
    smooth_px: float = 0.0
    """Standard deviation of the smoothing in space."""
    open_px: int = 0
    """Radius of the opening."""
    close_px: int = 0
    """Radius of the closing."""
    connectivity: Connectivity = 4
    """Which pixels touch: those that share an edge, or a corner too."""
    subpixel: bool = False
    """Whether fragments say where between pixels outlines lie."""
    coarse: int = 1
    """Side of the cells of the coarse pass in pixels; 1 for none."""
    split_days: int | None = None
    """Neighbours whose activity lies this many days apart are several sites, in the mode footprint; None: one."""
    link_days: int | None = None
    """Days over which pieces are linked although dates between saw none there, in the mode linked."""
    grids: tuple[GridPlanes, ...]
    """Grids that have planes."""
    gaps: dict[str, tuple[int, ...]] = {}
    """Tiles that were missing and allowed to, by name, with the planes where they were."""

    @property
    def digest(self) -> str:
        """Return the sha256 of the canonical form, hex."""
        # What documents of older runs do not have is left out where it is not asked for: their fragments stay valid.
        unasked = {name for name in ("split_days", "link_days") if getattr(self, name) is None}
        return sha256(self.model_dump_json(exclude=unasked).encode()).hexdigest()

    @property
    def boxes(self) -> str | None:
        """Digest of the boxes that were tracked; None for the scores of a heatmap."""
        return self.scores.split(":")[1] if self.scores.startswith("objects:") else None

    @property
    def recipe(self) -> str | None:
        """Digest of the recipe of the heatmap that was tracked or gave the boxes; None for a table of objects."""
        source, *digests = self.scores.split(":")
        return digests[-1] if source == "recipe" or len(digests) > 1 else None

    @property
    def salient_places(self) -> tuple[int, ...]:
        """Places of the salient classes among all."""
        return tuple(sorted(self.classes.index(name) for name in self.salient))

    @property
    def kinds(self) -> tuple[str | None, ...]:
        """What a piece's kind stands for: a class in the mode polygons, else nothing."""
        return self.classes if self.mode == "polygons" else (None,)

    @property
    def tells_boxes_apart(self) -> bool:
        """Whether each detected box is a piece of its own: where scores are neither averaged nor outlines shaped."""
        surface = self.mode == "footprint" or self.smooth_time is not None or self.smooth_px > 0
        return self.boxes is not None and not (surface or self.open_px or self.close_px)

    def of_grid(self, grid: str) -> GridPlanes | None:
        """Return the planes of a grid, or None where it has none."""
        return next((each for each in self.grids if each.grid == grid), None)

    def search(self, grid: GridPlanes) -> Search:
        """Return what the tiles of a grid are searched for."""
        return Search(
            mode=self.mode,
            salient=self.salient_places,
            planes=grid.planes,
            days=tuple(grid.days[plane] for plane in grid.planes),
            low=to_units(self.low),
            high=to_units(self.high),
            aggregate=Aggregate.parse(self.aggregate),
            smooth_time=None if self.smooth_time is None else MovingMean.parse(self.smooth_time),
            smooth_px=self.smooth_px,
            open_px=self.open_px,
            close_px=self.close_px,
            connectivity=self.connectivity,
            subpixel=self.subpixel,
            coarse=self.coarse,
            split_days=self.split_days,
            link_days=self.link_days,
        )

    def to_json(self) -> bytes:
        """Return the document's bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Tracking:
        """Read a document. Raises DamagedError for what is none."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise DamagedError(
                f"{TRACKING} is damaged: {error.errors()[0]['msg']}", hint="make it again with gw track"
            ) from error


def _second(time: datetime) -> int:
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _day(time: datetime) -> int:
    return (time.astimezone(UTC).date() - _DAY_0).days if time.tzinfo else (time.date() - _DAY_0).days
