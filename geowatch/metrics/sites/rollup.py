"""Figures of several regions as if they were one: counts and areas add up, shares are taken of the sums.

The programme scores region by region; this sum is ours. A region of many sites weighs more than one of few;
``mean F1`` is the plain mean over regions, in which each weighs the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geowatch.metrics.sites.bas import Assignment, rounded, scores_of
from geowatch.metrics.sites.evaluation import RegionScores
from geowatch.metrics.sites.tables import Table, figures_of, threshold_cells
from geowatch.metrics.sites.taking_part import SUBSETS
from geowatch.metrics.sites.thresholds import Thresholds

__all__ = ["best_together", "curve_together", "table_together", "together"]

_ADDED = (
    "tp sites", "tp exact", "tp under", "tp under (IoU)", "tp under (IoT)", "tp over", "fp sites", "fn sites",
    "truth annotations", "truth sites", "proposed annotations", "confident proposals", "proposed sites", "total sites",
    "truth slices", "proposed slices",
)  # fmt: skip


def together(rows: Sequence[Assignment]) -> dict[str, float]:
    """Return the figures of one set of thresholds over regions, to 4 decimals."""
    each = [figures_of(row) for row in rows]
    added = {name: int(sum(figures[name] for figures in each)) for name in _ADDED}
    tp, fp, fn = added["tp sites"], added["fp sites"], added["fn sites"]
    precision, recall, f1 = scores_of(tp, fp, fn)
    area = sum(row.case.area_km2 for row in rows)
    days = sum(row.case.days - 1 for row in rows)
    alarm, quiet = (sum(getattr(row.areas, name) for row in rows) for name in ("alarm", "quiet"))
    proposed = sum(row.areas.proposed for row in rows)
    shares = {
        "precision": precision, "recall (PD)": recall, "F1": f1, "mean F1": float(np.mean([row.f1 for row in rows])),
        "fp area": alarm, "ffpa": alarm / quiet if quiet else 0.0,
        "proposal area": proposed, "fpa": proposed / area,
        "spatial FAR": fp / area, "temporal FAR": fp / days if days else 0.0,
        "images FAR": fp / added["proposed slices"] if added["proposed slices"] else 0.0,
    }  # fmt: skip
    return added | {name: rounded(value) for name, value in shares.items()}


def curve_together(regions: Sequence[RegionScores], subset: str) -> list[tuple[Thresholds, tuple[float, float, float]]]:
    """Return precision, recall and F1 over all regions for each set of thresholds, ascending."""
    curve = []
    for rows in zip(*(region.subsets[subset].rows for region in regions), strict=True):
        tp, fp, fn = (sum(getattr(row, name) for row in rows) for name in _COUNTS)
        curve.append((rows[0].at, scores_of(tp, fp, fn)))
    return curve


def best_together(regions: Sequence[RegionScores], subset: str) -> Thresholds:
    """Return the thresholds of the largest F1 over all regions, among equals the strictest."""
    curve = curve_together(regions, subset)
    return max(enumerate(curve), key=lambda entry: (entry[1][1][2], entry[0]))[1][0]


def table_together(regions: Sequence[RegionScores]) -> Table:
    """Return the figures of all regions together, a row for each subset and set of thresholds."""
    return Table.of(
        {"subset": subset, "regions": len(rows), **together(rows), **threshold_cells(rows[0].at)}
        for subset in SUBSETS
        for rows in zip(*(region.subsets[subset].rows for region in regions), strict=True)
    )


_COUNTS = ("true_positives", "false_positives", "false_negatives")
