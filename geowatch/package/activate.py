"""From raw output to probabilities, each pixel by itself.

| activation | raw channels | probability of class k |
| --- | --- | --- |
| softmax | K | exp(x_k) / sum of exp(x_j) |
| sigmoid | K | 1 / (1 + exp(-x_k)), classes are independent |
| binary | 1 | 1 - s, s with s = 1 / (1 + exp(-x)): two classes |
| none | K | x_k: the network gives probabilities |
| labels | 1 | 1 where the label is k, else 0 |

Sums run over the classes in order, so a window's result does not depend on the batch that it came in. A head that
scores each of T dates gives T windows for each one: N counts both, a window's dates in a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.package.manifest import HeadSpec

__all__ = ["activate", "logits", "planes", "probabilities"]


def activate(head: HeadSpec, raw: NDArray[Any]) -> NDArray[np.float32]:
    """Return probabilities (N, K, H, W) float32 in [0, 1] from the raw output of ``head`` in its own layout.

    The result may share memory with ``raw`` where nothing has to be done. Raises BackendError where the shape
    of ``raw`` is not what the manifest says.
    """
    if head.activation == "labels":
        return _one_hot(_repeat(planes(head, raw), head.reduction), len(head.classes))
    return probabilities(head, logits(head, raw))


def logits(head: HeadSpec, raw: NDArray[Any]) -> NDArray[np.float32]:
    """Return what probabilities are made from, (N, C, H, W) at the window's own size.

    Raises BackendError as `activate` does. Labels have none.
    """
    return _enlarge(np.asarray(planes(head, raw), dtype=np.float32), head.reduction)


def probabilities(head: HeadSpec, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities (N, K, H, W) from `logits`, of any activation but labels."""
    if head.activation == "softmax":
        return _softmax(x)
    if head.activation == "none":
        return x
    s = _sigmoid(x)
    return s if head.activation == "sigmoid" else np.concatenate([1 - s, s], axis=1)


def planes(head: HeadSpec, raw: NDArray[Any]) -> NDArray[Any]:
    """Return ``raw`` as (N, C, h, w), at its own resolution. Raises BackendError as `activate` does."""
    if head.layout == "NHW" and raw.ndim == 3:
        found = raw[:, None]
    elif head.layout == "NTCHW" and raw.ndim == 5:
        found = raw.reshape(-1, *raw.shape[2:])
    elif head.layout == "NHWC" and raw.ndim == 4:
        found = np.ascontiguousarray(np.moveaxis(raw, -1, 1))
    else:
        found = raw
    if found.ndim != 4 or found.shape[1] != head.raw_channels:
        raise BackendError(
            f"head {head.name!r} gave shape {raw.shape}; its manifest says {head.layout} with "
            f"{head.raw_channels} channels",
            hint="import the network again",
        )
    return found


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    e: NDArray[np.float32] = np.exp(x - x.max(axis=1, keepdims=True))
    total = e[:, 0].copy()
    for k in range(1, e.shape[1]):
        total += e[:, k]
    e /= total[:, None]
    return e


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(-np.abs(x))  # at most 1: never overflows
    e1 = np.reciprocal(1 + e)
    out: NDArray[np.float32] = np.where(x >= 0, e1, e * e1)
    return out


def _one_hot(labels: NDArray[Any], classes: int) -> NDArray[np.float32]:
    out: NDArray[np.float32] = (labels == np.arange(classes, dtype=labels.dtype)[:, None, None]).astype(np.float32)
    return out


def _repeat(x: NDArray[Any], times: int) -> NDArray[Any]:
    return x if times == 1 else x.repeat(times, axis=2).repeat(times, axis=3)


def _enlarge(x: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Enlarge rows and columns by linear interpolation between pixel centres; edges are repeated."""
    if times == 1:
        return x
    return np.ascontiguousarray(_enlarge_rows(_enlarge_rows(x, times).swapaxes(2, 3), times).swapaxes(2, 3))


def _enlarge_rows(x: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    before = np.concatenate([x[:, :, :1], x[:, :, :-1]], axis=2)
    after = np.concatenate([x[:, :, 1:], x[:, :, -1:]], axis=2)
    n, c, h, w = x.shape
    out = np.empty((n, c, h, times, w), dtype=np.float32)
    for phase in range(times):
        shift = (phase + 0.5) / times - 0.5  # of this row's centre from the coarse one's, in coarse pixels
        other = before if shift < 0 else after
        out[:, :, :, phase] = x + np.float32(abs(shift)) * (other - x)
    return out.reshape(n, c, h * times, w)
