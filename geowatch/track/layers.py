"""From planes of scores to masks: which pixels belong to something, plane by plane.

The order is always the same: classes are combined, scores are smoothed in time, aggregated over time (in the mode
``footprint``), smoothed in space, compared with the threshold or with each other; then the mask is opened and closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.sites.fragment import AGGREGATED
from geowatch.track.scores import NONE, winners
from geowatch.track.spacewise import closed, opened, smoothed
from geowatch.track.timewise import aggregate, days_of_note, moving_mean

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.track.scores import Salience
    from geowatch.track.search import Planes, Search

__all__ = ["Layer", "layers", "row_bytes"]

#: Margin of a pixel without a score: further below the threshold than any score.
FAR_BELOW = -(1 << 20)


@dataclass(frozen=True, slots=True)
class Layer:
    """One mask with its scores, over a box and its halo; right only within the halo's reach of the sides."""

    plane: int
    """Place on the time axis, or `AGGREGATED`."""
    kind: int
    """Index of the class; 0 where classes are joined."""
    mask: NDArray[np.bool_]
    """Pixels that belong, (H, W); none of them is without a score."""
    scores: Salience
    """Scores that the mask was made of."""
    margin: NDArray[np.int32] | None
    """Units by which a score is above the threshold and the next class; made for sub-pixel outlines only."""
    numbers: NDArray[np.int32] | None
    """Of each pixel: its box, from 1, 0 for none; None where no boxes are told apart."""
    days: NDArray[np.int64] | None = None
    """Of each pixel: the day around which it was active; None where pixels are not dated."""


def row_bytes(search: Search, planes: Planes, width: int) -> int:
    """Return the bytes of one row of what `layers` holds at a time: the stack, and as much for what comes of it."""
    depth = max((len(group) for group in search.groups), default=1)
    fields = planes.class_count if search.mode == "polygons" else 1
    return 4 * depth * fields * (width + 2 * search.halo_px)


def layers(
    search: Search, planes: Planes, group: tuple[int, ...], box: PixelBox, allowed: NDArray[np.bool_] | None = None
) -> Iterator[Layer]:
    """Yield the masks of planes that are looked at together.

    Args:
        search: What is looked for.
        planes: Where scores come from.
        group: Places in ``search.planes``; one of ``search.groups``.
        box: Pixels to look at, halo included.
        allowed: Pixels that are candidates, shape of ``box``; None for all.
    """
    if allowed is not None and not allowed.any():
        return
    made = _classes if search.mode == "polygons" else _thresholds
    yield from made(search, planes, group, box, allowed)


def _thresholds(
    search: Search, planes: Planes, group: tuple[int, ...], box: PixelBox, allowed: NDArray[np.bool_] | None
) -> Iterator[Layer]:
    """Yield masks of salience that reaches the low threshold."""
    stack = np.empty((len(group), *(box.shape if allowed is None else (np.count_nonzero(allowed),))), np.uint16)
    for place, at in enumerate(group):
        salience = planes.scale.salience(planes.read(search.planes[at], box, search.salient))
        stack[place] = salience if allowed is None else salience[allowed]
    stack = in_time(search, group, stack)
    days = _days(search, group, stack, allowed)
    if search.mode == "footprint":
        stack = aggregate(stack, search.aggregate)[np.newaxis]
    for at, values in zip(group, stack, strict=False):
        scores = smoothed(_laid(values, allowed), search.smooth_px)
        none = scores == NONE
        mask = _shaped(search, (scores >= search.low) & ~none) & ~none
        margin = np.where(none, FAR_BELOW, scores.astype(np.int32) - search.low) if search.subpixel else None
        if search.mode == "footprint":
            yield Layer(AGGREGATED, 0, mask, scores, margin, None, days)
        else:
            plane = search.planes[at]
            yield Layer(plane, 0, mask, scores, margin, planes.box_numbers(plane, box))


