"""What torch's backends share: the network as a module, its place, and how windows go in and answers come out.

Registry networks are built from their safetensors; graphs are converted (`geowatch.nets.onnx`). torch is imported
when a network is opened. Its number of threads belongs to the process: the last network that runs sets it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.backends.base import BackendIdentity, BackendSpec, cpu_class
from geowatch.package.backends.memory import fitting_batch, run_within_memory
from geowatch.package.cache import ArtifactKey
from geowatch.package.manifest import GRAPH_FILE, WEIGHTS_FILE
from geowatch.package.tensors import check_inputs, feeds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from geowatch.package.bundle import Package
    from geowatch.package.manifest import Manifest

__all__ = [
    "CPU_BATCH",
    "Place",
    "Program",
    "Shapes",
    "TorchBackend",
    "examples",
    "identity_of",
    "line_of",
    "place_of",
    "prepared_net",
    "torch_key",
    "torch_refusal",
]

Program = Callable[..., "tuple[Tensor, ...]"]
"""A network in whichever form: tensors in the manifest's order in, the raw output of each head out."""
Shapes = tuple[tuple[int, ...], ...]
"""Shape of each tensor that goes in."""

#: Torch picks other kernels for one window than for several, and small networks were seen to give other
#: bytes. One at a time is the same by construction, and no slower on a CPU: features stay in the cache.
CPU_BATCH = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network runs, in which number type, and on how many threads."""

    device: str
    """``cpu``, ``cuda`` or ``cuda:1``."""
    precision: str
    """``fp32``, ``bf16`` or ``fp16``."""
    threads: int
    """Threads of the processor."""

    @property
    def on_cuda(self) -> bool:
        """Whether it is a CUDA device."""
        return self.device.startswith("cuda")

    @property
    def reduced(self) -> torch.dtype | None:
        """The number type of convolutions and products where it is not float32."""
        import torch

        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

    @property
    def device_class(self) -> str:
        """Devices of one class have the same kernels: ``cpu-avx512``, ``cuda-sm90``."""
        if not self.on_cuda:
            return cpu_class()
        import torch

        major, minor = torch.cuda.get_device_capability(self.device)
        return f"cuda-sm{major}{minor}"

    @contextlib.contextmanager
    def numerics(self) -> Iterator[None]:
        """Run as stated: on so many threads; on CUDA with full float32, and kernels that repeat themselves."""
        import torch

        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        if not self.on_cuda:
            yield
            return
        exact = {"enabled": True, "benchmark": False, "deterministic": True, "allow_tf32": False}
        with torch.backends.cudnn.flags(**exact), torch.cuda.device(self.device):
            before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")
            try:
                yield
            finally:
                torch.set_float32_matmul_precision(before)


def place_of(spec: BackendSpec) -> Place:
    """Return where ``spec`` wants the network to run."""
    return Place(spec.device, spec.precision, spec.threads)


def torch_refusal(spec: BackendSpec) -> str | None:
    """Why torch cannot run here as ``spec`` says; None where it can."""
    if find_spec("torch") is None:
        return "torch is not installed"
    if spec.device == "cpu":
        return "fp16 runs on a CUDA device alone" if spec.precision == "fp16" else None
    if not re.fullmatch(r"cuda(:\d+)?", spec.device):
        return f"it does not run on {spec.device}"
    return _cuda_refusal(int(spec.device.partition(":")[2] or 0))


def _cuda_refusal(index: int) -> str | None:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return None if index < count else f"cuda:{index} is not there: torch sees {count} CUDA devices"


def prepared_net(package: Package, place: Place) -> nn.Module:
    """Return the network of ``package``, in place, giving the raw output of each head as a tuple.

    Raises:
        PackageError: the weights do not fit the network.
        BackendError: the graph holds what torch cannot do; ``fact`` names it.
    """
    import torch

    from geowatch.nets.heads import HeadsNet

    outputs = tuple(package.manifest.outputs.values())
    net = HeadsNet(_loaded(package), outputs, torch.device(place.device).type, place.reduced)
    return net.to(place.device)


def _loaded(package: Package) -> nn.Module:
    from geowatch.nets.onnx import convert_graph
    from geowatch.nets.registry import restore_net
    from geowatch.package.graph import flatten, parse_graph

    manifest = package.manifest
    if manifest.net is None:
        model = flatten(parse_graph(package.read(GRAPH_FILE), GRAPH_FILE), GRAPH_FILE)
        return convert_graph(model, order=tuple(manifest.tensors))
    return restore_net(
        manifest.net.name, manifest.net.kwargs, package.read(WEIGHTS_FILE), str(package.path / WEIGHTS_FILE)
    )


def examples(manifest: Manifest, n: int, size: tuple[int, int], place: Place) -> tuple[Tensor, ...]:
    """Return tensors of zeros as the network gets them for ``n`` windows of ``size``."""
    windows = {i.name: np.zeros((n, len(i.channels), *size), np.float32) for i in manifest.inputs}
    return _tensors(manifest, windows, place)


def _tensors(manifest: Manifest, inputs: Mapping[str, NDArray[np.float32]], place: Place) -> tuple[Tensor, ...]:
    import torch

    arrays = (x if x.flags.writeable else x.copy() for x in feeds(manifest.inputs, inputs).values())
    return tuple(_channels_last(torch.from_numpy(x).to(place.device)) for x in arrays)


def _channels_last(x: Tensor) -> Tensor:
    import torch

    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


class TorchBackend:
    """A network that torch runs; implements all of `Backend` but how the network is compiled."""

    def __init__(self, manifest: Manifest, identity: BackendIdentity, place: Place) -> None:
        """Take what the network is called and where it runs."""
        self._manifest = manifest
        self._identity = identity
        self._place = place
        self._open = True
        self._most: int | None = None
        self._programs: dict[Shapes, Program] = {}

    def _program(self, shapes: Shapes) -> Program:
        """Return the network in the form that takes tensors of ``shapes``; each form is made once."""
        form = self._form(shapes)
        if form not in self._programs:
            self._programs[form] = self._made(shapes)
        return self._programs[form]

    def _form(self, shapes: Shapes) -> Shapes:
        """Return what distinguishes the form for ``shapes`` from others."""
        return shapes

    def _made(self, shapes: Shapes) -> Program:
        """Make the form that takes tensors of ``shapes``."""
        raise NotImplementedError

    @property
    def identity(self) -> BackendIdentity:
        """What its bytes depend on."""
        return self._identity

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return raw outputs by head; see `Backend.run`."""
        return {name: x.cpu().contiguous().numpy() for name, x in self.run_on_device(inputs).items()}

    @property
    def torch_device(self) -> str | None:
        """Device on which `run_on_device` leaves its output; None on the CPU."""
        return self._place.device if self._place.on_cuda else None

    def run_on_device(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
        """Return what `run` returns, as tensors where the network is."""
        n = check_inputs(self._manifest, inputs)
        fixed = self._identity.fixed_batch
        parts = self._halving(inputs, n) if fixed is None else self._fixed(inputs, n, fixed)
        return {name: _joined([part[name] for part in parts], n) for name in parts[0]}

    def _halving(self, inputs: Mapping[str, NDArray[np.float32]], n: int) -> list[dict[str, Tensor]]:
        def run(start: int, stop: int) -> dict[str, Tensor]:
            return self._run({name: x[start:stop] for name, x in inputs.items()})

        parts, self._most = run_within_memory(n, run, self._most or n, _out_of_memory())
        return parts

    def _fixed(self, inputs: Mapping[str, NDArray[np.float32]], n: int, batch: int) -> list[dict[str, Tensor]]:
        cuts = (np.minimum(np.arange(at, at + batch), n - 1) for at in range(0, n, batch))
        with self._holding(batch):
            return [self._run({name: x if n == batch else x[cut] for name, x in inputs.items()}) for cut in cuts]

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        if not self._open:
            raise BackendError("the backend is closed")
        found = self._answers(_tensors(self._manifest, inputs, self._place))
        return dict(zip(self._manifest.outputs, found, strict=True))

    def _answers(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the raw output of each head. Raises BackendError; short memory stays the library's own error."""
        import torch

        shapes = tuple(tuple(x.shape) for x in tensors)
        with self._place.numerics(), torch.no_grad():
            program = self._program(shapes)
            try:
                return tuple(program(*tensors))
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                raise
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                raise BackendError(f"the network failed on {list(shapes)}: {line_of(error)}") from error

    def _zeros(self, shapes: Shapes) -> tuple[Tensor, ...]:
        """Return tensors of ``shapes``, of the number types that the network takes."""
        import torch

        kinds = [parts[0].dtype for parts in self._manifest.tensors.values()]
        tensors = (torch.zeros(shape, dtype=getattr(torch, kind)) for shape, kind in zip(shapes, kinds, strict=True))
        return tuple(_channels_last(x.to(self._place.device)) for x in tensors)

    def _warm_up(self, spec: BackendSpec) -> None:
        """Run windows of zeros once, and keep to the batch that fits: its half, its quarter ... where memory is short.

        A batch that the package or a recipe states is not changed. Raises BackendError where it does not fit.
        """
        size = spec.window_px or self._manifest.window.size

        def run(n: int) -> object:
            return self._answers(examples(self._manifest, n, size, self._place))

        batch = self._identity.fixed_batch or 1
        if self._manifest.batch or spec.fixed_batch:
            with self._holding(batch):
                run(batch)
            return
        batch = fitting_batch(run, batch, _out_of_memory())
        with self._holding(batch):
            run(batch)
        self._identity = replace(self._identity, fixed_batch=batch)

    @contextlib.contextmanager
    def _holding(self, batch: int) -> Iterator[None]:
        """Say in words that ``batch`` windows do not fit."""
        try:
            yield
        except _out_of_memory() as error:
            raise BackendError(
                f"{batch} windows at once do not fit into the memory of {self._place.device}",
                hint="the recipe holds that number: use a device with more memory, or begin a run with less --batch",
            ) from error

    def close(self) -> None:
        """Free what it holds; it cannot run any more."""
        self._open = False
        self._programs.clear()


def _joined(parts: list[Tensor], n: int) -> Tensor:
    """Return the first ``n`` answers of all batches."""
    import torch

    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    return whole[:n]


def line_of(error: Exception) -> str:
    """Return what an error of a library says, as one line."""
    return " ".join(str(error).split())[:400]


def _out_of_memory() -> type[BaseException]:
    import torch

    return torch.OutOfMemoryError


def identity_of(name: str, package: Package, spec: BackendSpec, *, batch: int | None) -> BackendIdentity:
    """Return what the bytes of backend ``name`` depend on, for runs of ``batch`` windows."""
    import torch

    place = place_of(spec)
    return BackendIdentity(
        name=name,
        version=torch.__version__,
        precision=spec.precision,
        device=place.device_class,
        threads=None if place.on_cuda else spec.threads,
        fixed_batch=package.manifest.batch or spec.fixed_batch or batch,
    )


def torch_key(package: Package, identity: BackendIdentity, shapes: Shapes) -> ArtifactKey:
    """Return the key of a form that is compiled for tensors of ``shapes``."""
    layout = package.manifest.inputs[0].layout
    sizes = dict(zip(layout, shapes[0], strict=True))
    on_cuda = identity.device.startswith("cuda")
    versions = {"torch": identity.version, **({"driver": driver_version()} if on_cuda else {})}
    return ArtifactKey(
        package=package.digest,
        backend=identity.name,
        versions=tuple(sorted(versions.items())),
        precision=identity.precision,
        device=identity.device if on_cuda else f"{identity.device} {processor()}",
        window_px=(sizes["H"], sizes["W"]),
        batch=sizes["N"],
        threads=identity.threads,
    )


@cache
def driver_version() -> str:
    """Version of the CUDA driver, as its kernel module states it; ``unknown`` where it does not."""
    listing = Path("/proc/driver/nvidia/version")
    found = re.search(r"Kernel Module\D*([\d.]+)", listing.read_text()) if listing.exists() else None
    return found.group(1) if found else "unknown"


@cache
def processor() -> str:
    """Digest of this processor's instructions: code compiled for it may not run where one is missing."""
    listing = Path("/proc/cpuinfo")
    text = listing.read_text() if listing.exists() else ""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    flags = sorted(found.group(1).split()) if found else []
    return hashlib.sha256(" ".join(flags).encode()).hexdigest()[:12]
