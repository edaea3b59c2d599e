"""Compile: fill the cache of compiled networks ahead, so that an image or a pod starts warm.

A package in; in the cache, for each backend asked for, its compiled form and, where imagery is given, the gate's
verdict and the measured speed. A predict with the same backend, window, batch and threads needs nothing more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError, ConfigError
from geowatch.package import load_package
from geowatch.package.backends import (
    BACKENDS,
    PRECISIONS,
    BackendSpec,
    is_slow,
    open_backend,
    open_reference,
    refusal_of,
)
from geowatch.package.cache import CompiledCache
from geowatch.package.choose import DEFAULT_BATCH
from geowatch.package.gate import Evidence, gather_evidence
from geowatch.package.prove import Proving, prove, remember_seconds
from geowatch.package.trial import trial_windows
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.model.trials import image_windows
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geowatch.package import Package
    from geowatch.package.backends import Backend, BackendName, Precision
    from geowatch.package.gate import GateReport

__all__ = ["CompileConfig", "Compiled", "compile_model"]

#: Windows of the imagery that are looked at for two classes.
LOOKED_AT = 12


@dataclass(frozen=True, kw_only=True)
class CompileConfig:
    """``gw model compile``: what is compiled, for what."""

    package: str
    """Package folder."""
    cache: str | None = None
    """Folder of compiled networks."""
    jit: tuple[str, ...] = ()
    """Backends; empty takes those that are quick to compile, ``all`` every one."""
    precision: tuple[str, ...] = ("fp32",)
    """Number types."""
    device: str = "cpu"
    """Device."""
    window: int | None = None
    """Side of a window in pixels; None takes the package's own."""
    batch: int = DEFAULT_BATCH
    """Windows in a run."""
    threads: int = 1
    """Threads of each network; what compiles for a number of threads serves that number alone."""
    imagery: ImageryConfig = field(default_factory=ImageryConfig)
    """Imagery that the gate looks at; without any it looks at noise, and its verdict is not kept."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What was found of one backend."""

    spec: BackendSpec
    """Backend, and what it was compiled for."""
    open_s: float = 0.0
    """Seconds to compile and open it, or to open it alone where the cache held it."""
    seconds_per_window: float = 0.0
    """Best time for one window."""
    gate: GateReport | None = None
    """How far it is from the reference; None where it was refused."""
    refused: str | None = None
    """Why it cannot be used."""


def compile_model(config: CompileConfig, events: Events | None = None) -> tuple[Compiled, ...]:
    """Compile a package for some backends, gate them and time them.

    Raises:
        ConfigError: where there is no cache to fill, or an option has no meaning.
        BackendError: where none of the backends can be used.
    """
    if config.cache is None:
        raise ConfigError("there is no cache to fill", hint="name a folder with --cache")
    package = load_package(config.package)
    size = package.manifest.window.size if config.window is None else (config.window, config.window)
    if not package.manifest.window.accepts(size):
        raise ConfigError(f"the network takes no windows of {size[0]} px", hint="gw model show says what it takes")
    proving = _proving(config, package, size, events or Silent())
    found = tuple(_compiled(proving, spec) for spec in _specs(config, package, size))
    for each in found:
        # Augmentation, uncertainty and the like want the network without its activation.
        if not each.refused and proving.form(each.spec) is not package:
            _compiled(replace(proving, fused=False), each.spec)
    if all(each.refused for each in found):
        reasons = "; ".join(f"{each.spec.name} {each.spec.precision}: {each.refused}" for each in found)
        raise BackendError(
            f"no backend runs {config.package}: {reasons or 'there is none'}",
            hint="gw doctor shows what this machine has, gw model show what runs the package",
        )
    return found


def _specs(config: CompileConfig, package: Package, size: tuple[int, int]) -> Iterator[BackendSpec]:
    """Yield what to compile; what cannot run the package is left out unless it was asked for by name."""
    _check(config.jit, (*BACKENDS, "auto", "all"), "--jit")
    _check(config.precision, PRECISIONS, "--precision")
    named = [name for name in BACKENDS if name in config.jit]
    every = "all" in config.jit
    for name in named or BACKENDS:
        for precision in (p for p in PRECISIONS if p in config.precision):
            spec = _spec(config, name, precision, size)
            if named or (refusal_of(package, spec) is None and (every or not is_slow(name))):
                yield spec


def _check(given: Sequence[str], known: Sequence[str], option: str) -> None:
    for value in given:
        if value not in known:
            raise ConfigError(f"{option} got '{value}'", hint=f"choose from {', '.join(known)}")


def _spec(config: CompileConfig, name: BackendName, precision: Precision, size: tuple[int, int]) -> BackendSpec:
    return BackendSpec(name, config.threads, precision, config.device, window_px=size, batch=config.batch)


def _proving(config: CompileConfig, package: Package, size: tuple[int, int], events: Events) -> Proving:
    real = bool(config.imagery.images)
    if not real:
        events.note("the gate looks at noise, since no imagery is given; its verdict is not kept")

    @cache
    def evidence(_size: tuple[int, int]) -> Evidence:
        manifest = package.manifest
        if real:
            windows = image_windows(package, config.imagery, size, LOOKED_AT, events)
        else:
            windows = trial_windows(manifest.inputs, manifest.batch or 2, size)
        reference = open_reference(package, threads=cores())
        try:
            return gather_evidence(manifest, reference, windows)
        finally:
            reference.close()

    return Proving(package, evidence, CompiledCache(Path(config.cache or "")), real, fused=True)


def _compiled(proving: Proving, spec: BackendSpec) -> Compiled:
    start = time.perf_counter()
    try:
        backend = open_backend(proving.form(spec), spec, cache=proving.cache)
    except BackendError as error:
        return Compiled(spec, refused=error.fact)
    open_s = time.perf_counter() - start
    try:
        report = prove(proving, spec, backend).gate
        seconds = _seconds(proving, spec, backend)
    except BackendError as error:
        return Compiled(spec, open_s, refused=error.fact)
    finally:
        backend.close()
    remember_seconds(proving, spec, seconds)
    return Compiled(spec, open_s, seconds, report)


def _seconds(proving: Proving, spec: BackendSpec, backend: Backend) -> float:
    """Return the best time for one window of three runs; the numbers in it do not matter."""
    size = spec.window_px or proving.package.manifest.window.size
    shapes = {i.name: (spec.batch, len(i.channels), *size) for i in proving.package.manifest.inputs}
    windows = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        backend.run(windows)
        best = min(best, time.perf_counter() - start)
    return best / spec.batch
