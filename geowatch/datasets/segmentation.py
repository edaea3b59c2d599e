"""Outlines of labels: every form that COCO and kwcoco write them in, as shapes in pixels of their image, and back.

Forms: kwcoco polygons with holes, flat lists of COCO, run lengths (counts down the columns, background first) plain or
packed as text, and boxes. Source: COCO, "data format"; the packing of run lengths is that of ``pycocotools``
(``rleToString``): differences to the count two before, six bits a character, the sixth says that more follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features

from geowatch.errors import ImageryError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["burn", "outlines_of_mask", "read_runs", "shape_of", "written_runs"]

Mask = NDArray[np.bool_]


def shape_of(annotation: Mapping[str, Any], where: str) -> BaseGeometry:
    """Return the outline of a label, in pixels (x, y) of its image; empty where it has none.

    Raises:
        ImageryError: it cannot be read.
    """
    try:
        written = annotation.get("segmentation")
        if written:
            shape = shapely.union_all([shapely.make_valid(s) for s in _shapes(written)])
        elif annotation.get("bbox"):
            x, y, width, height = (float(v) for v in annotation["bbox"])
            shape = shapely.box(x, y, x + width, y + height)
        else:
            shape = shapely.Polygon()
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, shapely.errors.GEOSException) as error:
        raise ImageryError(
            f"the outline of {where} cannot be read: {error!s:.100}", hint="give polygons, run lengths or a bbox"
        ) from error
    return shape


def _shapes(written: Any) -> Iterator[BaseGeometry]:  # noqa: ANN401 - a JSON value
    if isinstance(written, Mapping):
        if "counts" in written:
            yield from outlines_of_mask(read_runs(written))
        else:
            yield shapely.Polygon(written["exterior"], written.get("interiors") or ())
    elif isinstance(written, str):
        raise TypeError(f"{written[:40]!r} is no outline")
    elif written and isinstance(written[0], int | float):
        yield shapely.Polygon(np.asarray(written, float).reshape(-1, 2))
    else:
        for part in written:
            yield from _shapes(part)


def outlines_of_mask(mask: Mask) -> list[BaseGeometry]:
    """Return the outlines of the connected parts of a mask (H, W), along the sides of its pixels."""
    found = features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4)
    return [shapely.geometry.shape(shape) for shape, _ in found]


def burn(shapes: Iterable[tuple[BaseGeometry, int]], size: tuple[int, int], dtype: str = "uint8") -> NDArray[Any]:
    """Return values (H, W) of the last shape that holds each pixel's centre, 0 where none does."""
    drawn = [(shape, value) for shape, value in shapes if not shape.is_empty]
    if not drawn:
        return np.zeros(size, dtype)
    made: NDArray[Any] = features.rasterize(drawn, out_shape=size, fill=0, dtype=dtype)
    return made


def read_runs(runs: Mapping[str, Any]) -> Mask:
    """Return the mask (H, W) of run lengths ``{"size": [H, W], "counts": list or text}``.

    >>> read_runs({"size": [2, 2], "counts": [1, 2, 1]}).astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    height, width = (int(v) for v in runs["size"])
    counts = runs["counts"]
    lengths = _unpacked(counts) if isinstance(counts, str | bytes) else [int(v) for v in counts]
    if sum(lengths) != height * width or min(lengths, default=0) < 0:
        raise ValueError(f"runs of {sum(lengths)} pixels in an image of {height * width}")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(width, height).T


def _unpacked(text: str | bytes) -> list[int]:
    signs = text.encode() if isinstance(text, str) else text
    counts: list[int] = []
    at = 0
    while at < len(signs):
        value = shift = 0
        more = True
        while more:
            sign = signs[at] - 48
            value |= (sign & 31) << shift
            more, shift, at = bool(sign & 32), shift + 5, at + 1
        if sign & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


def written_runs(mask: Mask) -> dict[str, Any]:
    """Return a mask (H, W) as plain run lengths."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    lengths = np.diff(edges).tolist()
    return {"size": list(mask.shape), "counts": [0, *lengths] if flat.size and flat[0] else lengths}
