"""Time: stub, see below."""

from __future__ import annotations

from typing import Literal

__all__ = ["SAMPLINGS", "Sampling"]

Sampling = Literal["contiguous", "uniform", "hard-dilated", "soft-dilated", "multi-season"]
"""Which observations of a span are picked."""
SAMPLINGS: tuple[Sampling, ...] = ("contiguous", "uniform", "hard-dilated", "soft-dilated", "multi-season")
