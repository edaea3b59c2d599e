"""Tables of activity classification and prediction: phases of detected sites against the truth (section 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from geowatch.metrics.sites.activity import (
    ERROR_ROWS,
    F1_PHASES,
    SCORED_PHASES,
    Error,
    Pair,
    confusion,
    errors_by_phase,
    f1_of,
    joined,
    macro_f1,
)
from geowatch.metrics.sites.evaluation import SubsetScores
from geowatch.metrics.sites.tables import Table

__all__ = ["activity_figures", "activity_tables"]


def activity_tables(scores: SubsetScores) -> dict[str, Table]:
    """Return the tables of the best row's pairs, by file in the folder ``phase_activity``; none without pairs."""
    pairs = scores.pairs
    if not pairs:
        return {}
    labels = joined(pairs)
    tables: dict[str, Table] = {
        "ac_phase_table.csv": _phase_table(pairs),
        "ac_tiou.csv": _tiou_table(pairs),
        "ac_confusion_matrix_all_sites.csv": _confusion_table(labels),
        "ac_f1_all_sites.csv": _f1_table(pairs),
        "ac_temporal_error.csv": _error_table(pairs, Pair.onset_error),
        "ap_temporal_error.csv": _error_table(pairs, Pair.foretold_error),
    }
    for pair in pairs:
        tables[f"ac_confusion_matrix_{pair.truth.id}.csv"] = _confusion_table(pair.labels)
        tables[f"ac_f1_{pair.truth.id}.csv"] = Table.of([{"": "F1 score", **_f1_row(pair.labels)}])
        tables[f"ac_temporal_error_{pair.truth.id}.csv"] = _error_table([pair], Pair.onset_error)
        tables[f"ap_temporal_error_{pair.truth.id}.csv"] = _error_table([pair], Pair.foretold_error)
    return tables


def activity_figures(scores: SubsetScores) -> dict[str, object] | None:
    """Return the figures of phases as one document; None without pairs."""
    pairs = scores.pairs
    if not pairs:
        return None
    labels = joined(pairs)
    phases = _phases_with_days(pairs)
    return {
        "tiou": {pair.name: {phase: pair.tiou(phase) for phase in phases} for pair in pairs},
        "temporal_error_ac": _errors(pairs, Pair.onset_error),
        "temporal_error_ap": _errors(pairs, Pair.foretold_error),
        "confusion": confusion(labels),
        "f1": {
            "F1 micro average": _f1_row(labels),
            "F1 macro average": {phase: macro_f1(pairs, phase) for phase in F1_PHASES},
        },
    }


def _errors(pairs: Sequence[Pair], error: Callable[[Pair, str], Error | str]) -> dict[str, dict[str, float | None]]:
    found = errors_by_phase(pairs, error)
    return {phase: dict(zip(ERROR_ROWS, each.figures or (), strict=True)) for phase, each in found}


def _error_table(pairs: Sequence[Pair], error: Callable[[Pair, str], Error | str]) -> Table:
    found = _errors(pairs, error)
    rows = ({"": row, **{phase: figures[row] for phase, figures in found.items()}} for row in ERROR_ROWS)
    return Table.of(rows)


def _phases_with_days(pairs: Sequence[Pair]) -> list[str]:
    """Return the phases of which any pair has days."""
    return [phase for phase in SCORED_PHASES if any(pair.tiou(phase) is not None for pair in pairs)]


def _tiou_table(pairs: Sequence[Pair]) -> Table:
    phases = _phases_with_days(pairs)
    return Table.of({"": pair.name, **{phase: pair.tiou(phase) for phase in phases}} for pair in pairs)


def _confusion_table(labels: Counter[tuple[str, str]]) -> Table:
    return Table.of({"": true, **row} for true, row in confusion(labels).items())


def _f1_row(labels: Counter[tuple[str, str]]) -> dict[str, float | None]:
    return {phase: f1_of(labels, phase) for phase in F1_PHASES}


def _f1_table(pairs: Sequence[Pair]) -> Table:
    macro = {phase: macro_f1(pairs, phase) for phase in F1_PHASES}
    return Table.of([{"": "F1 micro average", **_f1_row(joined(pairs))}, {"": "F1 macro average", **macro}])


def _phase_table(pairs: Sequence[Pair]) -> Table:
    """Return what truth and proposal say, a row for each day that any truth site was seen."""
    days = sorted({seen.day for pair in pairs for seen in pair.truth.kept})
    rows = (
        {"date": date.fromordinal(day).isoformat(), **{pair.name: _both(pair, day) for pair in pairs}} for day in days
    )
    return Table.of(rows)


def _both(pair: Pair, day: int) -> str | None:
    here = [seen for seen in pair.truth.kept if seen.day == day]
    found = pair.group.at(day)
    if not here:
        return None
    return f"{here[-1].phase} vs. {found.phase if found else None}"
