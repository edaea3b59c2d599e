"""From scores to a map: which class each pixel is, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geowatch.stitch.heatmap import HeadLayout

__all__ = ["NO_CLASS", "Legend", "class_map", "legend_of", "rgba"]

#: Value of a map's pixel that has no scores.
NO_CLASS = 255

#: Score from which on a class of a head of independent ones counts as present.
PRESENT = 0.5


@dataclass(frozen=True, slots=True)
class Legend:
    """What a map's values mean: value i is ``names[i]``, drawn in ``colors[i]``."""

    names: tuple[str, ...]
    colors: tuple[str, ...]


def legend_of(head: HeadLayout) -> Legend:
    """Return the legend of a head's map; heads of independent classes get a first entry for none of them.

    What was merely seen has none.
    """
    if head.kind == "seen":
        return Legend((), ())
    if head.independent:
        return Legend(("none", *head.classes), ("#00000000", *head.colors))
    return Legend(head.classes, head.colors)


def class_map(head: HeadLayout, stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return the class of each pixel, shape (H, W), from stored values (K, H, W).

    The largest score wins, among equals the first class. Of independent classes it must reach one half.
    """
    empty = head.quantiser.is_fill(stored[0])
    best: NDArray[np.uint8] = np.argmax(stored, axis=0).astype(np.uint8)
    if head.independent:
        highest = head.quantiser.decode(stored).max(axis=0, where=~empty, initial=0.0)
        best = np.where(highest >= PRESENT, best + 1, 0).astype(np.uint8)
    best[empty] = NO_CLASS
    return best


def rgba(color: str) -> tuple[int, int, int, int]:
    """Return a colour's parts.

    >>> rgba("#ff8000")
    (255, 128, 0, 255)
    """
    digits = color.removeprefix("#")
    parts = [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
    return parts[0], parts[1], parts[2], parts[3] if len(parts) > 3 else 255
