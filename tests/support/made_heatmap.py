"""Heatmaps whose scores are made up, in run folders that are otherwise real: a stand-in for predict.

The plan, the pinned imagery (empty rasters, one a date), the recipe, the layout, shards and markers are those of the
product; only the scores come from a function instead of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.predict.recipe import BackendPin, HeadPin, Recipe, pin_recipe
from geowatch.stages.binding.imagery import ImageryConfig, bind
from geowatch.stages.binding.parts import layout_of
from geowatch.stages.tile import TileConfig, tile
from geowatch.stages.working.events import Silent
from geowatch.stitch.cores import Core
from geowatch.stitch.cover import Cover
from geowatch.stitch.publish import publish_core
from geowatch.store import open_store
from geowatch.store.plans import read_plan, read_tiles

#: Scores of a plane: (place on the time axis, box) -> stored values (K, height, width), 255 where there is none.
Scores = Callable[[int, PixelBox], NDArray[np.uint8]]


@dataclass(frozen=True)
class Made:
    """What a made-up heatmap is like."""

    shape: tuple[int, int]
    """(rows, columns) of the images."""
    days: tuple[str, ...]
    """Days of the planes, YYYY-MM-DD."""
    classes: tuple[str, ...]
    """Classes of its one head."""
    scores: Scores
    """Stored values as uint8."""
    tile_px: int = 64
    """Side of a tile."""
    region: Path | None = None
    """Region; None for all of the images."""
    activation: str = "softmax"
    """Activation of the head."""
    origin: tuple[float, float] = (500_005.0, 4_000_015.0)
    """Left and upper side of the images in EPSG:32618, at 10 m a pixel."""
    resolution: float | None = None
    """Side of a pixel of grids in UTM; None for the images' own lattice."""


def of_array(values: NDArray[np.uint8], box: PixelBox) -> Scores:
    """Return the scores of an array (T, K, H, W) that holds ``box``."""

    def read(time: int, asked: PixelBox) -> NDArray[np.uint8]:
        out = np.full((values.shape[1], *asked.shape), 255, np.uint8)
        part = asked & box
        if part:
            out[(slice(None), *part.within(asked))] = values[(time, slice(None), *part.within(box))]
        return out

    return read


def lattice_box(made: Made) -> PixelBox:
    """Return the lattice pixels of the images."""
    y, x = -round((made.origin[1] - 5) / 10) - 0, round((made.origin[0] - 5) / 10)
    return PixelBox(y, x, y + made.shape[0], x + made.shape[1])


def make_run(folder: Path, made: Made, left_out: Sequence[tuple[int, int]] = ()) -> Path:
    """Make a run folder with a heatmap; ``left_out`` are (tile of the table, time) that stay missing."""
    images = _images(folder.parent / f"{folder.name}-images", made)
    imagery = ImageryConfig(images=(str(images),))
    region = None if made.region is None else str(made.region)
    # A resolution without images plans a region by its zones.
    shown = imagery if made.resolution is None else ImageryConfig()
    tile(TileConfig(region=region, run=str(folder), tile_size=made.tile_px, imagery=shown, resolution=made.resolution))
    store = open_store(folder)
    plan = read_plan(store)
    bound = bind(store, imagery, plan.grids, plan.region, ("gray",), Silent())
    recipe = _recipe(made, bound.digest)
    pin_recipe(store, recipe)
    for grid in plan.grids:
        layout, cover = layout_of(plan, bound, recipe, grid), Cover(grid)
        layout.publish(store)
        for place, each in enumerate(read_tiles(store, plan, grid.id)):
            box = grid.core(each)
            outside = ~cover.mask(box)
            for time in range(len(made.days)):
                if (place, time) not in left_out:
                    stored = made.scores(time, box)
                    stored[:, outside] = 255
                    core = Core(each, (stored[np.newaxis],), int((stored[0] != 255).sum()))
                    publish_core(store, layout, core, time, recipe.digest)
    return folder


def _recipe(made: Made, imagery: str) -> Recipe:
    return Recipe(
        package="0" * 64, imagery=imagery, window_px=(64, 64), stride_px=(64, 64), blend="crop", dates=1,
        heads=(HeadPin(name="scores", classes=made.classes, activation=made.activation, stored="uint8"),),
        backend=BackendPin(name="none", version="0", precision="fp32", device="cpu", threads=None),
    )  # fmt: skip


def _images(folder: Path, made: Made) -> Path:
    """Write an empty raster a day; sparse, so that it takes no space whatever its size."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in made.days:
        profile = {
            "driver": "GTiff", "height": made.shape[0], "width": made.shape[1], "count": 1, "dtype": "uint8",
            "crs": "EPSG:32618", "transform": Affine(10, 0, made.origin[0], 0, -10, made.origin[1]), "tiled": True,
            "SPARSE_OK": True,
        }  # fmt: skip
        with rasterio.open(folder / f"scene_{day}.tif", "w", **profile) as file:
            file.set_band_description(1, "gray")
    return folder
