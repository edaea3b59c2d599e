"""How finished scores are stored: as small integers with a scale, or as floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from geowatch.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["STORED_TYPES", "Quantiser", "StoredType"]

StoredType = Literal["uint8", "uint16", "float16", "float32"]
STORED_TYPES: tuple[StoredType, ...] = get_args(StoredType)

_TOP = {"uint8": 254, "uint16": 65534}
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Scores in [0, 1] as ``round(score * top)`` (half to even), or any scores as floats; masked pixels as fill."""

    stored: StoredType
    """Type on disk. Integers hold scores from 0 to 1; their largest value is the fill."""

    def __post_init__(self) -> None:
        if self.stored not in STORED_TYPES:
            raise ConfigError(f"scores cannot be stored as '{self.stored}'", hint=f"one of {', '.join(STORED_TYPES)}")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy type on disk, little endian."""
        return np.dtype(self.stored).newbyteorder("<")

    @property
    def top(self) -> int | None:
        """Stored value of the score 1; None where scores are stored as they are."""
        return _TOP.get(self.stored)

    @property
    def fill(self) -> float:
        """Stored value of a masked pixel: the largest integer, or NaN."""
        return _TOP[self.stored] + 1 if self.stored in _TOP else float("nan")

    @property
    def scale(self) -> float:
        """Score that one stored unit stands for."""
        return 1 / _TOP[self.stored] if self.stored in _TOP else 1.0

    @property
    def step(self) -> float:
        """Largest difference between a score and what its stored value says."""
        return {"uint8": 0.5 / 254, "uint16": 0.5 / 65534, "float16": 2.0**-11, "float32": 0.0}[self.stored]

    def empty(self, shape: tuple[int, ...]) -> NDArray[np.generic]:
        """Return an array of fill."""
        return np.full(shape, self.fill, self.dtype)

    def encode(self, scores: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Return stored values of ``scores`` (K, H, W); where ``keep`` (H, W) is False they are fill."""
        stored = self.empty(scores.shape)
        self.encode_into(stored, scores, keep)
        return stored

    def encode_into(self, stored: NDArray[np.generic], scores: NDArray[Any], keep: NDArray[np.bool_]) -> None:
        """Write stored values of ``scores`` (K, H, W) into ``stored`` of the same shape, fill where not ``keep``.

        ``scores`` of the stored type are taken for stored values: a device may have made them.
        """
        scratch = np.empty((scores.shape[0], _ROWS_AT_ONCE, scores.shape[2]), np.float32)
        # A few rows at a time stay in the processor's cache from the first step to the last.
        for y in range(0, scores.shape[1], _ROWS_AT_ONCE):
            rows = slice(y, y + _ROWS_AT_ONCE)
            out, kept = stored[:, rows], keep[rows]
            np.copyto(out, self._scaled(scores[:, rows], scratch[:, : out.shape[1]]), casting="unsafe")
            if not kept.all():
                np.copyto(out, self.empty(()), where=~kept)

    def _scaled(self, scores: NDArray[Any], out: NDArray[np.float32]) -> NDArray[Any]:
        if self.top is None or scores.dtype == self.dtype:
            return scores
        top = np.float32(self.top)
        np.multiply(scores, top, out=out)
        np.rint(out, out=out)
        return np.clip(out, np.float32(0), top, out=out)

    def decode(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return scores, NaN where masked."""
        values = stored.astype(np.float32)
        if self.stored in _TOP:
            values[stored == self.fill] = np.nan
            values *= np.float32(self.scale)
        return values

    def is_fill(self, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Return where pixels are masked."""
        if self.stored in _TOP:
            return np.asarray(stored == self.fill)
        return np.isnan(stored.astype(np.float32, copy=False))
