"""Objects of windows on the lattice: which window may tell of a place, and what it tells.

Windows overlap, so that each place is seen by several. A window keeps the boxes whose centre lies in its own cell,
the middle of the window with the size of the stride: cells tile the plane. A margin widens the cell, since two windows
never agree on a centre to the last bit, and a box that both place beyond the border would be lost; what both keep is
the same object twice, and is suppressed where all boxes of a plane are known. All of this is told by the window's
place alone, so no box depends on tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import BackendError
from geowatch.package.window_boxes import WindowBoxes, objects_of
from geowatch.sites.detections import SUB_PX, Detections
from geowatch.sites.suppression import suppressed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from geowatch.grid.lattice import PixelBox
    from geowatch.grid.windows import WindowLattice
    from geowatch.package.box_head import BoxesSpec
    from geowatch.predict.augment import Transform
    from geowatch.predict.recipe import BoxesPin

__all__ = ["MARGIN_PX", "Finder", "cell_of", "kept", "margin_of"]

#: Widening of a window's cell, where windows overlap by twice as much.
MARGIN_PX = 4
#: A box whose edge is so near to the border of its window may go on beyond it.
_BORDER_PX = 1


def margin_of(windows: WindowLattice) -> int:
    """Return by how many pixels cells are widened: no cell reaches beyond its window.

    >>> from geowatch.grid.windows import WindowLattice
    >>> margin_of(WindowLattice((64, 64), (48, 48))), margin_of(WindowLattice((64, 64), (62, 62)))
    (4, 1)
    """
    return min(MARGIN_PX, *((size - step) // 2 for size, step in zip(windows.size, windows.stride, strict=True)))


def cell_of(windows: WindowLattice, ky: int, kx: int, margin_px: int = 0) -> PixelBox:
    """Return the pixels whose objects window (ky, kx) tells, widened by a margin.

    >>> from geowatch.grid.windows import WindowLattice
    >>> cell_of(WindowLattice((8, 8), (5, 5)), 0, 1)
    PixelBox(y0=1, x0=6, y1=6, x1=11)
    """
    window = windows.box(ky, kx)
    (height, width), (down, right) = windows.size, windows.stride
    y, x = window.y0 + (height - down) // 2, window.x0 + (width - right) // 2
    return type(window)(y, x, y + down, x + right).pad(margin_px)


@dataclass(frozen=True, slots=True)
class Finder:
    """Turns what a network says of windows into boxes on the lattice."""

    heads: tuple[BoxesSpec, ...]
    """The package's heads of boxes."""
    pins: tuple[BoxesPin, ...]
    """What the recipe says of each."""
    windows: WindowLattice
    """Where windows stand."""
    multiple_of: int = 1
    """What sides of a window are multiples of."""

    def answer(self, raw: Mapping[str, NDArray[Any]], transform: Transform) -> list[tuple[WindowBoxes, ...]]:
        """Return the objects of each head and window from one answer to windows as ``transform`` shows them."""
        size = transform.size(self.windows.size, self.multiple_of)
        found = [objects_of(h, raw, size, pin.min_score) for h, pin in zip(self.heads, self.pins, strict=True)]
        return [tuple(self._back(boxes, transform, size) for boxes in each) for each in found]

    def _back(self, boxes: WindowBoxes, transform: Transform, size: tuple[int, int]) -> WindowBoxes:
        """Return boxes of windows shown at ``size`` as they lie in the windows themselves."""
        return WindowBoxes(transform.undo_boxes(boxes.corners, size, self.windows.size), boxes.kind, boxes.score)

    def join(
        self, answers: Sequence[Sequence[tuple[WindowBoxes, ...]]], where: Sequence[tuple[int, int]]
    ) -> tuple[tuple[Detections, ...], ...]:
        """Return for each window the boxes of each head from all answers; of those that overlap the best stays.

        Args:
            answers: For each look at the windows, what `answer` gave.
            where: Place (ky, kx) of each window.

        Raises:
            BackendError: for a box that lies beyond all lattices.
        """
        return tuple(
            tuple(
                self._placed([answer[number][n] for answer in answers], place, pin.max_overlap, pin.margin_px)
                for number, pin in enumerate(self.pins)
            )
            for n, place in enumerate(where)
        )

    def _placed(
        self, looks: Sequence[WindowBoxes], place: tuple[int, int], max_overlap: float, margin_px: int
    ) -> Detections:
        window = self.windows.box(*place)
        limit = 16 * max(self.windows.size)
        if any(np.abs(each.corners).max(initial=0) > limit for each in looks):
            raise BackendError(
                f"the network gave a box that is more than {limit} px away from window {place}",
                hint="say what its numbers are: gw model import --box-format, --box-units",
            )
        parts = [Detections.of(each.corners, each.kind, each.score, (window.y0, window.x0)) for each in looks]
        if not any(map(len, parts)):
            return Detections.empty()
        boxes = suppressed(_marked(Detections.joined(parts), window), max_overlap)
        return boxes.where(boxes.centred_in(cell_of(self.windows, *place, margin_px)))


def _marked(boxes: Detections, window: PixelBox) -> Detections:
    """Return the boxes with ``cut`` set where they reach the window's border."""
    inner = window.pad(-_BORDER_PX)
    inside = (
        (boxes.y0 >= inner.y0 * SUB_PX) & (boxes.x0 >= inner.x0 * SUB_PX)
        & (boxes.y1 <= inner.y1 * SUB_PX) & (boxes.x1 <= inner.x1 * SUB_PX)
    )  # fmt: skip
    columns = {name: getattr(boxes, name) for name in Detections.__slots__}
    return Detections(**{**columns, "cut": (~inside).astype(np.uint8)})


def kept(boxes: Detections, keep: NDArray[np.bool_], box: PixelBox) -> Detections:
    """Return the boxes whose centre is on a pixel that is kept; ``keep`` (height, width) tells the pixels of ``box``.

    Centres outside of ``box`` are not kept.
    """
    boxes = boxes.where(boxes.centred_in(box))
    return boxes.where(keep[boxes.row - box.y0, boxes.column - box.x0])
