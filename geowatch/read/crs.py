"""Coordinate reference systems as text: naming, comparing, and moving points between them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from rasterio.crs import CRS

from geowatch.errors import ImageryError

__all__ = ["crs_text", "move_points", "same_crs"]

Points = NDArray[np.float64]


def crs_text(crs: CRS | None) -> str | None:
    """Return ``EPSG:n`` where that is exactly what the CRS is, else WKT; None for no CRS."""
    if not crs:
        return None
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())


@lru_cache(maxsize=64)
def _parsed(text: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise ImageryError(
            f"'{text[:80]}' is no CRS that is known here", hint="name it as EPSG:n, such as --crs EPSG:32618"
        ) from error


@lru_cache(maxsize=256)
def same_crs(one: str | None, other: str | None) -> bool:
    """Whether two CRS texts mean the same system; plain pixels are the same as plain pixels only."""
    if one is None or other is None or one == other:
        return one == other
    return bool(_parsed(one).equals(_parsed(other), ignore_axis_order=True))


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(_parsed(source), _parsed(target), always_xy=True)
    except ProjError as error:
        raise ImageryError(
            f"no way is known from CRS '{source[:60]}' to '{target[:60]}'",
            hint="give the lattice a CRS of the imagery's own datum with --crs",
        ) from error


def move_points(xs: Points, ys: Points, source: str | None, target: str | None) -> tuple[Points, Points]:
    """Move points (x, y; lon, lat for geographic systems) to another CRS; infinity where there is no place.

    Raises:
        ImageryError: one side has a CRS and the other has none.
    """
    if same_crs(source, target):
        return xs, ys
    if source is None or target is None:
        raise ImageryError(
            "an image without georeference cannot be put on a map",
            hint="run it without a region, or georeference it first",
        )
    x, y = _transformer(source, target).transform(xs, ys, errcheck=False)
    return np.asarray(x), np.asarray(y)
