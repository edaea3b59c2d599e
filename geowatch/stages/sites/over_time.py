"""A series as one map: of each pixel its latest score, or one that comes of the scores of all dates.

Pixel by pixel, and a tile at a time: a map is the same however the region was cut. What comes of all dates is reckoned
as `gw track --aggregate` does, in strips of rows, so that memory does not follow the length of the series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError
from geowatch.sites.fragment import FULL_SCORE, SCORE_UNIT
from geowatch.stages.tracking.scored import scale_of
from geowatch.stitch.joined import Form, OfPlane, salience
from geowatch.stitch.maps import NO_CLASS, PRESENT, class_map
from geowatch.track.scores import NONE
from geowatch.track.timewise import Aggregate, aggregate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geowatch.grid.tiles import Tile
    from geowatch.stitch.heatmap import HeadLayout
    from geowatch.stitch.joined import Core
    from geowatch.stitch.mosaic import Mosaic

__all__ = ["LATEST", "Dates", "check_words", "shown"]

LATEST, _LATEST_VALID = "latest", "latest-valid"
#: Bytes of the scores of all dates that are in memory at once.
_STACK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of a grid's heatmap."""

    mosaic: Mosaic
    """The heatmap."""
    head: HeadLayout
    """Which head."""
    times: tuple[int, ...]
    """Places on the time axis, the oldest first."""
    salient: tuple[int, ...]
    """Classes whose scores are added."""


def check_words(how: str) -> None:
    """Raise ConfigError for what is no way to make one map of a series."""
    if how not in {LATEST, _LATEST_VALID}:
        try:
            Aggregate.parse(how)
        except ConfigError as error:
            hint = f"{LATEST}, {_LATEST_VALID}, {error.hint}"
            raise ConfigError(f"no map of a series is made by '{how}'", hint=hint) from error


def shown(dates: Dates, how: str) -> Core:
    """Return what tiles show: ``latest`` date, ``latest-valid`` pixel, or ``mean``, ``max``, ``median``, ``norm:P``."""
    if how == LATEST:
        return OfPlane(dates.mosaic, dates.head, dates.times[-1], dates.salient)
    return _LatestValid(dates) if how == _LATEST_VALID else _Together(dates, Aggregate.parse(how))


@dataclass(frozen=True, slots=True)
class _LatestValid:
    """Shows the latest score that each pixel has."""

    dates: Dates

    @property
    def form(self) -> Form:
        stored = self.dates.head.quantiser
        return Form(stored.stored, stored.fill, stored.scale)

    def __call__(self, tile: Tile) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        head, mosaic = self.dates.head, self.dates.mosaic
        newest, *older = self.dates.times[::-1]
        values = mosaic.core(tile, newest, head)
        for time in older:
            open_px = head.quantiser.is_fill(values[0])
            if not open_px.any():
                break
            values = np.where(open_px, mosaic.core(tile, time, head), values)
        return class_map(head, values), salience(head, values, self.dates.salient)


@dataclass(frozen=True, slots=True)
class _Together:
    """Shows what comes of the scores of all dates, in units."""

    dates: Dates
    how: Aggregate

    @property
    def form(self) -> Form:
        return Form("uint16", NONE, SCORE_UNIT)

    def __call__(self, tile: Tile) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        side = self.dates.mosaic.layout.grid.tile_px // self.dates.head.reduction
        parts = [self._rows(tile, rows, side) for rows in self._strips(side)]
        classes, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        return classes, scores

    def _strips(self, side: int) -> Iterator[slice]:
        row_bytes = 2 * len(self.dates.times) * (len(self.dates.head.classes) + 1) * side
        step = max(1, _STACK_BYTES // row_bytes)
        return (slice(at, min(at + step, side)) for at in range(0, side, step))

    def _rows(self, tile: Tile, rows: slice, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        head = self.dates.head
        every, scale = tuple(range(len(head.classes))), scale_of(head)
        stack = np.full((len(self.dates.times), len(every) + 1, rows.stop - rows.start, side), NONE, np.uint16)
        for fields, time in zip(stack, self.dates.times, strict=True):
            stored = self.dates.mosaic.window(tile, time, head, (rows, slice(0, side)), every)
            if stored is not None:
                for k in every:
                    fields[k] = scale.salience(stored[k : k + 1])
                fields[-1] = scale.salience(stored[list(self.dates.salient)])
        fields = aggregate(stack, self.how)
        return _classes(head, fields[:-1]), fields[-1]


def _classes(head: HeadLayout, fields: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return the class of each pixel as maps of one date have it, from units (K, H, W)."""
    best: NDArray[np.uint8] = fields.argmax(axis=0).astype(np.uint8)
    if head.independent:
        best = np.where(fields.max(axis=0) >= PRESENT * FULL_SCORE, best + 1, 0).astype(np.uint8)
    best[fields[0] == NONE] = NO_CLASS
    return best
