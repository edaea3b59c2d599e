"""The few functions of Torch-TensorRT that are used, behind a Protocol; importing it can fail in many ways.

Source: Torch-TensorRT 2.13, https://docs.pytorch.org/TensorRT/ (dynamo.compile, refit_module_weights, save, load).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from geowatch.package.backends.torch_common import Place, place_of, torch_refusal

if TYPE_CHECKING:
    from pathlib import Path

    from torch.export import ExportedProgram

    from geowatch.package.backends.base import BackendSpec
    from geowatch.package.backends.torch_common import Program

__all__ = ["Bounds", "Library", "TorchTensorRt", "find_library"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Shapes that an input of an engine may have: they differ in the number of windows alone."""

    least: tuple[int, ...]
    """Smallest."""
    best: tuple[int, ...]
    """What the engine is tuned for."""
    most: tuple[int, ...]
    """Largest."""
    dtype: str
    """Number type, as torch calls it."""


class Library(Protocol):
    """What the backend needs of Torch-TensorRT."""

    def refusal(self, spec: BackendSpec) -> str | None:
        """Why there is no device for ``spec``; None where there is."""

    def place(self, spec: BackendSpec) -> Place:
        """Where torch holds the tensors."""

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part."""

    def device_name(self, place: Place) -> str:
        """The very kind of device: an engine of one runs on no other."""

    def compile(self, program: ExportedProgram, bounds: Sequence[Bounds], scratch: Path) -> Program:
        """Build engines, with weights that can be exchanged; what TensorRT cannot do stays with torch."""

    def engines(self, program: Program) -> int:
        """Number of engines in a compiled program; 0 where TensorRT took nothing."""

    def refit(self, program: Program, weights: ExportedProgram) -> Program:
        """Return a compiled program with the weights of another network of the same structure."""

    def save(self, program: Program, bounds: Sequence[Bounds], path: Path) -> None:
        """Write a compiled program to a file."""

    def load(self, path: Path) -> Program:
        """Read a compiled program that `save` wrote."""


def find_library() -> Library | str:
    """Return the library, or why there is none."""
    if find_spec("torch_tensorrt") is None:
        return "torch-tensorrt is not installed"
    try:
        module = importlib.import_module("torch_tensorrt")
    except Exception as error:  # noqa: BLE001  # without TensorRT's libraries the import raises a plain Exception
        return f"torch-tensorrt cannot be imported: {' '.join(str(error).split())[:200] or type(error).__name__}"
    return TorchTensorRt(module)


class TorchTensorRt:
    """Torch-TensorRT itself; implements `Library`."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401  # it ships no types
        """Take the imported library."""
        self._trt = module

    def refusal(self, spec: BackendSpec) -> str | None:
        """Why there is no device for ``spec``."""
        return torch_refusal(spec)

    def place(self, spec: BackendSpec) -> Place:
        """Where torch holds the tensors."""
        return place_of(spec)

    def versions(self) -> dict[str, str]:
        """Versions of Torch-TensorRT and of TensorRT."""
        return {"torch_tensorrt": str(self._trt.__version__), "tensorrt": _version("tensorrt")}

    def device_name(self, place: Place) -> str:
        """Class and name of the GPU."""
        import torch

        return f"{place.device_class} {torch.cuda.get_device_name(place.device)}"

    def compile(self, program: ExportedProgram, bounds: Sequence[Bounds], scratch: Path) -> Program:
        """Build engines. Number types are the network's own; TF32 is off."""
        compiled: Program = self._trt.dynamo.compile(
            program,
            arg_inputs=self._inputs(bounds),
            use_explicit_typing=True,
            disable_tf32=True,
            immutable_weights=False,
            require_full_compilation=False,
            cache_built_engines=False,
            reuse_cached_engines=False,
            timing_cache_path=str(scratch / "timing.bin"),
        )
        return compiled

    def engines(self, program: Program) -> int:
        """Number of engines: their submodules are called so by the partitioner."""
        children = getattr(program, "named_children", lambda: ())()
        return sum("_run_on_acc" in name for name, _ in children)

    def refit(self, program: Program, weights: ExportedProgram) -> Program:
        """Exchange the weights."""
        refitted: Program = self._trt.dynamo.refit_module_weights(program, weights)
        return refitted

    def save(self, program: Program, bounds: Sequence[Bounds], path: Path) -> None:
        """Write engines and graph as one file."""
        self._trt.save(program, str(path), output_format="exported_program", arg_inputs=self._inputs(bounds))

    def load(self, path: Path) -> Program:
        """Read them back."""
        loaded: Program = self._trt.load(str(path)).module()
        return loaded

    def _inputs(self, bounds: Sequence[Bounds]) -> list[Any]:
        import torch

        return [
            self._trt.Input(min_shape=b.least, opt_shape=b.best, max_shape=b.most, dtype=getattr(torch, b.dtype))
            for b in bounds
        ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
