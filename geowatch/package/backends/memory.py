"""Batches that do not fit a device's memory: halved, within what the recipe allows.

Pure logic: what runs, and which error says that memory is short, are given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from geowatch.errors import BackendError

__all__ = ["fitting_batch", "run_within_memory"]

T = TypeVar("T")


def run_within_memory(
    n: int, run: Callable[[int, int], T], most: int, full: type[BaseException]
) -> tuple[list[T], int]:
    """Run windows 0 to ``n`` in batches of at most ``most``, halved for the rest whenever ``run`` raises ``full``.

    Only for networks whose bytes do not depend on the batch.

    Args:
        n: number of windows.
        run: runs the windows from the first number to before the second.
        most: windows to begin with.
        full: the error that says that memory is short.

    Returns:
        The answers of all batches in order, and the batch that fitted: for the next call.

    Raises:
        BackendError: a single window does not fit.

    >>> def run(start, stop):
    ...     if stop - start > 2:
    ...         raise MemoryError
    ...     return start, stop
    >>> run_within_memory(5, run, 4, MemoryError)
    ([(0, 2), (2, 4), (4, 5)], 2)
    """
    parts: list[T] = []
    at = 0
    while at < n:
        stop = min(at + most, n)
        try:
            parts.append(run(at, stop))
        except full as error:
            if stop - at == 1:
                raise BackendError("one window does not fit into the device's memory", hint=_HINT) from error
            most = (stop - at) // 2
        else:
            at = stop
    return parts, most


_HINT = "use a device with more memory, smaller windows, or --device cpu"


def fitting_batch(run: Callable[[int], object], batch: int, full: type[BaseException]) -> int:
    """Return the largest of ``batch``, its half, its quarter ... 1 that ``run`` takes without raising ``full``.

    A single window is not tried: where it does not fit, running it says so.

    >>> def run(n):
    ...     if n > 5:
    ...         raise MemoryError
    >>> fitting_batch(run, 16, MemoryError)
    4
    """
    while batch > 1:
        try:
            run(batch)
        except full:
            batch //= 2
        else:
            break
    return batch
