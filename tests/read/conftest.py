"""Small images for the tests of reading: written here, so that every number in them is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

UTM = "EPSG:32618"


def _write(
    path: Path,
    pixels: NDArray[Any],
    *,
    step: float = 10.0,
    origin: tuple[float, float] = (500_000.0, 4_200_000.0),
    crs: str | None = UTM,
    overviews: Sequence[int] = (),
    **options: Any,
) -> Path:
    """Write ``pixels`` (H, W) or (C, H, W) as an image whose upper left corner is ``origin`` (x, y)."""
    stack = pixels if pixels.ndim == 3 else pixels[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "count": len(stack),
        "height": stack.shape[1],
        "width": stack.shape[2],
        "dtype": stack.dtype.name,
        "crs": crs,
        **options,
    }
    if crs is not None:
        profile["transform"] = Affine(step, 0, origin[0], 0, -step, origin[1])
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(stack)
        if overviews:
            dataset.build_overviews(list(overviews), Resampling.average)
    return path


def _noise(shape: tuple[int, ...], seed: int = 0, dtype: str = "uint16") -> NDArray[Any]:
    """Numbers between 1 and 10,000 without any order."""
    return np.random.default_rng(seed).integers(1, 10_001, shape).astype(dtype)


@pytest.fixture(scope="session")
def write_image() -> Callable[..., Path]:
    return _write


@pytest.fixture(scope="session")
def noise() -> Callable[..., NDArray[Any]]:
    return _noise
