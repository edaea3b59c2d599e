"""How long a scale bar is, and what is written beside it."""

from __future__ import annotations

import math

__all__ = ["length_text", "nice_length"]


def nice_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that is at most ``longest``.

    >>> nice_length(7300.0)
    5000.0
    """
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest * (1 + 1e-9))


def length_text(length: float, unit: str) -> str:
    """Return a length as people read it.

    >>> length_text(5000.0, "m"), length_text(0.1, "°")
    ('5 km', '0.1 °')
    """
    return f"{length / 1000:g} km" if unit == "m" and length >= 1000 else f"{length:g} {unit}"
