"""What is to be written, held back: reads see it, the store below does not until it is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from geowatch.store.base import Store

__all__ = ["Overlay"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """A store over another: objects that are put if absent stay here until `publish`; all else goes through."""

    below: Store
    """Where published objects are."""
    held: dict[str, bytes] = field(default_factory=dict)
    """What waits."""

    @property
    def url(self) -> str:
        """Where the store below is."""
        return self.below.url

    def get(self, key: str, start: int | None = None, length: int | None = None) -> bytes:
        """Read what waits, else what is below."""
        if key not in self.held:
            return self.below.get(key, start, length)
        content = self.held[key][start or 0 :]
        return content if length is None else content[:length]

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Hold ``content`` back, unless there is such an object."""
        if self.size(key) is not None:
            return False
        self.held[key] = content
        return True

    def size(self, key: str) -> int | None:
        """Size of what waits, else of what is below."""
        return len(self.held[key]) if key in self.held else self.below.size(key)

    def publish(self) -> None:
        """Publish what waits, unless others were faster."""
        while self.held:
            key = next(iter(self.held))
            self.below.put_if_absent(key, self.held[key])
            del self.held[key]

    def put(self, key: str, content: bytes) -> None:
        """Publish below."""
        self.below.put(key, content)

    def delete(self, key: str) -> None:
        """Remove below."""
        self.below.delete(key)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys below."""
        return self.below.list(prefix)

    def stage(self, key: str) -> AbstractContextManager[Path]:
        """Stage a file below."""
        return self.below.stage(key)
