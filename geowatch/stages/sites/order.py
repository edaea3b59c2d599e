"""An order of deliverables: what they are made from, where they go, and what was made so far."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.errors import RasterioIOError

from geowatch.consolidate.output.earlier import EarlierRun
from geowatch.consolidate.output.summary import Count, counted
from geowatch.errors import ConfigError, StoreError
from geowatch.stages.binding.imagery import read_bound
from geowatch.stages.mapping.deliverables import file_digest, put_object
from geowatch.stages.sites.stale import made_of_tables
from geowatch.stages.sites.tables import GAPS
from geowatch.track.document import TRACKING, Tracking

if TYPE_CHECKING:
    from geowatch.consolidate.output.batches import Batches
    from geowatch.grid.plan import Plan
    from geowatch.stages.sites.deliver_config import DeliverConfig
    from geowatch.store import Store

__all__ = ["SIMULATION", "Order"]

#: Key of the document that says that a run's imagery is a simulation.
SIMULATION = "simulation.json"
_DAY_0 = date(1970, 1, 1)
_MADE = "made by gw, not observed"


@dataclass(slots=True)
class Order:
    """What the outputs are made from, and what was made so far."""

    store: Store
    """The run folder."""
    plan: Plan
    """Region and grids."""
    sites: Batches
    """Table of sites."""
    observations: Batches
    """Table of observations."""
    wanted: DeliverConfig
    """Which files, and how."""
    digests: dict[str, str] = field(default_factory=dict)
    """sha256 of each file that was made."""
    notes: list[str] = field(default_factory=list)
    """What was not made and why."""
    counted: tuple[Count, ...] | None = None
    """Sites by class and status, once somebody asked."""

    @property
    def region_id(self) -> str:
        """Name of the region."""
        return self.wanted.region_id or (self.plan.region.id if self.plan.region else "region")

    @property
    def counts(self) -> tuple[Count, ...]:
        """Sites by class and status, counted once."""
        if self.counted is None:
            self.counted = counted(self.sites, self.earlier)
        return self.counted

    @property
    def tracking(self) -> Tracking | None:
        """What the sites were searched with, as far as the run says."""
        known = self.store.size(TRACKING) is not None
        return Tracking.from_json(self.store.get(TRACKING)) if known else None

    @property
    def looked_at(self) -> tuple[date, ...]:
        """First and last day that tracking looked at, as far as the run says; none where nothing has a date."""
        grids = self.tracking.grids if self.tracking else ()
        days = [day for grid in grids for plane in grid.planes if (day := grid.days[plane]) is not None]
        return tuple(_DAY_0 + timedelta(days=day) for day in (min(days), max(days))) if days else ()

    @property
    def gaps(self) -> dict[str, Any]:
        """The account of what consolidate did without; nothing where there is none, or a damaged one."""
        with suppress(StoreError, ValueError):
            found = json.loads(self.store.get(GAPS))
            return found if isinstance(found, dict) else {}
        return {}

    @property
    def earlier(self) -> EarlierRun | None:
        """The earlier run that this one goes on with."""
        return EarlierRun.told(self.gaps)

    @property
    def simulated(self) -> str | None:
        """What is made up, where the run or its imagery says that it is a simulation."""
        if self.store.size(SIMULATION) is None:
            return _marked(self.store)
        said = json.loads(self.store.get(SIMULATION))
        found = said.get("title") if isinstance(said, dict) else None
        return str(found or _MADE)

    def write(self, key: str, write: Callable[[Path], object]) -> None:
        """Publish a file that ``write`` makes at the path that it is given."""
        with self.store.stage(key) as path:
            write(path)
            digest = file_digest(path)
        self.digests[key] = digest

    def put(self, key: str, content: bytes) -> None:
        """Publish a small file."""
        self.digests[key] = put_object(self.store, key, content)

    def leave_out(self, output: str, key: str, why: ConfigError) -> None:
        """Say why an output is not made, and remove what an earlier call made of it: a file, or a folder's (``a/b/``).

        Raises:
            ConfigError: ``why``, where the output was asked for by name.
        """
        if self.wanted.asks(output):
            raise why
        for made in made_of_tables(self.store, key) if key.endswith("/") else [key]:
            self.store.delete(made)
        self.notes.append(f"{key} was not made: {why.fact}")


def _marked(store: Store) -> str | None:
    """Return what the first image says of itself where its tags call it a simulation; only local ones are asked."""
    bound = read_bound(store)
    frames = [frame for each in bound.frames.values() for frame in each[:1]] if bound else []
    prints = [print_.uri for frame in frames for scene in frame.scenes for print_ in scene.scene.fingerprints]
    here = [uri for uri in prints if Path(uri).is_file()]
    if not here:
        return None
    with suppress(RasterioIOError), rasterio.open(here[0]) as image:
        tags = image.tags()
        return str(tags.get("TITLE") or _MADE) if tags.get("SIMULATION") == "yes" else None
    return None
