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
    Outputs = dict[str, NDArray[Any]]

__all__ = ["Lanes", "SideBySide", "cut_windows"]

Lane = TypeVar("Lane")


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

    def run(self, parts: Sequence[Inputs], work: Callable[[Lane, Inputs], Outputs]) -> Outputs:
        """Run each part on a free copy; return their outputs joined along the first axis, in order."""

        def one(part: Inputs) -> Outputs:
            lane = self._free.get()
            try:
                return work(lane, part)
            finally:
                self._free.put(lane)

        if len(parts) == 1:
            return one(parts[0])
        found = list(map(one, parts) if self._pool is None else self._pool.map(one, parts))
        return {name: np.concatenate([outputs[name] for outputs in found]) for name in found[0]}

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
