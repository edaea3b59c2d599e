"""Truth for a map: a raster of classes, brought onto the map's pixels, and the polygons that figures are split by.

A pixel of the map takes the truth that its centre lies in (nearest neighbour, which reads alike in any block).
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_geom

from geowatch.errors import ConfigError, ImageryError, InputError, RegionError
from geowatch.grid.region import parse_region
from geowatch.read.gdal import gdal_env, open_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader
    from rasterio.windows import Window

    from geowatch.grid.region import Region

__all__ = ["NO_TRUTH", "Mapping", "Places", "Truth", "open_truth", "parse_mapping", "read_places", "read_shapes"]

#: Class of a pixel whose truth is not known.
NO_TRUTH = -1


@dataclass(frozen=True, slots=True)
class Mapping:
    """From values of the truth to classes of the map."""

    classes: dict[int, int]
    """Class by value."""
    rest: int | None = None
    """Class of every other value; None leaves those pixels out."""
    same: bool = False
    """Whether values are the map's own: value i is class i."""


def parse_mapping(entries: Sequence[str], names: Sequence[str]) -> Mapping:
    """Read entries ``value=class``, of which ``rest=class`` stands for all other values.

    >>> parse_mapping(["4=cloud", "rest=ground"], ["ground", "cloud"])
    Mapping(classes={4: 1}, rest=0, same=False)

    Raises:
        ConfigError: for an entry of another form or a class that the map does not have.
    """
    if not entries:
        return Mapping({}, same=True)
    classes: dict[int, int] = {}
    rest: int | None = None
    for entry in entries:
        value, equals, name = entry.partition("=")
        if not equals or name not in names:
            raise ConfigError(f"--mapping got '{entry}'", hint=f"write value=class; classes: {', '.join(names)}")
        if value == "rest":
            rest = list(names).index(name)
        else:
            classes[_whole(value, entry)] = list(names).index(name)
    return Mapping(classes, rest)


def _whole(text: str, entry: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(
            f"--mapping got '{entry}'", hint="a value of the truth is a whole number, or `rest`"
        ) from error


@dataclass(slots=True)
class Truth:
    """A truth raster, seen on a map's pixels."""

    source: WarpedVRT | DatasetReader
    """Its values on the map's grid."""
    mapping: Mapping
    """What they mean."""
    nodata: float | None
    """Value that means nothing, beside the file's own."""
    classes: int
    """Classes of the map."""
    unmapped: dict[int, int] = field(default_factory=dict)
    """Pixels that were left out as their value has no class, by value."""

    def read(self, window: Window) -> NDArray[np.int16]:
        """Return the class of each pixel of ``window``, `NO_TRUTH` where it is not known."""
        values = self.source.read(1, window=window)
        known = self.source.read_masks(1, window=window) != 0
        if values.dtype.kind == "f":
            known &= np.isfinite(values)
        if self.nodata is not None:
            known &= values != self.nodata
        out = np.full(values.shape, NO_TRUTH, np.int16)
        found, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
        table = np.array([self._class_of(float(v), int(n)) for v, n in zip(found, counts, strict=True)], np.int16)
        if found.size:
            out[known] = table[place]
        return out

    def _class_of(self, value: float, count: int) -> int:
        whole = int(value)
        mapping = self.mapping
        if mapping.same and whole == value and 0 <= whole < self.classes:
            return whole
        found = mapping.classes.get(whole, mapping.rest) if whole == value else mapping.rest
        if found is None:
            self.unmapped[whole] = self.unmapped.get(whole, 0) + count
            return NO_TRUTH
        return found


@contextmanager
def open_truth(
    path: str, like: DatasetReader, mapping: Mapping, *, nodata: float | None, classes: int
) -> Iterator[Truth]:
    """Open the truth at ``path`` on the pixels of the map ``like``.

    Raises:
        ImageryError: where only one of the two says where it is, and they differ in size.
    """
    with gdal_env(), open_image(path) as source:
        if source.crs is None or like.crs is None:
            if source.shape != like.shape:
                raise ImageryError(
                    f"truth '{path}' has {source.shape[0]} x {source.shape[1]} pixels, the map {like.shape[0]} x "
                    f"{like.shape[1]}, and one of them has no place on the earth",
                    hint="give a truth with a georeference, or of the map's own size",
                )
            yield Truth(source, mapping, nodata, classes)
            return
        with WarpedVRT(
            source, crs=like.crs, transform=like.transform, width=like.width, height=like.height,
            resampling=Resampling.nearest, add_alpha=True, tolerance=0.0 if source.crs != like.crs else 1e-9,
        ) as seen:  # fmt: skip
            yield Truth(seen, mapping, nodata, classes)


@dataclass(frozen=True, slots=True)
class Places:
    """Polygons by which figures are split, in the map's CRS."""

    names: tuple[str, ...]
    """Ids."""
    shapes: tuple[dict[str, object], ...]
    """GeoJSON geometries."""

    def within(self, window: Window, transform: Affine) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield each polygon that has a pixel's centre in ``window``, and which pixels those are."""
        here = transform @ Affine.translation(window.col_off, window.row_off)
        size = (int(window.height), int(window.width))
        for name, shape in zip(self.names, self.shapes, strict=True):
            mask = rasterize([(shape, 1)], out_shape=size, transform=here, dtype="uint8").astype(bool)
            if mask.any():
                yield name, mask


def read_places(path: str | None, like: DatasetReader) -> Places:
    """Read the polygons of a GeoJSON file, one by one, into the map's CRS.

    Raises:
        RegionError: where the file holds none, or the map has no place on the earth.
    """
    if path is None:
        return Places((), ())
    if like.crs is None:
        raise RegionError("the map has no place on the earth, so polygons cannot split it", hint="leave out --regions")
    found = read_shapes(path, like.crs)
    return Places(tuple(region.id for region, _ in found), tuple(shape for _, shape in found))


def read_shapes(path: str, crs: object) -> list[tuple[Region, dict[str, object]]]:
    """Read the polygons of a GeoJSON file, each by itself and as a geometry in ``crs``.

    Raises:
        RegionError: where one of them is no polygon.
    """
    document = _json(path)
    features = document.get("features", [document])
    if not isinstance(features, list) or not features:
        raise RegionError(f"{path} has no list of features", hint="give a GeoJSON file of polygons")
    regions = [parse_region(feature, name=_called(feature, number)) for number, feature in enumerate(features)]
    return [(region, transform_geom("OGC:CRS84", crs, region.to_feature()["geometry"])) for region in regions]


def _called(feature: object, number: int) -> str:
    """Return the name of a feature without an id: its property ``name``, else its number, counted from 0."""
    known = feature.get("properties") if isinstance(feature, dict) else None
    return str((known.get("name") if isinstance(known, dict) else None) or number)


def _json(path: str) -> dict[str, object]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {error}", hint="give a GeoJSON file of polygons") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds {type(found).__name__}, no GeoJSON", hint="give a GeoJSON file of polygons")
    return found
