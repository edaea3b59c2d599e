"""Leaving the process, once its work is done and said.

Native libraries end threads of their own while the C++ runtime takes itself apart, and now and then lose the race:
the process then aborts after all of its work is done, and whoever waits for it reads a failure. So it is left at
once, after everything that Python itself has to do at exit.
"""

from __future__ import annotations

import atexit
import os
import sys

__all__ = ["Leaving"]


class Leaving:
    """Ends the process with ``code``, when that is known by then; otherwise Python ends it as ever."""

    def __init__(self) -> None:
        self.code: int | None = None

    @classmethod
    def registered(cls) -> Leaving:
        """Return one that is called last of all exit functions, if no other was registered before."""
        leaving = cls()
        atexit.register(leaving)
        return leaving

    def __call__(self) -> None:
        """End the process, if it is known how."""
        if self.code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                self.code = self.code or 1
        os._exit(self.code)

    def note(self, reason: SystemExit) -> None:
        """Note how the process ends: as Python would end it for this reason, where it has a number."""
        self.code = 0 if reason.code is None else reason.code if isinstance(reason.code, int) else None
        if self.code is not None:
            _spare_zarr()


def _spare_zarr() -> None:
    """Leave out zarr's own end: on a busy machine it does not wait for its thread, and fails with a traceback."""
    if (zarr := sys.modules.get("zarr.core.sync")) is not None and hasattr(zarr, "cleanup_resources"):
        atexit.unregister(zarr.cleanup_resources)
