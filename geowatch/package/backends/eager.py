"""Plain torch: runs networks as they stand, on the CPU or a CUDA device."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from geowatch.package.backends.base import BackendSpec, Precision
from geowatch.package.backends.torch_common import (
    CPU_BATCH,
    Shapes,
    TorchBackend,
    identity_of,
    place_of,
    prepared_net,
    torch_refusal,
)

if TYPE_CHECKING:
    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

__all__ = ["EagerBackend"]


class EagerBackend(TorchBackend):
    """Runs a network as it stands; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16")
    slow: ClassVar[bool] = False

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        del package  # a graph is converted when it is opened, and refused by the operator's name
        return torch_refusal(spec)

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Build the network and fill in the package's weights. Raises PackageError or BackendError."""
        del cache  # it compiles nothing
        place = place_of(spec)
        batch = spec.batch if place.on_cuda else CPU_BATCH
        super().__init__(package.manifest, identity_of("eager", package, spec, batch=batch), place)
        self._programs[self._form(())] = prepared_net(package, place)
        if place.on_cuda:
            self._warm_up(spec)

    def _form(self, shapes: Shapes) -> Shapes:
        """A network as it stands takes any shapes."""
        del shapes
        return ()
