"""Requests to stop: the first drains, the second ends at once.

A stage that polls `Interrupts.stopping` finishes what it holds and raises `InterruptedRunError`. Before a
stage has polled for the first time there is nothing to drain, and the first request ends the command.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

__all__ = ["INTERRUPTED", "Interrupts", "StopRequest"]

INTERRUPTED = 75
"""Exit code of a run that was stopped and can be resumed (EX_TEMPFAIL of sysexits.h)."""


class StopRequest(BaseException):  # no error, and no `except Exception` may swallow it
    """A stop was asked for while there was nothing to drain."""


class Interrupts:
    """Listens to SIGINT and SIGTERM. PID 1 of a container needs this too: the kernel stops nothing for it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.asked = False
        self.polled = False

    def listen(self) -> None:
        """Take both signals over."""
        signal.signal(signal.SIGINT, self._hear)
        signal.signal(signal.SIGTERM, self._hear)

    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        self.polled = True
        return self.asked

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            os._exit(INTERRUPTED)
        self.asked = True
        if not self.polled:
            raise StopRequest
        self.say("stopping after the work in hand; once more stops at once")
