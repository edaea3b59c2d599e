"""What a backend takes in memory beside the data that it is given, known before it is opened.

Told from the graph (`geowatch.package.activations`) and from what each library was seen to take of it: an exact figure
would need the library's own allocator. The factors are upper ones of what was measured in fresh processes, with
U-Nets of widths 8 and 32, the change detector (1,152 nodes) and the blob detector, in windows of 128 to 1024 px; the
least that was seen was half of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.package.activations import activations_of

if TYPE_CHECKING:
    from geowatch.package.activations import Activations
    from geowatch.package.bundle import Package

__all__ = ["Footprint", "Running", "footprint"]

_MB = 10**6


@dataclass(frozen=True, slots=True)
class _Habit:
    """What a library makes of a network's tensors."""

    library_bytes: int
    """Its code and what it takes to begin with."""
    a_window: float
    """What a window that is being computed takes, in times of the tensors that are needed at once."""
    once: float = 0.0
    """The same for what it takes whatever runs: forms that are compiled, buffers that it keeps."""
    a_node: int = 0
    """Bytes for each node of the graph: compiled code."""
    weights: float = 2.0
    """Bytes of weights in its own form, and while it makes that of the package's, in times of the files'."""
    depth_first: bool = False
    """Whether it runs nodes depth first."""


_TORCH = _Habit(40 * _MB, a_window=2.2, a_node=20_000)
_HABITS = {
    "onnxruntime": _Habit(20 * _MB, a_window=2.1, depth_first=True),
    "openvino": _Habit(60 * _MB, a_window=1.3, once=0.8, a_node=100_000, depth_first=True),
    "eager": _TORCH,
    "inductor": _TORCH,
    "aotinductor": _TORCH,
    "tensorrt": _TORCH,
}
#: What torch takes when it is imported.
_TORCH_BYTES = 250 * _MB


@dataclass(frozen=True, slots=True)
class Running:
    """How a network is run."""

    backend: str = "onnxruntime"
    """Backend."""
    window_px: tuple[int, int] = (256, 256)
    """(height, width) of the largest window that it is shown."""
    threads: int = 1
    """Threads of one network."""
    fixed_batch: int | None = None
    """Windows in each run where that is fixed."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a network takes, in bytes."""

    fixed_bytes: int
    """Whatever runs: library, weights, compiled forms, and the reference that it was compared with."""
    window_bytes: int
    """For each window that is being computed."""
    at_once: int | None
    """Windows that are computed at once whatever is given; None: as many as are given."""
    answer_bytes: int
    """Output for one window."""
    input_bytes: int
    """Input for one window."""


def footprint(package: Package, running: Running) -> Footprint:
    """Return what ``package`` takes as ``running`` says, its reference in the same process included."""
    told = activations_of(package, running.window_px)
    habit = _HABITS.get(running.backend, _TORCH)
    files = sum(record.bytes for record in package.manifest.files.values())
    uses_torch = package.manifest.net is not None or running.backend not in {"onnxruntime", "openvino"}
    fixed = habit.library_bytes + round(habit.weights * files) + habit.a_node * told.nodes
    fixed += round(habit.once * _held(told, habit))
    fixed += _TORCH_BYTES if uses_torch else 0
    return Footprint(
        fixed, round(habit.a_window * _held(told, habit)), _at_once(running), told.outputs, told.inputs
    )  # fmt: skip


def _held(told: Activations, habit: _Habit) -> int:
    return told.depth_first if habit.depth_first else told.in_order


def _at_once(running: Running) -> int | None:
    if running.backend == "onnxruntime":
        return None if running.fixed_batch is None else running.fixed_batch * running.threads
    return running.threads * (running.fixed_batch or 1) if running.backend == "openvino" else 1
