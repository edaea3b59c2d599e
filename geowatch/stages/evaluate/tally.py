"""What an evaluation counts, of all pixels or of a polygon's, and the figures that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.metrics import Calibration, Confusion, ErrorCurve, ScoreCurves

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Block", "Tally", "figures"]

#: Shares of the most certain pixels whose error rate is reported.
_SHARES = (0.5, 0.75, 0.9, 1.0)


@dataclass(slots=True)
class Tally:
    """What is counted of some pixels."""

    confusion: Confusion
    """Classes of the truth against classes found."""
    curves: list[ScoreCurves]
    """Scores of each class that has one."""
    calibration: Calibration
    """Score of the class found against whether it is right."""
    errors: dict[str, ErrorCurve]
    """Uncertainty of each kind against errors."""

    @classmethod
    def empty(cls, classes: int, scores: int, kinds: tuple[str, ...]) -> Tally:
        """Return the tally of no pixels."""
        curves = [ScoreCurves.empty() for _ in range(scores)]
        return cls(Confusion.empty(classes), curves, Calibration.empty(), {k: ErrorCurve.empty() for k in kinds})

    def add(self, block: Block, keep: NDArray[np.bool_]) -> None:
        """Count the pixels of ``keep``."""
        truth, found = block.truth[keep], block.found[keep]
        self.confusion += Confusion.of(truth, found, len(self.confusion.counts))
        if block.scores is not None:
            scores = block.scores[:, keep]
            first = len(self.confusion.counts) - len(scores)
            self.curves = [curve + ScoreCurves.of(scores[k], truth == k + first) for k, curve in enumerate(self.curves)]
            top = scores.max(axis=0)
            sure = np.where(found < first, 1 - top, top)
            self.calibration += Calibration.of(sure, truth == found)
        for kind, values in block.unsure.items():
            self.errors[kind] += ErrorCurve.of(values[keep], truth != found)

    def join(self, other: Tally) -> None:
        """Count what another tally counted, too."""
        self.confusion += other.confusion
        self.curves = [one + more for one, more in zip(self.curves, other.curves, strict=True)]
        self.calibration += other.calibration
        self.errors = {kind: curve + other.errors[kind] for kind, curve in self.errors.items()}


@dataclass(frozen=True, slots=True)
class Block:
    """Pixels of a part of the map."""

    truth: NDArray[np.int16]
    """Class of the truth, shape (H, W)."""
    found: NDArray[np.uint8]
    """Class of the map."""
    scores: NDArray[np.float32] | None
    """Scores from 0 to 1, shape (K, H, W); None where there are none."""
    unsure: dict[str, NDArray[np.float32]]
    """Uncertainty from 0 to 1 of each kind."""


def figures(tally: Tally, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the figures of merit by name, those of each class under ``classes``."""
    confusion = tally.confusion
    first = len(classes) - len(tally.curves)
    found: dict[str, Any] = {
        "pixels": confusion.pixels,
        "accuracy": confusion.accuracy,
        "kappa": confusion.kappa,
        "mean_iou": _mean(confusion.iou),
        "mean_f1": _mean(confusion.f1),
        "calibration_error": tally.calibration.error,
        "confusion": confusion.counts.tolist(),
        "classes": {},
    }
    for k, name in enumerate(classes):
        curve = tally.curves[k - first] if tally.curves and k >= first else None
        found["classes"][name] = {
            "truth_px": int(confusion.counts[k].sum()),
            "found_px": int(confusion.counts[:, k].sum()),
            "iou": confusion.iou[k],
            "f1": confusion.f1[k],
            "precision": confusion.precision[k],
            "recall": confusion.recall[k],
            "average_precision": None if curve is None else curve.average_precision,
            "auroc": None if curve is None else curve.auroc,
            "calibration_error": None if curve is None else curve.calibration_error,
        }
    found["uncertainty"] = {
        kind: {"auroc": curve.auroc, "error_rate_at": {f"{share:g}": curve.error_at(share) for share in _SHARES}}
        for kind, curve in tally.errors.items()
    }
    if tally.curves:
        bins = tally.calibration
        found["calibration"] = {
            "pixels": bins.pixels.tolist(), "mean_score": bins.mean_score.tolist(),
            "share_right": bins.share_right.tolist(),
        }  # fmt: skip
    return found


def _mean(values: tuple[float, ...]) -> float:
    known = [value for value in values if value == value]  # noqa: PLR0124  # NaN is no figure
    return sum(known) / len(known) if known else float("nan")
