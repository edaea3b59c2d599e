"""A small job with everything that is hard: odd sizes, a phase, nodata, an odd-shaped region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import zarr
from affine import Affine
from numpy.typing import NDArray

from geowatch.grid.lattice import PixelBox
from geowatch.stages.binding.imagery import ImageryConfig
from geowatch.stages.predict import PredictConfig
from geowatch.stages.tile import TileConfig, tile
from geowatch.store import open_store
from geowatch.store.plans import read_plan

BANDS = ("red", "green", "blue")


def write_raster(path: Path, values: NDArray[np.uint16], affine: Affine, crs: str | None = "EPSG:32618") -> Path:
    """Write bands (3, H, W) with nodata 0 and a scale of 1/10000."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[1], width=values.shape[2], count=3, dtype="uint16", crs=crs,
        transform=affine, nodata=0, tiled=True, blockxsize=64, blockysize=64, compress="deflate",
    ) as target:  # fmt: skip
        target.write(values)
        target.descriptions = BANDS
        target.scales = (1e-4,) * 3
    return path


def speckled(height: int, width: int, seed: int = 0) -> NDArray[np.uint16]:
    """Return smooth random bands with a rectangle, a stripe and single pixels of nodata."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((3, -(-height // 16) + 1, -(-width // 16) + 1))
    fine = np.kron(coarse, np.ones((1, 16, 16)))[:, :height, :width]
    values = (1 + 8000 * (0.7 * fine + 0.3 * rng.random((3, height, width)))).astype(np.uint16)
    values[:, height // 2 : height // 2 + 40, : width // 3] = 0
    values[:, :, width - 5] = 0
    values[0, rng.random((height, width)) < 0.002] = 0
    return values


def plan_job(folder: Path, region: Path | None, scene: Path, tile_size: int) -> None:
    """Plan on the scene's own lattice."""
    tile(
        TileConfig(
            region=None if region is None else str(region),
            run=str(folder),
            tile_size=tile_size,
            imagery=ImageryConfig(images=(str(scene),)),
        )
    )


def config_of(folder: Path, scene: Path, package: Path, **options: object) -> PredictConfig:
    """Return a configuration of predict: one process unless told otherwise."""
    given: dict[str, object] = {"workers": 1, "imagery": ImageryConfig(images=(str(scene),)), **options}
    return PredictConfig(run=str(folder), model=str(package), **given)  # type: ignore[arg-type]


def placed(folder: Path, head: str = "scores") -> tuple[PixelBox, NDArray[np.generic]]:
    """Return the heatmap of a run within the region's bounds, read with a Zarr library: where it is, and values."""
    grid = read_plan(open_store(folder)).grids[0]
    array = zarr.open_group(folder / "heatmap.zarr", mode="r")[head]
    rows, cols = grid.bounds.within(grid.array_box)
    return grid.bounds, np.asarray(array[:, :, rows, cols])
