"""Plain torch on the CPU: runs registry networks from their safetensors, in float32.

torch is imported when a network is opened. Its number of threads belongs to the process: the last network
that runs sets it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.backends.base import BackendIdentity, BackendSpec, Precision, cpu_class, run_batches
from geowatch.package.manifest import WEIGHTS_FILE
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

__all__ = ["EagerBackend"]

#: Torch picks other kernels for one window than for several, and small networks were seen to give other
#: bytes. One at a time is the same by construction, and no slower on a CPU: features stay in the cache.
DEFAULT_BATCH = 1


class EagerBackend:
    """Runs a registry network as it stands; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    slow: ClassVar[bool] = False

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        if package.manifest.net is None:
            return f"{package.manifest.name} is a graph, which torch does not run"
        if find_spec("torch") is None:
            return "torch is not installed"
        return None if spec.device == "cpu" else f"it does not run on {spec.device}"

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Build the network and fill in the package's weights. Raises PackageError where they do not fit."""
        import torch

        del cache  # it compiles nothing
        self._threads = spec.threads
        self._manifest = package.manifest
        self._net: nn.Module | None = _restore(package)
        self._identity = BackendIdentity(
            name="eager",
            version=torch.__version__,
            precision="fp32",
            device=cpu_class(),
            threads=spec.threads,
            fixed_batch=package.manifest.batch or spec.fixed_batch or DEFAULT_BATCH,
        )

    @property
    def identity(self) -> BackendIdentity:
        """What its bytes depend on."""
        return self._identity

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return raw outputs by head; see `Backend.run`."""
        return run_batches(self._manifest, inputs, self._identity.fixed_batch, self._run)

    def _run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        import torch

        if self._net is None:
            raise BackendError("the backend is closed")
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        tensors = [torch.from_numpy(x) for x in feeds(self._manifest.inputs, inputs).values()]
        try:
            with torch.inference_mode():
                found = self._net(*(_channels_last(x) for x in tensors))
        except RuntimeError as error:
            raise BackendError(f"the network failed on {[tuple(x.shape) for x in tensors]}: {error}") from error
        return {h.name: np.ascontiguousarray(_output(found, h.output).numpy()) for h in self._manifest.heads}

    def close(self) -> None:
        """Free the weights."""
        self._net = None


def _restore(package: Package) -> nn.Module:
    from geowatch.nets.registry import restore_net

    spec = package.manifest.net
    if spec is None:
        raise BackendError(
            f"{package.manifest.name} is a graph, which torch does not run",
            hint="use the onnxruntime backend",
        )
    net = restore_net(spec.name, spec.kwargs, package.read(WEIGHTS_FILE), str(package.path / WEIGHTS_FILE))
    for parameter in net.parameters():
        parameter.data = _channels_last(parameter.data)
    return net


def _channels_last(x: Tensor) -> Tensor:
    import torch

    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _output(found: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in found:
        raise BackendError(f"the network has no output {name!r}; it has {', '.join(found)}")
    return found[name]
