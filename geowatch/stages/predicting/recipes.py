"""Settling the recipe: what the run has pinned, or what this first predict chooses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geowatch.errors import ConfigError, PackageError, PlanMismatchError
from geowatch.grid.blend import BLENDS
from geowatch.grid.windows import WindowLattice
from geowatch.package import load_package
from geowatch.package.colors import default_colors
from geowatch.predict.recipe import HeadPin, Recipe, read_recipe
from geowatch.stages.predicting.box_heads import SEEN, settle_boxes
from geowatch.stages.predicting.choosing import obeyed, settle_backend
from geowatch.stages.predicting.looks import settle_looks
from geowatch.stages.predicting.timing import check_heads, settle_norm
from geowatch.stages.working.events import Silent
from geowatch.stitch.quantise import Quantiser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geowatch.package import Package
    from geowatch.package.manifest import Manifest
    from geowatch.predict.recipe import SeriesPin
    from geowatch.stages.binding.imagery import Bound
    from geowatch.stages.binding.parts import Part
    from geowatch.stages.predicting.config import PredictConfig
    from geowatch.stages.working.events import Events
    from geowatch.store import Store

__all__ = ["PACKAGE", "Settled", "find_package", "has_package", "package_name", "settle_recipe"]

#: Key of the note that says which package a run uses.
PACKAGE = "package.json"


def has_package(store: Store) -> bool:
    """Whether the run uses a package already."""
    return store.size(PACKAGE) is not None


def package_name(store: Store) -> str:
    """Return the name of the run's package, for titles."""
    return str(json.loads(store.get(PACKAGE))["name"]) if has_package(store) else "scores"


def find_package(store: Store, path: str | None) -> Package:
    """Return the package at ``path``, or the one that the run uses already."""
    noted = json.loads(store.get(PACKAGE)) if has_package(store) else None
    where = path or (noted["path"] if noted else None)
    if where is None:
        raise PackageError("this run has no model yet", hint="give a package with --model")
    package = load_package(where)
    if noted is not None and noted["digest"] != package.digest:
        raise PlanMismatchError(
            f"the run uses package {noted['digest'][:12]}, {where} is {package.digest[:12]}",
            hint="start another run with --run",
        )
    note = {"path": str(package.path), "name": package.manifest.name, "digest": package.digest}
    store.put_if_absent(PACKAGE, (json.dumps(note, indent=1, sort_keys=True) + "\n").encode())
    return package


@dataclass(frozen=True, slots=True)
class Settled:
    """A recipe, and how it came about."""

    recipe: Recipe
    """The recipe, pinned or new."""
    reason: str
    """Why its backend was taken."""
    batch: int | None
    """Windows in a run that did best, where that was measured; it changes no value."""


def settle_recipe(
    config: PredictConfig,
    store: Store,
    packages: Sequence[Package],
    seen: tuple[Bound, Sequence[Part], SeriesPin | None],
    events: Events | None = None,
) -> Settled:
    """Return the recipe and how it came about; ``packages`` are the run's, and those that answer beside it.

    What the options leave open is as the run's recipe says; without one, as the package says. ``seen`` is
    the imagery, the planes that it makes, and how they stand in time.

    Raises:
        RecipeMismatchError: where the options want another backend than the recipe.
    """
    package, *members = packages
    bound, parts, series = seen
    pinned = read_recipe(store)
    windows = _windows(config, pinned, package.manifest)
    if pinned is None:
        chosen = settle_backend(config, packages, parts, windows, events or Silent())
        windows = chosen.windows
    else:
        chosen = obeyed(config, pinned)
    check_heads(package.manifest)
    heads = tuple(
        HeadPin(
            name=h.name, classes=h.classes, activation=h.activation, colors=h.colors or default_colors(h.classes),
            stored=_stored(config, pinned, h.activation),
        )
        for h in package.manifest.heads
    ) or (SEEN,)  # fmt: skip
    blend = config.blend or (pinned.blend if pinned else package.manifest.window.blend)
    if blend not in BLENDS:
        raise ConfigError(f"no blend '{blend}'", hint=f"one of {', '.join(BLENDS)}")
    recipe = Recipe(
        package=package.digest, imagery=bound.digest, window_px=windows.size,
        stride_px=windows.stride, blend=blend, dates=package.manifest.dates, heads=heads, backend=chosen.pin,
        fused=chosen.fused, series=series, norm=settle_norm(config.norm, pinned),
        boxes=settle_boxes(config, pinned, package.manifest, windows),
    )  # fmt: skip
    tile_px = parts[0].grid.tile_px
    recipe = settle_looks(config.looks, recipe, pinned, package, members, tile_px)
    return Settled(recipe, chosen.reason, chosen.batch)


def _windows(config: PredictConfig, pinned: Recipe | None, manifest: Manifest) -> WindowLattice:
    if config.window is None and config.overlap is None and pinned is not None:
        return WindowLattice(pinned.window_px, pinned.stride_px)
    default = pinned.window_px if pinned else manifest.window.size
    size = default if config.window is None else (config.window, config.window)
    if not manifest.window.accepts(size):
        rule = "only" if manifest.window.fixed else f"multiples of {manifest.window.multiple_of}, such as"
        raise ConfigError(f"the network takes no windows of {size[0]} px", hint=f"{rule} {manifest.window.size[0]} px")
    if config.overlap is None and pinned is not None:
        return WindowLattice(size, (pinned.stride_px[0], pinned.stride_px[1]))
    return WindowLattice.of(size, manifest.window.overlap if config.overlap is None else config.overlap)


def _stored(config: PredictConfig, pinned: Recipe | None, activation: str) -> str:
    if config.stored is not None:
        return Quantiser(config.stored).stored  # type: ignore[arg-type]  # the quantiser checks it
    if pinned is not None:
        return pinned.heads[0].stored
    return "float32" if activation == "none" else "uint8"
