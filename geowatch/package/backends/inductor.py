"""torch.compile with weights folded in: compiled when it is opened, and again in every process.

Each size of window is compiled by itself, for a stated number of windows; that takes tens of seconds. The form
that is kept from run to run is `aotinductor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from geowatch.package.backends.base import BackendSpec, Precision
from geowatch.package.backends.torch_common import (
    CPU_BATCH,
    Program,
    Shapes,
    TorchBackend,
    identity_of,
    place_of,
    prepared_net,
    torch_refusal,
)
from geowatch.package.backends.torch_compile import compiler_refusal, compiling, exported

if TYPE_CHECKING:
    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

__all__ = ["InductorBackend"]


class InductorBackend(TorchBackend):
    """Runs a network that torch has compiled in this process; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16")
    slow: ClassVar[bool] = True

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        del package  # a graph is converted when it is opened, and refused by the operator's name
        return torch_refusal(spec) or compiler_refusal(spec.device)

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Compile the network for the window and batch of ``spec``. Raises PackageError or BackendError."""
        del cache  # what it makes lives in memory
        place = place_of(spec)
        batch = spec.batch if place.on_cuda else CPU_BATCH
        super().__init__(package.manifest, identity_of("inductor", package, spec, batch=batch), place)
        self._net = prepared_net(package, place)
        self._warm_up(spec)

    def _made(self, shapes: Shapes) -> Program:
        import torch

        tensors = self._zeros(shapes)
        with compiling("inductor"):
            module = exported(self._net, tensors).module()
            program: Program = torch.compile(module, dynamic=False)
            program(*tensors)  # compiles
        return program
