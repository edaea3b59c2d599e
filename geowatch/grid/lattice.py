"""The lattice: every pixel of a region has integer indices that count from the origin of its CRS.

A `Lattice` fixes CRS, resolution and phase; a `PixelBox` is a half-open block of its pixels. Because the indices
are absolute, two runs over different regions, tile sizes or machines speak of the same pixel by the same numbers,
and all later arithmetic (tiles, windows, reads) is on integers. Where geography is needed, `Lattice.geobox` gives
odc-geo's `GeoBox`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affine import Affine

from geowatch.errors import PlanError

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

__all__ = ["Lattice", "PixelBox", "phase_of"]

#: A phase closer to 0 or to a whole pixel than this share of a pixel is taken as 0.
PHASE_TOLERANCE = 1e-6


@dataclass(frozen=True, order=True, slots=True)
class PixelBox:
    """A half-open block of lattice pixels: rows ``y0 <= y < y1``, columns ``x0 <= x < x1``.

    >>> PixelBox(0, 0, 10, 20) & PixelBox(5, -3, 30, 4)
    PixelBox(y0=5, x0=0, y1=10, x1=4)
    """

    y0: int
    """First row."""
    x0: int
    """First column."""
    y1: int
    """Row after the last."""
    x1: int
    """Column after the last."""

    @property
    def height(self) -> int:
        """Rows; 0 for an empty box."""
        return max(0, self.y1 - self.y0)

    @property
    def width(self) -> int:
        """Columns; 0 for an empty box."""
        return max(0, self.x1 - self.x0)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def area_px(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def __bool__(self) -> bool:
        return self.y1 > self.y0 and self.x1 > self.x0

    def __and__(self, other: PixelBox) -> PixelBox:
        return PixelBox(max(self.y0, other.y0), max(self.x0, other.x0), min(self.y1, other.y1), min(self.x1, other.x1))

    def __or__(self, other: PixelBox) -> PixelBox:
        """Return the smallest box that holds both; an empty box adds nothing."""
        if not self:
            return other
        if not other:
            return self
        return PixelBox(min(self.y0, other.y0), min(self.x0, other.x0), max(self.y1, other.y1), max(self.x1, other.x1))

    def covers(self, other: PixelBox) -> bool:
        """Whether every pixel of ``other`` lies in this box."""
        return not other or (self & other) == other

    def pad(self, px: int) -> PixelBox:
        """Grow by ``px`` pixels on each side."""
        return PixelBox(self.y0 - px, self.x0 - px, self.y1 + px, self.x1 + px)

    def snap(self, size_px: int) -> PixelBox:
        """Grow to whole blocks of ``size_px``, counted from index 0."""
        return PixelBox(
            self.y0 // size_px * size_px,
            self.x0 // size_px * size_px,
            -(-self.y1 // size_px) * size_px,
            -(-self.x1 // size_px) * size_px,
        )

    def blocks(self, size_px: int) -> list[PixelBox]:
        """Return the whole blocks of ``size_px`` (counted from index 0) that this box touches, row by row."""
        if not self:
            return []
        s = self.snap(size_px)
        return [
            PixelBox(y, x, y + size_px, x + size_px)
            for y in range(s.y0, s.y1, size_px)
            for x in range(s.x0, s.x1, size_px)
        ]

    def within(self, outer: PixelBox) -> tuple[slice, slice]:
        """Return this box as (rows, columns) slices into an array that holds ``outer``."""
        return (
            slice(self.y0 - outer.y0, self.y1 - outer.y0),
            slice(self.x0 - outer.x0, self.x1 - outer.x0),
        )

    def to_list(self) -> list[int]:
        """Return ``[y0, x0, y1, x1]``."""
        return [self.y0, self.x0, self.y1, self.x1]


def phase_of(origin: float, step: float) -> float:
    """Phase of a pixel corner at ``origin`` (CRS units) for pixels of ``step``: in ``[0, |step|)``.

    >>> phase_of(452475.0, 30.0)
    15.0
    """
    size = abs(step)
    phase = math.fmod(origin, size)
    phase = phase + size if phase < 0 else phase
    near = min(phase, size - phase) < PHASE_TOLERANCE * size
    return 0.0 if near else phase


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where all pixels of a grid are.

    Pixel (row j, column i) covers, in CRS units, ``x`` from ``phase_x + i * step_x`` and ``y`` from
    ``phase_y + j * step_y`` on, one step each.
    """

    crs: str | None
    """CRS as ``EPSG:n`` or WKT; None for plain pixels (a photograph)."""
    step_y: float
    """Height of a pixel in CRS units, negative where rows run south."""
    step_x: float
    """Width of a pixel in CRS units."""
    phase_y: float = 0.0
    """Corner of pixel row 0 in CRS units, in ``[0, |step_y|)``."""
    phase_x: float = 0.0
    """Corner of pixel column 0 in CRS units, in ``[0, |step_x|)``."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_y) and math.isfinite(self.step_x) and self.step_y != 0 < self.step_x):
            raise PlanError(
                f"a pixel of {self.step_x} x {self.step_y} CRS units is no pixel",
                hint="give a resolution above 0, such as --resolution 10",
            )
        for phase, step in ((self.phase_y, self.step_y), (self.phase_x, self.step_x)):
            if not 0 <= phase < abs(step):
                raise PlanError(f"pixel phase {phase} is outside [0, {abs(step)})")

    @classmethod
    def of_pixels(cls) -> Lattice:
        """Return the lattice of an image without georeference: one pixel is one unit, rows run down."""
        return cls(crs=None, step_y=1.0, step_x=1.0)

    @classmethod
    def at(cls, crs: str | None, resolution: float, origin: tuple[float, float] = (0.0, 0.0)) -> Lattice:
        """Return a north-up lattice of square pixels with a pixel corner at ``origin`` (y, x)."""
        return cls(crs, -resolution, resolution, phase_of(origin[0], resolution), phase_of(origin[1], resolution))

    @classmethod
    def of_affine(cls, crs: str | None, affine: Affine) -> Lattice:
        """Return the lattice on which an image with this axis-aligned transform lies."""
        if affine.b or affine.d:
            raise PlanError(f"a rotated transform {tuple(affine)[:6]} has no lattice", hint="give --resolution")
        return cls(crs, affine.e, affine.a, phase_of(affine.f, affine.e), phase_of(affine.c, affine.a))

    @property
    def affine(self) -> Affine:
        """Transform from (column, row) of the absolute pixel grid to (x, y) in CRS units."""
        return Affine(self.step_x, 0.0, self.phase_x, 0.0, self.step_y, self.phase_y)

    @property
    def resolution(self) -> float:
        """Larger side of a pixel in CRS units."""
        return max(abs(self.step_y), self.step_x)

    def affine_of(self, box: PixelBox) -> Affine:
        """Transform of an array that holds ``box``."""
        return Affine(
            self.step_x, 0.0, self.phase_x + box.x0 * self.step_x,
            0.0, self.step_y, self.phase_y + box.y0 * self.step_y,
        )  # fmt: skip

    def geobox(self, box: PixelBox) -> GeoBox:
        """``box`` as odc-geo's GeoBox."""
        from odc.geo.geobox import GeoBox

        return GeoBox(box.shape, self.affine_of(box), self.crs)

    def box_covering(self, bounds: tuple[float, float, float, float]) -> PixelBox:
        """Return all pixels that bounds (left, bottom, right, top; CRS units) touch, snapped outward.

        Bounds within a millionth of a pixel of a pixel edge count as lying on it.
        """
        cols = sorted((v - self.phase_x) / self.step_x for v in (bounds[0], bounds[2]))
        rows = sorted((v - self.phase_y) / self.step_y for v in (bounds[1], bounds[3]))
        tol = PHASE_TOLERANCE
        return PixelBox(
            math.floor(rows[0] + tol),
            math.floor(cols[0] + tol),
            math.ceil(rows[1] - tol),
            math.ceil(cols[1] - tol),
        )

    def box_inside(self, bounds: tuple[float, float, float, float]) -> PixelBox:
        """Return the pixels whose centres lie within bounds (left, bottom, right, top; CRS units)."""
        cols = sorted((v - self.phase_x) / self.step_x for v in (bounds[0], bounds[2]))
        rows = sorted((v - self.phase_y) / self.step_y for v in (bounds[1], bounds[3]))
        tol = PHASE_TOLERANCE
        return PixelBox(
            math.ceil(rows[0] - 0.5 - tol),
            math.ceil(cols[0] - 0.5 - tol),
            math.ceil(rows[1] - 0.5 - tol),
            math.ceil(cols[1] - 0.5 - tol),
        )

    def bounds(self, box: PixelBox) -> tuple[float, float, float, float]:
        """Return (left, bottom, right, top) of ``box`` in CRS units."""
        a = self.affine_of(box)
        ys = sorted((a.f, a.f + box.height * a.e))
        return a.c, ys[0], a.c + box.width * a.a, ys[1]
