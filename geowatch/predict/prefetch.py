"""Work one item ahead in a thread, so that reading overlaps the network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ahead"]

Key = TypeVar("Key")
Item = TypeVar("Item")


def ahead(make: Callable[[Key], Item], keys: Iterable[Key]) -> Iterator[Item]:
    """Yield ``make(key)`` for each key in order, making the next one while the caller uses the last."""
    with ThreadPoolExecutor(1, thread_name_prefix="gw-read") as pool:
        waiting = None
        try:
            for key in keys:
                following = pool.submit(make, key)
                if waiting is not None:
                    yield waiting.result()
                waiting = following
            if waiting is not None:
                yield waiting.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
