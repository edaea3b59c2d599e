"""Geometry that convolutions and poolings share: strides, dilations and what is put around the image.

>>> Geometry(strides=(2,), dilations=(1,), pads=(), auto="SAME_UPPER").sides((5,), (2,))
[(0, 1)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as fn

from geowatch.nets.onnx.node import Node

__all__ = ["Geometry", "Sides", "geometry_of", "pad_sides", "same_sides", "symmetric"]

Sides = list[tuple[int, int]]
"""Pixels before and after, for each axis of the image."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a kernel walks over an image; empty fields stand for the standard's defaults."""

    strides: tuple[int, ...]
    """Steps along each axis; empty for 1."""
    dilations: tuple[int, ...]
    """Distances of the kernel's taps along each axis; empty for 1."""
    pads: tuple[int, ...]
    """Pixels around the image: all befores, then all afters; empty for none."""
    auto: str
    """``NOTSET`` where ``pads`` count, else ``VALID``, ``SAME_UPPER`` or ``SAME_LOWER``."""

    def steps(self, ndim: int) -> list[int]:
        """Return the strides of ``ndim`` axes."""
        return list(self.strides or (1,) * ndim)

    def gaps(self, ndim: int) -> list[int]:
        """Return the dilations of ``ndim`` axes."""
        return list(self.dilations or (1,) * ndim)

    def reach(self, kernel: Sequence[int]) -> list[int]:
        """Return the pixels from a kernel's first to its last tap, both counted."""
        return [(k - 1) * gap + 1 for k, gap in zip(kernel, self.gaps(len(kernel)), strict=True)]

    def sides(self, size: Sequence[int], kernel: Sequence[int]) -> Sides:
        """Return what is put around an image of ``size``."""
        ndim = len(kernel)
        if self.auto in {"SAME_UPPER", "SAME_LOWER"}:
            return [
                same_sides(max((-(-n // step) - 1) * step + reach - n, 0), upper=self.auto == "SAME_UPPER")
                for n, step, reach in zip(size, self.steps(ndim), self.reach(kernel), strict=True)
            ]
        pads = () if self.auto == "VALID" else self.pads
        return list(zip(pads[:ndim], pads[ndim:], strict=True)) if pads else [(0, 0)] * ndim


def same_sides(total: int, *, upper: bool) -> tuple[int, int]:
    """Split ``total`` pixels over both ends; an odd one goes to the upper end, or to the lower."""
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def geometry_of(node: Node) -> Geometry:
    """Read the geometry of a node's attributes."""
    return Geometry(
        tuple(node.integers("strides")),
        tuple(node.integers("dilations")),
        tuple(node.integers("pads")),
        node.text("auto_pad", "NOTSET", {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}),
    )


def symmetric(sides: Sides) -> list[int] | None:
    """Return one width for each axis where both ends are alike; None where not."""
    return [before for before, _ in sides] if all(a == b for a, b in sides) else None


def pad_sides(x: Tensor, sides: Sides, value: float = 0.0) -> Tensor:
    """Put ``value`` around the last axes of ``x``; negative widths crop."""
    flat = [width for pair in reversed(sides) for width in pair]
    return fn.pad(x, flat, value=value) if any(flat) else x
