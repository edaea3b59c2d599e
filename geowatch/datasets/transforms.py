"""Transforms of kwcoco: from pixels of an asset to those of its image, and from these to its video.

A transform is a matrix (2 x 3 or 3 x 3 rows), ``{"matrix": ...}``, or parts of one: ``scale``, ``offset``, ``theta``
(radians), ``shearx``, ``about``, put together as ``about · offset · rotation · shear · scale · about⁻¹``. Pixel corners
count: (0, 0) is the outer corner of the first pixel. Source: documentation of PyPI ``kwimage``, ``Affine.affine``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from affine import Affine

from geowatch.errors import ImageryError

__all__ = ["read_affine", "written_affine"]

_PARTS = {"scale", "offset", "theta", "shearx", "shear", "about", "type"}


def read_affine(spec: object, what: str) -> Affine:
    """Return the transform that ``spec`` says; none at all is the identity.

    >>> read_affine({"scale": [2, 4], "offset": 3}, "x") @ (1, 1)
    (5.0, 7.0)

    Args:
        spec: what stands in the document.
        what: what it is, for messages: ``warp_img_to_vid of image 'x'``.

    Raises:
        ImageryError: it is no affine transform, or one that cannot be undone.
    """
    try:
        found = _affine(spec)
    except (TypeError, ValueError, KeyError, IndexError):
        found = None
    if found is None or not all(map(math.isfinite, found[:6])) or not found.determinant:
        raise ImageryError(
            f"{what} is {str(spec)[:120]}",
            hint="give a matrix of 2 x 3 or 3 x 3 numbers, or scale, offset, theta, shearx",
        )
    return found


def _affine(spec: object) -> Affine | None:
    if spec is None:
        return Affine.identity()
    if isinstance(spec, Mapping):
        if "matrix" in spec:
            return _matrix(spec["matrix"])
        return None if set(spec) - _PARTS else _composed(spec)
    return _matrix(spec)


def _matrix(rows: object) -> Affine | None:
    if rows is None:
        return Affine.identity()
    if not isinstance(rows, list | tuple) or len(rows) not in {2, 3}:
        return None
    numbers = [[float(v) for v in row] for row in rows]
    if len(rows) == 3 and numbers[2] != [0.0, 0.0, 1.0]:
        return None
    (a, b, c), (d, e, f) = numbers[:2]
    return Affine(a, b, c, d, e, f)


def _composed(parts: Mapping[str, object]) -> Affine:
    scale, offset, about = _pair(parts, "scale", 1.0), _pair(parts, "offset", 0.0), _pair(parts, "about", 0.0)
    theta = float(parts.get("theta") or 0.0)  # type: ignore[arg-type]  # what is no number is refused above
    shear = float(parts.get("shearx", parts.get("shear")) or 0.0)  # type: ignore[arg-type]
    made = Affine.translation(*about) @ Affine.translation(*offset) @ Affine.rotation(math.degrees(theta))
    return made @ Affine(1, shear, 0, 0, 1, 0) @ Affine.scale(*scale) @ Affine.translation(-about[0], -about[1])


def _pair(parts: Mapping[str, object], key: str, default: float) -> tuple[float, float]:
    value = parts.get(key)
    if value is None:
        return default, default
    if isinstance(value, list | tuple):
        x, y = value
        return float(x), float(y)
    return float(value), float(value)  # type: ignore[arg-type]


def written_affine(transform: Affine) -> dict[str, object]:
    """Return a transform as kwcoco writes it: ``{"type": "affine", "matrix": rows}``."""
    return {"type": "affine", "matrix": [list(transform[:3]), list(transform[3:6]), [0.0, 0.0, 1.0]]}
