"""Backends: what runs a package's network. `open_backend` is the one door to all of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, get_args

from geowatch.errors import BackendError
from geowatch.package.backends.base import Backend, BackendIdentity, BackendName
from geowatch.package.backends.eager import EagerBackend
from geowatch.package.backends.onnxruntime import OnnxRuntimeBackend
from geowatch.package.manifest import GRAPH_FILE

if TYPE_CHECKING:
    from geowatch.package.bundle import Package

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendIdentity",
    "BackendName",
    "available",
    "open_backend",
    "open_reference",
]

#: Names of all backends, most trusted first.
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


def available(package: Package) -> tuple[BackendName, ...]:
    """Names of the backends that can run ``package`` on this machine, the default first."""
    return tuple(name for name in BACKENDS if _refusal(package, name) is None)


def _refusal(package: Package, name: BackendName) -> str | None:
    """Why a backend cannot run a package here; None where it can."""
    manifest = package.manifest
    if name == "onnxruntime":
        return None if GRAPH_FILE in manifest.files else f"{manifest.name} has no {GRAPH_FILE}"
    if manifest.net is None:
        return f"{manifest.name} is a graph, which torch does not run"
    return None if find_spec("torch") else "torch is not installed"


def open_backend(package: Package, name: str, *, threads: int, fixed_batch: int | None = None) -> Backend:
    """Open backend ``name`` on ``threads`` threads.

    ``fixed_batch`` is the one of a recipe: the number of windows that each run of the network holds, whatever
    the caller gives it. Raises BackendError where the backend does not exist or cannot run this package.
    """
    if name not in BACKENDS:
        raise BackendError(f"no backend is called {name!r}", hint=f"choose from {', '.join(BACKENDS)}")
    refusal = _refusal(package, name)
    if refusal is not None:
        raise BackendError(
            f"backend {name!r} cannot run here: {refusal}",
            hint=f"choose from {', '.join(available(package))}",
        )
    if threads < 1:
        raise BackendError(f"a network cannot run on {threads} threads", hint="give at least 1")
    kind = EagerBackend if name == "eager" else OnnxRuntimeBackend
    return kind(package, threads=threads, fixed_batch=fixed_batch)


def open_reference(package: Package, *, threads: int) -> Backend:
    """Open the package's reference: eager for registry networks, else onnxruntime with optimisation off."""
    if package.manifest.net is not None and find_spec("torch"):
        return EagerBackend(package, threads=threads)
    return OnnxRuntimeBackend(package, threads=threads, optimise=False)
