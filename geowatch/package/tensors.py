"""Between windows and a graph's tensors: joining inputs, order of axes, number types.

Inputs come as (N, C, H, W) float32, as `prepare` makes them, whatever the graph wants; this is the one place
that knows the graph's layouts. Raw outputs are left as the graph gives them, for `activate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.manifest import by_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.manifest import InputSpec, Manifest

__all__ = ["check_inputs", "feeds"]


def check_inputs(manifest: Manifest, inputs: Mapping[str, NDArray[np.float32]]) -> int:
    """Return the number of windows N. Raises BackendError where names, shapes or types do not fit."""
    names = [i.name for i in manifest.inputs]
    if set(inputs) != set(names):
        raise BackendError(f"got inputs {sorted(inputs)}; {manifest.name} takes {sorted(names)}")
    n = next(iter(inputs.values())).shape[0]
    if n == 0:
        raise BackendError(f"there are no windows for {manifest.name}")
    for spec in manifest.inputs:
        shape, dtype = inputs[spec.name].shape, inputs[spec.name].dtype
        if len(shape) != 4 or shape[:2] != (n, len(spec.channels)) or not manifest.window.accepts(shape[2:]):
            raise BackendError(
                f"input {spec.name!r} has shape {shape}; it takes ({n}, {len(spec.channels)}, H, W), H, W "
                f"{manifest.window.size} px{'' if manifest.window.fixed else ' or other allowed sizes'}",
            )
        if dtype != np.float32:
            raise BackendError(f"input {spec.name!r} is {dtype}; it takes float32")
    return int(n)


def feeds(specs: tuple[InputSpec, ...], inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Return the graph's input tensors by name, from windows by the name of their input."""
    return {tensor: _tensor(parts, [inputs[part.name] for part in parts]) for tensor, parts in by_tensor(specs).items()}


def _tensor(parts: tuple[InputSpec, ...], arrays: list[NDArray[np.float32]]) -> NDArray[Any]:
    layout = parts[0].layout
    if "T" in layout:
        joined = np.stack(arrays, axis=layout.index("T"))
    else:
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
    if layout.endswith("C"):
        joined = np.moveaxis(joined, -3, -1)
    return np.ascontiguousarray(_cast(joined, parts[0].dtype))


def _cast(x: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind == "u":
        return np.clip(np.rint(x), 0, np.iinfo(kind).max).astype(kind)
    return x.astype(kind, copy=False)
