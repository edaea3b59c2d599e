"""ONNX Runtime on the CPU: runs the package's graph.

The library is imported when the first session is made. With a cache the graph is optimised once: a session of the
optimised graph starts seven times faster and gives the same bytes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from geowatch.errors import BackendError
from geowatch.package.backends.base import BackendIdentity, BackendSpec, Precision, cpu_class
from geowatch.package.backends.lanes import Lanes, cut_windows, joined
from geowatch.package.cache import ArtifactKey
from geowatch.package.manifest import graph_file
from geowatch.package.tensors import check_inputs, feeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from geowatch.package.bundle import Package
    from geowatch.package.cache import CompiledCache
    from geowatch.package.manifest import Manifest

__all__ = ["GraphSession", "OnnxRuntimeBackend"]

#: Name of the optimised graph in a cache's folder.
OPTIMISED = "optimised.onnx"


class GraphSession:
    """An ONNX graph that runs: tensors in, tensors out, by name."""

    def __init__(
        self, graph: bytes | Path, *, threads: int, optimise: bool = True, save_as: Path | None = None
    ) -> None:
        """Make the session of a graph or of a file of our own cache.

        ``optimise=False`` runs the graph literally; ``save_as`` writes it as it is run. Raises BackendError.
        """
        import onnxruntime as ort

        options = ort.SessionOptions()
        if save_as is not None:
            options.optimized_model_filepath = str(save_as)
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimise else levels.ORT_DISABLE_ALL
        # A plan of where each tensor lies is made in the first run and kept beside what that run took: twice the
        # memory (unet of width 32, 4 windows of 256 px: 354 MB with it, 186 without), and no faster.
        options.enable_mem_pattern = False
        options.log_severity_level = 4  # failures come as errors, not as lines of a log
        # Idle threads sleep: other workers share these cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        source = graph if isinstance(graph, bytes) else str(graph)
        try:
            self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        except _ort_errors() as error:
            raise BackendError(f"onnxruntime {ort.__version__} cannot load the graph: {_line(error)}") from error
        self.outputs = tuple(o.name for o in self._session.get_outputs())

    def run(self, tensors: Mapping[str, NDArray[Any]], outputs: list[str] | None = None) -> dict[str, NDArray[Any]]:
        """Return the outputs (all by default) by name. Raises BackendError where the network fails."""
        names = list(self.outputs) if outputs is None else outputs
        try:
            found = self._session.run(names, dict(tensors))
        except _ort_errors() as error:
            shapes = {name: x.shape for name, x in tensors.items()}
            raise BackendError(f"the network failed on {shapes}: {_line(error)}") from error
        return dict(zip(names, found, strict=True))


def _ort_errors() -> tuple[type[Exception], ...]:
    """Every error of the library; they have no common ancestor of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [v for v in vars(state).values() if isinstance(v, type) and issubclass(v, Exception)]
    return (*kinds, RuntimeError, ValueError)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]


class OnnxRuntimeBackend:
    """Runs the graph of a package with ONNX Runtime; implements `Backend`."""

    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "int8")
    slow: ClassVar[bool] = False

    @staticmethod
    def refusal(package: Package, spec: BackendSpec) -> str | None:
        """Why it cannot run ``package`` here; see `BackendKind.refusal`."""
        wanted = graph_file(spec.precision)
        if wanted not in package.manifest.files:
            return f"{package.manifest.name} has no {wanted}"
        return None if spec.device == "cpu" else f"it does not run on {spec.device}"

    def __init__(
        self, package: Package, spec: BackendSpec, cache: CompiledCache | None = None, *, optimise: bool = True
    ) -> None:
        """Open the graph. ``optimise=False`` gives the reference that gates compare with."""
        import onnxruntime as ort

        self._manifest: Manifest = package.manifest
        self._threads = spec.threads
        self._lanes = Lanes(range(spec.threads))
        self._identity = BackendIdentity(
            name="onnxruntime" if optimise else "reference",
            version=ort.__version__,
            precision=spec.precision,
            device=cpu_class(),
            threads=None,
            fixed_batch=package.manifest.batch or spec.fixed_batch,
        )
        self._session: GraphSession | None
        if cache is None or not optimise:
            graph = package.read(graph_file(spec.precision))
            self._session = GraphSession(graph, threads=1, optimise=optimise)
        else:
            optimised = cache.artifact(self._key(package), partial(_optimise, package, spec)) / OPTIMISED
            self._session = GraphSession(optimised, threads=1, optimise=False)

    def _key(self, package: Package) -> ArtifactKey:
        return ArtifactKey(
            package=package.digest,
            backend="onnxruntime",
            versions=(("onnxruntime", self._identity.version),),
            precision=self._identity.precision,
            device=self._identity.device,
        )

    @property
    def identity(self) -> BackendIdentity:
        """What its bytes depend on."""
        return self._identity

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return raw outputs by head; see `Backend.run`."""
        n = check_inputs(self._manifest, inputs)
        fixed = self._identity.fixed_batch
        parts = cut_windows(inputs, fixed or -(-n // self.lanes), fill=fixed is not None)
        found = joined(self._lanes.map(self._run, parts))
        return found if all(len(x) == n for x in found.values()) else {k: x[:n] for k, x in found.items()}

    @property
    def lanes(self) -> int:
        """Windows that are computed side by side, each on a thread of its own."""
        return self._threads

    def _run(self, _lane: int, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        if self._session is None:
            raise BackendError("the backend is closed")
        outputs = self._manifest.outputs
        names = list(dict.fromkeys(outputs.values()))
        found = self._session.run(feeds(self._manifest.inputs, inputs), names)
        return {key: found[tensor] for key, tensor in outputs.items()}

    def close(self) -> None:
        """Free the session."""
        self._session = None
        self._lanes.close()


def _optimise(package: Package, spec: BackendSpec, folder: Path) -> None:
    GraphSession(package.read(graph_file(spec.precision)), threads=1, save_as=folder / OPTIMISED)
