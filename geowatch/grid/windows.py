"""The window lattice: where a network looks.

Windows stand at fixed places of the pixel lattice, counted from index 0, whatever the region and however it is
tiled. A pixel is therefore seen by the same windows in every run, which is what makes results independent of the
cut. Everything here is integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

from geowatch.errors import ConfigError
from geowatch.grid.lattice import PixelBox

__all__ = ["WindowLattice", "overlap_px"]


def overlap_px(overlap: float, window_px: int) -> int:
    """Overlap in pixels from pixels (1 or more, or 0) or from a share of the window (below 1).

    >>> overlap_px(0.25, 256), overlap_px(64, 256)
    (64, 64)
    """
    px = round(overlap * window_px) if 0 < overlap < 1 else round(overlap)
    if not 0 <= px < window_px:
        raise ConfigError(
            f"an overlap of {overlap:g} does not fit windows of {window_px} px",
            hint=f"give 0 to {window_px - 1} pixels, or a share of the window below 1",
        )
    return px


@dataclass(frozen=True, slots=True)
class WindowLattice:
    """Windows of ``size`` every ``stride`` pixels: window (ky, kx) starts at row ky * stride, column kx * stride.

    >>> WindowLattice((4, 4), (3, 3)).touching(PixelBox(0, 0, 4, 4))
    (range(-1, 2), range(-1, 2))
    """

    size: tuple[int, int]
    """(height, width) of a window in pixels."""
    stride: tuple[int, int]
    """(rows, columns) from one window to the next."""

    def __post_init__(self) -> None:
        for size, stride in zip(self.size, self.stride, strict=True):
            if not 0 < stride <= size:
                raise ConfigError(
                    f"windows of {self.size} px every {self.stride} px leave gaps",
                    hint="the stride is at least 1 and at most the window",
                )

    @classmethod
    def of(cls, size: tuple[int, int], overlap: float) -> WindowLattice:
        """Windows of ``size`` that overlap by pixels (>= 1) or by a share (< 1)."""
        height, width = size
        return cls(size, (height - overlap_px(overlap, height), width - overlap_px(overlap, width)))

    def coarser(self, reduction: int) -> WindowLattice:
        """Return the same windows on the lattice whose pixels are ``reduction`` times as large.

        >>> WindowLattice((8, 8), (6, 6)).coarser(2)
        WindowLattice(size=(4, 4), stride=(3, 3))
        """
        if any(side % reduction for side in (*self.size, *self.stride)):
            raise ConfigError(
                f"windows of {self.size} px every {self.stride} px cannot be told in squares of {reduction} px",
                hint=f"choose --window and --overlap as multiples of {reduction}",
            )
        height, width = (side // reduction for side in self.size)
        down, right = (side // reduction for side in self.stride)
        return WindowLattice((height, width), (down, right))

    @property
    def redundancy(self) -> float:
        """Pixels computed for each pixel of an endless area."""
        return (self.size[0] * self.size[1]) / (self.stride[0] * self.stride[1])

    def touching(self, box: PixelBox) -> tuple[range, range]:
        """Rows ky and columns kx of the windows that share a pixel with ``box``."""
        if not box:
            return range(0), range(0)
        return (
            _touching(box.y0, box.y1, self.size[0], self.stride[0]),
            _touching(box.x0, box.x1, self.size[1], self.stride[1]),
        )

    def count(self, box: PixelBox) -> int:
        """Number of windows that share a pixel with ``box``."""
        rows, cols = self.touching(box)
        return len(rows) * len(cols)

    def box(self, ky: int, kx: int) -> PixelBox:
        """Pixels that window (ky, kx) covers."""
        y, x = ky * self.stride[0], kx * self.stride[1]
        return PixelBox(y, x, y + self.size[0], x + self.size[1])

    def hull(self, box: PixelBox) -> PixelBox:
        """All pixels of the windows that touch ``box``."""
        rows, cols = self.touching(box)
        if not rows or not cols:
            return PixelBox(0, 0, 0, 0)
        return self.box(rows[0], cols[0]) | self.box(rows[-1], cols[-1])


def _touching(start: int, stop: int, size: int, stride: int) -> range:
    # Window k covers [k * stride, k * stride + size): it touches when k * stride < stop and k * stride + size > start.
    return range((start - size) // stride + 1, -(-stop // stride))
