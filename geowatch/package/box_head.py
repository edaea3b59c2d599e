"""Heads that give boxes: objects of a window, with a class and a score, instead of a score for each pixel."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from geowatch.package.document import ClassName, Color, Document, Identifier

__all__ = ["BoxActivation", "BoxFormat", "BoxUnits", "BoxesSpec"]

BoxFormat = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
"""What the four numbers of a box are: two corners (x first, or y first), a corner and a size, a centre and a size."""
BoxUnits = Literal["px", "share"]
"""What they count: pixels of the window, or shares of its width and height."""
BoxActivation = Literal["none", "sigmoid", "softmax"]
"""How raw scores become numbers from 0 to 1."""


class BoxesSpec(Document):
    """A head of boxes: for N windows (N, M, 4) boxes, and (N, M) or (N, M, K) scores, M the same for all windows.

    Places without an object have a score below ``min_score``. Coordinates count from the window's upper left corner;
    the corner of pixel (0, 0) is (0, 0), its centre (0.5, 0.5).
    """

    name: Identifier
    """Name of this head; unique in the package."""
    boxes: str = Field(min_length=1)
    """Output tensor of boxes, (N, M, 4)."""
    scores: str = Field(min_length=1)
    """Output tensor of scores, (N, M) with ``labels`` or one class, else (N, M, K)."""
    labels: str | None = None
    """Output tensor of classes as places in ``classes``, (N, M); None where scores have a column for each class."""
    classes: tuple[ClassName, ...] = Field(min_length=1)
    """Classes, in the order of the scores' columns or of the labels from 0 on."""
    background: ClassName | None = None
    """The class that is no object, where the network has one."""
    format: BoxFormat = "xyxy"
    """What the four numbers of a box are."""
    units: BoxUnits = "px"
    """What they count."""
    activation: BoxActivation = "none"
    """How raw scores become numbers from 0 to 1."""
    min_score: float = Field(default=0.3, gt=0, le=1)
    """Boxes with a lower score are dropped."""
    max_overlap: float = Field(default=0.5, gt=0, le=1)
    """Of boxes of one class whose intersection is at least this share of their union, the best stays."""
    most: int | None = Field(default=None, ge=1)
    """Objects that a window can have at most, where the network gives as many as it finds: more are an error."""
    colors: tuple[Color, ...] = ()
    """Colour of each class on pictures, ``#rrggbb`` or ``#rrggbbaa``."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"head {self.name!r} names a class twice: {', '.join(self.classes)}")
        if self.background is not None and self.background not in self.classes:
            raise ValueError(f"the background {self.background!r} is none of {', '.join(self.classes)}")
        if not self.objects:
            raise ValueError(f"head {self.name!r} has no class but its background")
        if self.colors and len(self.colors) != len(self.classes):
            raise ValueError(f"{len(self.colors)} colours for {len(self.classes)} classes of head {self.name!r}")
        return self

    @property
    def objects(self) -> tuple[str, ...]:
        """Classes that are objects."""
        return tuple(name for name in self.classes if name != self.background)

    @property
    def tensors(self) -> dict[str, str]:
        """Output tensors by the name under which a backend gives them: ``<head>.boxes`` and its kin."""
        found = {"boxes": self.boxes, "scores": self.scores, "labels": self.labels}
        return {f"{self.name}.{part}": tensor for part, tensor in found.items() if tensor is not None}
