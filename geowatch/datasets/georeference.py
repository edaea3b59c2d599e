"""Where a bundle says that pixels are, and whether that agrees with their file.

Tools of kwcoco write ``warp_to_wld`` and ``wld_crs_info`` down from the files themselves, so a file's own georeference
is the source, and wins; what is declared places files that have none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geowatch.datasets.transforms import read_affine
from geowatch.errors import ImageryError
from geowatch.read.crs import move_points

if TYPE_CHECKING:
    from geowatch.datasets.bundle import Json
    from geowatch.read.scene import RasterGrid

__all__ = ["OFF_PX", "declared_world", "distance_px"]

OFF_PX = 0.5
"""A corner further off than this many pixels is somewhere else."""


def declared_world(entry: Json, what: str, to_entry: Affine | None = None) -> tuple[Affine, str] | None:
    """Return the transform to the world that an entry declares, and its CRS."""
    written, system = entry.get("warp_to_wld"), _crs(entry.get("wld_crs_info"))
    if written is None or system is None:
        return None
    return read_affine(written, f"warp_to_wld of {what}") @ (to_entry or Affine.identity()), system


def _crs(described: object) -> str | None:
    """Return a CRS from ``{"auth": ["EPSG", "32633"]}``, from such text, or from WKT."""
    if isinstance(described, dict):
        auth = described.get("auth")
        return ":".join(map(str, auth)) if isinstance(auth, list) and len(auth) == 2 else described.get("wkt")
    return described if isinstance(described, str) and described else None


def distance_px(grid: RasterGrid, transform: Affine, crs: str | None) -> float:
    """Return how far another georeference puts a corner of a file from where its own does, in pixels at most.

    Infinity where its CRS is none, or does not reach there.

    Args:
        grid: the file's own georeference.
        transform: from its pixels to another world.
        crs: of that world.
    """
    rows, cols = grid.shape
    corners = [(0, 0), (cols, 0), (0, rows), (cols, rows)]
    x, y = np.array([transform @ corner for corner in corners], float).T
    try:
        x, y = move_points(x, y, crs, grid.crs)
    except ImageryError:
        return math.inf
    if not np.isfinite([x, y]).all():
        return math.inf
    there = np.array([~grid.transform @ point for point in zip(x.tolist(), y.tolist(), strict=True)])
    return float(np.abs(there - corners).max())
