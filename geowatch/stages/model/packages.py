"""Models: foreign networks become packages, and packages are shown and verified.

``import_model`` takes an ONNX file, ``package_model`` a torch network; both try the network before they
publish it, and give the opened package. ``show_model`` and ``verify_model`` look at a package that is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from geowatch.errors import BackendError, ConfigError
from geowatch.package.backends import available, is_slow, open_backend, open_reference
from geowatch.package.box_head import BoxesSpec
from geowatch.package.bundle import Package, load_package
from geowatch.package.gate import GateReport, gather_evidence, pass_gate
from geowatch.package.importing import import_onnx
from geowatch.package.manifest import HeadSpec, InputSpec, Manifest
from geowatch.package.packaging import NetSource, package_net
from geowatch.package.spec import ImportSpec, complaint
from geowatch.package.trial import trial_windows

if TYPE_CHECKING:
    from geowatch.package.backends.base import BackendIdentity

__all__ = [
    "ImportConfig",
    "ModelSummary",
    "ModelVerdict",
    "PackageConfig",
    "import_model",
    "package_model",
    "show_model",
    "verify_model",
]


@dataclass(frozen=True, kw_only=True)
class ImportConfig(ImportSpec):
    """``gw model import``: an ONNX file and what it does not say of itself."""

    source: Path
    """ONNX file."""
    output: Path
    """Folder of the package to make; it must not exist, or hold the very same package."""
    spec: Path | None = None
    """YAML file with ``inputs``, ``heads`` and ``boxes`` in full, as in a manifest, for networks with several."""


@dataclass(frozen=True, kw_only=True)
class PackageConfig(ImportSpec):
    """``gw model package``: a torch network, its weights, and what it takes and gives."""

    net: str
    """Name of a network of the registry, ``module:Class`` or ``file.py:Class``."""
    output: Path
    """Folder of the package to make; it must not exist, or hold the very same package."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the network, such as ``width: 16``."""
    weights: Path | None = None
    """Weights: safetensors, or a ``.pth`` that holds tensors alone; None takes weights drawn by ``seed``."""
    seed: int = 0
    """Seed of weights where no file gives them."""
    spec: Path | None = None
    """YAML file with ``inputs``, ``heads`` and ``boxes`` in full, as in a manifest, for networks with several."""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What there is to say of a package."""

    path: Path
    """Its folder."""
    digest: str
    """SHA-256 that stands for all of it."""
    manifest: Manifest
    """Everything that it says of itself."""
    backends: tuple[str, ...]
    """Backends of this machine that can run it, the default first."""
    total_bytes: int
    """Size of its files."""


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """Outcome of verifying a package: every byte is what its manifest says, and these backends run it."""

    path: Path
    """Its folder."""
    digest: str
    """SHA-256 that stands for all of it."""
    gates: Mapping[BackendIdentity, GateReport]
    """How far each backend is from the package's reference, on noise."""
    refused: Mapping[str, str]
    """Backends that cannot be used for it, with the reason."""


def import_model(config: ImportConfig) -> Package:
    """Make a package from an ONNX file. Raises PackageError where it is unsafe or not as described."""
    return import_onnx(config.source, _spec_of(config, config.spec), config.output)


def package_model(config: PackageConfig) -> Package:
    """Make a package from a torch network. Raises PackageError where it is not as described."""
    source = NetSource(net=config.net, options=config.options, weights=config.weights, seed=config.seed)
    return package_net(source, _spec_of(config, config.spec), config.output)


def show_model(path: Path) -> ModelSummary:
    """Say what a package is. Raises PackageError or DamagedError where it cannot be trusted."""
    package = load_package(path)
    total = sum(record.bytes for record in package.manifest.files.values())
    return ModelSummary(package.path, package.digest, package.manifest, available(package), total)


def verify_model(path: Path, *, threads: int = 1) -> ModelVerdict:
    """Check every byte of a package and run it on noise by each backend that does not compile for minutes.

    Raises PackageError or DamagedError where it cannot be trusted, BackendError where nothing runs it.
    """
    package = load_package(path)
    manifest = package.manifest
    windows = trial_windows(manifest.inputs, manifest.batch or 2, manifest.window.size)
    reference = open_reference(package, threads=threads)
    evidence = gather_evidence(manifest, reference, windows, count=len(next(iter(windows.values()))))
    reference.close()
    gates: dict[BackendIdentity, GateReport] = {}
    refused: dict[str, str] = {}
    for name in available(package):
        if is_slow(name):
            continue
        try:
            backend = open_backend(package, name, threads=threads)
            gates[backend.identity] = pass_gate(manifest, backend, evidence)
            backend.close()
        except BackendError as error:
            refused[name] = error.fact
    if not gates:
        raise BackendError(
            f"no backend runs {path}: {'; '.join(refused.values()) or 'there is none'}",
            hint="gw doctor shows what this machine has, gw model show what runs the package",
        )
    return ModelVerdict(package.path, package.digest, gates, refused)


class _SpecDocument(BaseModel):
    """The YAML file of ``--spec``."""

    model_config = ConfigDict(extra="forbid")
    inputs: tuple[InputSpec, ...] = ()
    heads: tuple[HeadSpec, ...] = ()
    boxes: tuple[BoxesSpec, ...] = ()


def _spec_of(config: ImportSpec, file: Path | None) -> ImportSpec:
    """Return what ``config`` says of the network, with what a file says in full."""
    said = {f.name: getattr(config, f.name) for f in fields(ImportSpec)}
    if file is not None:
        document = _read_spec(file)
        full = {"inputs": document.inputs, "heads": document.heads, "boxes": document.boxes}
        said |= {name: value for name, value in full.items() if value}
    return ImportSpec(**said)


def _read_spec(file: Path) -> _SpecDocument:
    try:
        return _SpecDocument.model_validate(yaml.safe_load(file.read_text()) or {})
    except OSError as error:
        raise ConfigError(f"cannot read {file} ({error.strerror})", hint="--spec names a YAML file") from error
    except (yaml.YAMLError, ValidationError) as error:
        reason = complaint(error) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise ConfigError(
            f"{file} does not describe a network: {reason}",
            hint="its keys are the manifest's: see docs/reference/manifest.md, or `gw model show --json` of a package",
        ) from error
