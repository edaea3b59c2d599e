"""Frames around objects on a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from geowatch.stitch.maps import rgba

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Marks", "framed"]

#: Frames are at least so wide, so that small objects are found; and stand off the object by this.
_LEAST_PX, _OFF_PX = 5.0, 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """Objects of one plane as a picture shows them."""

    corners: NDArray[np.float64]
    """(y0, x0, y1, x1) in pixels from the map's upper left corner, shape (n, 4)."""
    kind: NDArray[np.int16]
    """Places among the classes."""
    classes: tuple[str, ...]
    """Names of the classes."""
    colors: tuple[str, ...]
    """Colour of each class, #rrggbb or #rrggbbaa."""

    def with_(self, other: Marks) -> Marks:
        """Return these and the other objects; classes of both stay apart."""
        kind = np.concatenate([self.kind, other.kind + len(self.classes)]).astype(np.int16)
        corners = np.concatenate([self.corners, other.corners])
        return Marks(corners, kind, self.classes + other.classes, self.colors + other.colors)

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Entries of a legend: class and number of objects, and the colour."""
        counts = np.bincount(self.kind, minlength=len(self.classes))
        return [(f"{n}  {count:,}", c) for n, count, c in zip(self.classes, counts, self.colors, strict=True)]


def framed(picture: NDArray[np.uint8], marks: Marks, step: int) -> NDArray[np.uint8]:
    """Return a picture (height, width, 3) with frames around objects; its pixels are ``step`` of the map's wide."""
    page = Image.fromarray(picture)
    draw = ImageDraw.Draw(page)
    colors = [rgba(color)[:3] for color in marks.colors]
    corners = marks.corners / step
    middle, half = (corners[:, :2] + corners[:, 2:]) / 2, (corners[:, 2:] - corners[:, :2]) / 2
    half = np.maximum(half, _LEAST_PX / 2) + _OFF_PX
    edges = np.concatenate([middle - half, middle + half], axis=1).tolist()
    for (y0, x0, y1, x1), kind in zip(edges, marks.kind.tolist(), strict=True):
        draw.rectangle((x0, y0, x1, y1), outline=colors[kind])
    return np.asarray(page)
