"""Proving a backend before its first use: the gate, whether its batch matters, and what is known from earlier runs.

A verdict is kept in the cache under everything that it depends on, so that a later run starts without any of this.
Only what passed on windows of two classes is kept: a refusal, or a pass that says little, is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.activate import activate
from geowatch.package.backends import LIBRARIES, BackendIdentity, open_backend
from geowatch.package.backends.base import cpu_class
from geowatch.package.cache import ArtifactKey
from geowatch.package.fused import FUSING, fuse
from geowatch.package.gate import Evidence, GateReport, decisions, pass_gate, run_in_parts
from geowatch.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.package.backends import Backend, BackendSpec
    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

    Size = tuple[int, int]

__all__ = [
    "Proving",
    "Verdict",
    "check_window",
    "fixed_batch_of",
    "known_verdict",
    "prove",
    "remember_seconds",
    "verdict_key",
]


#: Share of decisions in the middle of a window that must not change when the network sees more around it.
MIDDLE_AGREEMENT = 0.98


@dataclass(frozen=True, slots=True)
class Proving:
    """What backends of one package are proven with."""

    package: Package
    """The package."""
    evidence: Callable[[Size], Evidence]
    """Gives windows of a size (height, width) and what the reference says of them; called only where needed."""
    cache: CompiledCache | None = None
    """Where compiled forms and verdicts are kept."""
    real: bool = True
    """Whether the evidence is real imagery; verdicts on anything else are not kept."""
    fused: bool = False
    """Whether backends that gain by it get the network with its activation."""

    def form(self, spec: BackendSpec) -> Package:
        """Return the package that a backend is opened from."""
        return fuse(self.package) if self.fused and spec.name in FUSING else self.package


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one backend that passed."""

    identity: BackendIdentity
    """What its bytes depend on; belongs into the recipe."""
    gate: GateReport
    """How far it is from the reference."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds for a window, by the threads of the measurement."""


def prove(proving: Proving, spec: BackendSpec, backend: Backend | None = None) -> Verdict:
    """Return the verdict on a backend: the one that is known, or a new one.

    ``backend`` is the opened one, where the caller has it. Raises BackendError with the figures where it fails.
    """
    known = known_verdict(proving, spec)
    if known is not None:
        return known
    opened = backend or open_backend(proving.form(spec), spec, cache=proving.cache)
    try:
        evidence = proving.evidence(spec.window_px or proving.package.manifest.window.size)
        report = _gate(proving, spec, opened, evidence)
        identity = replace(opened.identity, fixed_batch=fixed_batch_of(opened, evidence.windows))
    finally:
        if backend is None:
            opened.close()
    verdict = Verdict(identity, report)
    if proving.real and report.classes > 1:
        _remember(proving, spec, verdict)
    return verdict


def _gate(proving: Proving, spec: BackendSpec, opened: Backend, evidence: Evidence) -> GateReport:
    if not evidence.shows_imagery:
        return GateReport.of_nothing()
    return pass_gate(proving.package.manifest, opened, evidence, given=proving.form(spec).manifest.heads)


def known_verdict(proving: Proving, spec: BackendSpec) -> Verdict | None:
    """Return what an earlier run found of this backend, on any imagery."""
    if proving.cache is None:
        return None
    for threads in (None, spec.threads):
        note = proving.cache.verdict(verdict_key(proving.form(spec), spec, threads))
        if note is not None:
            return Verdict(BackendIdentity(**note["identity"]), GateReport(**note["gate"]), note["seconds"])
    return None


def remember_seconds(proving: Proving, spec: BackendSpec, seconds_per_window: float) -> None:
    """Note how fast a backend ran, beside its verdict, where there is one."""
    known = known_verdict(proving, spec)
    if known is not None:
        seconds = {**known.seconds, str(spec.threads): seconds_per_window}
        _remember(proving, spec, replace(known, seconds=seconds))


