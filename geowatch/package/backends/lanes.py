"""Networks side by side, each on one thread, in place of one network on several.

Threads that share a window wait for each other at every layer, and all of them wait when one has to give its core
to another task. Threads with a window each do not. Measured with OpenVINO on two cores, a small U-Net by itself: 2 to
16% faster in float32 and 20 to 27% in bfloat16.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Inputs = Mapping[str, NDArray[np.float32]]
    Outputs = Mapping[str, NDArray[Any]]

__all__ = ["Lanes", "SideBySide", "cut_windows", "joined"]

Lane = TypeVar("Lane")
Part = TypeVar("Part")
Found = TypeVar("Found")


@runtime_checkable
class SideBySide(Protocol):
    """A backend that several threads may run at once."""

    @property
    def lanes(self) -> int:
        """Windows that are computed at the same time; further callers wait."""


class Lanes(Generic[Lane]):
    """Copies of what runs a network; each serves one caller at a time."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        """Take the copies, at least one."""
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for lane in lanes:
            self._free.put(lane)
        self._pool = ThreadPoolExecutor(len(lanes), thread_name_prefix="gw-network") if len(lanes) > 1 else None

    def map(self, work: Callable[[Lane, Part], Found], parts: Sequence[Part]) -> list[Found]:
        """Return what each part becomes on a free copy, in order."""

        def one(part: Part) -> Found:
            lane = self._free.get()
            try:
                return work(lane, part)
            finally:
                self._free.put(lane)

        if self._pool is None or len(parts) == 1:
            return list(map(one, parts))
        return list(self._pool.map(one, parts))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


def cut_windows(inputs: Inputs, per: int, *, fill: bool) -> list[Inputs]:
    """Return the windows of ``inputs`` in parts of ``per``; the last is filled up with its own last window if asked.

    >>> [part["x"].tolist() for part in cut_windows({"x": np.arange(3)}, 2, fill=True)]
    [[0, 1], [2, 2]]
    """
    n = len(next(iter(inputs.values())))
    if n == per or (n < per and not fill):
        return [inputs]
    parts: list[Inputs] = []
    for start in range(0, n, per):
        stop = start + per if fill else min(start + per, n)
        # Views where nothing is missing; a list of indices would copy.
        whole = stop <= n
        place = slice(start, stop) if whole else np.minimum(np.arange(start, stop), n - 1)
        parts.append({name: x[place] for name, x in inputs.items()})
    return parts


def joined(found: Sequence[Outputs]) -> dict[str, NDArray[Any]]:
    """Return the outputs of parts as one, window after window."""
    if len(found) == 1:
        return dict(found[0])
    return {name: np.concatenate([outputs[name] for outputs in found]) for name in found[0]}
