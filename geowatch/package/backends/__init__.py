"""Backends: what runs a package's network. `open_backend` is the one door to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.errors import BackendError
from geowatch.package.backends.base import Backend, BackendIdentity, BackendName
from geowatch.package.backends.onnxruntime import OnnxRuntimeBackend
from geowatch.package.manifest import GRAPH_FILE

if TYPE_CHECKING:
    from geowatch.package.bundle import Package

__all__ = ["Backend", "BackendIdentity", "BackendName", "available", "open_backend"]


def available(package: Package) -> tuple[BackendName, ...]:
    """Names of the backends that can run ``package`` on this machine, most trusted first."""
    found: list[BackendName] = []
    if GRAPH_FILE in package.manifest.files:
        found.append("onnxruntime")
    return tuple(found)


def open_backend(package: Package, name: str, *, threads: int, fixed_batch: int | None = None) -> Backend:
    """Open backend ``name`` on ``threads`` threads. Raises BackendError where it cannot run this package."""
    if name not in available(package):
        raise BackendError(
            f"backend {name!r} cannot run {package.manifest.name}",
            hint=f"choose from {', '.join(available(package))}",
        )
    return OnnxRuntimeBackend(package, threads=threads, fixed_batch=fixed_batch)
