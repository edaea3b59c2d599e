"""Test-time augmentation: each window is shown to the network in several ways, and its answers are averaged.

What is asked for by name becomes a set of transforms:

- ``hflip``, ``vflip``, ``rot90`` and ``d4`` name symmetries of the square. The set is closed: it holds every
  product of those named, so ``hflip,vflip`` are four (with the half turn), ``rot90`` the four turns, and ``d4``, or
  ``rot90`` with a flip, all eight. They move pixels and compute nothing: their inverses are exact.
- ``scale:F`` shows the window at F times its size as well (rounded to what the network takes), and brings the answer
  back; both by linear interpolation (`geowatch.predict.resize`).
- ``time`` shows the dates in reverse order as well.

Each way of one kind is combined with each of the others. The identity is always there and comes first; the order
is fixed, and sums run in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geowatch.errors import ConfigError
from geowatch.predict.resize import resize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geowatch.package.manifest import InputSpec, Manifest

__all__ = ["TURNS", "Transform", "Turn", "check_transforms", "transforms_of"]

#: How far a window may be shrunk or enlarged.
SCALES = (0.5, 2.0)

_HINT = "choose from hflip, vflip, rot90, d4, scale:FACTOR (0.5 to 2) and time"


@dataclass(frozen=True, slots=True)
class Turn:
    """A symmetry of the square: rows and columns are exchanged first, then flipped."""

    transpose: bool = False
    """Exchange rows and columns."""
    flip_y: bool = False
    """Turn the rows upside down."""
    flip_x: bool = False
    """Turn the columns left to right."""

    def apply(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``x`` (N, C, H, W) turned; a view."""
        turned = x.swapaxes(2, 3) if self.transpose else x
        return turned[:, :, :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``x`` (N, C, H, W) turned back; a view."""
        turned = x[:, :, :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return turned.swapaxes(2, 3) if self.transpose else turned

    def undo_boxes(self, corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Return boxes (y0, x0, y1, x1), shape (n, 4), turned back, of a turned window of ``size`` (height, width)."""
        y0, x0, y1, x1 = corners.T
        if self.flip_y:
            y0, y1 = size[0] - y1, size[0] - y0
        if self.flip_x:
            x0, x1 = size[1] - x1, size[1] - x0
        return np.stack([x0, y0, x1, y1] if self.transpose else [y0, x0, y1, x1], axis=1)


#: The eight symmetries of the square, the identity first.
TURNS = tuple(Turn(transpose, y, x) for transpose, y, x in product((False, True), repeat=3))


@dataclass(frozen=True, slots=True)
class Transform:
    """One way of showing a window."""

    turn: Turn = TURNS[0]
    """How it is flipped and rotated."""
    scale: float = 1.0
    """How much larger it is."""
    reverse: bool = False
    """Whether the dates come in reverse order."""

    def size(self, window: tuple[int, int], multiple_of: int) -> tuple[int, int]:
        """Return the (height, width) at which a window of that size is shown."""
        height, width = (_scaled(side, self.scale, multiple_of) for side in window)
        return (width, height) if self.turn.transpose else (height, width)

    def show(self, feed: Mapping[str, NDArray[np.float32]], manifest: Manifest) -> dict[str, NDArray[np.float32]]:
        """Return prepared windows (N, C, H, W) of each input as the network is to see them."""
        taken_from = _reversed(manifest.inputs) if self.reverse else {spec.name: spec.name for spec in manifest.inputs}
        return {name: self._shown(feed[source], manifest) for name, source in taken_from.items()}

    def _shown(self, x: NDArray[np.float32], manifest: Manifest) -> NDArray[np.float32]:
        height, width = x.shape[2:]
        step = manifest.window.multiple_of
        scaled = resize(x, (_scaled(height, self.scale, step), _scaled(width, self.scale, step)))
        return np.ascontiguousarray(self.turn.apply(scaled))

    def undo(self, answer: NDArray[np.float32], window: tuple[int, int]) -> NDArray[np.float32]:
        """Return what the network said, (N, K, h, w), in the place and size of ``window`` (height, width)."""
        return resize(self.turn.undo(answer), window)

    def undo_boxes(
        self, corners: NDArray[np.float64], size: tuple[int, int], window: tuple[int, int]
    ) -> NDArray[np.float64]:
        """Return boxes (y0, x0, y1, x1), shape (n, 4), of a window shown at ``size`` as they lie in ``window``."""
        back = self.turn.undo_boxes(corners, size)
        height, width = size[::-1] if self.turn.transpose else size
        return np.asarray(back * np.array([window[0] / height, window[1] / width] * 2))


def _scaled(side: int, scale: float, multiple_of: int) -> int:
    return max(1, round(side * scale / multiple_of)) * multiple_of


def transforms_of(names: Sequence[str]) -> tuple[Transform, ...]:
    """Return the set of transforms that ``names`` stand for, the identity first.

    >>> [len(transforms_of(names.split(","))) for names in ("hflip", "hflip,vflip", "d4", "d4,scale:0.75")]
    [2, 4, 8, 16]

    Raises:
        ConfigError: for a name that is none.
    """
    kinds = {name for name in names if not name.startswith("scale:")}
    for name in kinds - {"hflip", "vflip", "rot90", "d4", "time"}:
        raise ConfigError(f"there is no augmentation '{name}'", hint=_HINT)
    scales = dict.fromkeys([1.0, *(_factor(name) for name in names if name.startswith("scale:"))])
    turns, reverses = _closed(kinds), (False, True) if "time" in kinds else (False,)
    return tuple(Transform(turn, scale, reverse) for scale in scales for reverse in reverses for turn in turns)


def _factor(name: str) -> float:
    try:
        factor = float(name.removeprefix("scale:"))
    except ValueError as error:
        raise ConfigError(f"'{name}' is no scale", hint=_HINT) from error
    if not SCALES[0] <= factor <= SCALES[1]:
        raise ConfigError(f"{name} is not between {SCALES[0]:g} and {SCALES[1]:g}", hint=_HINT)
    return factor


def _closed(kinds: set[str]) -> tuple[Turn, ...]:
    """Return all products of the symmetries that are named."""
    flips = kinds & {"hflip", "vflip"}
    if "d4" in kinds or ("rot90" in kinds and flips):
        return TURNS
    if "rot90" in kinds:
        return Turn(), Turn(True, True, False), Turn(False, True, True), Turn(True, False, True)
    ways = product((False, True) if "vflip" in flips else (False,), (False, True) if "hflip" in flips else (False,))
    return tuple(Turn(False, y, x) for y, x in ways)


def check_transforms(transforms: Sequence[Transform], manifest: Manifest, window: tuple[int, int]) -> None:
    """Refuse transforms that the network does not take.

    Raises:
        ConfigError: for a size that its windows may not have, or dates that cannot be exchanged.
    """
    for transform in transforms:
        size = transform.size(window, manifest.window.multiple_of)
        if not manifest.window.accepts(size):
            what = f"scale:{transform.scale:g}" if transform.scale != 1 else "a quarter turn"
            raise ConfigError(
                f"{what} shows windows of {size[0]} x {size[1]} px; {manifest.name} takes {window[0]} x {window[1]}",
                hint="leave it out of --tta: this network's windows have one size",
            )
        if transform.scale != 1 and set(size) == set(window):
            raise ConfigError(
                f"scale:{transform.scale:g} leaves windows of {window[0]} x {window[1]} px at their size",
                hint=f"the network takes multiples of {manifest.window.multiple_of} px: choose another factor",
            )
    if any(transform.reverse for transform in transforms):
        _reversed(manifest.inputs)
        if any(head.layout == "NTCHW" for head in manifest.heads):
            raise ConfigError("the network scores each date, which cannot be reversed", hint="leave time out of --tta")


def _reversed(inputs: Sequence[InputSpec]) -> dict[str, str]:
    """Return for each input the one that takes its place when the dates are reversed.

    Raises:
        ConfigError: where there is one date only, or its dates do not look alike.
    """
    last = max(spec.date for spec in inputs)
    dates = [[spec for spec in inputs if spec.date == date] for date in range(last + 1)]
    if last == 0:
        raise ConfigError("the network looks at one date, which cannot be reversed", hint="leave time out of --tta")
    for early, late in zip(dates, dates[::-1], strict=True):
        if [spec.channels for spec in early] != [spec.channels for spec in late]:
            raise ConfigError("the network's dates have different channels", hint="leave time out of --tta")
    return {
        a.name: b.name for early, late in zip(dates, dates[::-1], strict=True) for a, b in zip(early, late, strict=True)
    }