def _classes(
    search: Search, planes: Planes, group: tuple[int, ...], box: PixelBox, allowed: NDArray[np.bool_] | None
) -> Iterator[Layer]:
    """Yield masks of the classes that win, one a class; closing takes no pixel from another class."""
    for at, told_by, fields in _fields(search, planes, group, box):
        none = fields[0] == NONE if allowed is None else (fields[0] == NONE) | ~allowed
        best = _without_weak(winners(told_by, none, search.salient), fields, search.low)
        numbers = planes.box_numbers(search.planes[at], box)
        for kind, mask in _kinds(search, best, none):
            margin = _margin(fields, none, kind, search.low) if search.subpixel else None
            yield Layer(search.planes[at], kind, mask, fields[kind], margin, numbers)


def _fields(
    search: Search, planes: Planes, group: tuple[int, ...], box: PixelBox
) -> Iterator[tuple[int, NDArray[Any], Salience]]:
    """Yield for each plane what its classes are told by, and their salience; both (K, H, W)."""
    every = tuple(range(planes.class_count))
    stored = (planes.read(search.planes[at], box, every) for at in group)
    if not search.smooths:
        # Stored values tell apart what units may not; on them, classes are those of the map.
        yield from ((at, values, _split(planes, values)) for at, values in zip(group, stored, strict=True))
        return
    stack = np.empty((len(group), len(every), *box.shape), np.uint16)
    for place, values in enumerate(stored):
        stack[place] = _split(planes, values)
    stack = in_time(search, group, stack)
    for at, plane in zip(group, stack, strict=True):
        fields = np.stack([smoothed(field, search.smooth_px) for field in plane])
        yield at, fields, fields


def in_time(search: Search, group: tuple[int, ...], stack: Salience) -> Salience:
    """Return a stack (planes of the group, ...) smoothed over time, if that is asked for."""
    if search.smooth_time is None:
        return stack
    return moving_mean(stack, search.smooth_time.spans([search.days[at] for at in group]))


def _days(
    search: Search, group: tuple[int, ...], stack: Salience, allowed: NDArray[np.bool_] | None
) -> NDArray[np.int64] | None:
    """Return the days of pixels, (H, W), if footprints may be split; 0 where nothing is looked for."""
    if search.split_days is None:
        return None
    days = days_of_note(stack, [day for day in (search.days[at] for at in group) if day is not None])
    if allowed is None:
        return days
    out = np.zeros(allowed.shape, np.int64)
    out[allowed] = days
    return out


def _laid(values: Salience, allowed: NDArray[np.bool_] | None) -> Salience:
    """Put candidates' pixels back into their places."""
    if allowed is None:
        return values
    out = np.full(allowed.shape, NONE, np.uint16)
    out[allowed] = values
    return out


def _shaped(search: Search, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return closed(opened(mask, search.open_px), search.close_px)


def _split(planes: Planes, stored: NDArray[Any]) -> Salience:
    """Return each class's salience, (K, H, W)."""
    return np.stack([planes.scale.salience(stored[k : k + 1]) for k in range(len(stored))])


def _without_weak(best: NDArray[np.int16], fields: Salience, low: int) -> NDArray[np.int16]:
    if low <= 0:
        return best
    highest = np.take_along_axis(fields, np.maximum(best, 0)[np.newaxis].astype(np.intp), axis=0)[0]
    return np.where(highest >= low, best, np.int16(-1)).astype(np.int16)


def _kinds(search: Search, best: NDArray[np.int16], none: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the mask of each class; a pixel that several would close over is the first one's."""
    free = (best < 0) & ~none
    for kind in search.salient:
        mask = _shaped(search, best == kind)
        # Opening may lose pixels of this class, which no other class takes.
        mask &= (best == kind) | free
        free &= ~mask
        if mask.any():
            yield kind, mask


def _margin(fields: Salience, none: NDArray[np.bool_], kind: int, low: int) -> NDArray[np.int32]:
    mine = fields[kind].astype(np.int32)
    others = [field for k, field in enumerate(fields) if k != kind]
    above = mine - np.max(others, axis=0).astype(np.int32) if others else mine
    return np.where(none, FAR_BELOW, np.minimum(above, mine - low)).astype(np.int32)
