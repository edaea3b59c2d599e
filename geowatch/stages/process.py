"""What a worker process needs once: an allocator that gives memory back.

The C library keeps large freed blocks for itself and raises its threshold for doing so with every one it sees; over
hours of bands and cores of changing sizes a worker's memory creeps up by hundreds of megabytes (measured: 1,015 MB
against 670 MB on a raster of 16384 x 16384 pixels). With the thresholds fixed, large arrays go back at once.
"""

from __future__ import annotations

import ctypes
from functools import cache

__all__ = ["steady_memory"]

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


@cache
def steady_memory() -> bool:
    """Fix the allocator's thresholds for this process; tells whether this C library has them."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not the GNU C library
        return False
    settings = ((_M_MMAP_THRESHOLD, 1 << 18), (_M_TRIM_THRESHOLD, 1 << 24), (_M_ARENA_MAX, 2))
    return all(mallopt(name, value) == 1 for name, value in settings)
