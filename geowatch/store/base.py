"""The one Protocol behind which all bytes of a run lie."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Store"]


class Store(Protocol):
    """Objects by key. A key is a relative path with ``/``; an object appears whole or not at all."""

    @property
    def url(self) -> str:
        """Where this store is, for messages and records."""

    def get(self, key: str, start: int | None = None, length: int | None = None) -> bytes:
        """Bytes of an object, or of a part of it. Raises StoreError where it is absent."""

    def put(self, key: str, content: bytes) -> None:
        """Publish in one atomic step; replaces what was there."""

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Publish in one atomic step unless the key exists; tells whether this call made it."""

    def size(self, key: str) -> int | None:
        """Size in bytes, or None where there is no such object."""

    def delete(self, key: str) -> None:
        """Remove an object; absent is fine."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that start with ``prefix``, sorted; unfinished ones are not among them."""

    def stage(self, key: str) -> AbstractContextManager[Path]:
        """Give a local path to write to; on leaving without an error the file is published under ``key``."""
