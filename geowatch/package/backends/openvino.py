"""OpenVINO on the CPU: runs the package's graph, compiled for one window size and one number of windows.

The library is imported when a network is opened, without the part of it that reports its use to its makers.
With a cache the compiled form is mapped into memory from there, which starts four times faster than compiling.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.backends.base import BackendIdentity, BackendSpec, Precision, cpu_class
from geowatch.package.backends.lanes import Lanes, cut_windows
from geowatch.package.cache import ArtifactKey
from geowatch.package.manifest import graph_file
from geowatch.package.tensors import check_inputs, feeds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import openvino as ov
    from numpy.typing import NDArray

    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache

    Shapes = tuple[tuple[str, tuple[int, ...]], ...]
    Tensors = Mapping[str, NDArray[Any]]

__all__ = ["OpenVinoBackend"]

#: Name of the compiled form in a cache's folder.
BLOB = "network.blob"
#: What OpenVINO calls number types; int8 stands in the graph, around which it computes in f32.
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}


class OpenVinoBackend:
    """Runs the graph of a package with OpenVINO; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16", "int8")
    slow: ClassVar[bool] = False

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        wanted = graph_file(spec.precision)
        if wanted not in package.manifest.files:
            return f"{package.manifest.name} has no {wanted}"
        if _version() is None:
            return "openvino is not installed (pip install 'gw-geowatch[openvino]')"
        return None if spec.device == "cpu" else f"it does not run on {spec.device}"

    def __init__(self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None) -> None:
        """Compile the graph, or take its compiled form from ``cache``."""
        self._package, self._spec, self._cache = package, spec, cache
        self._core = _openvino().Core()
        self._check_capable()
        self._networks: dict[Shapes, _Compiled] = {}
        self._lock = threading.Lock()
        self._open = True
        self._identity = BackendIdentity(
            name="openvino",
            version=_version() or "unknown",
            precision=spec.precision,
            device=cpu_class(),
            threads=None,
            fixed_batch=package.manifest.batch or spec.fixed_batch,
        )
        height, width = spec.window_px or package.manifest.window.size
        blank = {i.name: np.zeros((1, len(i.channels), height, width), np.float32) for i in package.manifest.inputs}
        self._network(feeds(package.manifest.inputs, blank))

    @property
    def identity(self) -> BackendIdentity:
        """What its bytes depend on."""
        return self._identity

    @property
    def lanes(self) -> int:
        """Networks that run side by side, each on a thread of its own."""
        return self._spec.threads

    @property
    def _batch(self) -> int:
        """Windows in one run of one network: one was within 6% of the best, and needs one compiled form alone."""
        return self._identity.fixed_batch or 1

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return raw outputs by head; see `Backend.run`. Several threads may call it at once."""
        if not self._open:
            raise BackendError("the backend is closed")
        manifest = self._package.manifest
        n = check_inputs(manifest, inputs)
        parts = [feeds(manifest.inputs, part) for part in cut_windows(inputs, self._batch, fill=True)]
        with self._lock:
            network = self._network(parts[0])
        found = network.run(parts)
        return {key: found[tensor][:n] for key, tensor in manifest.outputs.items()}

    def _network(self, tensors: Mapping[str, NDArray[Any]]) -> _Compiled:
        """Return the network compiled for tensors of these shapes, but for the number of windows."""
        shapes = tuple((name, (self._batch, *x.shape[1:])) for name, x in tensors.items())
        if shapes not in self._networks:
            outputs = tuple(dict.fromkeys(self._package.manifest.outputs.values()))
            try:
                self._networks[shapes] = self._compiled(shapes, outputs)
            except RuntimeError as error:
                what = f"openvino {self._identity.version} cannot compile {self._package.manifest.name}"
                raise BackendError(f"{what} in {self._spec.precision} for {dict(shapes)}: {_line(error)}") from error
        return self._networks[shapes]

    def _compiled(self, shapes: Shapes, outputs: tuple[str, ...]) -> _Compiled:
        options = self._options()
        mapped = None
        if self._cache is None:
            compiled = self._compile(shapes, options)
        else:
            folder = self._cache.artifact(self._key(shapes), lambda place: self._export(shapes, options, place))
            mapped = _mapped(folder / BLOB)
            compiled = self._core.import_model(_openvino().Tensor(mapped, shared_memory=True), "CPU", options)
        self._check_precision(compiled)
        return _Compiled(compiled, outputs, mapped, self.lanes)

    def _compile(self, shapes: Shapes, options: dict[str, object]) -> ov.CompiledModel:
        model = self._core.read_model(self._package.read(graph_file(self._spec.precision)))
        model.reshape({name: list(shape) for name, shape in shapes})
        return self._core.compile_model(model, "CPU", options)

    def _export(self, shapes: Shapes, options: dict[str, object], place: Path) -> None:
        stream = io.BytesIO()
        self._compile(shapes, options).export_model(stream)
        (place / BLOB).write_bytes(stream.getbuffer())

    def _key(self, shapes: Shapes) -> ArtifactKey:
        """Number of threads and the like are chosen when a compiled form is opened, so they are not part of it."""
        return ArtifactKey(
            package=self._package.digest,
            backend="openvino",
            versions=(("openvino", _openvino().get_version()),),
            precision=self._spec.precision,
            device=self._identity.device,
            batch=self._batch,
            form=f"1 {dict(shapes)}",
        )

    def _options(self) -> dict[str, object]:
        return {
            "INFERENCE_PRECISION_HINT": HINTS[self._spec.precision],
            "NUM_STREAMS": self.lanes,
            "INFERENCE_NUM_THREADS": self._spec.threads,
            # Several workers share a machine: threads that are bound to cores would all sit on the first ones.
            "ENABLE_CPU_PINNING": False,
        }

    def _check_capable(self) -> None:
        """Refuse number types that the processor lacks before anything is compiled."""
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self._spec.precision.upper() not in able:
            raise BackendError(
                f"openvino does not compute in {self._spec.precision} on this processor, which is able to "
                f"{', '.join(sorted({'FP32', 'BF16', 'FP16', 'INT8'} & set(able)))}",
                hint="choose another --precision",
            )

    def _check_precision(self, compiled: ov.CompiledModel) -> None:
        """Refuse to run in another number type than the one that the recipe will name."""
        got = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        wanted = HINTS[self._spec.precision]
        if got != wanted:
            raise BackendError(f"openvino runs in {got} on this processor where {wanted} was asked for")

    def close(self) -> None:
        """Free the network."""
        self._open = False
        for network in self._networks.values():
            network.lanes.close()
        self._networks.clear()


class _Compiled:
    """A compiled network and its requests, one a lane: tensors in, tensors out, by name."""

    def __init__(
        self, compiled: ov.CompiledModel, outputs: tuple[str, ...], mapped: NDArray[np.uint8] | None, lanes: int
    ) -> None:
        self._ov = _openvino()
        self.lanes = Lanes([compiled.create_infer_request() for _ in range(lanes)])
        self._outputs = {name: compiled.output(name) for name in outputs}
        # The weights stay where they were mapped, so that memory has to outlive the network: it goes last.
        self._mapped = mapped

    def run(self, parts: Sequence[Tensors]) -> dict[str, NDArray[Any]]:
        """Run each part on a free lane. All write to one array an output: nothing is copied or put together."""
        found = {
            name: np.empty((len(parts), *port.shape), port.element_type.to_dtype())
            for name, port in self._outputs.items()
        }
        places = [{name: x[i] for name, x in found.items()} for i in range(len(parts))]
        self.lanes.map(self._run, list(zip(parts, places, strict=True)))
        return {name: x.reshape(-1, *x.shape[2:]) for name, x in found.items()}

    def _run(self, request: ov.InferRequest, part: tuple[Tensors, Tensors]) -> None:
        tensors, places = part
        # It takes no memory that cannot be written, and keeps none alive.
        taken = {name: x if x.flags.writeable else x.copy() for name, x in tensors.items()}
        try:
            for name, x in {**taken, **places}.items():
                request.set_tensor(name, self._ov.Tensor(x, shared_memory=True))
            request.infer()
        except RuntimeError as error:
            shapes = {name: x.shape for name, x in tensors.items()}
            raise BackendError(f"the network failed on {shapes}: {_line(error)}") from error


def _mapped(path: Path) -> NDArray[np.uint8]:
    """Return a file's bytes without reading them: the workers of a machine share one copy in memory.

    Copy on write, since OpenVINO takes no memory that cannot be written; it does not write.
    """
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return np.frombuffer(content, np.uint8)


def _openvino() -> Any:  # noqa: ANN401  # the library itself
    """Import the library but not its converter, which sends a report to its makers when it is imported."""
    with _without("openvino.tools.ovc"):
        import openvino
    return openvino


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Let an import of ``module`` fail, unless it is there already."""
    if "openvino" in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # the documented way to forbid an import
    try:
        yield
    finally:
        del sys.modules[module]


def _version() -> str | None:
    try:
        return version("openvino")
    except PackageNotFoundError:
        return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
