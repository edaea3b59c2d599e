"""Tables of the SMART programme: names, columns and rounding as its own program writes them (section 8).

A table is a list of rows, each from column to value; `None` is an empty cell. `site_tables`, `bas_tables` and
`activity_tables` give tables by the file that they belong into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from geowatch.metrics.sites.bas import Assignment, Detection, f_score, rounded, scores_of
from geowatch.metrics.sites.evaluation import RegionScores, SubsetScores
from geowatch.metrics.sites.reading import ScoredSite
from geowatch.metrics.sites.thresholds import Thresholds

__all__ = ["BETAS", "Row", "Table", "bas_tables", "figures_of", "site_tables"]

Row = Mapping[str, object]
"""Values by column."""
Table = Sequence[Row]
"""Rows of the same columns."""

BETAS = {"f_0.33": 1 / 3, "f_0.5": 0.5, "f_1": 1.0, "f_2": 2.0, "f_3": 3.0}
"""Weights of recall, by the name of the figure."""

_DISTANCES = (
    "min spatial distance (meters)", "central spatial distance (meters)", "max spatial distance (meters)",
    "min temporal distance (days)", "central temporal distance (days)", "max temporal distance (days)",
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


def _thresholds(at: Thresholds) -> dict[str, object]:
    return {
        "tau": at.tau, "rho": at.rho, "temporal iop": at.tiop, "temporal iot": at.tiot,
        "transient temporal iop": at.ttiop, "transient temporal iot": at.ttiot,
        "min proposal area": at.min_area_m2, "min proposal confidence score": at.min_score,
    }  # fmt: skip


def _scoreboard_row(found: Assignment) -> Row:
    figures = figures_of(found)
    rates = {name: figures.pop(name) for name in ("spatial FAR", "temporal FAR", "images FAR")}
    distances = dict.fromkeys(name.replace(" (", " threshold (") for name in _DISTANCES)
    return {**figures, **_thresholds(found.at), **distances, "region": found.case.region_id, **rates}


def _f_row(found: Assignment) -> Row:
    precision, recall, _ = scores_of(found.true_positives, found.false_positives, found.false_negatives)
    weighted = {name: rounded(f_score(precision, recall, beta)) for name, beta in BETAS.items()}
    return {"precision": rounded(precision), "recall (PD)": rounded(recall), **weighted, **_thresholds(found.at)}


def site_tables(scores: RegionScores) -> dict[str, Table]:
    """Return the tables of the sites that take part, by file."""
    return {
        "gt_sites.csv": [_site_row(each) for each in scores.truth],
        "sm_sites.csv": [_site_row(each) for each in scores.proposals],
    }


def _site_row(site: ScoredSite) -> Row:
    activity = site.interval or (None, None)
    return {
        "id": site.id,
        "status": site.status,
        "polygon union area": site.area_km2,
        "max polygon area": site.largest_km2,
        "confidence score": site.score,
        "first observation": _iso(site.seen[0].day),
        "start date": _iso(site.start),
        "earliest start": _iso(site.earliest_start),
        "latest start": _iso(site.latest_start),
        "start activity": _iso(activity[0]),
        "end activity": _iso(activity[1]),
        "end date": _iso(site.end),
        "last observation": _iso(site.seen[-1].day),
        "model type": site.letter,
    }


def _iso(day: int | None) -> str | None:
    return None if day is None else date.fromordinal(day).isoformat()


def bas_tables(scores: SubsetScores) -> dict[str, Table]:
    """Return the tables of broad area search, by file in the folder ``bas``."""
    ranked = sorted(scores.rows, key=lambda row: -row.f1)
    tables: dict[str, Table] = {
        "scoreboard.csv": [_scoreboard_row(row) for row in ranked],
        "f_scores.csv": [_f_row(row) for row in ranked],
        f"bestScore_{scores.best.at.name}.csv": [_scoreboard_row(scores.best)],
    }
    for row in scores.rows:
        tables[f"detections_{row.at.name}.csv"] = [_detection_row(each) for each in row.detections]
        tables[f"proposals_{row.at.name}.csv"] = [_proposal_row(each, row) for each in row.proposals]
        tables[f"failAssoc_{row.at.name}.csv"] = _failed(row)
        tables[f"siteType_{row.at.name}.csv"] = _site_types(row)
    return tables


def _detection_row(each: Detection) -> Row:
    seen = each.judgement
    return {
        "site type": each.status,
        "truth site": each.truth.id,
        "site area": each.truth.area_km2,
        "matched site models": ", ".join(member.id for member in each.members),
        "spatial overlap": seen.spatial if seen else None,
        "temporal iot": seen.tiot if seen else None,
        "temporal iop": seen.tiop if seen else None,
        **dict.fromkeys(_DISTANCES),
        "site count": len(each.members),
        "association status": each.mark,
        "associated": bool(each.members),
        "color code": _COLORS.get(each.mark),
        "model type": each.truth.letter,
    }


def _proposal_row(site: ScoredSite, found: Assignment) -> Row:
    takers, mark = found.takers.get(site.id, ()), found.mark_of(site)
    return {
        "site model": site.id,
        "site area": site.area_km2,
        "matched truth sites": ", ".join(each.truth.id for each in takers),
        "site count": len(takers),
        "association status": mark,
        "associated": bool(takers),
        "color code": _COLORS[mark],
    }


def _failed(found: Assignment) -> Table:
    rows = [
        {
            "truth site": pair.truth.id,
            "site model": pair.group.id,
            "spatial overlap": seen.spatial,
            "temporal iot": seen.tiot,
            "temporal iop": seen.tiop,
            "truth start": _iso((pair.truth.interval or (pair.truth.start, 0))[0]),
            "truth end": _iso((pair.truth.interval or (0, pair.truth.end))[1]),
            "site model start": _iso(min(each.start for each in pair.group.members)),
            "site model end": _iso(max(each.end for each in pair.group.members)),
        }
        for pair, seen in found.failed
    ]
    return sorted(rows, key=lambda row: (str(row["truth site"]), str(row["site model"])))


def _site_types(found: Assignment) -> Table:
    taken: Counter[str] = Counter()
    for status in {each.status for each in found.detections}:
        taken[status] = len({m.id for each in found.detections if each.status == status for m in each.members})
    rows: list[Row] = [{"site type": status, "site models": taken[status]} for status in sorted(taken)]
    return [*rows, {"site type": "false alarm", "site models": len(found.unclaimed)}]
