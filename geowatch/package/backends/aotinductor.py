"""Networks that torch's AOTInductor has compiled ahead: libraries in the local cache, loaded from nowhere else.

Each size of window is an entry of its own, for a stated number of windows. Making one takes tens of seconds,
loading it none. A library is code: it is made here from a checked package, and its digest is checked by the cache.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from geowatch.errors import BackendError
from geowatch.package.backends.base import BackendSpec, Precision
from geowatch.package.backends.torch_common import (
    CPU_BATCH,
    Program,
    Shapes,
    TorchBackend,
    identity_of,
    place_of,
    prepared_net,
    torch_key,
    torch_refusal,
)
from geowatch.package.backends.torch_compile import OPTIONS, compiler_refusal, compiling, exported
from geowatch.package.cache import CompiledCache, private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from geowatch.package.bundle import Package

__all__ = ["AotInductorBackend"]

#: Name of the library in an entry.
LIBRARY = "network.pt2"
_HINT = "choose another backend with --jit NAME"


class AotInductorBackend(TorchBackend):
    """Runs a library that torch has made of a network; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16")
    slow: ClassVar[bool] = True

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`.

        Loading what is in the cache needs no compiler, so a missing one is only said where something is compiled.
        """
        del package  # a graph is converted when it is compiled, and refused by the operator's name
        return torch_refusal(spec)

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Load the network for the window and batch of ``spec``, or compile it. Raises BackendError."""
        place = place_of(spec)
        batch = spec.batch if place.on_cuda else CPU_BATCH
        super().__init__(package.manifest, identity_of("aotinductor", package, spec, batch=batch), place)
        self._package = package
        self._cache = cache
        self._warm_up(spec)

    def _made(self, shapes: Shapes) -> Program:
        tensors = self._zeros(shapes)
        build = partial(self._compile, tensors)
        if self._cache is None:
            folder = private_folder(build)
        else:
            folder = self._cache.artifact(torch_key(self._package, self._identity, shapes), build)
        return _library(folder / LIBRARY, tensors[0].device.index)

    def _compile(self, tensors: tuple[Tensor, ...], folder: Path) -> None:
        from torch._inductor import aoti_compile_and_package

        refusal = compiler_refusal(self._place.device)
        if refusal is not None:
            raise BackendError(
                f"aotinductor cannot compile the network: {refusal}", hint="choose another one with --jit"
            )
        net = prepared_net(self._package, self._place)
        with compiling("aotinductor"):
            aoti_compile_and_package(
                exported(net, tensors), package_path=str(folder / LIBRARY), inductor_configs=dict(OPTIONS)
            )


def _library(path: Path, index: int | None) -> Program:
    """Load a library by torch's own loader in C++: its Python front imports a compiler, and tries it out first."""
    import torch

    device = -1 if index is None else index
    loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, device)  # noqa: SLF001
    return lambda *tensors: tuple(loader.run(list(tensors)))
