"""What a network looks at in one pass: frames, the planes that they make, and rows of prepared input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geowatch.grid.lattice import PixelBox
from geowatch.package.domains import normalised_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geowatch.package.manifest import InputSpec
    from geowatch.read.reader import BoxReader

__all__ = ["Look", "Rows", "View", "overlap", "union"]


@dataclass(frozen=True, slots=True)
class View:
    """What the network sees for one plane of the heatmap, or at once for the planes of a window of time."""

    slots: tuple[int | None, ...]
    """For each date the place of its frame among the readers; None where there is none."""
    extent: PixelBox
    """Pixels with imagery; beyond it is mirrored."""
    keep: Literal["all", "any"] = "all"
    """Which pixels are kept: those valid at all dates, or at any."""
    planes: tuple[int | None, ...] = (0,)
    """Planes of the time block that it gives: one, or one for each date; None for dates without a plane."""

    @property
    def by_date(self) -> bool:
        """Whether each date has a plane of its own, with the pixels that it saw."""
        return len(self.planes) > 1


@dataclass(frozen=True, slots=True)
class Look:
    """The frames that a network sees in one pass, and how it wants them."""

    readers: tuple[BoxReader, ...]
    """One reader a frame, oldest first."""
    bands: tuple[str, ...]
    """Names of the bands that each reader gives, in order."""
    inputs: tuple[InputSpec, ...]
    """The network's inputs."""
    extent: PixelBox
    """Pixels where any plane has imagery."""
    views: tuple[View, ...] = ()
    """What the network sees for each plane; empty: one plane, that shows it all readers."""
    domains: tuple[str, ...] = ()
    """Domain of each reader's imagery, for packages that normalise by it."""

    @property
    def planes(self) -> tuple[View, ...]:
        """The views, spelt out."""
        return self.views or (View(tuple(range(len(self.readers))), self.extent),)

    def spec_for(self, spec: InputSpec, reader: int) -> InputSpec:
        """Return an input as the imagery of a reader is prepared for it."""
        return normalised_for(spec, self.domains[reader]) if self.domains else spec


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of prepared input; they are never written to again."""

    box: PixelBox
    """Where they are; it may reach beyond the imagery."""
    inputs: tuple[NDArray[np.float32], ...]
    """Prepared values of each input, shape (C, height, width)."""
    keep: NDArray[np.bool_]
    """Pixels of the region with valid imagery, as the view keeps them, shape (height, width)."""
    by_date: tuple[NDArray[np.bool_], ...] = ()
    """The same for each date by itself, where each has a plane."""

    def below(self, y: int) -> Rows:
        """Return the rows from ``y`` on, as views."""
        skip = max(0, y - self.box.y0)
        if skip == 0:
            return self
        box = PixelBox(self.box.y0 + skip, self.box.x0, self.box.y1, self.box.x1)
        by_date = tuple(keep[skip:] for keep in self.by_date)
        return Rows(box, tuple(plane[:, skip:] for plane in self.inputs), self.keep[skip:], by_date)


def overlap(extents: Sequence[PixelBox]) -> PixelBox:
    """Return the pixels that all extents share."""
    shared = extents[0]
    for extent in extents[1:]:
        shared &= extent
    return shared


def union(extents: Sequence[PixelBox]) -> PixelBox:
    """Return the smallest box that holds all extents."""
    whole = PixelBox(0, 0, 0, 0)
    for extent in extents:
        whole |= extent
    return whole
