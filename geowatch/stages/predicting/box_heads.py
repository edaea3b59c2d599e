"""Heads of boxes in a run: what the recipe says of them, and what finds their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geowatch.errors import ConfigError
from geowatch.grid.windows import WindowLattice
from geowatch.package.colors import default_colors
from geowatch.predict.finding import Finder, margin_of
from geowatch.predict.recipe import BoxesPin, HeadPin

if TYPE_CHECKING:
    from geowatch.package.box_head import BoxesSpec
    from geowatch.package.manifest import Manifest
    from geowatch.predict.recipe import Recipe
    from geowatch.stages.predicting.config import PredictConfig

__all__ = ["SEEN", "finder_of", "settle_boxes"]

#: What the heatmap of a network that gives boxes alone holds: where it looked. A place without a box is empty there,
#: and unknown elsewhere.
SEEN = HeadPin(name="seen", classes=("seen",), activation="none", stored="uint8", kind="seen")


def settle_boxes(
    config: PredictConfig, pinned: Recipe | None, manifest: Manifest, windows: WindowLattice
) -> tuple[BoxesPin, ...]:
    """Return what the recipe says of the package's heads of boxes.

    Raises:
        ConfigError: for a least score below the package's, or without boxes.
    """
    if config.min_score is not None and not manifest.boxes:
        raise ConfigError(f"{manifest.name} has no head of boxes", hint="leave out --min-score")
    before = {pin.name: pin.min_score for pin in pinned.boxes} if pinned else {}
    return tuple(
        BoxesPin(
            name=head.name,
            classes=head.objects,
            colors=_colors(head, manifest),
            min_score=_least(config, head) if config.min_score is not None else before.get(head.name, head.min_score),
            max_overlap=head.max_overlap,
            margin_px=margin_of(windows),
        )
        for head in manifest.boxes
    )


def _least(config: PredictConfig, head: BoxesSpec) -> float:
    asked = config.min_score or 0.0
    if not head.min_score <= asked <= 1:
        raise ConfigError(
            f"boxes from a score of {asked:g}; the package drops those of head '{head.name}' below {head.min_score:g}",
            hint=f"give --min-score from {head.min_score:g} to 1, or import the network again with a lower one",
        )
    return asked


def _colors(head: BoxesSpec, manifest: Manifest) -> tuple[str, ...]:
    """Return the colours of objects: as the package says, else others than those of its maps."""
    maps = [name for each in manifest.heads for name in each.classes]
    colors = head.colors or default_colors((*maps, *head.classes))[len(maps) :]
    return tuple(color for name, color in zip(head.classes, colors, strict=True) if name in head.objects)


def finder_of(manifest: Manifest, recipe: Recipe) -> Finder | None:
    """Return what finds the objects of a run's windows; None where its network gives no boxes."""
    if not recipe.boxes:
        return None
    windows = WindowLattice(recipe.window_px, recipe.stride_px)
    return Finder(manifest.boxes, recipe.boxes, windows, manifest.window.multiple_of)
