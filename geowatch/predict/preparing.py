"""Rows of all frames of a pass, each read once and prepared once, as every plane sees them.

Where planes mirror about the same extent, or a box lies within all of them, they share what is read. What is prepared
in the same way for several dates or planes is one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geowatch.package.preprocess import prepare
from geowatch.predict.looking import Look, Rows, View
from geowatch.predict.mirrored import Padded, mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.package.manifest import InputSpec

__all__ = ["Preparation"]

#: A reader's place, and the extent that it is mirrored about; None where a box lies within it.
_Source = tuple[int, "PixelBox | None"]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of preparing pixels."""

    key: Hashable
    spec: InputSpec


@dataclass(slots=True)
class _Seen:
    """Prepared rows of one source."""

    valid: NDArray[np.bool_]
    ways: dict[Hashable, NDArray[np.float32]]


class Preparation:
    """Turns boxes into prepared rows, one for each view of a look."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._views = look.planes
        self._ways = {
            (number, spec.date, reader): _way(look.spec_for(spec, reader))
            for view in self._views
            for number, spec in enumerate(look.inputs)
            if (reader := view.slots[spec.date]) is not None
        }
        self._missing = [_constant(spec) for spec in look.inputs]

    def rows(self, box: PixelBox, cover: Callable[[PixelBox], NDArray[np.bool_]]) -> tuple[Rows, ...]:
        """Return the rows of ``box`` for each view; ``cover`` tells a box's pixels of the region."""
        inside = cover(box)
        seen = self._seen(box)
        return tuple(self._rows(view, box, seen, inside) for view in self._views)

    def _seen(self, box: PixelBox) -> dict[_Source, _Seen]:
        """Read every source that any view wants of ``box``, and prepare it in every way that is wanted."""
        wanted: dict[_Source, dict[Hashable, InputSpec]] = {}
        for view in self._views:
            for reader in dict.fromkeys(view.slots):
                if reader is not None:
                    wanted.setdefault(_source(view, reader, box), {})
            for number, spec in enumerate(self._look.inputs):
                reader = view.slots[spec.date]
                if reader is not None:
                    way = self._ways[number, spec.date, reader]
                    wanted[_source(view, reader, box)].setdefault(way.key, way.spec)
        return {source: self._read(source, box, ways) for source, ways in wanted.items()}

    def _read(self, source: _Source, box: PixelBox, ways: dict[Hashable, InputSpec]) -> _Seen:
        reader, extent = source
        look = self._look
        # Sensors may have bands of their own.
        bands = look.readers[reader].plan.bands if look.views else look.bands
        frame = Padded(look.readers[reader], len(bands)) if look.views else look.readers[reader]
        patch = mirrored(frame, box, extent, len(bands)) if extent is not None else frame.read(box)
        consume = len(ways) == 1
        prepared = {key: prepare(spec, patch.values, bands, patch.valid, consume=consume) for key, spec in ways.items()}
        return _Seen(patch.valid, prepared)

    def _rows(self, view: View, box: PixelBox, seen: dict[_Source, _Seen], inside: NDArray[np.bool_]) -> Rows:
        inputs = []
        for number, spec in enumerate(self._look.inputs):
            reader = view.slots[spec.date]
            if reader is None:
                constant = self._missing[number]
                inputs.append(np.broadcast_to(constant, (len(constant), *box.shape)))
            else:
                way = self._ways[number, spec.date, reader]
                inputs.append(seen[_source(view, reader, box)].ways[way.key])
        valid = [None if r is None else seen[_source(view, r, box)].valid for r in view.slots]
        place = (box & view.extent).within(box) if box & view.extent else None
        together, single = _kept(view, valid, box.shape)
        return Rows(box, tuple(inputs), _cut(together, place, inside), tuple(_cut(k, place, inside) for k in single))


def _way(spec: InputSpec) -> _Way:
    # Names and dates tell what goes where; the values depend on these alone.
    return _Way((spec.bands, spec.steps, spec.mean, spec.std, spec.fill), spec)


def _constant(spec: InputSpec) -> NDArray[np.float32]:
    return np.full((len(spec.channels), 1, 1), spec.fill, np.float32)


def _source(view: View, reader: int, box: PixelBox) -> _Source:
    return reader, None if view.extent.covers(box) else view.extent


def _kept(
    view: View, valid: list[NDArray[np.bool_] | None], shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.bool_], ...]]:
    """Return which pixels a view keeps, and which each date keeps where each has a plane."""
    masks = [np.zeros(shape, bool) if each is None else each for each in valid]
    join: Any = np.logical_and if view.keep == "all" else np.logical_or
    together = join.reduce(masks)
    if not view.by_date:
        return together, ()
    return together, tuple(masks) if view.keep == "any" else (together,) * len(masks)


def _cut(keep: NDArray[np.bool_], place: tuple[slice, slice] | None, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is kept within a part of a box."""
    out = np.zeros(keep.shape, bool)
    if place is not None:
        out[place] = keep[place] & inside[place]
    return out
