"""Evaluate: proposed sites against true ones, as the IARPA SMART programme scores them.

Region models, truth and proposals are read as GeoJSON; tables with the programme's names and columns, a document of
all figures and three pictures are written. Several regions are scored one by one and together.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geowatch.errors import ConfigError, InputError
from geowatch.lineage import Source
from geowatch.metrics.sites import SUBSETS, Filters, RegionScores, Sweep, evaluate_region
from geowatch.metrics.sites.activity_tables import activity_figures, activity_tables
from geowatch.metrics.sites.rollup import best_together, table_together, together
from geowatch.metrics.sites.tables import Table, bas_tables, figures_of, site_tables
from geowatch.sites.schema import REGION_ID
from geowatch.stages.evaluate.over_edge import on_one_side
from geowatch.stages.evaluate.site_map import draw_map
from geowatch.stages.evaluate.site_times import draw_curve, draw_times
from geowatch.stages.sites.documents import Documents, find_documents, read_regions, read_sites
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.provenance import made, record
from geowatch.store import open_store

if TYPE_CHECKING:
    from geowatch.sites.model import RegionModel, Site
    from geowatch.store import Store

__all__ = ["EvaluateSitesConfig", "EvaluatedSites", "evaluate_sites"]


@dataclass(frozen=True)
class EvaluateSitesConfig:
    """What the evaluation of sites is asked for."""

    truth: tuple[str, ...]
    """Truth: site models, folders of them, or run folders."""
    proposals: tuple[str, ...] = ("gw-run",)
    """Proposals: site models, folders of them, or run folders."""
    region: tuple[str, ...] = ()
    """Region models or folders of them, or ids of those beside the truth; left out: all of those."""
    tau: tuple[float, ...] = (0.2,)
    """Overlap in space that a date needs, 0 to 1; several values are a sweep, here and below."""
    rho: tuple[float, ...] = (0.5,)
    """Share of dates that need it, 0 to 1."""
    min_area_m2: tuple[float, ...] = (0.0,)
    """Smallest area of a proposal that counts."""
    min_score: tuple[float, ...] = (0.0,)
    """Smallest confidence of a proposal that counts, 0 to 1."""
    tiop: tuple[float, ...] = (0.1,)
    """Overlap in time over the proposal's days, 0 to 1."""
    tiot: tuple[float, ...] = (0.2,)
    """Overlap in time over the truth's days, 0 to 1."""
    ttiop: tuple[float, ...] = (0.1,)
    """As tiop, for transient sites."""
    ttiot: tuple[float, ...] = (0.2,)
    """As tiot, for transient sites."""
    small_m2: float = 9000.0
    """Truth sites that are not larger than this are ignored."""
    truth_status: tuple[str, ...] = ()
    """Statuses of truth that take part; left out: all."""
    truth_without: tuple[str, ...] = ()
    """Statuses of truth that do not."""
    proposal_status: tuple[str, ...] = ("system_confirmed",)
    """Statuses of proposals that take part."""
    proposal_without: tuple[str, ...] = ()
    """Statuses of proposals that do not."""
    proposal_type: tuple[str, ...] = ()
    """How proposals may lie against the region's days: A to E; left out: in any way."""
    output: str | None = None
    """Folder of the results. Left out: ``evaluation`` in the run folder, or here."""

    def __post_init__(self) -> None:
        for name in ("tau", "rho", "min_score", "tiop", "tiot", "ttiop", "ttiot"):
            if not getattr(self, name):
                raise ConfigError(f"{name} has no value", hint="give one or more, or leave it out")
            wrong = [value for value in getattr(self, name) if not 0 <= value <= 1]
            if wrong:
                raise ConfigError(f"{name} is {wrong[0]:g}", hint="give a share from 0 to 1")
        if not self.min_area_m2 or not all(0 <= value < math.inf for value in self.min_area_m2):
            raise ConfigError("min_area_m2 is no area", hint="give square metres, 0 or more")
        if unknown := set(self.proposal_type) - set("ABCDE"):
            raise ConfigError(f"proposal type '{min(unknown)}' is none", hint="use letters A to E")

    @property
    def sweep(self) -> Sweep:
        """Thresholds."""
        times = (self.tiop, self.tiot, self.ttiop, self.ttiot)
        return Sweep(self.min_area_m2, self.min_score, self.tau, self.rho, *times)

    @property
    def filters(self) -> Filters:
        """Which sites take part."""
        return Filters(
            self.truth_status, self.truth_without, self.proposal_status, self.proposal_without, self.proposal_type,
            self.small_m2,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvaluatedSites:
    """What the evaluation found."""

    together: dict[str, dict[str, Any]]
    """Figures of all regions together by subset, at the thresholds that are best for them together."""
    regions: dict[str, dict[str, dict[str, Any]]]
    """Figures by region and subset: ``thresholds``, ``figures`` and ``activity`` of the best row."""
    files: tuple[str, ...] = ()
    """What was written."""


def evaluate_sites(config: EvaluateSitesConfig, events: Events | None = None) -> EvaluatedSites:
    """Compare proposed sites with true ones.

    Raises:
        InputError: where documents are missing or cannot be read, or no region has truth.
        ConfigError: for thresholds out of their range.
    """
    events = events or Silent()
    truth, proposals = find_documents(config.truth), find_documents(config.proposals, may_be_empty=True)
    chosen = _with_truth(_regions(config), truth, config, events)
    for documents in (truth, proposals):
        documents.check([region.id for region in chosen])
    scores = []
    for number, region in enumerate(chosen):
        true, proposed = (read_sites(each.of(region.id), each.named) for each in (truth, proposals))
        _say_what_is_odd(region.id, true, proposed, events)
        scores.append(evaluate_region(*on_one_side(region, true, proposed), config.sweep, config.filters))
        events.progress("evaluate", number + 1, len(chosen))
    return _write(config, scores, _sources(truth, proposals))


def _say_what_is_odd(region_id: str, truth: Sequence[Site], proposals: Sequence[Site], events: Events) -> None:
    """Tell of a region without proposals, and of documents that share an id and so count as one when taken."""
    if not proposals:
        events.note(f"by name and region_id no file proposes a site of {region_id}")
    for role, sites in (("truth", truth), ("proposal", proposals)):
        twice = sorted(key for key, count in Counter(each.key for each in sites).items() if count > 1)
        if twice:
            events.note(f"{region_id}: {role} ids that several files have ({len(twice)}): {', '.join(twice[:5])}")


def _regions(config: EvaluateSitesConfig) -> list[RegionModel]:
    """Return the regions that are asked for: of documents, by their ids, or all that lie beside the truth."""
    ids = [name for name in config.region if REGION_ID.search(name) and not Path(name).exists()]
    named = [name for name in config.region if name not in ids]
    found = read_regions(find_documents(named, regions=True)) if named else []
    if config.region and not ids:
        return found
    beside = _beside(config.truth, ids)
    return [*found, *(_of_id(beside, name) for name in ids)] if ids else beside


def _beside(truth: Sequence[str], ids: Sequence[str]) -> list[RegionModel]:
    """Return the regions whose models lie beside the truth."""
    for folder in (Path(name) for name in truth):
        for beside in (folder, folder.parent):
            if (beside / "region_models").is_dir() or (beside / "sites/region_models").is_dir():
                return read_regions(find_documents([str(beside)], regions=True))
    asked = f"there is no {ids[0]}, and " if ids else ""
    raise InputError(f"{asked}no region model lies beside the truth", hint="name a GeoJSON file with --region")


def _of_id(regions: Sequence[RegionModel], name: str) -> RegionModel:
    found = [region for region in regions if region.id == name]
    if len(found) != 1:
        known = ", ".join(sorted({region.id for region in regions})[:8])
        raise InputError(
            f"there is no {name}, and {len(found) or 'no'} region models beside the truth have this id",
            hint=f"give a GeoJSON file, or an id that one of them has: {known}",
        )
    return found[0]


def _with_truth(
    regions: Sequence[RegionModel], truth: Documents, config: EvaluateSitesConfig, events: Events
) -> list[RegionModel]:
    """Return the regions that have truth; those without can say nothing of proposals."""
    found = [region for region in regions if truth.of(region.id)]
    without = [region.id for region in regions if not truth.of(region.id)]
    if not found:
        raise InputError(
            f"by name and region_id no file of {', '.join(config.truth)} is of {', '.join(sorted(without)[:5])}",
            hint="truth files are named such as BR_R002_0001.geojson, or give their site a region_id",
        )
    if without:
        events.note(f"regions without truth are left out ({len(without)}): {', '.join(sorted(without)[:5])}")
    return found


def _sources(truth: Documents, proposals: Documents) -> list[Source]:
    return [
        Source(str(path), bytes=path.stat().st_size, role=role)
        for role, documents in (("truth", truth), ("proposal", proposals))
        for path in documents.paths
    ]


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where results go: a folder of its own, or one in a run, whose lineage then holds the records."""

    store: Store
    prefix: str

    @classmethod
    def of(cls, config: EvaluateSitesConfig) -> _Folder:
        """Return the folder that was named, else the one in the run that was evaluated, else one here."""
        if config.output is not None:
            return cls(open_store(config.output), "")
        runs = [name for name in config.proposals if Path(name, "sites").is_dir()]
        return cls(open_store(runs[0]), "evaluation/") if len(runs) == 1 else cls(open_store("evaluation"), "")

    def put(self, key: str, content: bytes) -> str:
        """Publish a file; return its key in the store."""
        self.store.put(self.prefix + key, content)
        return self.prefix + key

    def drop_others(self, folder: str, keys: Collection[str]) -> None:
        """Remove the tables that an earlier call left in a folder."""
        for key in list(self.store.list(self.prefix + folder)):
            if key.endswith(".csv") and key.removeprefix(self.prefix) not in keys:
                self.store.delete(key)


def _write(config: EvaluateSitesConfig, scores: Sequence[RegionScores], sources: Sequence[Source]) -> EvaluatedSites:
    """Publish tables, document and pictures, with their lineage."""
    folder = _Folder.of(config)
    result = EvaluatedSites(
        together={subset: _together(scores, subset) for subset in SUBSETS},
        regions={each.region.id: _figures(each) for each in scores},
    )
    for each in scores:
        _put_tables(folder, "" if len(scores) == 1 else f"{each.region.id}/", each)
    written = [folder.put(key, content) for key, content in _results(config, scores, result)]
    figures = {subset: found["F1"] for subset, found in result.together.items()}
    for key in written:
        record(folder.store, made("evaluate", key, config, sources=sources, figures={"f1": figures}))
    return replace(result, files=tuple(f"{folder.store.url}/{key}" for key in written))


def _put_tables(out: _Folder, folder: str, scores: RegionScores) -> None:
    tables = {f"{folder}{key}": _csv(table) for key, table in _tables(scores)}
    for subset, family in product(SUBSETS, ("bas", "phase_activity")):
        out.drop_others(f"{folder}{subset}/{family}/", tables)
    for key, content in tables.items():
        out.put(key, content)


def _results(
    config: EvaluateSitesConfig, scores: Sequence[RegionScores], result: EvaluatedSites
) -> Iterator[tuple[str, bytes]]:
    document = {
        "schema_version": "1",
        "summary": _summary(result.together["overall"]),
        "together": result.together,
        "regions": result.regions,
    }
    yield "evaluation.json", (json.dumps(document, indent=1) + "\n").encode()
    if len(scores) > 1:
        yield "together.csv", _csv(table_together(scores))
    for each in scores:
        folder = "" if len(scores) == 1 else f"{each.region.id}/"
        yield f"{folder}map.png", draw_map(each)
        yield f"{folder}times.png", draw_times(each)
    if len(config.sweep.sets()) > 1:
        yield "sweep.png", draw_curve(scores)


def _summary(overall: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few figures that a report shows."""
    names = {
        "f1": "F1", "precision": "precision", "recall": "recall (PD)", "tp": "tp sites", "fp": "fp sites",
        "fn": "fn sites", "ffpa": "ffpa",
    }  # fmt: skip
    return {short: overall[name] for short, name in names.items()}


def _together(scores: Sequence[RegionScores], subset: str) -> dict[str, Any]:
    at = best_together(scores, subset)
    rows = [row for each in scores for row in each.subsets[subset].rows if row.at == at]
    return {"thresholds": at.name, **together(rows)}


def _figures(each: RegionScores) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "thresholds": found.best.at.name,
            "figures": figures_of(found.best),
            "truth": {site.truth.id: _site(site.status, site.mark, site.members) for site in found.best.detections},
            "activity": activity_figures(found),
        }
        for name, found in each.subsets.items()
    }


def _site(status: str, mark: str, members: Sequence[Any]) -> dict[str, Any]:
    return {"status": status, "association": mark, "proposals": [each.id for each in members]}


def _tables(each: RegionScores) -> Iterator[tuple[str, Table]]:
    yield from site_tables(each).items()
    for name, found in each.subsets.items():
        yield from ((f"{name}/bas/{file}", table) for file, table in bas_tables(found).items())
        yield from ((f"{name}/phase_activity/{file}", table) for file, table in activity_tables(found).items())


def _csv(table: Table) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, table.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return out.getvalue().encode()
