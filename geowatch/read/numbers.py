"""From stored numbers to physical values and validity, in place and without a copy of either.

Value = number * scale + offset, each step rounded to float32, at every pixel the same whoever reads it. There is
none where the number is the band's number for no data, or where the value is not finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geowatch.read.scene import BandSource

__all__ = ["Numbers"]

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the stored numbers of a band mean."""

    nodata: np.generic | None
    """Number for no data in the stored type; None where there is none, or where the type cannot hold it."""
    scale: np.float32
    """Factor from numbers to values."""
    offset: np.float32
    """What is added after the factor."""
    bounded: bool
    """Whether all values are finite, whatever is stored."""
    signed_zero: bool
    """Whether a factor may give a zero with a sign, which adding an offset of 0 takes away."""

    @classmethod
    def of(cls, band: BandSource, dtype: np.dtype[Any]) -> Numbers:
        """Return the meaning of a band whose file stores ``dtype``."""
        return cls(
            _as_stored(band.nodata, dtype),
            np.float32(band.scale),
            np.float32(band.offset),
            dtype.kind in "iu" and _largest(dtype) * abs(band.scale) + abs(band.offset) < _FLOAT32_MAX / 2,
            band.scale != 1 and (dtype.kind == "f" or band.scale < 0),
        )

    def put(self, stored: NDArray[Any], values: Float, valid: Bool) -> None:
        """Write the values of stored numbers (H, W) to ``values``; clear ``valid`` where there is none."""
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and so invalid
            np.copyto(values, stored, casting="unsafe")
        self.to_physical(values)
        if self.nodata is not None:
            valid &= stored != self.nodata
        if not self.bounded:
            valid &= np.isfinite(values)

    def put_raw(self, stored: NDArray[Any], values: Float) -> None:
        """Write stored numbers (H, W) as they are to ``values``, NaN where there is none."""
        with np.errstate(over="ignore"):
            np.copyto(values, stored, casting="unsafe")
        if self.nodata is not None:
            values[stored == self.nodata] = np.nan
        if stored.dtype.kind == "f":
            values[~np.isfinite(values)] = np.nan

    def to_physical(self, values: Float) -> None:
        """Turn numbers, such as `put_raw` gives, into values in place."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.scale != 1:
                values *= self.scale
            if self.offset != 0 or self.signed_zero:
                values += self.offset


def _largest(dtype: np.dtype[Any]) -> float:
    limits = np.iinfo(dtype)
    return float(max(limits.max, -limits.min))


def _as_stored(nodata: float | None, dtype: np.dtype[Any]) -> np.generic | None:
    """Return ``nodata`` as a number of ``dtype``; None where that type cannot hold it."""
    if nodata is None:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.dtype(dtype).type(nodata)  # type: ignore[no-any-return]
    limits = np.iinfo(dtype)
    fits = math.isfinite(nodata) and nodata == int(nodata) and limits.min <= nodata <= limits.max
    return np.dtype(dtype).type(int(nodata)) if fits else None
