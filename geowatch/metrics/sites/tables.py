"""Tables of the SMART programme: names, columns and rounding as its own program writes them (section 8).

`site_tables` and `bas_tables` give tables by the file that they belong into; those of phases stand in
`activity_tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from geowatch.metrics.sites.bas import Assignment, Detection, f_score, rounded, scores_of
from geowatch.metrics.sites.comparing import Comparison, Judgement, interval_of
from geowatch.metrics.sites.evaluation import RegionScores, SubsetScores
from geowatch.metrics.sites.reading import ScoredSite
from geowatch.metrics.sites.thresholds import Thresholds

__all__ = ["BETAS", "Row", "Table", "bas_tables", "figures_of", "site_tables", "threshold_cells"]

Row = Mapping[str, object]
"""Values by column; `None` is an empty cell."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, which has its columns even without a row."""

    columns: tuple[str, ...]
    """Names."""
    rows: tuple[Row, ...]
    """Values by column."""

    @classmethod
    def of(cls, rows: Iterable[Row], columns: Sequence[str] = ()) -> Table:
        """Return the table of these rows; ``columns`` are those of a table without any."""
        found = tuple(rows)
        return cls(tuple(found[0]) if found else tuple(columns), found)


BETAS = {"f_0.33": 1 / 3, "f_0.5": 0.5, "f_1": 1.0, "f_2": 2.0, "f_3": 3.0}
"""Weights of recall, by the name of the figure."""

_DISTANCES = (
    "min spatial distance (meters)", "central spatial distance (meters)", "max spatial distance (meters)",
    "min temporal distance (days)", "central temporal distance (days)", "max temporal distance (days)",
)  # fmt: skip
_SITE = (
    "id", "status", "polygon union area", "max polygon area", "confidence score", "first observation", "start date",
    "earliest start", "latest start", "start activity", "end activity", "end date", "last observation", "model type",
)  # fmt: skip
_DETECTION = (
    "site type", "truth site", "site area", "matched site models", "spatial overlap", "temporal iot", "temporal iop",
    *_DISTANCES, "site count", "association status", "associated", "color code", "model type",
)  # fmt: skip
_PROPOSAL = (
    "site model", "site area", "matched truth sites", "site count", "association status", "associated", "color code",
)  # fmt: skip
_FAILED = (
    "truth site", "site model", "spatial overlap", "temporal iot", "temporal iop",
    "truth start", "truth end", "site model start", "site model end",
)  # fmt: skip
#: What viewers colour sites by.
_COLORS = {"tp": 1, "fp": 2, "fn": 3, "tn": 4, "0": 5, "tpfp": 6}


def figures_of(found: Assignment) -> dict[str, float]:
    """Return the figures of merit of broad area search by their names in the scoreboard, to 4 decimals."""
    case, areas = found.case, found.areas
    tp, fp, fn = found.true_positives, found.false_positives, found.false_negatives
    precision, recall, f1 = scores_of(tp, fp, fn)
    under_iou, under_iot = found.kinds["under (IoU)"], found.kinds["under (IoT)"]
    figures = {
        "tp sites": tp, "tp exact": found.kinds["exact"], "tp under": under_iou + under_iot,
        "tp under (IoU)": under_iou, "tp under (IoT)": under_iot, "tp over": found.kinds["over"],
        "fp sites": fp, "fp area": areas.alarm, "ffpa": areas.share,
        "proposal area": areas.proposed, "fpa": areas.proposed / case.area_km2,
        "fn sites": fn, "truth annotations": case.annotations[0], "truth sites": tp + fn,
        "proposed annotations": case.annotations[1], "confident proposals": found.confident,
        "proposed sites": tp + fp, "total sites": tp + fp + fn,
        "truth slices": case.truth_slices, "proposed slices": found.proposed_slices,
        "precision": precision, "recall (PD)": recall, "F1": f1,
        "spatial FAR": fp / case.area_km2,
        "temporal FAR": fp / (case.days - 1) if case.days > 1 else 0.0,
        "images FAR": fp / found.proposed_slices if found.proposed_slices else 0.0,
    }  # fmt: skip
    return {name: value if isinstance(value, int) else rounded(value) for name, value in figures.items()}


def threshold_cells(at: Thresholds) -> dict[str, object]:
    """Return thresholds by their columns."""
    return {
        "tau": at.tau, "rho": at.rho, "temporal iop": at.tiop, "temporal iot": at.tiot,
        "transient temporal iop": at.ttiop, "transient temporal iot": at.ttiot,
        "min proposal area": at.min_area_m2, "min proposal confidence score": at.min_score,
    }  # fmt: skip


