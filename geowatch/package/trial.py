"""The trial of a foreign network: run it, and see whether it is what is said of it.

What a graph declares of its shapes is often wrong, so nothing is believed: zeros and noise are run, alone and
together, and in other sizes. That tells the meaning of the outputs, whether batches and sizes are free, and
whether a window's result depends on its neighbours in the batch, which no map could be made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from geowatch.errors import BackendError, PackageError
from geowatch.package.boxes_said import check_boxes, scores_are
from geowatch.package.heads import check_head, infer_head
from geowatch.package.manifest import HeadSpec, InputSpec, WindowSpec
from geowatch.package.spec import chosen_outputs, complaint, describe_inputs
from geowatch.package.tensors import feeds

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.backends.onnxruntime import GraphSession
    from geowatch.package.box_head import BoxesSpec
    from geowatch.package.graph import TensorInfo
    from geowatch.package.spec import ImportSpec

    Arrays = dict[str, NDArray[Any]]

__all__ = ["Findings", "probe", "trial_windows", "try_network"]

#: Window where neither the user nor the graph says one.
DEFAULT_WINDOW_PX = 256
#: Multiples of pixels that sizes of windows are tried with.
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Findings:
    """What the trial told."""

    inputs: tuple[InputSpec, ...]
    """Inputs of the package."""
    heads: tuple[HeadSpec, ...]
    """Heads of the package that score pixels."""
    boxes: tuple[BoxesSpec, ...]
    """Heads of the package that give boxes."""
    window: WindowSpec
    """Sizes that run."""
    batch: int | None
    """Number of windows that each run must have; None where free."""


@dataclass(frozen=True)
class _Told:
    """What outputs are said or found to be."""

    heads: tuple[HeadSpec, ...]
    boxes: tuple[BoxesSpec, ...]

    def check(self, raw: Arrays, n: int, size: tuple[int, int]) -> None:
        """Compare with the output for ``n`` windows. Raises PackageError."""
        for head in self.heads:
            check_head(head, raw[head.output], size)
        for each in self.boxes:
            check_boxes(each, raw, n, size)


@dataclass(frozen=True)
class _Trial:
    """A network under trial."""

    session: GraphSession
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]

    def run(self, windows: Arrays) -> Arrays:
        return self.session.run(feeds(self.inputs, windows), list(self.outputs))

    def zeros(self, n: int, size: tuple[int, int]) -> Arrays:
        return {i.name: np.zeros((n, len(i.channels), *size), np.float32) for i in self.inputs}


def try_network(
    session: GraphSession, graph: tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]], spec: ImportSpec
) -> Findings:
    """Run the network of ``session``, whose (inputs, outputs) are declared in ``graph``, and say what it is.

    Raises PackageError where it does not run or is not what ``spec`` says.
    """
    inputs = describe_inputs(graph[0], spec)
    trial = _Trial(session, inputs, chosen_outputs(graph[1], spec))
    declared = _declared_size(graph[0], inputs)
    size = _window(declared, spec)
    batch = _batch(trial, {t.dims[0] for t in graph[0]}, size)
    windows = trial_windows(inputs, batch or 3, size)
    raw = trial.run(windows)
    found = _Told(heads_of(spec, trial.outputs, raw, size), boxes_of(spec, raw))
    found.check(raw, batch or 3, size)
    _check_repeats(trial, windows, raw, batch)
    multiple = None if declared != (None, None) else _multiple(trial, found, batch or 1, size)
    return Findings(inputs, found.heads, found.boxes, _window_spec(size, multiple, spec), batch)


def probe(
    session: GraphSession, graph: tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]], spec: ImportSpec
) -> tuple[Arrays, Arrays, int]:
    """Return all outputs for windows of zeros and of noise, by name, and how many windows these were.

    One window, where the graph does not demand more. Raises PackageError where it does not run.
    """
    inputs = describe_inputs(graph[0], spec)
    trial = _Trial(session, inputs, tuple(each.name for each in graph[1]))
    size = _window(_declared_size(graph[0], inputs), spec)
    count = next((n for n in {t.dims[0] for t in graph[0]} if n), 1)
    noise = {name: np.repeat(x[-1:], count, axis=0) for name, x in trial_windows(inputs, 2, size).items()}
    try:
        return trial.run(trial.zeros(count, size)), trial.run(noise), count
    except BackendError as error:
        raise PackageError(
            f"the network does not run on {count} windows of {size[0]} x {size[1]} px: {error.fact}",
            hint="check --window, --bands and --layout",
        ) from error


def heads_of(spec: ImportSpec, outputs: tuple[str, ...], raw: Arrays, size: tuple[int, int]) -> tuple[HeadSpec, ...]:
    """Return the heads that score pixels."""
    if spec.heads or spec.boxes:
        return spec.heads
    return tuple(infer_head(name, raw[name], spec, size) for name in outputs)


def boxes_of(spec: ImportSpec, raw: Arrays) -> tuple[BoxesSpec, ...]:
    """Return the heads of boxes, the activation of their scores found where it was not said."""
    said = spec.boxes_tensor is None or spec.activation != "auto"
    return tuple(scores_are(head, raw, said=said) for head in spec.boxes)


def _window_spec(size: tuple[int, int], multiple: int | None, spec: ImportSpec) -> WindowSpec:
    try:
        return WindowSpec(
            size=size,
            fixed=multiple is None,
            multiple_of=multiple or 1,
            overlap=spec.overlap,
            blend=spec.blend,
        )
    except ValidationError as error:
        raise PackageError(f"the window does not fit: {complaint(error)}") from error


def trial_windows(inputs: tuple[InputSpec, ...], n: int, size: tuple[int, int]) -> Arrays:
    """Return ``n`` windows for each input: the first all zeros, then noise as normalised values have it."""
    rng = np.random.default_rng(0)
    windows = {}
    for spec in inputs:
        shape = (n, len(spec.channels), *size)
        x = rng.standard_normal(shape, np.float32) if spec.mean or spec.std else rng.random(shape, np.float32)
        if spec.dtype.startswith("uint"):
            x = np.rint(np.abs(x) * 100).clip(0, 255).astype(np.float32)
        if n > 1:
            x[0] = 0
        windows[spec.name] = x
    return windows


def _declared_size(graph: tuple[TensorInfo, ...], inputs: tuple[InputSpec, ...]) -> tuple[int | None, int | None]:
    """Return the (height, width) that the graph declares; None where free. Raises PackageError where inputs differ."""
    layout = {i.tensor: i.layout for i in inputs}
    sizes = {t.name: tuple(t.dims[layout[t.name].index(axis)] for axis in "HW") for t in graph}
    rows, columns = (set(sides) - {None} for sides in zip(*sizes.values(), strict=True))
    if len(rows) > 1 or len(columns) > 1:
        told = ", ".join(f"{name} {h or '?'} x {w or '?'}" for name, (h, w) in sizes.items())
        raise PackageError(
            f"the inputs take windows of different sizes in pixels: {told}",
            hint="gw feeds all inputs on one grid: export the network with the reduction of the coarse ones in it",
        )
    return next(iter(rows), None), next(iter(columns), None)


def _window(declared: tuple[int | None, int | None], spec: ImportSpec) -> tuple[int, int]:
    wanted = spec.window or tuple(side or DEFAULT_WINDOW_PX for side in declared)
    if any(side not in {None, want} for side, want in zip(declared, wanted, strict=True)):
        raise PackageError(
            f"the graph takes windows of {declared[0]} x {declared[1]} px, not {wanted[0]} x {wanted[1]}",
            hint="leave --window out, or export the network with free height and width",
        )
    return wanted[0], wanted[1]


def _batch(trial: _Trial, declared: set[int | None], size: tuple[int, int]) -> int | None:
    """Return the batch that the network demands. Raises PackageError where it does not run at all."""
    fixed = declared - {None}
    if len(fixed) > 1:
        raise PackageError(f"the inputs want different numbers of windows: {sorted(fixed, key=str)}")
    for n in fixed or (3, 1):
        try:
            raw = trial.run(trial.zeros(n or 1, size))
        except BackendError as error:
            reason = error.fact
        else:
            if n == 1 or fixed or all(len(x) == n for x in raw.values()):
                return n if fixed or n == 1 else None
            reason = f"it gives other than {n} answers to {n} windows"
    raise PackageError(
        f"the network does not run on zeros of {size[0]} x {size[1]} px: {reason}",
        hint="check --window, --layout, and the --bands or the bands in --spec",
    )


def _check_repeats(trial: _Trial, windows: Arrays, raw: Arrays, batch: int | None) -> None:
    """Refuse a network that is no function of each window by itself."""
    again = trial.run(windows)
    if any(not np.array_equal(again[name], raw[name], equal_nan=True) for name in raw):
        raise PackageError("the network answers the same windows differently", hint="export it in evaluation mode")
    turned = trial.run({name: x[::-1].copy() for name, x in windows.items()})
    alone = trial.run({name: x[:1] for name, x in windows.items()}) if batch is None else raw
    for name, x in raw.items():
        scale = 1e-2 * max(1.0, float(np.abs(x).max()))
        if max(_gap(turned[name][::-1], x), _gap(alone[name][:1], x[:1])) > scale:
            raise PackageError(
                f"output {name!r} of a window depends on the other windows of its batch",
                hint="export it in evaluation mode (model.eval())",
            )


def _gap(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def _multiple(trial: _Trial, told: _Told, n: int, size: tuple[int, int]) -> int | None:
    """Return of what sizes must be multiples where other sizes run; None where they do not."""
    for step in MULTIPLES:
        if any(side % step for side in size):
            return None
        larger = (size[0] + step, size[1] + step)
        if all(step % head.reduction == 0 for head in told.heads) and _runs(trial, told, n, larger):
            return step
    return None


def _runs(trial: _Trial, told: _Told, n: int, size: tuple[int, int]) -> bool:
    try:
        told.check(trial.run(trial.zeros(n, size)), n, size)
    except (BackendError, PackageError):
        return False
    return True
