"""What one grid's tiles are searched for, and the sizes that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from geowatch.grid.lattice import PixelBox
from geowatch.sites.fragment import NEVER
from geowatch.track.spacewise import halo_of_smoothing

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from geowatch.grid.borders import Border
    from geowatch.grid.runs import Connectivity
    from geowatch.track.scores import Scale
    from geowatch.track.timewise import Aggregate, MovingMean

__all__ = ["Mode", "Planes", "Search", "strips"]

Mode = Literal["footprint", "linked", "polygons"]
"""How planes become pieces: scores aggregated over time first; a mask a plane, linked to the next; classes a plane."""

#: Bytes that a stack of planes may take. Tiles are cut into strips of rows so that it does.
STACK_BYTES = 128 << 20
#: Strips have a power of two of rows, at least this many: a halo is read around each.
_LEAST_ROWS = 32
_SALIENCE_BYTES = 2


class Planes(Protocol):
    """Where scores come from: the planes of one grid."""

    @property
    def scale(self) -> Scale:
        """How stored values stand for scores."""

    @property
    def class_count(self) -> int:
        """Classes K that each plane has."""

    def read(self, plane: int, box: PixelBox, classes: tuple[int, ...]) -> NDArray[Any]:
        """Return stored values of some classes, shape (classes, height, width); fill where there is nothing."""

    def box_numbers(self, plane: int, box: PixelBox) -> NDArray[np.int32] | None:
        """Return of which detected box each pixel is, from 1, 0 for none; None where no boxes are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for on one grid: everything that decides values, and nothing else."""

    mode: Mode
    """How planes become pieces."""
    salient: tuple[int, ...]
    """Classes that are looked for: joined by their sum, or one by one in the mode ``polygons``."""
    planes: tuple[int, ...]
    """Places on the time axis that are looked at, ascending."""
    days: tuple[int | None, ...]
    """Day number of each of them (UTC), None for undated imagery."""
    low: int
    """Score in units that a pixel must reach to belong to a piece."""
    high: int
    """Score in units from which on a pixel is strong."""
    aggregate: Aggregate
    """How planes become one, in the mode ``footprint``."""
    smooth_time: MovingMean | None = None
    """Window of the moving mean over time."""
    smooth_px: float = 0.0
    """Standard deviation of the Gaussian that smooths in space."""
    open_px: int = 0
    """Radius of the opening."""
    close_px: int = 0
    """Radius of the closing."""
    connectivity: Connectivity = 4
    """Which pixels touch."""
    subpixel: bool = False
    """Whether to tell where between pixels outlines lie."""
    coarse: int = 1
    """Side of the cells of the coarse pass; 1 for none."""
    split_days: int | None = None
    """In the mode ``footprint``: pixels are dated, and pieces end where stretches of this many days do; None: not."""
    link_days: int | None = None
    """Days over which pieces are linked although dates between saw none there, in the mode ``linked``."""
    border: Border | None = None
    """Where another grid goes on: what is weak near it may be part of something strong beyond."""

    @property
    def halo_px(self) -> int:
        """How far around a pixel its belonging to a piece is decided."""
        return halo_of_smoothing(self.smooth_px) + 2 * (self.open_px + self.close_px) + int(self.subpixel)

    @property
    def day_of(self) -> dict[int, int]:
        """Day number of each place on the time axis that is looked at; `NEVER` for undated imagery."""
        days = (NEVER if day is None else day for day in self.days)
        return dict(zip(self.planes, days, strict=True))

    @property
    def smooths(self) -> bool:
        """Whether scores are averaged, over time or space."""
        return self.smooth_time is not None or self.smooth_px > 0

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """Planes that must be in memory together, as places in ``planes``."""
        together = self.mode == "footprint" or self.smooth_time is not None
        everything = range(len(self.planes))
        return [tuple(everything)] if together else [(at,) for at in everything]


def strips(box: PixelBox, row_bytes: int, budget: int = STACK_BYTES) -> list[PixelBox]:
    """Cut a box into strips of whole rows, of at most about ``budget`` bytes at ``row_bytes`` a row.

    Strips end on multiples of their height, a power of two, so that they meet few stored chunks twice.

    >>> [(strip.y0, strip.y1) for strip in strips(PixelBox(30, 0, 100, 8), 100, 4000)]
    [(30, 32), (32, 64), (64, 96), (96, 100)]
    """
    rows = _LEAST_ROWS
    while rows < box.height and 2 * rows * row_bytes <= budget:
        rows *= 2
    if rows >= box.height:
        return [box] if box else []
    whole = PixelBox(box.y0 // rows * rows, box.x0, -(-box.y1 // rows) * rows, box.x1)
    return [PixelBox(y, box.x0, y + rows, box.x1) & box for y in range(whole.y0, whole.y1, rows)]
