"""Cloud-optimised GeoTIFFs, written block by block and independent of how the region was tiled."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rasterio
from rasterio.enums import ColorInterp
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window

from geowatch.stitch.maps import NO_CLASS, rgba

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from affine import Affine
    from numpy.typing import NDArray
    from rasterio.io import DatasetWriter

    from geowatch.grid.lattice import PixelBox
    from geowatch.stitch.maps import Legend

__all__ = ["CogSpec", "CogWriter", "cog_writer"]


@dataclass(frozen=True, slots=True)
class CogSpec:
    """What a GeoTIFF is to hold."""

    box: PixelBox
    """Its pixels on the lattice."""
    affine: Affine
    """Its transform."""
    crs: str | None
    """Its CRS."""
    bands: tuple[str, ...]
    """Descriptions of its bands."""
    dtype: str
    """Their type."""
    nodata: float
    """Value of pixels without scores."""
    scale: float = 1.0
    """Physical value of one stored unit."""
    legend: Legend | None = None
    """Classes and colours, for a map of classes."""
    tags: tuple[tuple[str, str], ...] = ()
    """Metadata to write."""


class CogWriter:
    """Takes blocks in any order."""

    def __init__(self, spec: CogSpec, target: DatasetWriter) -> None:
        self._spec = spec
        self._target = target

    def write(self, box: PixelBox, values: NDArray[np.generic]) -> None:
        """Write ``values`` (bands, height, width) at ``box``; what reaches beyond the file is cropped."""
        part = box & self._spec.box
        if part:
            rows, cols = part.within(box)
            at = part.within(self._spec.box)
            window = Window(at[1].start, at[0].start, part.width, part.height)
            self._target.write(values[:, rows, cols], window=window)


@contextmanager
def cog_writer(spec: CogSpec, path: Path) -> Iterator[CogWriter]:
    """Open a writer; on leaving, ``path`` becomes a COG with overviews.

    Overviews take the most frequent class of a map and the mean of probabilities.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        raw = Path(folder, "raw.tif")
        with rasterio.open(raw, "w", **_profile(spec)) as target:
            _describe(spec, target)
            yield CogWriter(spec, target)
        copy_raster(
            raw, path, driver="COG", COMPRESS="DEFLATE", PREDICTOR="NO" if spec.legend else "YES", BLOCKSIZE=512,
            OVERVIEW_RESAMPLING="MODE" if spec.legend else "AVERAGE", BIGTIFF="IF_SAFER", NUM_THREADS="ALL_CPUS",
        )  # fmt: skip


def _profile(spec: CogSpec) -> dict[str, object]:
    return {
        "driver": "GTiff", "width": spec.box.width, "height": spec.box.height, "count": len(spec.bands),
        "dtype": spec.dtype, "nodata": spec.nodata, "crs": spec.crs, "transform": spec.affine, "tiled": True,
        "blockxsize": 512, "blockysize": 512, "compress": "zstd", "zstd_level": 1, "bigtiff": "if_safer",
        "sparse_ok": True, "interleave": "band",
    }  # fmt: skip


def _describe(spec: CogSpec, target: DatasetWriter) -> None:
    target.update_tags(**dict(spec.tags))
    for number, name in enumerate(spec.bands, start=1):
        target.set_band_description(number, name)
    if spec.legend is not None:
        colors = {i: rgba(color) for i, color in enumerate(spec.legend.colors)}
        target.write_colormap(1, colors | {NO_CLASS: (0, 0, 0, 0)})
        target.colorinterp = [ColorInterp.palette]
        target.update_tags(1, CLASSES=",".join(spec.legend.names))
    elif spec.scale != 1.0:
        target.scales = (spec.scale,) * len(spec.bands)
