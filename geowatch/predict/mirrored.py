"""Pixels beyond the imagery: mirrored about an extent, and invalid between a frame's own extent and a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geowatch.grid.lattice import PixelBox
from geowatch.predict.reflect import pieces, reflect
from geowatch.read.reader import Patch

if TYPE_CHECKING:
    from geowatch.read.reader import BoxReader

__all__ = ["Padded", "Reads", "mirrored"]


class Reads(Protocol):
    """Gives the pixels of boxes."""

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``, in ``out`` where that is given."""


@dataclass(frozen=True, slots=True)
class Padded:
    """A frame seen as larger than it is: nothing is valid beyond its own extent."""

    reader: BoxReader
    """The frame's reader."""
    bands: int
    """Bands that it gives."""

    def read(self, box: PixelBox, out: Patch | None = None) -> Patch:
        """Return the pixels of ``box``; see `Reads.read`."""
        inner = box & self.reader.plan.extent
        if inner == box:
            return self.reader.read(box, out)
        whole = out or Patch(np.empty((self.bands, *box.shape), np.float32), np.empty(box.shape, bool))
        whole.values[...] = 0
        whole.valid[...] = False
        if inner:
            place = inner.within(box)
            self.reader.read(inner, Patch(whole.values[(slice(None), *place)], whole.valid[place]))
        return whole


def mirrored(reader: Reads, box: PixelBox, extent: PixelBox, bands: int) -> Patch:
    """Return the pixels of ``box``, the mirror image where it reaches beyond ``extent``."""
    if extent.covers(box):
        return reader.read(box)
    rows = reflect(box.y0, box.y1, extent.y0, extent.y1)
    cols = reflect(box.x0, box.x1, extent.x0, extent.x1)
    shown = PixelBox(int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1)
    whole = Patch(np.empty((bands, *box.shape), np.float32), np.empty(box.shape, bool))
    inner = box & extent
    if inner.covers(shown):
        # Most pixels are read into their place; those beyond are then copied within the array.
        place = inner.within(box)
        reader.read(inner, Patch(whole.values[(slice(None), *place)], whole.valid[place]))
        source, shown = whole, box
    else:
        source = reader.read(shown)
    for down, across in product(pieces(rows - shown.y0), pieces(cols - shown.x0)):
        if source is whole and (down[0], across[0]) == (down[1], across[1]):
            continue
        whole.values[:, down[0], across[0]] = source.values[:, down[1], across[1]]
        whole.valid[down[0], across[0]] = source.valid[down[1], across[1]]
    return whole
