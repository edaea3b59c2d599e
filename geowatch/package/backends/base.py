"""The one Protocol behind which networks run, what is asked of it, and what names a backend's numerics."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np

from geowatch.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

__all__ = [
    "Backend",
    "BackendIdentity",
    "BackendKind",
    "BackendName",
    "BackendSpec",
    "Precision",
    "cpu_class",
]

BackendName = Literal["onnxruntime", "openvino", "inductor", "aotinductor", "eager", "tensorrt"]
"""Backends that this version knows, the default first."""
Precision = Literal["fp32", "bf16", "fp16", "int8"]
"""Number types that backends compute in."""


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """What is asked for: a backend, and what it is to be compiled for."""

    name: BackendName
    """Backend."""
    threads: int = 1
    """Threads that one network runs on."""
    precision: Precision = "fp32"
    """Number type to compute in."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:1``."""
    window_px: tuple[int, int] | None = None
    """(height, width) that static forms are compiled for; None takes the package's own."""
    batch: int = 1
    """Windows in one run that static forms are compiled for; runs of other counts work too."""
    fixed_batch: int | None = None
    """A recipe's: the number of windows that each run of the network holds, whatever the caller gives it."""

    def __post_init__(self) -> None:
        """Check what no backend could do. Raises BackendError."""
        if self.threads < 1:
            raise BackendError(f"a network cannot run on {self.threads} threads", hint="give at least 1")
        if self.batch < 1:
            raise BackendError(f"a network cannot run on {self.batch} windows at once", hint="give at least 1")


@dataclass(frozen=True, slots=True)
class BackendIdentity:
    """Everything on which the bytes of a backend's output depend, beside package and windows.

    It stands in a run's recipe: two runs with equal identities give equal bytes.
    """

    name: str
    """Backend, such as ``onnxruntime``."""
    version: str
    """Version of its library."""
    precision: str
    """Number type that it computes in, such as ``fp32``."""
    device: str
    """Class of device, such as ``cpu-avx512``: processors of one class have the same instructions."""
    threads: int | None
    """Threads that one network runs on; None where the bytes were shown not to depend on them."""
    fixed_batch: int | None = None
    """Windows in each run of the network, where its output was found to depend on it; None where not."""


class Backend(Protocol):
    """Runs a package's network."""

    @property
    def identity(self) -> BackendIdentity:
        """What its bytes depend on."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return the raw output of each head, by `HeadSpec.name`, in the head's own layout.

        ``inputs`` hold (N, C, H, W) float32 for each `InputSpec.name`, as `prepare` makes them, N at least 1.
        A window's output does not depend on N or on its place, bit for bit. Raises BackendError where the
        inputs do not fit or the network fails.
        """

    def close(self) -> None:
        """Free what it holds; it cannot run any more."""


class BackendKind(Protocol):
    """A class of backends, before one is opened. Its module imports its library inside functions only."""

    precisions: ClassVar[tuple[Precision, ...]]
    """Number types that it can compute in."""
    slow: ClassVar[bool]
    """Whether compiling takes so long (tens of seconds) that it is not tried unless asked for."""

    def __call__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> Backend:
        """Open the network of ``package``.

        Compiled forms come from ``cache`` where there is one; without, they are made in memory or in a private
        temporary folder. Raises BackendError where the network cannot be built.
        """

    def refusal(self, package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here as ``spec`` says; None where it can. A static method, and quick."""


@cache
def cpu_class() -> str:
    """Class of this processor by its widest vector instructions, such as ``cpu-avx512``.

    Kernels are chosen by them, so results can differ in the last bits from one class to another.
    """
    flags = _cpu_flags()
    widest = next((name for name, flag in _ISA if flag in flags), platform.machine() or "unknown")
    return f"cpu-{widest}"


_ISA = (("avx512", "avx512f"), ("avx2", "avx2"), ("sve", "sve"), ("neon", "asimd"))


def _cpu_flags() -> frozenset[str]:
    listing = Path("/proc/cpuinfo")
    if not listing.exists():
        return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", listing.read_text(), re.MULTILINE)
    return frozenset(found.group(1).split()) if found else frozenset()
