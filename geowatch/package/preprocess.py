"""From bands in physical units to what a network is fed: steps, normalisation, then fill where invalid.

Everything is arithmetic on each pixel by itself, on whole arrays: the value of a pixel does not depend on the
window, the batch or the band of rows that it is prepared in, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import PackageError
from geowatch.package.steps import Clip, Index, Log1p, Offset, Scale, Select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geowatch.package.manifest import InputSpec
    from geowatch.package.steps import Step

__all__ = ["prepare"]


def prepare(
    spec: InputSpec,
    values: NDArray[np.float32],
    bands: Sequence[str],
    valid: NDArray[np.bool_],
    *,
    consume: bool = False,
) -> NDArray[np.float32]:
    """Return what the network sees: (..., C', H, W) float32 from (..., C, H, W), a new array.

    Args:
        spec: the input of the package.
        values: physical values with axes C H W, or N C H W; they are not changed unless ``consume``.
        bands: names of the C bands, in order; the ones that ``spec`` wants may be any of them.
        valid: (..., H, W), where the values mean something; elsewhere the result is ``spec.fill``.
        consume: the caller needs ``values`` no more: they may be changed, and be the result.

    Raises:
        PackageError: a band that the package needs is not among ``bands``.
    """
    channels = list(spec.bands)
    # Values under nodata may be anything; what they turn into is overwritten at the end.
    with np.errstate(all="ignore"):
        out = values if consume and tuple(bands) == spec.bands else _take(values, bands, spec)
        for step in spec.steps:
            out, channels = _apply(step, out, channels)
        if spec.mean:
            out -= _per_channel(spec.mean)
        if spec.std:
            out /= _per_channel(spec.std)
    if not valid.all():
        np.copyto(out, np.float32(spec.fill), where=~valid[..., None, :, :])
    return out


def _take(values: NDArray[np.float32], bands: Sequence[str], spec: InputSpec) -> NDArray[np.float32]:
    """Copy the bands of ``spec``, in its order."""
    missing = [band for band in spec.bands if band not in bands]
    if missing:
        raise PackageError(
            f"input {spec.name!r} needs band {missing[0]!r}; there are {', '.join(bands)}",
            hint="choose imagery with that band, or name the bands of a file with --bands",
        )
    if tuple(bands) == spec.bands:
        return np.array(values, dtype=np.float32, order="C")
    return np.ascontiguousarray(values[..., [list(bands).index(b) for b in spec.bands], :, :], dtype=np.float32)


def _per_channel(numbers: Sequence[float]) -> NDArray[np.float32]:
    return np.asarray(numbers, dtype=np.float32)[:, None, None]


def _apply(step: Step, x: NDArray[np.float32], channels: list[str]) -> tuple[NDArray[np.float32], list[str]]:
    """Return the array after ``step``, changed in place where it can be, and the names of its channels."""
    if isinstance(step, Index):
        a, b = (x[..., channels.index(name), :, :] for name in (step.a, step.b))
        return np.concatenate([x, _ratio(a, b)[..., None, :, :]], axis=-3), [*channels, step.name]
    if isinstance(step, Select):
        at = [channels.index(name) for name in step.channels]
        return np.ascontiguousarray(x[..., at, :, :]), list(step.channels)
    if not step.channels:
        _change(step, x)
    for name in step.channels:
        _change(step, x[..., channels.index(name), :, :])
    return x, channels


def _ratio(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    total = a + b
    out: NDArray[np.float32] = np.divide(a - b, total, out=np.zeros_like(total), where=total != 0)
    return out


def _change(step: Scale | Offset | Clip | Log1p, x: NDArray[np.float32]) -> None:
    if isinstance(step, Scale):
        x *= np.float32(step.factor)
    elif isinstance(step, Offset):
        x += np.float32(step.value)
    elif isinstance(step, Clip):
        np.clip(x, np.float32(step.low), np.float32(step.high), out=x)
    else:
        np.maximum(x, np.float32(0), out=x)
        # In double precision: rounding to float32 hides where vector and scalar forms differ in the last bit.
        x[...] = np.log1p(x, dtype=np.float64)
