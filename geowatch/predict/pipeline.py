"""Stages of a pipeline that overlap in time, each in a thread of its own, with bounded queues between them.

`ahead` makes items before they are asked for, `Behind` works on items after they were handed over. Both keep the
order, hold a fixed number of items, and pass on the first error. `InTurn` lets two threads share one backend: while
one is in the network, the other cuts the next windows or turns the last output into probabilities.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from geowatch.package.backends.lanes import SideBySide
from geowatch.predict.on_device import RunsOnDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from geowatch.package.backends import Backend, BackendIdentity

__all__ = ["Behind", "InTurn", "ahead"]

Key = TypeVar("Key")
Item = TypeVar("Item")


def ahead(
    make: Callable[[Key], Item], keys: Iterable[Key], *, name: str = "gw-ahead", depth: int = 1, threads: int = 1
) -> Iterator[Item]:
    """Yield ``make(key)`` for each key in order, making the next ``depth`` items while the caller uses one.

    With several ``threads`` that many items are being made at a time.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
        waiting: deque[Future[Item]] = deque()
        try:
            for key in keys:
                waiting.append(pool.submit(make, key))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Behind(Generic[Item]):
    """Works on items in order, at most ``depth`` of them behind whoever hands them over.

    A context: leaving it waits for all items, or drops those not begun where an error is on its way.
    """

    def __init__(self, work: Callable[[Item], None], *, depth: int, name: str) -> None:
        self._work = work
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: deque[Future[None]] = deque()

    def put(self, item: Item) -> None:
        """Hand over an item; waits while too many are unfinished. Raises the error of an earlier item."""
        while len(self._waiting) >= self._depth:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._work, item))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


class InTurn:
    """A backend that several threads may call; its network runs for one of them at a time."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._turn = Lock()

    @classmethod
    def of(cls, backend: Backend) -> Backend:
        """Return ``backend`` for several threads; what it can do on a device, or side by side, it still can."""
        if isinstance(backend, SideBySide):
            return backend
        return _OnDeviceInTurn(backend, backend) if isinstance(backend, RunsOnDevice) else cls(backend)

    @property
    def identity(self) -> BackendIdentity:
        """The backend's own; see `Backend.identity`."""
        return self._backend.identity

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Wait for the network, then run it; see `Backend.run`."""
        with self._turn:
            return self._backend.run(inputs)

    def close(self) -> None:
        """Close the backend."""
        with self._turn:
            self._backend.close()


class _OnDeviceInTurn(InTurn):
    """The same for a backend whose output can stay on its device."""

    def __init__(self, backend: Backend, device: RunsOnDevice) -> None:
        super().__init__(backend)
        self._device = device

    @property
    def torch_device(self) -> str | None:
        """See `RunsOnDevice.torch_device`."""
        return self._device.torch_device

    def run_on_device(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
        """Wait for the network, then run it; see `RunsOnDevice.run_on_device`."""
        with self._turn:
            return self._device.run_on_device(inputs)
