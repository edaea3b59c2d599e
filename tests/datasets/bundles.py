"""Small kwcoco bundles for tests: what they hold is made here."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

UTM = "EPSG:32618"
CORNER = Affine(10.0, 0.0, 300_000.0, 0.0, -10.0, 4_200_000.0)


def write_tiff(
    path: Path, values: NDArray[Any], affine: Affine | None = CORNER, crs: str | None = UTM, nodata: float | None = None
) -> Path:
    """Write bands (C, H, W); without CRS and transform if ``crs`` is None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": crs, "transform": affine} if crs else {}
    with rasterio.open(
        path, "w", driver="GTiff", count=len(values), height=values.shape[1], width=values.shape[2],
        dtype=values.dtype, nodata=nodata, **place,
    ) as file:  # fmt: skip
        file.write(values)
    return path


def write_bundle(path: Path, images: list[dict[str, Any]], **tables: Any) -> Path:
    """Write a document with these images, plain or zipped by its name."""
    document = {"images": images, "videos": [], "annotations": [], "categories": [], **tables}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.kwcoco.json", json.dumps(document))
    else:
        path.write_text(json.dumps(document))
    return path


def ramp(height: int, width: int, bands: int = 1, dtype: str = "uint16") -> NDArray[Any]:
    """Return bands (C, H, W) in which every pixel has a value of its own."""
    count = bands * height * width
    return (np.arange(1, count + 1) % 60_000).reshape(bands, height, width).astype(dtype)
