"""A process that does not survive the n-th call of a function; beside the programs that arrange it."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Mapping

#: What a process does not survive: the name of a place, which call of it, and whether the call still does its work.
Moment = tuple[str, int, bool]
Places = Mapping[str, tuple[object, str]]


def die_at(place: tuple[object, str], call: int, after: bool) -> None:
    """Arrange that the process is killed at the n-th call of ``place`` (owner, name), before or after its work."""
    owner, name = place
    original = getattr(owner, name)
    calls = itertools.count(1)

    def counted(*args: object, **kwargs: object) -> object:
        # Its own number, as threads call side by side: another's call may begin before this one is done.
        number = next(calls)
        if number == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if number == call and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, counted)


def forked(work: Callable[[], object], places: Places, moment: Moment | None = None) -> int:
    """Start a process that does some work, and dies at a moment if one is given; return its pid.

    It ends with 0, or with 3 after an error.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        if moment is not None:
            die_at(places[moment[0]], *moment[1:])
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        import traceback

        traceback.print_exc()
        os._exit(3)


def ended(pid: int) -> int:
    """Wait; return the exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at_random(
    start: Callable[[], int], again: Callable[[], object], rng: random.Random, lasts_s: float
) -> tuple[int, float]:
    """Kill a process at a random moment; return its exit status, and how long one lasts as far as is known.

    One that is done before its moment comes was faster than any before: the next is killed earlier.

    Args:
        start: starts the process, and returns its pid.
        again: makes what was there before.
        rng: chooses the moment.
        lasts_s: seconds that one lasts.
    """
    for _ in range(10):
        started = time.monotonic()
        pid = start()
        time.sleep(rng.uniform(0, lasts_s))
        os.kill(pid, signal.SIGKILL)
        status = ended(pid)
        if status != 0:
            break
        lasts_s = min(lasts_s, time.monotonic() - started) * 0.8
        again()
    return status, lasts_s
