"""The gate: is a backend's output the package's own, as far as maps are concerned?

A backend is compared with the package's reference, the most literal way to run it, on windows of real imagery that
hold more than one class: on a window of one class every backend agrees. Thresholds stand in the manifest
(`GateSpec`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate
from geowatch.package.backends.lanes import SideBySide
from geowatch.package.box_gate import compare_boxes, kinds_seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.backends.base import Backend, BackendIdentity
    from geowatch.package.manifest import GateSpec, HeadSpec, Manifest

__all__ = [
    "Evidence",
    "GateReport",
    "compare_outputs",
    "decisions",
    "gather_evidence",
    "pass_gate",
    "run_in_parts",
]

#: Fewest windows that backends are compared on, where there are so many.
LOOKED_AT = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """Windows, and what the package's reference says of them."""

    windows: Mapping[str, NDArray[np.float32]]
    """(N, C, H, W) for each input."""
    outputs: Mapping[str, NDArray[Any]]
    """The reference's raw output for each head."""
    classes: int
    """Decisions that the reference took, of the head with most; with one, agreement says little."""

    @classmethod
    def of_nothing(cls, windows: Mapping[str, NDArray[np.float32]]) -> Evidence:
        """Return what is known where all imagery is masked: windows of fill, of which no score will be kept."""
        return cls(windows, {}, 0)

    @property
    def shows_imagery(self) -> bool:
        """Whether there is anything to compare backends on."""
        return bool(self.outputs)

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(next(iter(self.windows.values())))


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

    @classmethod
    def of_nothing(cls) -> GateReport:
        """Return the report of a backend that will compute nothing: it passes, and that is not remembered."""
        return cls(passed=True, difference=0.0, maximum=0.0, agreement=1.0, classes=0)

    def __str__(self) -> str:
        if not self.classes:
            return "not compared, all imagery is masked"
        weak = ", one class only" if self.classes < 2 else ""
        return f"|Δp| {self.difference:.2g} (max {self.maximum:.2g}), agreement {self.agreement:.4%}{weak}"


def gather_evidence(
    manifest: Manifest, reference: Backend, windows: Mapping[str, NDArray[np.float32]], *, count: int = LOOKED_AT
) -> Evidence:
    """Run the reference over windows, in their order, until it has seen ``count`` and two classes, or all of them."""
    step = manifest.batch or 1
    outputs: list[dict[str, NDArray[Any]]] = []
    total, seen, classes = len(next(iter(windows.values()))), 0, 0
    while seen < total and (seen < count or classes < 2):
        outputs.append(reference.run({name: x[seen : seen + step] for name, x in windows.items()}))
        seen = min(seen + step, total)
        joined = {name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}
        told = [len(np.unique(decisions(h, activate(h, joined[h.name])))) for h in manifest.heads]
        classes = max(told + [kinds_seen(h, joined) for h in manifest.boxes])
    return Evidence({name: x[:seen] for name, x in windows.items()}, joined, classes)


def compare_outputs(
    manifest: Manifest,
    outputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]],
    *,
    precision: str = "fp32",
    given: Sequence[HeadSpec] | None = None,
) -> GateReport:
    """Compare raw outputs by head with the reference's, as probabilities and as decisions.

    ``given`` says what ``outputs`` are, where they went through more than the reference's (`package.fused`).
    """
    probabilities = [activate(h, outputs[h.name]) for h in given or manifest.heads]
    figures = [
        _compare(h, p, activate(h, reference[h.name]), manifest.gate.percentile)
        for h, p in zip(manifest.heads, probabilities, strict=True)
    ]
    figures += [compare_boxes(h, outputs, reference, manifest.window.size) for h in manifest.boxes]
    difference = max(f[0] for f in figures)
    agreement = min(f[2] for f in figures)
    full = precision == "fp32"
    wanted = manifest.gate.agreement if full else manifest.gate.reduced_agreement
    within = difference <= manifest.gate.max_difference if full else np.isfinite(difference)
    passed = bool(agreement >= wanted and within)
    return GateReport(passed, difference, max(f[1] for f in figures), agreement, classes=max(f[3] for f in figures))


def _compare(
    head: HeadSpec, p: NDArray[np.float32], q: NDArray[np.float32], percentile: float
) -> tuple[float, float, float, int]:
    gap = np.abs(p - q)
    gap[~np.isfinite(gap)] = np.inf  # a value that is no number is as wrong as can be
    chosen, wanted = decisions(head, p), decisions(head, q)
    same = float((chosen == wanted).mean())
    return float(np.percentile(gap, percentile, method="higher")), float(gap.max()), same, len(np.unique(wanted))


def decisions(head: HeadSpec, p: NDArray[np.float32]) -> NDArray[Any]:
    """Return what a map would show: the strongest class, or whether each is more likely than not."""
    if head.activation == "sigmoid" or len(head.classes) == 1:
        return p > 0.5
    strongest: NDArray[np.intp] = p.argmax(axis=1)
    return strongest


def pass_gate(
    manifest: Manifest, backend: Backend, evidence: Evidence, *, given: Sequence[HeadSpec] | None = None
) -> GateReport:
    """Compare a backend with the evidence; ``given`` as in `compare_outputs`.

    Raises BackendError with the figures where they differ too much.
    """
    precision = backend.identity.precision
    outputs = run_in_parts(backend, evidence.windows)
    report = compare_outputs(manifest, outputs, evidence.outputs, precision=precision, given=given)
    if not report.passed:
        raise BackendError(
            f"{_who(backend.identity)} differs from the reference of {manifest.name}: {report}",
            hint=f"allowed are {_limits(manifest.gate, precision)}; use another backend with --jit NAME"
            + ("" if precision == "fp32" else ", or --precision fp32"),
        )
    return report


def run_in_parts(backend: Backend, windows: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Return a backend's raw output for windows, a few of which run at once: memory is planned for no more.

    They are one more than it runs side by side, so that at least two are one batch; the last batch is filled up with
    windows of the one before.
    """
    count = len(next(iter(windows.values())))
    step = backend.identity.fixed_batch or (backend.lanes if isinstance(backend, SideBySide) else 1) + 1
    found = []
    for at in range(0, count, step):
        first = max(0, min(at, count - step))
        outputs = backend.run({name: x[first : first + step] for name, x in windows.items()})
        found.append({name: x[at - first :] for name, x in outputs.items()})
    return found[0] if len(found) == 1 else {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def _who(identity: BackendIdentity) -> str:
    return f"backend {identity.name}{'' if identity.precision == 'fp32' else f' in {identity.precision}'}"


def _limits(gate: GateSpec, precision: str) -> str:
    if precision != "fp32":
        return f"agreement {gate.reduced_agreement:.1%}"
    return f"{gate.max_difference:g} at percentile {gate.percentile:g} and agreement {gate.agreement:.1%}"
