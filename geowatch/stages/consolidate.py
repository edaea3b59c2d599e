"""Consolidate: from the fragments of all tiles to the sites of the region.

What touches across a seam is one; every decision on a whole site is taken here, once all of it is known. Sites
leave as soon as they are whole and wait on disk for their numbers; then the tables are written in the order of the
numbers, and from the tables what people open.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.consolidate.phase_document import read_phases
from geowatch.consolidate.phases import CONSTRUCTION, PhaseModel
from geowatch.consolidate.tables import Naming
from geowatch.consolidate.terms import Rules
from geowatch.consolidate.whole_region import Consolidation
from geowatch.errors import ConfigError, DamagedError
from geowatch.lineage import Source
from geowatch.sites.fragment import fragment_key
from geowatch.stages.sites.checks import check_outputs
from geowatch.stages.sites.config import ConsolidateConfig
from geowatch.stages.sites.deciding import decided_and_written, succession_of
from geowatch.stages.sites.deliverables import deliver_sites
from geowatch.stages.sites.foreseen import Foreseen, foreseen
from geowatch.stages.sites.ongoing import earlier_sources
from geowatch.stages.sites.record import SiteRecord, fragments_digest, read_record, write_record
from geowatch.stages.sites.stale import remove_stale, table_digests
from geowatch.stages.sites.tables import GAPS, HISTORY, OBSERVATIONS, ONGOING, SITES, stored_batches, stored_digest
from geowatch.stages.sites.writing import Written
from geowatch.stages.stitch import nothing_scored
from geowatch.stages.tracking.tracked import TrackedRun, read_tracked, refuse_gaps
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.consolidate.numbers import Continued
    from geowatch.consolidate.terms import Terms
    from geowatch.store import Store
    from geowatch.track.document import Tracking

__all__ = ["ConsolidateConfig", "Consolidated", "consolidate"]

_MODELS = "sites/site_models/"
#: Part of the smaller outline that detected objects of two times share where they are the same.
_SAME_OBJECT = 0.25


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What consolidate made."""

    run: str
    """Run folder."""
    files: tuple[str, ...]
    """Keys of what was written."""
    sites: int
    """Sites."""
    observations: int
    """Observations of them."""
    left_out: dict[str, int]
    """Places that became no site, by what they lack: area, score, activity or duration."""
    missing: int
    """Tiles that are missing."""
    foreseen: Foreseen | None = None
    """What would be read, joined and written, for a dry run; nothing was made then."""


def consolidate(config: ConsolidateConfig, events: Events | None = None) -> Consolidated:
    """Join fragments into sites, decide on them, and write tables and what is made of them.

    Raises:
        InputError: where nothing was tracked.
        CoverageError: for missing tiles without ``allow_gaps``; sites/gaps.json names them all.
        ConfigError: for options that do not fit what was tracked.
    """
    events = events or Silent()
    store = open_store(config.run, fsync=config.fsync)
    tracked = read_tracked(store)
    if (tracked.missing or tracked.tracking.gaps) and not config.dry_run:
        _account(tracked, Counter())
        refuse_gaps(tracked, allowed=config.allow_gaps, events=events)
    rules, model = _rules(config, tracked.tracking)
    if config.deliver:
        check_outputs(tracked, config)
    naming = Naming(tracked.terms, _region(config, tracked), config.status, () if model is None else model.names)
    succession = succession_of(config.previous, tracked, rules, naming, events)
    if config.dry_run:
        would = foreseen(tracked, config, succession)
        return Consolidated(store.url, (), 0, 0, {}, len(tracked.missing), would)
    terms = tracked.terms if succession is None else succession.terms
    work = Consolidation(terms, rules, model, _tolerance(config, terms), succession=succession)
    return _consolidated(config, work, tracked, naming, events)


def _consolidated(
    config: ConsolidateConfig, work: Consolidation, tracked: TrackedRun, naming: Naming, events: Events
) -> Consolidated:
    """Do the work, and keep a record of it."""
    store, sources = tracked.store, _sources(config, tracked.tracking)
    before, recorded = table_digests(store), _recorded(store)
    with tempfile.TemporaryDirectory(prefix="gw-consolidate-") as folder:
        written, became = decided_and_written(work, tracked, naming, Path(folder), events)
    _account(tracked, work.left_out, became)
    if became is not None:
        events.note(became.said())
    if nothing_scored(store):
        events.note("no pixel of the run has a score, clouds or nodata hide all of it: no site begins and none ends")
    elif not written.sites:
        events.note(_none_found(work.left_out))
    if never := _never_active(work):
        events.note(never)
    delivered = {} if not config.deliver else _deliver(config, tracked, events)
    if (gone := remove_stale(store, before, delivered)) is not None:
        events.note(gone)
    _record(config, store, written, delivered, sources)
    _seal(tracked, written, delivered, recorded)
    files = (*written.digests, GAPS, *delivered)
    return Consolidated(
        store.url, files, written.sites, written.observations, dict(work.left_out), len(tracked.missing)
    )


def _none_found(left_out: Counter[str]) -> str:
    why = ", ".join(f"{count} for their {reason}" for reason, count in sorted(left_out.items()) if count)
    return f"there is no site; places were left out: {why}" if why else "there is no site: nothing was found"


def _never_active(work: Consolidation) -> str | None:
    """Say how many places no date lifts to the score of an active site, where nobody asked to leave any out.

    An outline that holds whatever stood out on some date, as that of the largest score does, may not stand out on any.
    """
    count, score = work.left_out["activity"], work.rules.active_score
    if not count or work.rules.timing != "threshold":
        return None
    return (
        f"{count} {'place was' if count == 1 else 'places were'} found, and no date's mean score reaches {score:g},"
        " from which a site is active; --active-score sets another"
    )


