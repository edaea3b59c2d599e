"""TensorRT through Torch-TensorRT: engines for NVIDIA GPUs, built here and kept in the local cache.

An engine takes 1 to 32 windows. Operators that TensorRT does not know stay with torch; where it takes nothing of a
network, the network is refused. Engines are built once for each structure of network: a package with the same
structure and other weights exchanges the weights in a copy (refit), which takes seconds in place of minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from geowatch.errors import BackendError
from geowatch.package.backends import trt_library
from geowatch.package.backends.base import BackendSpec, Precision
from geowatch.package.backends.torch_common import (
    Program,
    Shapes,
    TorchBackend,
    examples,
    identity_of,
    line_of,
    prepared_net,
    torch_key,
)
from geowatch.package.backends.torch_compile import exported
from geowatch.package.backends.trt_library import Bounds
from geowatch.package.cache import ArtifactKey, CompiledCache, private_folder
from geowatch.package.graph import parse_graph
from geowatch.package.manifest import GRAPH_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch.export import ExportedProgram

    from geowatch.package.bundle import Package

__all__ = ["BATCHES", "TensorRtBackend", "structure_of"]

#: Windows that an engine takes: at least, what it is tuned for, at most.
BATCHES = (1, 8, 32)
#: Names of the files in an entry: the engines, and the package whose weights are in them.
ENGINES = "engines.ep"
OWNER = "package.txt"

#: Operators whose inputs are weights, which another training changes.
_WEIGHED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization",
    "InstanceNormalization", "GroupNormalization", "PRelu", "Add", "Mul"})  # fmt: skip

#: What the library raises where it cannot build or refit.
_FAILURES = (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError, KeyError, AttributeError)


class TensorRtBackend(TorchBackend):
    """Runs a network on TensorRT engines; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "fp16", "bf16")
    slow: ClassVar[bool] = True

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        del package  # a network is refused when its engines are built, by what TensorRT says
        if not spec.device.startswith("cuda"):
            return "it runs on CUDA devices alone, with --device cuda"
        library = trt_library.find_library()
        return library if isinstance(library, str) else library.refusal(spec)

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Load the engines for the window of ``spec``, or build them. Raises BackendError."""
        library = trt_library.find_library()
        if isinstance(library, str):
            raise BackendError(f"tensorrt cannot run here: {library}", hint="choose another backend with --jit NAME")
        place = library.place(spec)
        identity = replace(
            identity_of("tensorrt", package, replace(spec, device=place.device), batch=None),
            version=" ".join(f"{name} {number}" for name, number in sorted(library.versions().items())),
        )
        super().__init__(package.manifest, identity, place)
        self._library = library
        self._package = package
        self._cache = cache
        self._batches = _batches(package.manifest.batch or spec.fixed_batch, spec.batch)
        self._most = self._batches[-1]
        size = spec.window_px or package.manifest.window.size
        self._answers(examples(package.manifest, self._batches[0], size, place))

    def _form(self, shapes: Shapes) -> Shapes:
        """Engines take any number of windows: one program for each size."""
        return tuple(shape[1:] for shape in shapes)

    def _made(self, shapes: Shapes) -> Program:
        bounds = self._bounds(shapes)
        key = self._key(structure_of(self._package), shapes)
        folder = self._artifact(key, partial(self._build, bounds))
        if (folder / OWNER).read_text() != self._package.digest:
            key = self._key(self._package.digest, shapes)
            folder = self._artifact(key, partial(self._refit, bounds, folder / ENGINES))
        return self._library.load(folder / ENGINES)

    def _artifact(self, key: ArtifactKey, build: Callable[[Path], None]) -> Path:
        return private_folder(build) if self._cache is None else self._cache.artifact(key, build)

    def _build(self, bounds: tuple[Bounds, ...], folder: Path) -> None:
        with _named("build engines of"), tempfile.TemporaryDirectory(prefix="gw-tensorrt-") as scratch:
            program = self._library.compile(self._exported(bounds), bounds, Path(scratch))
            self._keep(program, bounds, folder)

    def _refit(self, bounds: tuple[Bounds, ...], engines: Path, folder: Path) -> None:
        """Exchange the weights of engines of the same structure; where that fails, build anew."""
        try:
            program = self._library.refit(self._library.load(engines), self._exported(bounds))
        except _FAILURES:
            self._build(bounds, folder)
            return
        with _named("keep the engines of"):
            self._keep(program, bounds, folder)

    def _keep(self, program: Program, bounds: tuple[Bounds, ...], folder: Path) -> None:
        if self._library.engines(program) == 0:
            raise BackendError(
                f"TensorRT takes no part of {self._package.manifest.name}: none of its operators is known there",
                hint="choose another backend with --jit NAME",
            )
        self._library.save(program, bounds, folder / ENGINES)
        (folder / OWNER).write_text(self._package.digest)

    def _exported(self, bounds: tuple[Bounds, ...]) -> ExportedProgram:
        """Return the network for any number of windows within the bounds."""
        import torch

        tensors = self._zeros(tuple(b.best for b in bounds))
        least, _, most = self._batches
        free = {0: torch.export.Dim("n", min=least, max=most)} if least < most else None
        with self._place.numerics(), torch.no_grad():
            return exported(prepared_net(self._package, self._place), tensors, free)

    def _bounds(self, shapes: Shapes) -> tuple[Bounds, ...]:
        kinds = (parts[0].dtype for parts in self._manifest.tensors.values())
        least, best, most = self._batches
        return tuple(
            Bounds((least, *shape[1:]), (best, *shape[1:]), (most, *shape[1:]), kind)
            for shape, kind in zip(shapes, kinds, strict=True)
        )

    def _key(self, package: str, shapes: Shapes) -> ArtifactKey:
        key = torch_key(self._package, self._identity, shapes)
        return replace(
            key,
            package=package,
            versions=tuple(sorted({**dict(key.versions), **self._library.versions()}.items())),
            device=self._library.device_name(self._place),
            batch=None,
            form="windows {}, {}, {}".format(*self._batches),
        )


def _batches(fixed: int | None, wanted: int) -> tuple[int, int, int]:
    """Return the windows that an engine takes (least, best, most) for a fixed batch or a wanted one."""
    if fixed is not None:
        return fixed, fixed, fixed
    least, best, most = BATCHES
    return least, min(wanted, most) if wanted > 1 else best, most


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn what the library raises into a BackendError."""
    try:
        yield
    except _FAILURES as error:
        raise BackendError(
            f"tensorrt cannot {what} the network: {line_of(error)}", hint="choose another backend with --jit NAME"
        ) from error


def structure_of(package: Package) -> str:
    """Return a digest of the network without its weights: the same for every training of one network."""
    manifest = package.manifest
    heads = list(manifest.outputs.values())
    if manifest.net is not None:
        said = json.dumps([manifest.net.model_dump(mode="json"), heads], sort_keys=True).encode()
    else:
        said = json.dumps(heads).encode() + _bare_graph(package.read(GRAPH_FILE))
    return f"structure-{hashlib.sha256(said).hexdigest()}"


def _bare_graph(content: bytes) -> bytes:
    """Return a graph without the numbers of its weights; those that steer an operator, such as scales, are kept."""
    import onnx

    model = parse_graph(content, GRAPH_FILE)
    weights = {name for node in model.graph.node if node.op_type in _WEIGHED for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.name in weights and tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    bare: bytes = model.SerializeToString(deterministic=True)
    return bare
