"""Quantise: a package gets a form in whole numbers of 8 bits, calibrated and judged on real imagery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from geowatch.errors import BackendError, ConfigError, PackageError
from geowatch.package import load_package
from geowatch.package.backends import BackendSpec, available, open_backend, open_reference
from geowatch.package.gate import GateReport, gather_evidence, pass_gate
from geowatch.package.int8 import quantise_package
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.model.trials import image_windows
from geowatch.stages.working.events import Events, Silent
from geowatch.stages.working.process import cores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geowatch.package import Package

__all__ = ["QuantiseConfig", "Quantised", "quantise_model"]


@dataclass(frozen=True, kw_only=True)
class QuantiseConfig:
    """``gw model quantise``: a package, and imagery like that which it will see."""

    package: str
    """Package folder."""
    output: Path
    """Folder of the package to make."""
    imagery: ImageryConfig = field(default_factory=ImageryConfig)
    """Imagery: every other window calibrates, the rest judge."""
    windows: int = 24
    """Windows to look at."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """What was made."""

    package: Package
    """The package with its form in 8 bits."""
    gates: Mapping[str, GateReport]
    """How far each backend is from the reference with it, on windows that it was not calibrated on."""
    refused: Mapping[str, str]
    """Backends that the gate refuses with it, with the figures."""


def quantise_model(config: QuantiseConfig, events: Events | None = None) -> Quantised:
    """Make a package with a form in 8 bits. Backends that do not pass the gate with it will be refused later too.

    Raises:
        ConfigError: where no imagery is given.
        PackageError: where the network cannot be quantised, or fewer than two windows were found.
    """
    if not config.imagery.images:
        raise ConfigError("without imagery there is nothing to calibrate on", hint="give some with --images")
    package = load_package(config.package)
    size = package.manifest.window.size
    windows = image_windows(package, config.imagery, size, config.windows, events or Silent())
    if len(next(iter(windows.values()))) < 2:
        raise PackageError("the imagery fills one window only", hint="one calibrates and another judges: give more")
    made = quantise_package(package, _every_other(windows, 0), config.output)
    return Quantised(made, *_judged(package, made, _every_other(windows, 1)))


def _every_other(windows: Mapping[str, NDArray[np.float32]], first: int) -> dict[str, NDArray[np.float32]]:
    return {name: x[first::2] for name, x in windows.items()}


def _judged(
    package: Package, made: Package, windows: Mapping[str, NDArray[np.float32]]
) -> tuple[dict[str, GateReport], dict[str, str]]:
    reference = open_reference(package, threads=cores())
    evidence = gather_evidence(made.manifest, reference, windows, count=len(next(iter(windows.values()))))
    reference.close()
    gates: dict[str, GateReport] = {}
    refused: dict[str, str] = {}
    for name in available(made, precision="int8"):
        try:
            backend = open_backend(made, BackendSpec(name, cores(), "int8"))
            gates[name] = pass_gate(made.manifest, backend, evidence)
            backend.close()
        except BackendError as error:
            refused[name] = error.fact
    return gates, refused
