"""Choosing a backend by measurement, before a run's recipe is pinned.

Each candidate is opened, compared with the package's reference on real windows (`gate`), tried for whether a
window's output depends on its batch, and timed. The fastest that passes is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.backends import available, open_backend, open_reference
from geowatch.package.gate import GateReport, pass_gate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.package.backends.base import Backend, BackendIdentity
    from geowatch.package.bundle import Package

    Windows = Mapping[str, NDArray[np.float32]]

__all__ = ["Choice", "Trial", "choose_backend", "fixed_batch_of", "try_backend"]

#: Runs that are timed for each candidate; the best one counts.
TIMED_RUNS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found of one backend."""

    identity: BackendIdentity
    """What its bytes depend on; belongs into the recipe."""
    seconds_per_window: float
    """Best time for one of the windows given."""
    gate: GateReport
    """How far it is from the reference."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that was chosen, and why."""

    identity: BackendIdentity
    """The chosen one's identity; belongs into the recipe."""
    trials: tuple[Trial, ...]
    """All that passed, fastest first."""
    refused: Mapping[str, str]
    """Those that did not pass, with the reason."""

    @property
    def seconds_per_window(self) -> dict[str, float]:
        """Time for one window, by backend."""
        return {t.identity.name: t.seconds_per_window for t in self.trials}

    @property
    def reason(self) -> str:
        """One line for people, such as ``onnxruntime: 6.1 ms a window (eager 9.8)``."""
        best, *others = self.trials
        rest = [f"{t.identity.name} {t.seconds_per_window * 1e3:.1f}" for t in others]
        rest += [f"{name} refused" for name in self.refused]
        behind = f" ({', '.join(rest)})" if rest else ""
        return f"{best.identity.name}: {best.seconds_per_window * 1e3:.1f} ms a window{behind}"


def choose_backend(package: Package, *, threads: int, names: Sequence[str] | None = None, windows: Windows) -> Choice:
    """Choose the fastest backend that passes the gate.

    Args:
        package: the package.
        threads: threads for one network.
        names: candidates; None takes all that are available.
        windows: prepared windows (N, C, H, W) for each input, best real ones of several classes; N of 2 to 8.

    Raises:
        BackendError: no candidate passes; ``fact`` says why for each.
    """
    candidates = available(package) if names is None else tuple(names)
    runs = TIMED_RUNS if len(candidates) > 1 else 1  # an only candidate need not be the fastest
    trials, refused = [], {}
    for name in candidates:
        try:
            trials.append(try_backend(package, name, threads=threads, windows=windows, runs=runs))
        except BackendError as error:
            refused[name] = error.fact
    if not trials:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items()) or "there is none"
        raise BackendError(f"no backend can run {package.manifest.name}: {reasons}")
    trials.sort(key=lambda t: t.seconds_per_window)
    return Choice(trials[0].identity, tuple(trials), refused)


def try_backend(package: Package, name: str, *, threads: int, windows: Windows, runs: int = TIMED_RUNS) -> Trial:
    """Open one backend, gate it, try its batches and time it. Raises BackendError where it fails."""
    backend = open_backend(package, name, threads=threads)
    reference = open_reference(package, threads=threads)
    try:
        report = pass_gate(package.manifest, backend, reference, windows)
        identity = replace(backend.identity, fixed_batch=fixed_batch_of(backend, windows))
        return Trial(identity, _seconds(backend, windows, runs), report)
    finally:
        backend.close()
        reference.close()


def fixed_batch_of(backend: Backend, windows: Windows) -> int | None:
    """Return the batch to keep to so that a window's bytes do not depend on the others: 1, or None for any.

    The batch that a package demands itself is returned as it is.
    """
    if backend.identity.fixed_batch is not None:
        return backend.identity.fixed_batch
    together = backend.run(windows)
    for i in range(len(next(iter(windows.values())))):
        alone = backend.run({name: x[i : i + 1] for name, x in windows.items()})
        for head, x in together.items():
            if not np.array_equal(alone[head][0], x[i]):
                return 1
    return None


def _seconds(backend: Backend, windows: Windows, runs: int) -> float:
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        backend.run(windows)
        best = min(best, time.perf_counter() - start)
    return best / len(next(iter(windows.values())))
