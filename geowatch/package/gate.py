"""The gate: is a backend's output the package's own, as far as maps are concerned?

A backend is compared with the package's reference, the most literal way to run it, on real windows.
Thresholds stand in the manifest (`GateSpec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.backends.base import Backend
    from geowatch.package.manifest import GateSpec, HeadSpec, Manifest

__all__ = ["GateReport", "compare_outputs", "pass_gate"]


@dataclass(frozen=True, slots=True)
class GateReport:
    """How far a backend was from the reference."""

    passed: bool
    """Whether it is within the manifest's thresholds."""
    difference: float
    """Absolute difference of probabilities at the manifest's percentile, of the worst head."""
    maximum: float
    """Largest absolute difference of probabilities."""
    agreement: float
    """Share of pixels with the same decision, of the worst head."""
    classes: int
    """Classes that the reference saw, of the head with most; with one, agreement says little."""

    def __str__(self) -> str:
        return f"|Δp| {self.difference:.2g} (max {self.maximum:.2g}), agreement {self.agreement:.4%}"


def compare_outputs(
    manifest: Manifest,
    outputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]],
    *,
    precision: str = "fp32",
) -> GateReport:
    """Compare raw outputs by head with the reference's, as probabilities and as decisions."""
    figures = [_compare(h, outputs[h.name], reference[h.name], manifest.gate.percentile) for h in manifest.heads]
    difference = max(f[0] for f in figures)
    agreement = min(f[2] for f in figures)
    full = precision == "fp32"
    wanted = manifest.gate.agreement if full else manifest.gate.reduced_agreement
    passed = agreement >= wanted and (not full or difference <= manifest.gate.max_difference)
    return GateReport(passed, difference, max(f[1] for f in figures), agreement, classes=max(f[3] for f in figures))


def _compare(
    head: HeadSpec, raw: NDArray[Any], reference: NDArray[Any], percentile: float
) -> tuple[float, float, float, int]:
    p, q = activate(head, raw), activate(head, reference)
    gap = np.abs(p - q)
    gap[~np.isfinite(gap)] = np.inf  # a value that is no number is as wrong as can be
    same, classes = _decisions(head, p, q)
    return float(np.percentile(gap, percentile, method="higher")), float(gap.max()), same, classes


def _decisions(head: HeadSpec, p: NDArray[np.float32], q: NDArray[np.float32]) -> tuple[float, int]:
    """Return (share of equal decisions, number of different decisions of ``q``)."""
    if head.activation == "sigmoid" or len(head.classes) == 1:
        return float(((p > 0.5) == (q > 0.5)).mean()), len(np.unique(q > 0.5))
    winners = q.argmax(axis=1)
    return float((p.argmax(axis=1) == winners).mean()), len(np.unique(winners))


def pass_gate(
    manifest: Manifest, backend: Backend, reference: Backend, windows: Mapping[str, NDArray[np.float32]]
) -> GateReport:
    """Run ``windows`` through both. Raises BackendError with the figures where they differ too much."""
    report = compare_outputs(
        manifest, backend.run(windows), reference.run(windows), precision=backend.identity.precision
    )
    if not report.passed:
        raise BackendError(
            f"backend {backend.identity.name} differs from the reference of {manifest.name}: {report}",
            hint=f"allowed are {_limits(manifest.gate)}; use another backend with --jit NAME",
        )
    return report


def _limits(gate: GateSpec) -> str:
    return f"{gate.max_difference:g} at percentile {gate.percentile:g} and agreement {gate.agreement:.1%}"
