"""The real Sentinel-2 series of 68 dates at ``shared/data/eolearn``, written as people keep such series.

NDVI and cloud mask (1 is cloud), as they are, become one GeoTIFF a date, ``eolearn_20150711T100008.tif``, with the
bands ``ndvi`` and ``clm`` (float32), and a kwcoco bundle that lists them: one video, one image a date. Read either
with ``**MASKED``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.transform import from_bounds

CRS = "EPSG:32633"
#: Options of `ImageryConfig` and of `SceneOptions` that hide what is under cloud.
MASKED: dict[str, Any] = {"mask_band": "clm", "mask_values": (1,)}


@dataclass(frozen=True)
class EolearnSeries:
    """The series on disk, and its arrays."""

    folder: Path
    """Folder with the GeoTIFFs."""
    kwcoco: Path
    """Bundle that lists them."""
    region: Path
    """GeoJSON feature of the whole area, lon/lat."""
    times: tuple[datetime, ...]
    """UTC, oldest first."""
    ndvi: NDArray[np.float32]
    """(T, H, W)."""
    cloud: NDArray[np.bool_]
    """(T, H, W), True under cloud."""
    affine: Affine
    """From (column, row) to x, y of `CRS`."""
    files: tuple[Path, ...]
    """One a date."""


def write_eolearn(source: Path, folder: Path, dates: int | None = None) -> EolearnSeries:
    """Write the series at ``source`` (``shared_data("eolearn")``) below ``folder``; only the first ``dates``."""
    patch = source / "TestEOPatch"
    stamps = json.loads((patch / "timestamps.json").read_text())[:dates]
    times = tuple(datetime.fromisoformat(s).replace(tzinfo=UTC) for s in stamps)
    ndvi = np.load(patch / "data/NDVI.npy")[:dates, ..., 0].astype(np.float32)
    cloud = np.load(patch / "mask/CLM.npy")[:dates, ..., 0] == 1
    ring = json.loads((patch / "bbox.geojson").read_text())["coordinates"][0]
    xs, ys = zip(*ring, strict=True)
    affine = from_bounds(min(xs), min(ys), max(xs), max(ys), ndvi.shape[2], ndvi.shape[1])
    images = folder / "images"
    images.mkdir(parents=True)
    files = tuple(
        _write(images / f"eolearn_{time:%Y%m%dT%H%M%S}.tif", values, hidden, affine)
        for time, values, hidden in zip(times, ndvi, cloud, strict=True)
    )
    bundle = folder / "eolearn.kwcoco.json"
    bundle.write_text(json.dumps(_bundle(folder, files, times, cloud), indent=1))
    region = folder / "region.geojson"
    region.write_text(json.dumps(_region(affine, ndvi.shape[1:])))
    return EolearnSeries(images, bundle, region, times, ndvi, cloud, affine, files)


def _write(path: Path, ndvi: NDArray[np.float32], cloud: NDArray[np.bool_], affine: Affine) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=ndvi.shape[0], width=ndvi.shape[1], count=2, dtype="float32", crs=CRS,
        transform=affine, compress="deflate",
    ) as target:  # fmt: skip
        target.write(np.stack([ndvi, cloud.astype(np.float32)]))
        target.descriptions = ("ndvi", "clm")
    return path


def _bundle(
    folder: Path, files: tuple[Path, ...], times: tuple[datetime, ...], cloud: NDArray[np.bool_]
) -> dict[str, Any]:
    height, width = cloud.shape[1:]
    images = [
        {
            "id": number, "name": file.stem, "file_name": None, "video_id": 1, "frame_index": number - 1,
            "date_captured": time.isoformat(), "timestamp": time.timestamp(), "sensor_coarse": "S2",
            "width": width, "height": height, "warp_img_to_vid": {"scale": 1.0},
            "cloud_cover": float(hidden.mean() * 100),
            "assets": [{
                "file_name": str(file.relative_to(folder)), "channels": "ndvi|clm", "width": width,
                "height": height, "warp_aux_to_img": {"scale": 1.0},
            }],
        }
        for number, (file, time, hidden) in enumerate(zip(files, times, cloud, strict=True), 1)
    ]  # fmt: skip
    videos = [{"id": 1, "name": "eolearn", "width": width, "height": height}]
    return {"info": [], "categories": [], "videos": videos, "images": images, "annotations": []}


def _region(affine: Affine, shape: tuple[int, ...]) -> dict[str, Any]:
    from rasterio.warp import transform

    rows, cols = shape
    corners = [affine @ p for p in ((0, 0), (cols, 0), (cols, rows), (0, rows), (0, 0))]
    lon, lat = transform(CRS, "EPSG:4326", [c[0] for c in corners], [c[1] for c in corners])
    ring = [list(p) for p in zip(lon, lat, strict=True)]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