def _rules(config: ConsolidateConfig, tracking: Tracking) -> tuple[Rules, PhaseModel | None]:
    model = _model(config, tracking)
    wanted = config.phases or ("none" if model is None else "viterbi")
    rules = Rules(
        min_area_m2=config.min_area,
        max_area_m2=config.max_area,
        fill_holes_m2=config.fill_holes,
        min_days=config.min_days,
        max_days=config.max_days,
        min_score=config.min_score,
        link_overlap=_usual_overlap(tracking) if config.link_overlap is None else config.link_overlap,
        timing="threshold" if wanted == "none" else wanted,
        active_score=tracking.low if config.active_score is None else config.active_score,
    )
    return rules, model


def _usual_overlap(tracking: Tracking) -> float:
    """Return the share that detected objects must have in common with themselves; other pieces need one pixel."""
    return _SAME_OBJECT if tracking.tells_boxes_apart else 0.0


def _model(config: ConsolidateConfig, tracking: Tracking) -> PhaseModel | None:
    """Return the model of phases, or None where none are asked for."""
    if config.phases == "none" or tracking.mode == "polygons":
        if config.phases in ("argmax", "viterbi"):
            raise ConfigError("polygons of a date have no phases", hint="track with --mode footprint or linked")
        return None
    if config.transitions is not None:
        model = _stated_model(Path(config.transitions))
    elif set(CONSTRUCTION) <= set(tracking.classes):
        model = PhaseModel.of_construction()
    elif config.phases is None:
        return None
    else:
        model = PhaseModel.alike(tracking.classes, [name in tracking.salient for name in tracking.classes])
    model.columns(tracking.classes)
    return model


def _stated_model(path: Path) -> PhaseModel:
    try:
        return read_phases(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the model of phases in {path} cannot be read: {error}", hint="name a YAML file with --transitions"
        ) from error


def _tolerance(config: ConsolidateConfig, terms: Terms) -> float:
    return config.simplify * max(lattice.resolution for lattice in terms.lattices)


def _region(config: ConsolidateConfig, tracked: TrackedRun) -> str:
    region = tracked.plan.region
    return config.region_id or (region.id if region is not None else "region")


def _account(tracked: TrackedRun, left_out: Counter[str], became: Continued | None = None) -> None:
    document = {
        "schema_version": "1",
        "missing_tiles": list(tracked.missing),
        "grids_without_imagery": [grid.id for grid in tracked.plan.grids if tracked.tracking.of_grid(grid.id) is None],
        "gaps_in_scores": {tile: list(planes) for tile, planes in tracked.tracking.gaps.items()},
        "left_out": dict(sorted(left_out.items())),
    }
    if became is not None:
        document["earlier_run"] = became.document()
    tracked.store.put(GAPS, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())


def _deliver(config: ConsolidateConfig, tracked: TrackedRun, events: Events) -> dict[str, str]:
    sites, observations = (stored_batches(tracked.store, key) for key in (SITES, OBSERVATIONS))
    return deliver_sites(tracked.store, tracked.plan, sites, observations, config, events).digests


def _sources(config: ConsolidateConfig, tracking: Tracking) -> list[Source]:
    fragments = Source(f"fragments/{tracking.digest[:12]}", version=f"tracking:{tracking.digest}", role="fragments")
    return [fragments, *([] if config.previous is None else earlier_sources(open_store(config.previous)))]


def _beside(store: Store) -> dict[str, str]:
    # What a later run goes on with.
    return {key: stored_digest(store, key) for key in (ONGOING, HISTORY) if store.size(key) is not None}


def _record(
    config: ConsolidateConfig, store: Store, written: Written, delivered: dict[str, str], sources: list[Source]
) -> None:
    figures = {"sites": written.sites, "observations": written.observations}
    for key, sha256 in (_beside(store) | written.digests).items():
        record(store, made("consolidate", key, config, sources=sources, figures=figures, sha256=sha256))
    tables = [Source(key, version=f"sha256:{sha256}", role="sites") for key, sha256 in written.digests.items()]
    for key, sha256 in _by_folder(delivered).items():
        record(store, made("consolidate", key, config, sources=tables, sha256=sha256))


def _recorded(store: Store) -> SiteRecord | None:
    with suppress(DamagedError):  # it is written anew
        return read_record(store)
    return None


def _seal(tracked: TrackedRun, written: Written, delivered: dict[str, str], before: SiteRecord | None) -> None:
    """Write the record, last of all."""
    store, digest = tracked.store, tracked.tracking.digest
    keys = [fragment_key(digest, tile) for table in tracked.tables for tile in table]
    record = SiteRecord(
        tracking=digest,
        fragments=fragments_digest(store, keys),
        tiles=len(keys),
        missing=tracked.missing,
        sites=written.sites,
        observations=written.observations,
        files=(),
    )
    write_record(store, record, _beside(store) | written.digests | delivered, before)


def _by_folder(digests: dict[str, str]) -> dict[str, str]:
    """Return digests with one for all site models, of which there may be thousands."""
    models = {key: sha256 for key, sha256 in digests.items() if key.startswith(_MODELS)}
    rest = {key: sha256 for key, sha256 in digests.items() if key not in models}
    if models:
        rest[_MODELS.rstrip("/")] = hashlib.sha256(json.dumps(models, sort_keys=True).encode()).hexdigest()
    return rest