def _remember(proving: Proving, spec: BackendSpec, verdict: Verdict) -> None:
    if proving.cache is not None:
        key = verdict_key(proving.form(spec), spec, verdict.identity.threads)
        proving.cache.put_verdict(key, asdict(verdict))


def verdict_key(package: Package, spec: BackendSpec, threads: int | None) -> ArtifactKey:
    """Return what a verdict depends on; nothing is imported to tell it."""
    return ArtifactKey(
        package=package.digest,
        backend=spec.name,
        versions=_versions(spec),
        precision=spec.precision,
        device=f"{spec.device} {cpu_class()}",
        window_px=spec.window_px or package.manifest.window.size,
        # On a processor no compiled form depends on how many windows a caller gives at once.
        batch=None if spec.device == "cpu" else spec.batch,
        threads=threads,
        form=f"verdict 1, batch {spec.fixed_batch or 'free'}",
    )


def _versions(spec: BackendSpec) -> tuple[tuple[str, str], ...]:
    found = [("gw", __version__)]
    for library in LIBRARIES[spec.name]:
        try:
            found.append((library, version(library)))
        except PackageNotFoundError:
            continue
    driver = Path("/proc/driver/nvidia/version")
    if spec.device != "cpu" and driver.exists():
        found.append(("driver", " ".join(driver.read_text().split())))
    return tuple(sorted(found))


def check_window(proving: Proving, spec: BackendSpec, own: Size) -> None:
    """Refuse larger windows on which the network answers otherwise than on its own.

    In the middle of a window of its ``own`` size, far from its borders, more to see around should change little.
    Raises BackendError with the figure.
    """
    manifest = proving.package.manifest
    large = spec.window_px or own
    windows = proving.evidence(large).windows
    top, left = (
        (a - b) // 2 // manifest.window.multiple_of * manifest.window.multiple_of
        for a, b in zip(large, own, strict=True)
    )
    inner = {
        name: np.ascontiguousarray(x[..., top : top + own[0], left : left + own[1]]) for name, x in windows.items()
    }
    backend = open_backend(proving.form(spec), spec, cache=proving.cache)
    try:
        whole, alone = run_in_parts(backend, windows), run_in_parts(backend, inner)
    finally:
        backend.close()
    for head, given in zip(manifest.heads, proving.form(spec).manifest.heads, strict=True):
        seen = decisions(head, activate(given, whole[head.name]))[..., top : top + own[0], left : left + own[1]]
        same = _middle(seen) == _middle(decisions(head, activate(given, alone[head.name])))
        if same.mean() < MIDDLE_AGREEMENT:
            raise BackendError(
                f"windows of {large[0]} px answer otherwise than of {own[0]} px: in their middle "
                f"{same.mean():.2%} of head {head.name!r} agree",
                hint=f"allowed is {MIDDLE_AGREEMENT:.0%}; give the window yourself with --window",
            )


def _middle(x: NDArray[Any]) -> NDArray[Any]:
    """Return the middle half of each side."""
    height, width = x.shape[-2:]
    return x[..., height // 4 : -(height // 4), width // 4 : -(width // 4)]


def fixed_batch_of(backend: Backend, windows: Mapping[str, NDArray[np.float32]]) -> int | None:
    """Return the batch to keep to so that a window's bytes do not depend on the others: 1, or None for any.

    The batch that a package demands itself is returned as it is. Raises BackendError where the
    very shape of the output depends on it.
    """
    if backend.identity.fixed_batch is not None:
        return backend.identity.fixed_batch
    if len(next(iter(windows.values()))) == 1:
        windows = {name: np.concatenate([x, x[..., ::-1]]) for name, x in windows.items()}
    together = run_in_parts(backend, windows)
    for i in range(len(next(iter(windows.values())))):
        alone = backend.run({name: x[i : i + 1] for name, x in windows.items()})
        for head, x in together.items():
            if alone[head].shape[1:] != x.shape[1:]:
                raise BackendError(f"head {head!r} has another shape for one window than for several")
            if not np.array_equal(alone[head][0], x[i]):
                return 1
    return None
