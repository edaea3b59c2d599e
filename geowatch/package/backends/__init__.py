"""Backends: the libraries that run a package's network, behind one Protocol.

A backend's module is imported when it is asked for, and its library when a network is opened.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, cast, get_args

from geowatch.errors import BackendError
from geowatch.package.backends.base import (
    Backend,
    BackendIdentity,
    BackendKind,
    BackendName,
    BackendSpec,
    Precision,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

__all__ = [
    "BACKENDS",
    "LIBRARIES",
    "PRECISIONS",
    "Backend",
    "BackendIdentity",
    "BackendKind",
    "BackendName",
    "BackendSpec",
    "Precision",
    "available",
    "is_slow",
    "kind_of",
    "open_backend",
    "open_reference",
    "refusal_of",
]

#: Names of all backends, most trusted first.
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
#: Number types, the most exact first.
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

#: Distributions whose versions decide what a backend computes.
LIBRARIES: Mapping[BackendName, tuple[str, ...]] = MappingProxyType(
    {
        "onnxruntime": ("onnxruntime",),
        "openvino": ("openvino",),
        "inductor": ("torch", "triton"),
        "aotinductor": ("torch", "triton"),
        "eager": ("torch",),
        "tensorrt": ("torch", "torch-tensorrt", "tensorrt"),
    }
)

_KINDS: Mapping[BackendName, str] = MappingProxyType(
    {
        "onnxruntime": "onnxruntime:OnnxRuntimeBackend",
        "openvino": "openvino:OpenVinoBackend",
        "inductor": "inductor:InductorBackend",
        "aotinductor": "aotinductor:AotInductorBackend",
        "eager": "eager:EagerBackend",
        "tensorrt": "tensorrt:TensorRtBackend",
    }
)


def kind_of(name: BackendName) -> BackendKind | None:
    """Return the class of backend ``name``, or None where this version has none."""
    module, _, kind = _KINDS[name].partition(":")
    full = f"{__name__}.{module}"
    if find_spec(full) is None:
        return None
    return cast("BackendKind", getattr(importlib.import_module(full), kind))


def is_slow(name: BackendName) -> bool:
    """Whether a backend compiles for so long that it is not tried unless asked for."""
    kind = kind_of(name)
    return kind is not None and kind.slow


def refusal_of(package: Package, spec: BackendSpec) -> str | None:
    """Why a backend cannot run a package here; None where it can, as far as can be said without opening it."""
    kind = kind_of(spec.name)
    if kind is None:
        return f"this version of gw has no {spec.name}"
    if spec.precision not in kind.precisions:
        return f"it computes in {', '.join(kind.precisions)}, not in {spec.precision}"
    return kind.refusal(package, spec)


def available(package: Package, *, device: str = "cpu", precision: Precision = "fp32") -> tuple[BackendName, ...]:
    """Names of the backends that can run ``package`` on this machine, the default first."""
    asked = (BackendSpec(name, device=device, precision=precision) for name in BACKENDS)
    return tuple(spec.name for spec in asked if refusal_of(package, spec) is None)


def open_backend(
    package: Package,
    spec: BackendSpec | str,
    *,
    threads: int | None = None,
    fixed_batch: int | None = None,
    cache: CompiledCache | None = None,
) -> Backend:
    """Open a backend, as ``spec`` says in full or by its name alone.

    ``threads`` and ``fixed_batch``, where given, win over those of ``spec``. Compiled forms are kept in ``cache``;
    without one they are made for this backend alone. Raises BackendError where the backend does not exist or
    cannot run this package.
    """
    asked = _asked(spec, threads, fixed_batch)
    refusal = refusal_of(package, asked)
    kind = kind_of(asked.name)
    if refusal is not None or kind is None:
        others = available(package, device=asked.device, precision=asked.precision)
        raise BackendError(
            f"backend '{asked.name}' cannot run here: {refusal}",
            hint=f"choose from {', '.join(others)}" if others else "choose another --precision or --device",
        )
    return kind(package, asked, cache)


def _asked(spec: BackendSpec | str, threads: int | None, fixed_batch: int | None) -> BackendSpec:
    if isinstance(spec, str):
        if spec not in BACKENDS:
            raise BackendError(f"no backend is called {spec!r}", hint=f"choose from {', '.join(BACKENDS)}")
        spec = BackendSpec(spec)
    return replace(
        spec, threads=spec.threads if threads is None else threads, fixed_batch=fixed_batch or spec.fixed_batch
    )


def open_reference(package: Package, *, threads: int) -> Backend:
    """Open the package's reference: eager for registry networks, else onnxruntime with optimisation off."""
    if package.manifest.net is not None and find_spec("torch"):
        return open_backend(package, "eager", threads=threads)
    from geowatch.package.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(package, BackendSpec("onnxruntime", threads=threads), optimise=False)
