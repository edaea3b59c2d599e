"""What consolidate would do: what it reads, which tiles it joins and which are missing, and what it writes.

Nothing is decided and nothing is written; what follows from the sites themselves (a GeoJSON that becomes too large)
is not foreseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.consolidate.output.report.text import many
from geowatch.consolidate.output.smart import check_programme
from geowatch.errors import ConfigError, CoverageError
from geowatch.sites.fragment import fragment_key
from geowatch.stages.sites.checks import check_dates
from geowatch.stages.sites.deliver_config import OUTPUTS, DeliverConfig
from geowatch.stages.sites.mosaic import MAP, SCORE, check_mosaic, wants_mosaic
from geowatch.stages.sites.report import PICTURE, REPORT
from geowatch.stages.sites.tables import FOOTPRINTS, GAPS, OBSERVATIONS, SITES
from geowatch.stages.tracking.tracked import refuse_gaps, said_gaps
from geowatch.stages.working.events import Silent

if TYPE_CHECKING:
    from geowatch.consolidate.succession import Succession
    from geowatch.stages.sites.config import ConsolidateConfig
    from geowatch.stages.tracking.tracked import TrackedRun

__all__ = ["Foreseen", "foreseen", "summary"]

_KB = 1000


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a call would read, join and write."""

    reads: str
    """What was tracked, in words."""
    fragment_bytes: int
    """Bytes of all fragments."""
    tiles: int
    """Tiles that have a fragment."""
    planned: int
    """Tiles that should have one."""
    grids: int
    """Grids that they lie on."""
    gaps: tuple[str, ...]
    """What is missing, a sentence each."""
    earlier_sites: int | None
    """Sites of the previous run, where there is one."""
    files: tuple[str, ...]
    """Keys of what would be written; those that end in ``/`` are folders."""
    left_out: dict[str, str]
    """What would not be made, by key, and why."""
    refused: CoverageError | None
    """What the call would fail with: gaps that are not allowed."""


def foreseen(tracked: TrackedRun, config: ConsolidateConfig, succession: Succession | None) -> Foreseen:
    """Return what would be done.

    Args:
        tracked: What was tracked.
        config: What is asked for; that it can be made was checked.
        succession: How the run goes on with a previous one.
    """
    tracking = tracked.tracking
    files, left_out = _files(tracked, config) if config.deliver else ([], {})
    keys = (fragment_key(tracking.digest, tile) for table in tracked.tables for tile in table)
    planes = sum(len(grid.planes) for grid in tracking.grids)
    return Foreseen(
        reads=f"{tracking.mode} of {', '.join(tracking.salient)} in {many(planes, 'plane')}",
        fragment_bytes=sum(tracked.store.size(key) or 0 for key in keys),
        tiles=(there := sum(map(len, tracked.tables))),
        planned=there + len(tracked.missing),
        grids=sum(len(table) > 0 for table in tracked.tables),
        gaps=tuple(said for said, _ in said_gaps(tracked)),
        earlier_sites=None if succession is None else len(succession.earlier.number),
        files=(SITES, OBSERVATIONS, FOOTPRINTS, GAPS, *files),
        left_out=left_out,
        refused=_refusal(tracked, allowed=config.allow_gaps),
    )


def summary(found: Foreseen) -> list[tuple[str, str]]:
    """Return labels and values for people."""
    tiles = many(found.planned, "tile")
    joined = tiles if found.tiles == found.planned else f"{found.tiles:,} of {tiles}"
    rows = [
        ("reads", f"{many(found.tiles, 'fragment')}, {_size(found.fragment_bytes)}: {found.reads}"),
        ("joins", f"{joined} on {many(found.grids, 'grid')}"),
    ]
    if found.earlier_sites is not None:
        rows.append(("goes on", f"with {many(found.earlier_sites, 'site')} of the previous run"))
    rows += [("missing", said) for said in found.gaps]
    rows += [("writes", key) for key in found.files]
    return rows + [("leaves out", f"{key}: {why}") for key, why in found.left_out.items()]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / _KB**2:,.1f} MB" if size_bytes >= _KB**2 else f"{size_bytes / _KB:,.1f} kB"


def _refusal(tracked: TrackedRun, *, allowed: bool) -> CoverageError | None:
    try:
        refuse_gaps(tracked, allowed=allowed, events=Silent())
    except CoverageError as error:
        return error
    return None


def _files(tracked: TrackedRun, wanted: DeliverConfig) -> tuple[list[str], dict[str, str]]:
    """Return keys of what would be made of the tables, and of what not with the reason."""
    files: list[str] = []
    left_out: dict[str, str] = {}
    for name in (name for name in OUTPUTS if wanted.wants(name)):
        keys, check = _MADE[name]
        if name == "mosaic" and not wants_mosaic(tracked.plan, wanted):
            continue
        try:
            check(tracked, wanted)
        except ConfigError as error:
            left_out[keys[0]] = error.fact
        else:
            files += keys
    return files, left_out


def _always(_tracked: TrackedRun, _wanted: DeliverConfig) -> None:
    pass


def _on_the_globe(tracked: TrackedRun, _wanted: DeliverConfig) -> None:
    if any(grid.lattice.crs is None for grid in tracked.plan.grids):
        raise ConfigError("the run's pixels have no CRS")


def _smart(tracked: TrackedRun, wanted: DeliverConfig) -> None:
    region = tracked.plan.region
    check_programme(wanted.region_id or (region.id if region is not None else "region"))
    _on_the_globe(tracked, wanted)
    check_dates(tracked)


def _mosaic(tracked: TrackedRun, wanted: DeliverConfig) -> None:
    check_mosaic(tracked.store, tracked.plan, wanted)


_MADE: dict[str, tuple[tuple[str, ...], Callable[[TrackedRun, DeliverConfig], None]]] = {
    "parquet": (("sites/sites.parquet", "sites/observations.parquet"), _always),
    "fgb": (("sites/sites.fgb",), _always),
    "gpkg": (("sites/sites.gpkg",), _always),
    "geojson": (("sites/sites.geojson",), _on_the_globe),
    "smart": (("sites/site_models/", "sites/region_models/"), _smart),
    "summary": (("sites/summary.csv", "sites/sites.csv"), _always),
    "picture": ((PICTURE,), _always),
    "mosaic": ((MAP, SCORE), _mosaic),
    "stac": (("sites/stac/",), _on_the_globe),
    "report": ((REPORT,), _always),
}  # fmt: skip