def _scoreboard_row(found: Assignment) -> Row:
    figures = figures_of(found)
    rates = {name: figures.pop(name) for name in ("spatial FAR", "temporal FAR", "images FAR")}
    distances = dict.fromkeys(name.replace(" (", " threshold (") for name in _DISTANCES)
    return {**figures, **threshold_cells(found.at), **distances, "region": found.case.region_id, **rates}


def _f_row(found: Assignment) -> Row:
    precision, recall, _ = scores_of(found.true_positives, found.false_positives, found.false_negatives)
    weighted = {name: rounded(f_score(precision, recall, beta)) for name, beta in BETAS.items()}
    return {"precision": rounded(precision), "recall (PD)": rounded(recall), **weighted, **threshold_cells(found.at)}


def site_tables(scores: RegionScores) -> dict[str, Table]:
    """Return the tables of the sites that take part, by file."""
    return {
        "gt_sites.csv": _table(_SITE, map(_site_row, scores.truth)),
        "sm_sites.csv": _table(_SITE, map(_site_row, scores.proposals)),
    }


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    return Table.of((dict(zip(columns, row, strict=True)) for row in rows), columns)


def _site_row(site: ScoredSite) -> Sequence[object]:
    first, last = site.interval or (None, None)
    days = (site.start, site.earliest_start, site.latest_start, first, last, site.end, site.seen[-1].day)
    sizes = (site.area_km2, site.largest_km2, site.score)
    return (site.id, site.status, *sizes, *map(_iso, (site.seen[0].day, *days)), site.letter)


def _iso(day: int | None) -> str | None:
    return None if day is None else date.fromordinal(day).isoformat()


def bas_tables(scores: SubsetScores) -> dict[str, Table]:
    """Return the tables of broad area search, by file in the folder ``bas``."""
    ranked = sorted(scores.rows, key=lambda row: -row.f1)
    tables = {
        "scoreboard.csv": Table.of(map(_scoreboard_row, ranked)),
        "f_scores.csv": Table.of(map(_f_row, ranked)),
        f"bestScore_{scores.best.at.name}.csv": Table.of([_scoreboard_row(scores.best)]),
    }
    for row in scores.rows:
        name = row.at.name
        tables[f"detections_{name}.csv"] = _table(_DETECTION, map(_detection_row, row.detections))
        tables[f"proposals_{name}.csv"] = _table(_PROPOSAL, (_proposal_row(each, row) for each in row.proposals))
        tables[f"failAssoc_{name}.csv"] = _table(_FAILED, sorted(_failed_rows(row), key=_names))
        tables[f"siteType_{name}.csv"] = _site_types(row)
    return tables


def _detection_row(each: Detection) -> Sequence[object]:
    members, seen = each.members, each.judgement
    overlaps = (seen.spatial, seen.tiot, seen.tiop) if seen else (None, None, None)
    names = ", ".join(member.id for member in members)
    marks = (len(members), each.mark, bool(members), _COLORS.get(each.mark), each.truth.letter)
    return (each.status, each.truth.id, each.truth.area_km2, names, *overlaps, *(None for _ in _DISTANCES), *marks)


def _proposal_row(site: ScoredSite, found: Assignment) -> Sequence[object]:
    takers, mark = found.takers.get(site.id, ()), found.mark_of(site)
    names = ", ".join(each.truth.id for each in takers)
    return (site.id, site.area_km2, names, len(takers), mark, bool(takers), _COLORS[mark])


def _failed_rows(found: Assignment) -> Iterator[Sequence[object]]:
    status = {id(each.truth): each.status for each in found.detections}
    for pair, seen in found.failed:
        yield _failed_row(pair, seen, status[id(pair.truth)])


def _failed_row(pair: Comparison, seen: Judgement, status: str) -> Sequence[object]:
    truth, members = pair.truth, pair.group.members
    first, last = interval_of(truth, status) or (None, None)
    days = (first, last, min(each.start for each in members), max(each.end for each in members))
    return (truth.id, pair.group.id, seen.spatial, seen.tiot, seen.tiop, *map(_iso, days))


def _names(row: Sequence[object]) -> tuple[str, str]:
    return str(row[0]), str(row[1])


def _site_types(found: Assignment) -> Table:
    """Return how many proposals truth sites of each status took, and how many none took."""
    taken: dict[str, set[str]] = {each.status: set() for each in found.detections}
    for each in found.detections:
        taken[each.status] |= {member.id for member in each.members}
    counts = [(status, len(taken[status])) for status in sorted(taken)]
    return _table(("site type", "site models"), [*counts, ("false alarm", len(found.unclaimed))])
