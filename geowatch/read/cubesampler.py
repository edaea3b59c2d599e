"""Windows of a series at random places and times: what training draws from.

Where and when are chosen apart from reading, so that a draw can be written down, repeated, balanced or shared between
workers. Any readers will do; with those of a cube a window takes a few milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray

from geowatch.errors import ConfigError
from geowatch.grid.lattice import PixelBox
from geowatch.read.closing import Closing
from geowatch.read.reader import BoxReader, Patch

__all__ = ["Place", "SeriesWindow", "WindowSampler"]


#: A read that passes so many times the time that the processor works on it is kept waiting, by a disk or a network.
_WAITING = 4
#: So many in a row: a single one may have waited for a processor that others keep busy.
_WAITS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a window is."""

    times: tuple[int, ...]
    """Places of its frames in the series, oldest first."""
    box: PixelBox
    """Its pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesWindow:
    """A window of a series."""

    values: NDArray[np.float32]
    """Physical values (T, C, H, W); 0 where invalid."""
    valid: NDArray[np.bool_]
    """(T, H, W): where they are valid."""
    place: Place
    """Where and when it is."""


Frame = tuple[BoxReader, PixelBox, Patch]
"""What is read, where, and to which arrays."""


class WindowSampler(Closing):
    """Draws windows of a series and reads them. A context; leaving it closes the readers.

    Args:
        readers: one a frame, oldest first, all of one lattice and with the same number of bands.
        size_px: (height, width) of windows.
        bounds: where windows lie; by default the smallest box that holds all frames.
        threads: frames of a window that are read at a time. Those that a cube holds in files are read one after
            another, which is faster, unless the disk keeps them waiting.
    """

    def __init__(
        self,
        readers: Sequence[BoxReader],
        size_px: tuple[int, int],
        *,
        bounds: PixelBox | None = None,
        threads: int = 1,
    ) -> None:
        if not readers:
            raise ConfigError("there are no frames to draw windows from", hint="align a series first")
        self.readers = tuple(readers)
        self.size_px = size_px
        self.bounds = bounds or reduce(or_, (reader.plan.extent for reader in readers))
        if self.bounds.height < size_px[0] or self.bounds.width < size_px[1]:
            raise ConfigError(
                f"windows of {size_px[0]} x {size_px[1]} px do not fit into {self.bounds.height} x "
                f"{self.bounds.width} px",
                hint="give smaller windows",
            )
        self._stack = ExitStack()
        for reader in self.readers:
            self._stack.callback(reader.close)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="gw-window") if threads > 1 else None
        self._pool = None if pool is None else self._stack.enter_context(pool)
        self._waits = 0

    def close(self) -> None:
        """Close the readers."""
        self._stack.close()

    def draw(self, rng: np.random.Generator, dates: int) -> Place:
        """Return a random place: ``dates`` different frames, and a box anywhere within the bounds.

        Raises:
            ConfigError: the series has fewer frames.
        """
        if dates > len(self.readers):
            raise ConfigError(
                f"{dates} dates were asked for, and the series has {len(self.readers)}", hint="ask for fewer"
            )
        times = np.sort(rng.choice(len(self.readers), dates, replace=False))
        y = int(rng.integers(self.bounds.y0, self.bounds.y1 - self.size_px[0] + 1))
        x = int(rng.integers(self.bounds.x0, self.bounds.x1 - self.size_px[1] + 1))
        return Place(tuple(times.tolist()), PixelBox(y, x, y + self.size_px[0], x + self.size_px[1]))

    def read(self, place: Place) -> SeriesWindow:
        """Return the window at a place, of any size; what lies beyond a frame is invalid.

        Raises:
            ImageryError: a cube without images lacks a block of it.
            DamagedError: what is stored is not what was written.
        """
        bands = len(self.readers[0].plan.bands)
        values = np.empty((len(place.times), bands, *place.box.shape), np.float32)
        valid = np.empty((len(place.times), *place.box.shape), bool)
        frames = [(self.readers[time], place.box, Patch(values[k], valid[k])) for k, time in enumerate(place.times)]
        self._read(frames)
        return SeriesWindow(values, valid, place)

    def _read(self, frames: Iterable[Frame]) -> None:
        self._waits = min(self._waits, _WAITS - 1)  # each window tries anew
        others = []
        for frame in frames:
            reader, box, _ = frame
            if self._pool is None or (self._waits < _WAITS and reader.at_hand(box & reader.plan.extent)):
                self._waits = self._waits + 1 if _read_waits(frame) else 0
            else:
                others.append(self._pool.submit(_read, frame))
        for other in others:
            other.result()


def _read_waits(frame: Frame) -> bool:
    """Read a frame; tell whether most of the time was spent on waiting."""
    passed, worked = time.perf_counter(), time.thread_time()
    _read(frame)
    return time.perf_counter() - passed > _WAITING * (time.thread_time() - worked)


def _read(frame: Frame) -> None:
    reader, box, out = frame
    inner = reader.plan.extent & box
    if inner != box:
        out.values[:], out.valid[:] = 0, False
    if inner:
        rows, cols = inner.within(box)
        reader.read(inner, Patch(out.values[:, rows, cols], out.valid[rows, cols]))
