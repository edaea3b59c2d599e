"""How unsure a network is of a pixel, from 0 to 1.

| kind | what it tells | 0 | most |
| --- | --- | --- | --- |
| entropy | how even the mean probabilities are: - sum p ln p / ln K | one class has it all | 1: all classes are equal |
| tta | how the answers differ from one way of showing the window to the next | all agree | below 1 |
| ensemble | how they differ from one package to the next | all agree | below 1 |
| mc-dropout | how they differ from one pass with dropout to the next (Gal and Ghahramani 2016) | all agree | below 1 |

The last three are a standard deviation: the root of the variance of the probabilities, summed over the classes. The
root is stored rather than the variance because its small values survive storage in 8 bits; it sorts pixels alike.
Classes that are independent (sigmoid) have no sum to share: entropy is the mean of each class's own, in bits, and
deviation the root of four times the mean variance. Where windows overlap, their values are blended as scores are.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.package.manifest import HeadSpec

__all__ = ["deviation", "entropy"]


def entropy(head: HeadSpec, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy of ``scores`` (N, K, H, W) as a share of the largest there is, (N, H, W)."""
    alone = _is_alone(head)
    total = np.zeros((len(scores), *scores.shape[2:]), np.float32)
    for k in range(scores.shape[1]):
        total += _surprise(scores[:, k])
        if alone:
            total += _surprise(1 - scores[:, k])
    most = scores.shape[1] * log(2) if alone else log(scores.shape[1])
    return np.clip(total / np.float32(most), 0, 1)


def _surprise(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return - p ln p; 0 where p is 0."""
    return -p * np.log(np.maximum(p, np.float32(1e-30)))


def deviation(head: HeadSpec, variance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation (N, H, W) that stands for the ``variance`` (N, K, H, W) of each class."""
    total = np.zeros((len(variance), *variance.shape[2:]), np.float32)
    for k in range(variance.shape[1]):
        total += variance[:, k]
    if _is_alone(head):
        total *= np.float32(4 / variance.shape[1])
    return np.sqrt(np.minimum(total, np.float32(1)))


def _is_alone(head: HeadSpec) -> bool:
    """Whether each class is told by itself."""
    return head.activation == "sigmoid" or len(head.classes) == 1
