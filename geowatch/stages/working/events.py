"""What a stage tells its caller while it works: events, never prints."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Events", "Silent"]


class Events(Protocol):
    """Hears what happens. The shell draws bars and lines from it, tests record it."""

    def note(self, text: str) -> None:
        """Something that the user should know, such as a repaired region; one sentence."""

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:
        """``done`` of ``total`` units of ``stage``; figures carry their unit in the name (``bytes``, ``windows``).

        ``total`` is infinite where nobody knows it yet.
        """

    def stopping(self) -> bool:
        """Whether the caller asks the stage to stop at the next safe place."""


class Silent:
    """Hears nothing and never asks to stop."""

    def note(self, text: str) -> None:
        """Drop it."""

    def progress(self, stage: str, done: float, total: float, **figures: float) -> None:
        """Drop it."""

    def stopping(self) -> bool:
        """Never."""
        return False
