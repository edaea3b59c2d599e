"""A process that does not survive the n-th call of a function; beside the programs that arrange it."""

from __future__ import annotations

import os
import signal


def die_at(place: tuple[object, str], call: int, after: bool) -> None:
    """Arrange that the process is killed at the n-th call of ``place`` (owner, name), before or after its work."""
    owner, name = place
    original = getattr(owner, name)
    count = 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal count
        count += 1
        if count == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if count == call and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, counted)
